package validators

import (
	"unicode"
	"unicode/utf8"
)

// notEmpty rejects answers without any visible character. An answer of tool calls alone is not empty.
func notEmpty(s *subject) (string, error) {
	if s.empty() {
		return "the answer is empty", nil
	}
	return "", nil
}

func (s *subject) empty() bool {
	if len(s.answer.ToolCalls) > 0 {
		return false
	}
	for _, r := range s.text {
		if unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != utf8.RuneError {
			return false
		}
	}
	return true
}
