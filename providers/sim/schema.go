package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/sim/dice"
)

// schema is a JSON Schema as far as values can be made from it.
type schema struct {
	root map[string]any
}

// newSchema reads a schema; what is none allows anything.
func newSchema(raw []byte) *schema {
	s := &schema{}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	_ = decoder.Decode(&s.root)
	return s
}

// maxSchemaDepth is how deep a value is made before it is left empty: a schema may refer to itself.
const maxSchemaDepth = 12

// value makes a JSON value that fits the schema. With off, the first finite set that it comes to gets a label that is
// not in it, and found says that there was one. Texts whose description asks for a copy are taken from source.
func (s *schema) value(d *dice.Dice, off bool, source string) (value string, found bool) {
	m := &maker{schema: s, d: d, off: off, source: strings.Fields(source)}
	return string(m.make(nil, s.root, 0)), off && !m.off
}

// maker makes one value.
type maker struct {
	schema *schema
	d      *dice.Dice
	off    bool
	source []string // the words that are copied
}

func (m *maker) make(b []byte, node map[string]any, depth int) []byte {
	node = m.resolve(node)
	if depth > maxSchemaDepth {
		return append(b, `null`...)
	}
	if constant, ok := node["const"]; ok {
		return appendJSON(b, constant)
	}
	if set, ok := node["enum"].([]any); ok && len(set) > 0 {
		return m.enum(b, set)
	}
	switch kindOf(node) {
	case "object":
		return m.object(b, node, depth)
	case "array":
		return m.array(b, node, depth)
	case "string":
		return httpcall.AppendString(b, m.text(node))
	case "integer":
		return m.number(b, node, true)
	case "number":
		return m.number(b, node, false)
	case "boolean":
		return strconv.AppendBool(b, m.d.Hits(500))
	}
	return append(b, `null`...)
}

// resolve follows references and takes one of the alternatives.
func (m *maker) resolve(node map[string]any) map[string]any {
	for range maxSchemaDepth {
		if ref, ok := node["$ref"].(string); ok {
			node = m.schema.at(ref)
			continue
		}
		options := alternatives(node)
		if len(options) == 0 {
			break
		}
		if option, ok := dice.Pick(m.d, options).(map[string]any); ok {
			node = merged(node, option)
			continue
		}
		break
	}
	if parts, ok := node["allOf"].([]any); ok {
		for _, part := range parts {
			if part, ok := part.(map[string]any); ok {
				node = merged(node, m.resolve(part))
			}
		}
	}
	return node
}

// at is the part of the schema that a local reference names.
func (s *schema) at(ref string) map[string]any {
	node := s.root
	for name := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
		if name == "" {
			continue
		}
		node, _ = node[name].(map[string]any)
	}
	return node
}

func alternatives(node map[string]any) []any {
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if options, ok := node[keyword].([]any); ok && len(options) > 0 {
			return options
		}
	}
	return nil
}

// merged is a schema with the keywords of another; the alternatives are settled by that.
func merged(node, with map[string]any) map[string]any {
	out := maps.Clone(node)
	delete(out, "anyOf")
	delete(out, "oneOf")
	delete(out, "allOf")
	maps.Copy(out, with)
	return out
}

// kindOf is the type of the values that a schema asks for.
func kindOf(node map[string]any) string {
	switch t := node["type"].(type) {
	case string:
		return t
	case []any:
		for _, name := range t {
			if name, ok := name.(string); ok && name != "null" {
				return name
			}
		}
	}
	switch {
	case node["properties"] != nil:
		return "object"
	case node["items"] != nil:
		return "array"
	case node["minimum"] != nil || node["maximum"] != nil:
		return "number"
	case len(node) > 0:
		return "string"
	}
	return ""
}

func (m *maker) enum(b []byte, set []any) []byte {
	value := dice.Pick(m.d, set)
	if label, ok := value.(string); ok && m.off {
		m.off = false
		return httpcall.AppendString(b, offLabel(m.d, label))
	}
	return appendJSON(b, value)
}

// offLabel is a label that a model makes up because it does not keep to the set.
func offLabel(d *dice.Dice, label string) string {
	words := strings.ReplaceAll(label, "_", " ")
	return dice.Pick(d, []string{words + " (likely)", "other: " + words, words + "_and_more", "unclear_" + label})
}

