package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseLimits bound a JSON text.
type parseLimits struct {
	bytes int
	depth int
	// objects is the most objects and booleans; 0 means no bound.
	objects int
}

func answerLimits() parseLimits { return parseLimits{bytes: MaxJSONBytes, depth: MaxDepth} }

func schemaLimits() parseLimits {
	return parseLimits{bytes: MaxSchemaBytes, depth: MaxSchemaDepth, objects: MaxSubschemas}
}

// parseJSON reads one JSON value within limits. Unlike encoding/json it refuses invalid UTF-8 and duplicate keys, where
// two readers of one answer could see two different values.
func parseJSON(text string, limits parseLimits) (any, error) {
	if len(text) > limits.bytes {
		return nil, fmt.Errorf("is longer than %d bytes", limits.bytes)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("is not valid UTF-8")
	}
	if err := checkSyntax(text); err != nil {
		return nil, err
	}
	r := jsonReader{text: text, limits: limits}
	return r.value(0)
}

// readJSON is parseJSON for what a model wrote: what is wrong with it is a reason, not an error.
func readJSON(text string) (doc any, reason string) {
	doc, err := parseJSON(text, answerLimits())
	if err != nil {
		return nil, err.Error()
	}
	return doc, ""
}

// checkSyntax applies the grammar, so that the reader below need not.
func checkSyntax(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("is not JSON: it is empty")
	}
	data := []byte(text)
	if json.Valid(data) {
		return nil
	}
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("is not JSON: %s at byte %d", syntax.Error(), syntax.Offset)
	}
	return errors.New("is not JSON")
}

// jsonReader builds the value of a text whose syntax is known to be right.
type jsonReader struct {
	text    string
	pos     int
	objects int
	limits  parseLimits
}

func (r *jsonReader) value(depth int) (any, error) {
	if depth > r.limits.depth {
		return nil, fmt.Errorf("is nested deeper than %d levels", r.limits.depth)
	}
	switch r.peek() {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return r.str()
	case 't':
		r.pos += len("true")
		return true, r.count()
	case 'f':
		r.pos += len("false")
		return false, r.count()
	case 'n':
		r.pos += len("null")
		return nil, nil
	default:
		return r.number()
	}
}

// peek skips white space and is the byte after it.
func (r *jsonReader) peek() byte {
	for {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return c
		}
	}
}

func (r *jsonReader) count() error {
	r.objects++
	if r.limits.objects > 0 && r.objects > r.limits.objects {
		return fmt.Errorf("has more than %d subschemas", r.limits.objects)
	}
	return nil
}

func (r *jsonReader) object(depth int) (any, error) {
	if err := r.count(); err != nil {
		return nil, err
	}
	obj := map[string]any{}
	for r.pos++; r.peek() != '}'; {
		if r.text[r.pos] == ',' {
			r.pos++
			r.peek()
		}
		at := r.pos
		key, err := r.str()
		if err != nil {
			return nil, err
		}
		if _, twice := obj[key]; twice {
			return nil, fmt.Errorf("has the key %s twice, the second time at byte %d", quote(key), at)
		}
		r.peek()
		r.pos++ // the colon
		if obj[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	r.pos++
	return obj, nil
}

func (r *jsonReader) array(depth int) (any, error) {
	items := []any{}
	for r.pos++; r.peek() != ']'; {
		if r.text[r.pos] == ',' {
			r.pos++
		}
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	r.pos++
	return items, nil
}

func (r *jsonReader) str() (string, error) {
	start, escaped := r.pos, false
	for r.pos++; r.text[r.pos] != '"'; r.pos++ {
		if r.text[r.pos] == '\\' {
			escaped = true
			r.pos++
		}
	}
	r.pos++
	if !escaped {
		return r.text[start+1 : r.pos-1], nil
	}
	var s string
	if err := json.Unmarshal([]byte(r.text[start:r.pos]), &s); err != nil {
		return "", fmt.Errorf("has a text that cannot be read at byte %d", start)
	}
	return s, nil
}

func (r *jsonReader) number() (any, error) {
	start := r.pos
	for r.pos < len(r.text) && strings.IndexByte("+-.0123456789eE", r.text[r.pos]) >= 0 {
		r.pos++
	}
	literal := r.text[start:r.pos]
	if err := checkNumber(literal); err != nil {
		return nil, fmt.Errorf("has a number %w at byte %d", err, start)
	}
	return json.Number(literal), nil
}

// checkNumber refuses a literal that is cheap to write and dear to compute with.
func checkNumber(literal string) error {
	if len(literal) > MaxNumberChars {
		return fmt.Errorf("of more than %d characters", MaxNumberChars)
	}
	i := strings.IndexAny(literal, "eE")
	if i < 0 {
		return nil
	}
	exponent, err := strconv.Atoi(literal[i+1:])
	if err != nil || exponent > MaxExponent || exponent < -MaxExponent {
		return fmt.Errorf("with an exponent beyond %d", MaxExponent)
	}
	return nil
}
