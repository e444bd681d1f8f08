package validators

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// enumParams are the parameters of enum.
type enumParams struct {
	target
	// Values are the texts that are accepted.
	Values []string `json:"values"`
	// CaseFold ignores case.
	CaseFold bool `json:"case_fold"`
	// Trim ignores white space at both ends.
	Trim bool `json:"trim"`
	// StripPunctuation ignores punctuation at both ends.
	StripPunctuation bool `json:"strip_punctuation"`
	// StripQuotes ignores pairs of quotes around the text.
	StripQuotes bool `json:"strip_quotes"`
}

// enum accepts answers, or fields of answers, out of a finite set.
type enum struct {
	params enumParams
	place  place
	values map[string]bool
}

func newEnum(p enumParams) (check, error) {
	place, err := p.place()
	mistakes := []error{err, checkList("values", p.Values, 1)}
	e := enum{params: p, place: place, values: make(map[string]bool, len(p.Values))}
	for i, value := range p.Values {
		value = e.normal(value)
		if value == "" {
			mistakes = append(mistakes, fmt.Errorf(`parameter "values": entry %d is empty`, i+1))
		}
		if e.values[value] {
			mistakes = append(mistakes, fmt.Errorf(`parameter "values": entry %d repeats an earlier one`, i+1))
		}
		e.values[value] = true
	}
	return e, errors.Join(mistakes...)
}

func (e enum) judge(s *subject) (string, error) {
	text, ok, reason := e.place.text(s)
	if !ok {
		return reason, nil
	}
	// The bound keeps the work on a long wrong answer small; normalising shortens a text by a few characters only.
	const most = 8 * MaxValueChars
	if len(text) <= most && e.values[e.normal(text)] {
		return "", nil
	}
	return fmt.Sprintf("%s is %s, not one of the %d values", e.place.what(), quote(text), len(e.values)), nil
}

// normal applies the configured options until none of them changes the text any more: quotes may stand inside or outside
// of a full stop.
func (e enum) normal(s string) string {
	for before := ""; before != s; {
		before = s
		if e.params.Trim {
			s = strings.TrimSpace(s)
		}
		if e.params.StripQuotes {
			s = stripQuotes(s)
		}
		if e.params.StripPunctuation {
			s = strings.TrimFunc(s, unicode.IsPunct)
		}
	}
	if e.params.CaseFold {
		return foldCase(s)
	}
	return s
}

// stripQuotes takes one pair of quotes off a text.
func stripQuotes(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	for _, pair := range []string{`""`, "''", "``", "“”", "„“", "‘’", "«»", "「」"} {
		opening, width := utf8.DecodeRuneInString(pair)
		closing := pair[width:]
		if first == opening && len(s) >= size+len(closing) && strings.HasSuffix(s, closing) {
			return s[size : len(s)-len(closing)]
		}
	}
	return s
}
