package pricing

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/task"
)

// object reads one YAML mapping. Its getters note a wrong value in the report and return the zero value; close notes
// every key that no getter asked for.
type object struct {
	r      *report
	path   string
	line   int
	keys   []*yaml.Node
	values map[string]*yaml.Node
	asked  []string
}

const wholeFile = "the file"

// readObject never returns nil: what is no mapping is noted and read as an empty one.
func readObject(r *report, path string, n *yaml.Node) *object {
	o := &object{r: r, path: path, line: n.Line, values: map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		r.add(n.Line, cmp.Or(path, wholeFile), "is %s; it must be a mapping of keys to values", kindOf(n))
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		_, again := o.values[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Value == "":
			r.add(key.Line, cmp.Or(path, wholeFile), "has a key that is no word")
		case again:
			r.add(key.Line, o.at(key.Value), "is given twice")
		default:
			o.keys = append(o.keys, key)
			o.values[key.Value] = value
		}
	}
	return o
}

func (o *object) at(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// close notes the keys that mean nothing.
func (o *object) close() {
	for _, key := range o.keys {
		if !slices.Contains(o.asked, key.Value) {
			o.r.add(key.Line, o.at(key.Value), "is unknown; the keys here are %s", o.known())
		}
	}
}

func (o *object) known() string {
	slices.Sort(o.asked)
	return strings.Join(slices.Compact(o.asked), ", ")
}

// get is the value of a key, nil without the key.
func (o *object) get(key string) *yaml.Node {
	o.asked = append(o.asked, key)
	return o.values[key]
}

// need is get for a key that must be there.
func (o *object) need(key string) *yaml.Node {
	n := o.get(key)
	if n == nil {
		o.r.add(o.line, o.at(key), "is missing")
	}
	return n
}

// bad notes what is wrong with the value of a key.
func (o *object) bad(n *yaml.Node, key, format string, args ...any) {
	o.r.add(n.Line, o.at(key), format, args...)
}

// object reads a mapping; nil without the key.
func (o *object) object(key string) *object {
	n := o.get(key)
	if n == nil {
		return nil
	}
	return readObject(o.r, o.at(key), n)
}

// entries reads a mapping of free names to texts and gives each to use, which notes what is wrong with it.
func (o *object) entries(key string, use func(name string, n *yaml.Node) error) {
	section := o.object(key)
	if section == nil {
		return
	}
	for _, name := range section.keys {
		n := section.values[name.Value]
		if err := use(name.Value, n); err != nil {
			section.bad(n, name.Value, "is %s", err)
		}
	}
}

// list reads a list of mappings and gives each to read. It must be there and not be empty when it is needed.
func (o *object) list(key string, needed bool, read func(*object)) {
	n := o.get(key)
	switch {
	case n == nil && needed:
		o.r.add(o.line, o.at(key), "is missing")
	case n == nil:
	case n.Kind != yaml.SequenceNode:
		o.bad(n, key, "is %s; it must be a list", kindOf(n))
	case needed && len(n.Content) == 0:
		o.bad(n, key, "is empty")
	default:
		for i, item := range n.Content {
			entry := readObject(o.r, fmt.Sprintf("%s[%d]", o.at(key), i), item)
			read(entry)
			entry.close()
		}
	}
}

// needText reads a text that must be there and not be empty.
func (o *object) needText(key string) string {
	n := o.need(key)
	s := o.asText(key, n)
	if n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() == tagText && strings.TrimSpace(s) == "" {
		o.bad(n, key, "is empty")
	}
	return s
}

func (o *object) asText(key string, n *yaml.Node) string {
	if n == nil {
		return ""
	}
	s, err := textOf(n)
	if err != nil {
		o.bad(n, key, "is %s", err)
	}
	return s
}

// texts reads a list of texts.
func (o *object) texts(key string) []*yaml.Node {
	n := o.get(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.bad(n, key, "is %s; it must be a list", kindOf(n))
		return nil
	}
	var out []*yaml.Node
	for i, item := range n.Content {
		if _, err := textOf(item); err != nil {
			o.bad(item, fmt.Sprintf("%s[%d]", key, i), "is %s", err)
			continue
		}
		out = append(out, item)
	}
	return out
}

// word reads one of a few words, of which the first is the default.
func (o *object) word(key string, allowed ...string) string {
	n := o.get(key)
	if n == nil {
		return allowed[0]
	}
	s := o.asText(key, n)
	if s != "" && !slices.Contains(allowed, s) {
		o.bad(n, key, "is %q; it must be %s", s, strings.Join(allowed, " or "))
	}
	return s
}

// tokens reads a number of tokens, 0 without the key.
func (o *object) tokens(key string) int64 { return o.count(key, "tokens") }

// count reads a number of something, 0 without the key.
func (o *object) count(key, unit string) int64 {
	const most = 1_000_000_000
	n := o.get(key)
	if n == nil {
		return 0
	}
	value, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || value < 1 || value > most {
		o.bad(n, key, "is %s; it must be a whole number of %s from 1 to %d", shown(n), unit, most)
		return 0
	}
	return value
}

// flag reads true or false; false without the key.
func (o *object) flag(key string) bool {
	n := o.get(key)
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		o.bad(n, key, "is %s; it must be true or false", shown(n))
		return false
	}
	value, err := strconv.ParseBool(n.Value)
	if err != nil {
		o.bad(n, key, "is %s; it must be true or false", shown(n))
	}
	return value
}

