package validators

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// complaint is one mistake of an instance.
type complaint struct {
	where string
	depth int
	text  string
}

// explain says in one line what is wrong with an instance: the first mistake and the number of the others. The library
// meets an object's properties in the order of a map, so the order is made here.
func explain(err *jsonschema.ValidationError) string {
	all := collect(err, nil)
	first := slices.MinFunc(all, func(a, b complaint) int {
		return cmp.Or(strings.Compare(a.where, b.where), strings.Compare(a.text, b.text))
	})
	if others := len(all) - 1; others > 0 {
		return fmt.Sprintf("%s (and %d more)", first.line(), others)
	}
	return first.line()
}

func (c complaint) line() string {
	if c.where == "" {
		return c.text
	}
	return fmt.Sprintf("at %s: %s", quote(c.where), c.text)
}

// collect appends the complaints of an error: its own, or those of its causes where it only groups them.
func collect(err *jsonschema.ValidationError, into []complaint) []complaint {
	switch what := err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return append(into, alternatives(err))
	case *kind.PropertyNames:
		// The library reuses the memory of this error's location, so only the name is to be trusted.
		return append(into, complaint{text: "property name " + quote(what.Property) + propertyReason(err)})
	case *kind.AdditionalProperties:
		slices.Sort(what.Properties)
	}
	if len(err.Causes) == 0 {
		return append(into, leaf(err))
	}
	for _, cause := range err.Causes {
		into = collect(cause, into)
	}
	return into
}

// propertyReason is what is wrong with a property's name.
func propertyReason(err *jsonschema.ValidationError) string {
	var all []complaint
	for _, cause := range err.Causes {
		all = collect(cause, all)
	}
	if len(all) == 0 {
		return " is not allowed"
	}
	return ": " + slices.MinFunc(all, func(a, b complaint) int { return strings.Compare(a.text, b.text) }).text
}

// alternatives is the complaint of anyOf and oneOf: of all alternatives, the one that failed deepest inside the instance
// is most likely the one that was meant.
func alternatives(err *jsonschema.ValidationError) complaint {
	if len(err.Causes) == 0 {
		return leaf(err)
	}
	var all []complaint
	for _, cause := range err.Causes {
		all = collect(cause, all)
	}
	closest := slices.MinFunc(all, func(a, b complaint) int {
		return cmp.Or(-cmp.Compare(a.depth, b.depth), strings.Compare(a.where, b.where), strings.Compare(a.text, b.text))
	})
	own := leaf(err)
	own.text = "no alternative fits, the closest one fails with: " + closest.line()
	own.depth = max(own.depth, closest.depth)
	return own
}

func leaf(err *jsonschema.ValidationError) complaint {
	const most = 200
	var where strings.Builder
	for _, token := range err.InstanceLocation {
		where.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	text := err.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if wrong, ok := err.ErrorKind.(*kind.Format); ok {
		value, _ := wrong.Got.(string) // formats are for texts
		text = fmt.Sprintf("%s is not a valid %s: %v", quote(value), wrong.Want, wrong.Err)
	}
	return complaint{where: where.String(), depth: len(err.InstanceLocation), text: clip(text, most)}
}
