package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Weights count in evaluations of a plain subschema.
const (
	numberWeight = 4  // a bound on a number is compared as an exact fraction
	uniqueWeight = 20 // uniqueItems compares up to twenty items with each other, and hashes more
	regexWeight  = 40 // format: regex compiles a text of the answer
	cheapLookups = 16 // comparisons with a text, or instructions of a pattern, per evaluation
)

// measure works out what a compiled schema can cost and refuses one without a bound.
func measure(root *jsonschema.Schema) (*schema, error) {
	m := &meter{
		inPlace: map[*jsonschema.Schema][]*jsonschema.Schema{},
		compare: map[*jsonschema.Schema]int{},
		weights: map[*jsonschema.Schema]int{},
		open:    map[*jsonschema.Schema]bool{},
	}
	m.discover(root)
	if err := m.refuseEndless(); err != nil {
		return nil, err
	}
	expansion := m.expand(root)
	if expansion > MaxExpansion {
		return nil, fmt.Errorf("the schema expands to more than %d subschemas", MaxExpansion)
	}
	return &schema{
		compiled: root, inPlace: m.inPlace, compare: m.compare, expansion: expansion, recursive: m.recursive,
	}, nil
}

// meter walks the graph of a schema's parts, in which a reference is an edge like any other.
type meter struct {
	order     []*jsonschema.Schema
	inPlace   map[*jsonschema.Schema][]*jsonschema.Schema
	compare   map[*jsonschema.Schema]int
	weights   map[*jsonschema.Schema]int
	open      map[*jsonschema.Schema]bool
	recursive bool
}

// discover finds every part that is reachable from the root.
func (m *meter) discover(root *jsonschema.Schema) {
	m.order = append(m.order, root)
	for next := 0; next < len(m.order); next++ {
		s := m.order[next]
		if _, known := m.inPlace[s]; known {
			continue
		}
		m.inPlace[s] = inPlace(s)
		m.compare[s] = compareWeight(s)
		m.order = append(m.order, m.inPlace[s]...)
		m.order = append(m.order, deeper(s)...)
	}
}

// refuseEndless reports a part that validation never gets to the end of, or whose cost cannot be known beforehand.
func (m *meter) refuseEndless() error {
	done := map[*jsonschema.Schema]bool{}
	for _, s := range m.order {
		if s.DynamicRef != nil || s.RecursiveRef != nil {
			return errors.New("the schema uses $dynamicRef or $recursiveRef, which are not supported")
		}
		if m.circles(s, done) {
			return errors.New("the schema refers to itself in a circle")
		}
	}
	return nil
}

// circles tells whether the parts that judge the same place of an instance lead back to one of them.
func (m *meter) circles(s *jsonschema.Schema, done map[*jsonschema.Schema]bool) bool {
	if m.open[s] || done[s] {
		return m.open[s]
	}
	m.open[s] = true
	for _, part := range m.inPlace[s] {
		if m.circles(part, done) {
			return true
		}
	}
	m.open[s] = false
	done[s] = true
	return false
}

// expand is the weight of a schema and of all that it leads to, each part as often as there are ways to it. A part
// inside itself counts once and makes the schema recursive.
func (m *meter) expand(s *jsonschema.Schema) int {
	if weight, known := m.weights[s]; known {
		return weight
	}
	if m.open[s] {
		m.recursive = true
		return 1
	}
	m.open[s] = true
	weight := weightOf(s)
	for _, part := range slices.Concat(m.inPlace[s], deeper(s)) {
		weight = min(weight+m.expand(part), MaxExpansion+1)
	}
	m.open[s] = false
	m.weights[s] = weight
	return weight
}

// weightOf is what one evaluation of a part costs per byte of the instance, its own parts aside.
func weightOf(s *jsonschema.Schema) int {
	weight := 1 + compareWeight(s) + patternWeight(s.Pattern)
	for re := range s.PatternProperties {
		weight += 1 + patternWeight(re)
	}
	if comparesNumbers(s) {
		weight += numberWeight
	}
	if s.UniqueItems {
		weight += uniqueWeight
	}
	if isRegexFormat(s) {
		weight += regexWeight
	}
	return weight
}

// compareWeight is the cost of comparing an instance with the values of enum and const.
func compareWeight(s *jsonschema.Schema) int {
	weight := 0
	if s.Enum != nil {
		weight += lookups(s.Enum.Values)
	}
	if s.Const != nil {
		weight += lookups(*s.Const)
	}
	return weight / cheapLookups
}

// lookups is the cost of comparing with one value, in cheap ones. Numbers are compared as exact fractions, which are
// made anew for every comparison.
func lookups(value any) int {
	n := 1
	switch v := value.(type) {
	case json.Number:
		n = cheapLookups
		if hasExponent(v) {
			n = numberWeight * cheapLookups
		}
	case []any:
		for _, item := range v {
			n += lookups(item)
		}
	case map[string]any:
		for _, item := range v {
			n += lookups(item)
		}
	}
	return n
}

func hasExponent(n json.Number) bool { return strings.ContainsAny(n.String(), "eE") }

func patternWeight(re jsonschema.Regexp) int {
	if p, ok := re.(*pattern); ok {
		return p.program / cheapLookups
	}
	return 0
}

func comparesNumbers(s *jsonschema.Schema) bool {
	return s.Minimum != nil || s.Maximum != nil || s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil ||
		s.MultipleOf != nil
}

func isRegexFormat(s *jsonschema.Schema) bool { return s.Format != nil && s.Format.Name == "regex" }

// inPlace are the parts of a schema that judge the same place of an instance as the schema itself.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	parts := slices.Concat([]*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf)
	parts = append(parts, sorted(s.DependentSchemas)...)
	for _, name := range slices.Sorted(maps.Keys(s.Dependencies)) {
		part, _ := s.Dependencies[name].(*jsonschema.Schema) // a list of names is no schema
		parts = append(parts, part)
	}
	return present(parts)
}

// deeper are the parts of a schema that judge what is inside an instance.
func deeper(s *jsonschema.Schema) []*jsonschema.Schema {
	parts := sorted(s.Properties)
	for _, re := range sortedPatterns(s) {
		parts = append(parts, s.PatternProperties[re])
	}
	parts = append(parts, s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems)
	parts = append(parts, s.PrefixItems...)
	for _, some := range []any{s.AdditionalProperties, s.Items, s.AdditionalItems} {
		switch some := some.(type) {
		case *jsonschema.Schema:
			parts = append(parts, some)
		case []*jsonschema.Schema:
			parts = append(parts, some...)
		}
	}
	return present(parts)
}

// sorted are the values of a map in the order of its keys: a limit must not depend on the order of a map.
func sorted(byName map[string]*jsonschema.Schema) []*jsonschema.Schema {
	parts := make([]*jsonschema.Schema, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		parts = append(parts, byName[name])
	}
	return parts
}

func sortedPatterns(s *jsonschema.Schema) []jsonschema.Regexp {
	return slices.SortedFunc(maps.Keys(s.PatternProperties), func(a, b jsonschema.Regexp) int {
		return strings.Compare(a.String(), b.String())
	})
}

func present(parts []*jsonschema.Schema) []*jsonschema.Schema {
	return slices.DeleteFunc(parts, func(s *jsonschema.Schema) bool { return s == nil })
}
