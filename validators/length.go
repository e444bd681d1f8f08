package validators

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lengthParams are the parameters of length.
type lengthParams struct {
	target
	// Unit is characters, words, tokens or items.
	Unit string `json:"unit"`
	// Min and Max bound the length, both inclusive; one of them is needed.
	Min *int `json:"min"`
	Max *int `json:"max"`
}

// length accepts texts or arrays of a bounded length.
type length struct {
	params lengthParams
	place  place
}

func newLength(p lengthParams) (check, error) {
	place, err := p.rawPlace()
	mistakes := []error{err, checkWord("unit", p.Unit, "characters", "words", "tokens", "items")}
	switch {
	case p.Min == nil && p.Max == nil:
		mistakes = append(mistakes, errors.New(`one of the parameters "min" and "max" is needed`))
	case p.Min != nil && *p.Min < 0, p.Max != nil && *p.Max < 0:
		mistakes = append(mistakes, errors.New(`parameters "min" and "max" must not be negative`))
	case p.Min != nil && p.Max != nil && *p.Min > *p.Max:
		mistakes = append(mistakes, errors.New(`parameter "min" is above "max"`))
	}
	return length{params: p, place: place}, errors.Join(mistakes...)
}

func (l length) judge(s *subject) (string, error) {
	n, ok, reason := l.measure(s)
	if !ok {
		return reason, nil
	}
	if l.params.Min != nil && n < *l.params.Min {
		return fmt.Sprintf("%s has %d %s, fewer than %d", l.place.what(), n, l.params.Unit, *l.params.Min), nil
	}
	if l.params.Max != nil && n > *l.params.Max {
		return fmt.Sprintf("%s has %d %s, more than %d", l.place.what(), n, l.params.Unit, *l.params.Max), nil
	}
	return "", nil
}

func (l length) measure(s *subject) (n int, ok bool, reason string) {
	if l.params.Unit == "items" {
		return l.items(s)
	}
	text, ok, reason := l.place.text(s)
	if !ok {
		return 0, false, reason
	}
	switch l.params.Unit {
	case "words":
		return countWords(text), true, ""
	case "tokens":
		return countTokens(text), true, ""
	default:
		return utf8.RuneCountInString(text), true, ""
	}
}

func (l length) items(s *subject) (n int, ok bool, reason string) {
	value, ok, reason := l.place.value(s)
	if !ok {
		return 0, false, reason
	}
	items, ok := value.([]any)
	if !ok {
		return 0, false, fmt.Sprintf("%s is %s, not an array", l.place.what(), kindOf(value))
	}
	return len(items), true, ""
}

// countWords counts what white space separates.
func countWords(text string) int {
	n := 0
	for range strings.FieldsSeq(text) {
		n++
	}
	return n
}

// countTokens is a rough number of tokens that is the same for every model: a quarter for an ASCII character, one for a
// Chinese, Japanese or Korean one, a half for any other, rounded up.
func countTokens(text string) int {
	const perToken = 4
	quarters := 0
	for _, r := range text {
		switch {
		case r <= unicode.MaxASCII:
			quarters++
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
			quarters += 4
		default:
			quarters += 2
		}
	}
	return (quarters + perToken - 1) / perToken
}
