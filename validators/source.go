package validators

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weirhq/weir/task"
)

const (
	// shortChars is the length up to which a text must stand alone in the source: "5" is no part of "2025".
	shortChars = 3
	// squeezeChars is the length from which a code is found without regard to spaces: "DE89 3704 0044 0532 0130 00".
	squeezeChars = 8
	// maxTries is how many occurrences that do not stand alone are looked at for one answer. A text whose next one would
	// be beyond it counts as not found.
	maxTries = 10_000
)

// source is the text of a task, folded for looking things up in it.
type source struct {
	text string
	// squeezed is the text without spaces, made when it is first needed.
	squeezed string
	// numbers are the numbers of the text in plain decimal form, made when they are first needed.
	numbers map[string]bool
	// searched counts towards MaxSearchBytes, tries towards maxTries.
	searched, tries int
}

// newSource joins what the model was given to work on: context, messages and input.
func newSource(t *task.Task) *source {
	parts := append([]string{}, t.Context...)
	for _, message := range t.Messages {
		parts = append(parts, message.Content)
	}
	parts = append(parts, t.Input)
	for i := range parts {
		parts[i] = foldText(parts[i])
	}
	return &source{text: strings.Join(parts, " | ")} // nothing reaches from one part into the next
}

// hasText tells whether a text occurs, without regard to case, width and white space.
func (s *source) hasText(text string) bool {
	wanted := foldText(text)
	if wanted == "" {
		return false
	}
	if s.hasAlone(wanted) {
		return true
	}
	squeezed := strings.ReplaceAll(wanted, " ", "")
	if utf8.RuneCountInString(squeezed) < squeezeChars {
		return false
	}
	if s.squeezed == "" {
		s.squeezed = strings.ReplaceAll(s.text, " ", "")
	}
	return strings.Contains(s.squeezed, squeezed)
}

// hasAlone looks for an occurrence whose ends are not inside a longer number or, for a short text, a longer word.
func (s *source) hasAlone(wanted string) bool {
	short := utf8.RuneCountInString(wanted) <= shortChars
	for from := 0; s.tries < maxTries; s.tries++ {
		i := strings.Index(s.text[from:], wanted)
		if i < 0 {
			return false
		}
		start := from + i
		before, _ := utf8.DecodeLastRuneInString(s.text[:start])
		first, size := utf8.DecodeRuneInString(wanted)
		last, _ := utf8.DecodeLastRuneInString(wanted)
		after, _ := utf8.DecodeRuneInString(s.text[start+len(wanted):])
		if !joined(before, first, short) && !joined(last, after, short) {
			return true
		}
		from = start + size
	}
	return false
}

// joined tells whether two neighbours belong to one number or, if words count, to one word. Scripts that write words
// without spaces between them have no such boundary.
func joined(a, b rune, words bool) bool {
	if unicode.IsDigit(a) && unicode.IsDigit(b) {
		return true
	}
	return words && inWord(a) && inWord(b)
}

func inWord(r rune) bool {
	if r == utf8.RuneError || (!unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)) {
		return false
	}
	return !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer,
		unicode.Myanmar)
}

// hasNumber tells whether one of the readings of a number occurs.
func (s *source) hasNumber(readings []string) bool {
	if s.numbers == nil {
		s.numbers = map[string]bool{}
		for _, reading := range readNumbers(s.text) {
			s.numbers[reading] = true
		}
	}
	for _, reading := range readings {
		if s.numbers[reading] {
			return true
		}
	}
	return false
}
