package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// target is the part of a validator's parameters that says what it looks at.
type target struct {
	// Field is a name at the top of the answer's JSON, or a JSON Pointer when it begins with a slash; empty means the
	// whole answer.
	Field string `json:"field"`
	// Optional accepts an answer in which the field is absent or null.
	Optional bool `json:"optional"`
}

// place is a target made ready: where in an answer to look.
type place struct {
	path     pointer
	name     string
	optional bool
	// raw takes the whole answer with the fence around it.
	raw bool
}

// place is the part of the answer that the parameters name.
func (t target) place() (place, error) {
	if t.Field == "" {
		if t.Optional {
			return place{}, errors.New(`parameter "optional" needs "field"`)
		}
		return place{}, nil
	}
	path, err := newPointer(t.Field)
	if err != nil {
		return place{}, fmt.Errorf(`parameter "field": %w`, err)
	}
	return place{path: path, name: t.Field, optional: t.Optional}, nil
}

// rawPlace is place for validators of plain text, which see a whole answer as it is.
func (t target) rawPlace() (place, error) {
	p, err := t.place()
	p.raw = true
	return p, err
}

// value looks the field up. Without ok there is nothing to judge: the answer is rejected for the reason, or accepted
// where the reason is empty.
func (p place) value(s *subject) (value any, ok bool, reason string) {
	doc, reason := s.document()
	if reason != "" {
		return nil, false, reason
	}
	value, found := p.path.find(doc)
	if found && value != nil {
		return value, true, ""
	}
	if p.optional {
		return nil, false, ""
	}
	return nil, false, fmt.Sprintf("the answer has no field %s", quote(p.name))
}

// text is the text that the place holds: the whole answer, or the field's scalar. The results are those of value.
func (p place) text(s *subject) (text string, ok bool, reason string) {
	if p.path == nil {
		if p.raw {
			return s.answer.Output, true, ""
		}
		return s.text, true, ""
	}
	value, ok, reason := p.value(s)
	if !ok {
		return "", false, reason
	}
	text, ok = scalarText(value)
	if !ok {
		return "", false, fmt.Sprintf("field %s is %s, not a text", quote(p.name), kindOf(value))
	}
	return text, true, ""
}

// what names the place in a reason.
func (p place) what() string {
	if p.path == nil {
		return "the answer"
	}
	return "field " + quote(p.name)
}

// scalarText is a JSON scalar as text.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}

// kindOf names the type of a JSON value.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

// pointer is the path to a value inside JSON.
type pointer []string

// newPointer reads a field's name, or a JSON Pointer (RFC 6901) when it begins with a slash.
func newPointer(field string) (pointer, error) {
	if !strings.HasPrefix(field, "/") {
		return pointer{field}, nil
	}
	var path pointer
	for token := range strings.SplitSeq(field[1:], "/") {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(token), "~") {
			return nil, fmt.Errorf("%q is not a JSON Pointer: ~ must be followed by 0 or 1", field)
		}
		path = append(path, strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
	}
	return path, nil
}

func (p pointer) find(value any) (any, bool) {
	for _, token := range p {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[token]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, ok := arrayIndex(token)
			if !ok || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// arrayIndex reads an index as RFC 6901 writes it: digits without a leading zero.
func arrayIndex(token string) (int, bool) {
	i, err := strconv.Atoi(token)
	return i, err == nil && i >= 0 && strconv.Itoa(i) == token
}