// time reads a date, which means its first moment in UTC, or an instant in UTC; the zero time without a value.
func (o *object) time(key string, n *yaml.Node) time.Time {
	if n == nil {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		t, err := time.Parse(layout, n.Value)
		if _, offset := t.Zone(); err == nil && offset == 0 && !t.IsZero() && n.Kind == yaml.ScalarNode {
			return t.UTC()
		}
	}
	o.bad(n, key, "is %s; write a date such as 2026-10-07, or an instant in UTC such as 2026-10-07T12:00:00Z", shown(n))
	return time.Time{}
}

const tagText = "!!str"

// textOf is the text of a scalar. Numbers are no text: unquoted, YAML may read them as something else.
func textOf(n *yaml.Node) (string, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == tagText {
		return n.Value, nil
	}
	if n.Kind == yaml.ScalarNode && n.Value != "" {
		return "", fmt.Errorf("%s; put it in quotes: %q", kindOf(n), n.Value)
	}
	return "", fmt.Errorf("%s; it must be text", kindOf(n))
}

// textAs reads a text with one of the package's parsers.
func textAs[T any](n *yaml.Node, parse func(string) (T, error)) (T, error) {
	s, err := textOf(n)
	if err != nil {
		var none T
		return none, err
	}
	return parse(s)
}

// perThousand is an amount of USD per thousand uses as one for each.
func perThousand(s string) (task.Pico, error) {
	const thousand = 1000
	p, err := task.ParseUSD(s)
	switch {
	case err != nil:
		return 0, err
	case p < 0, p > thousand*task.USD:
		return 0, fmt.Errorf("%s USD per thousand; it must be from 0 to %s", p, thousand*task.USD)
	case p%thousand != 0:
		return 0, fmt.Errorf("%s USD per thousand, which is no whole number of pico-USD each", p)
	}
	return p / thousand, nil
}

// kindOf names what a value is, in words.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	if n.Kind == yaml.AliasNode {
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	case tagText:
		return "text"
	}
	return "of the type " + n.ShortTag()
}

// shown quotes a short scalar and names anything else by its kind.
func shown(n *yaml.Node) string {
	const most = 40
	if n.Kind == yaml.ScalarNode && n.Value != "" && len(n.Value) <= most {
		return strconv.Quote(n.Value)
	}
	return kindOf(n)
}
