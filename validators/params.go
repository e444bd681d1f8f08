package validators

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// build makes a check from parameters of type P. The check's constructor sees only parameters that decoded.
func build[P any](construct func(P) (check, error)) func(json.RawMessage) (check, error) {
	return func(raw json.RawMessage) (check, error) {
		var params P
		if err := decodeParams(raw, &params); err != nil {
			return nil, err
		}
		return construct(params)
	}
}

// none is the parameters of a validator that takes none.
type none struct{}

// decodeParams fills the struct that into points at. Names are matched exactly, and every unknown name and wrong type is
// reported, not only the first.
func decodeParams(raw json.RawMessage, into any) error {
	given, err := splitParams(raw)
	if err != nil {
		return err
	}
	var mistakes []error
	target := reflect.ValueOf(into).Elem()
	for _, field := range reflect.VisibleFields(target.Type()) {
		name := field.Tag.Get("json")
		text, ok := given[name]
		if !ok || field.Anonymous {
			continue
		}
		delete(given, name)
		if err := decodeStrictly(text, target.FieldByIndex(field.Index).Addr().Interface()); err != nil {
			mistakes = append(mistakes, fmt.Errorf("parameter %q: %w", name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		mistakes = append(mistakes, fmt.Errorf("parameter %q is unknown", name))
	}
	return errors.Join(mistakes...)
}

func splitParams(raw json.RawMessage) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	doc, err := parseJSON(string(raw), answerLimits())
	if err != nil {
		return nil, fmt.Errorf("the parameters: the text %w", err)
	}
	if doc == nil {
		return nil, nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, fmt.Errorf("the parameters are %s, want an object", kindOf(doc))
	}
	return given, nil
}

func decodeStrictly(text json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("is %s, want %s", wrong.Value, wanted(wrong.Type))
	}
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// wanted names a parameter's type for the person who writes weir.yaml.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[json.Number]():
		return "a number"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// checkList checks a list of texts in the parameters.
func checkList(name string, values []string, least int) error {
	if len(values) < least {
		return fmt.Errorf("parameter %q needs at least %d entry", name, least)
	}
	if len(values) > MaxValues {
		return fmt.Errorf("parameter %q has more than %d entries", name, MaxValues)
	}
	for i, value := range values {
		if utf8.RuneCountInString(value) > MaxValueChars {
			return fmt.Errorf("parameter %q: entry %d is longer than %d characters", name, i+1, MaxValueChars)
		}
	}
	return nil
}

// checkWord checks a parameter that is one of a few words.
func checkWord(name, got string, words ...string) error {
	if slices.Contains(words, got) {
		return nil
	}
	return fmt.Errorf("parameter %q is %q, want %s", name, got, strings.Join(words, ", "))
}
