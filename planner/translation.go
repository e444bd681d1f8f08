package planner

import (
	"unicode/utf8"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// requestFrame is more than a request to a translation service has beside its text: languages, a glossary, a model.
const requestFrame = 1_024

// translation is what a translation service bills for a text.
func (m *Models) translation(name string, characters int64) (task.Pico, error) {
	price, err := m.Price(name, m.now())
	if err != nil {
		return 0, err
	}
	return price.Characters(characters)
}

func unitOf(price pricing.Price) string {
	if price.ByCharacter() {
		return "by characters"
	}
	return "by tokens"
}

// textOf is the size of a task that is a text alone; nil for any other.
func textOf(t *task.Task) *cascade.Text {
	if t.Input == "" || len(t.Messages)+len(t.Context)+len(t.Tools)+len(t.Attachments) > 0 {
		return nil
	}
	size := sizeOf(t.Input)
	return &size
}

// sizeOf counts a text's code points and its bytes as the wire formats write strings: no character is escaped that need not
// be, and what is not UTF-8 becomes U+FFFD.
func sizeOf(text string) cascade.Text {
	const (
		quotes   = 2
		escaped  = 2 // \n, \", \\
		escape16 = 6 // \u001f
	)
	size := cascade.Text{Bytes: quotes}
	for _, r := range text {
		size.Characters++
		switch {
		case r == '"' || r == '\\' || r == '\n':
			size.Bytes += escaped
		case r < ' ':
			size.Bytes += escape16
		default:
			size.Bytes += int64(utf8.RuneLen(r))
		}
	}
	return size
}