func appendJSON(b []byte, value any) []byte {
	raw, err := json.Marshal(value)
	if err != nil {
		return append(b, `null`...) // what was decoded can be encoded
	}
	return append(b, raw...)
}

func (m *maker) object(b []byte, node map[string]any, depth int) []byte {
	properties, _ := node["properties"].(map[string]any)
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(properties)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(httpcall.AppendString(b, name), ':')
		property, _ := properties[name].(map[string]any)
		b = m.make(b, property, depth+1)
	}
	return append(b, '}')
}

func (m *maker) array(b []byte, node map[string]any, depth int) []byte {
	const usual, most = 3, 100
	low := min(bound(node, "minItems", 1), most)
	high := min(bound(node, "maxItems", max(low, usual)), most)
	items, _ := node["items"].(map[string]any)
	b = append(b, '[')
	for i := range m.d.Between(low, max(low, high)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = m.make(b, items, depth+1)
	}
	return append(b, ']')
}

// bound is a keyword's whole number.
func bound(node map[string]any, keyword string, fallback int) int {
	number, ok := node[keyword].(json.Number)
	if !ok {
		return fallback
	}
	f, err := number.Float64()
	if err != nil || math.Abs(f) > 1e12 {
		return fallback
	}
	if strings.HasPrefix(keyword, "min") {
		return int(math.Ceil(f))
	}
	return int(math.Floor(f))
}

func (m *maker) text(node map[string]any) string {
	if text, ok := m.formatted(node); ok {
		return text
	}
	if pattern, ok := node["pattern"].(string); ok {
		if text, ok := matching(m.d, pattern); ok {
			return text
		}
	}
	if text, ok := m.copied(node); ok {
		return text
	}
	const usual, most = 60, 10_000
	low := min(bound(node, "minLength", 1), most)
	high := min(bound(node, "maxLength", max(low, usual)), most)
	text := sentence(m.d)
	for len(text) < low {
		text += " " + sentence(m.d)
	}
	if len(text) > high {
		text = strings.TrimRight(text[:high], " ") // the words are ASCII
	}
	for len(text) < low {
		text += "x"
	}
	return text
}

// copied is a few words of the source, where a text's description asks for its words as they are.
func (m *maker) copied(node map[string]any) (string, bool) {
	const fewest, most = 1, 4
	about, _ := node["description"].(string)
	if len(m.source) == 0 || !strings.Contains(about, "word for word") {
		return "", false
	}
	start := m.d.Below(len(m.source))
	end := min(start+m.d.Between(fewest, most), len(m.source))
	text := strings.Join(m.source[start:end], " ")
	return text, len(text) >= bound(node, "minLength", 0) && len(text) <= bound(node, "maxLength", len(text))
}

func (m *maker) formatted(node map[string]any) (string, bool) {
	date := "20" + twoDigits(m.d.Between(20, 29)) + "-" + twoDigits(m.d.Between(1, 12)) + "-" + twoDigits(m.d.Between(1, 28))
	switch node["format"] {
	case "date":
		return date, true
	case "date-time":
		return date + "T" + twoDigits(m.d.Below(24)) + ":" + twoDigits(m.d.Below(60)) + ":00Z", true
	case "email":
		return "someone" + twoDigits(m.d.Below(100)) + "@mail.example", true
	case "uri":
		return "https://www.example/" + twoDigits(m.d.Below(100)), true
	case "uuid":
		return "00000000-0000-4000-8000-0000" + idOf(m.d.Uint64())[:8], true
	}
	return "", false
}

func twoDigits(n int) string { return fmt.Sprintf("%02d", n) }

// number makes a number within the bounds, in hundredths where fractions are allowed.
func (m *maker) number(b []byte, node map[string]any, whole bool) []byte {
	const usual = 1000
	low := bound(node, "minimum", bound(node, "exclusiveMinimum", -1)+1)
	high := bound(node, "maximum", bound(node, "exclusiveMaximum", max(low, 0)+usual+1)-1)
	if of := bound(node, "multipleOf", 1); of > 1 {
		low, high = (low+of-1)/of, high/of
		return strconv.AppendInt(b, int64(m.d.Between(low, max(low, high))*of), 10)
	}
	n := m.d.Between(low, max(low, high))
	b = strconv.AppendInt(b, int64(n), 10)
	if !whole && n >= 0 && n < high {
		b = append(append(b, '.'), twoDigits(m.d.Below(100))...)
	}
	return b
}
