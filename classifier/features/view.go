// Package features turns a task into what a trained classifier looks at: a bounded view of its text, hashed words, and
// counters of the text and of the request. It neither embeds nor decides.
package features

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// What is kept of a text. The rest is only measured, so that a text of a megabyte costs no more than one of a few pages.
const (
	// HeadBytes are kept from the start of a text that is longer than HeadBytes + TailBytes.
	HeadBytes = 16 << 10
	// TailBytes are kept from its end.
	TailBytes = 4 << 10
	// SystemBytes are kept of the system prompt, which stands before the text: enough to tell what is asked for, and
	// little enough to leave an embedder's window to the task's own text.
	SystemBytes = 256
)

// View is what is looked at of a task.
type View struct {
	// Text is the head of the system prompt and the last user message, in NFC and with LF for every line end.
	Text string
	// Chars is how many characters the last user message has, all of it counted.
	Chars int
	// Messages is how many turns the conversation has.
	Messages int
	// Tools is how many functions the model may call.
	Tools int
	// Required is how many arguments they require together.
	Required int
	// Depth is how deep the schemas of the tools and of the answer nest.
	Depth int
	// Context is how many bytes are attached as context.
	Context int
}

// FromTask is the view of a task of a feature.
func FromTask(t *task.Task, f catalog.Feature) View {
	user, messages := lastUser(t)
	v := View{
		Text: bounded(user), Chars: utf8.RuneCountInString(user), Messages: messages, Tools: len(t.Tools),
		Context: size(f.Context) + size(t.Context),
	}
	if f.System != "" {
		v.Text = bounded(cut(f.System, SystemBytes)) + "\n\n" + v.Text
	}
	v.Depth, _ = measure(f.OutputSchema)
	for _, tool := range t.Tools {
		depth, required := measure(tool.Parameters)
		v.Depth = max(v.Depth, depth)
		v.Required += required
	}
	return v
}

// FromPrompt is the view of a prompt that nothing else is known of.
func FromPrompt(prompt string) View {
	return FromTask(&task.Task{Input: prompt}, catalog.Feature{})
}

// lastUser is the text that the model is to answer, and how many turns there are.
func lastUser(t *task.Task) (text string, messages int) {
	messages = len(t.Messages)
	if t.Input != "" {
		return t.Input, messages + 1
	}
	for _, message := range slices.Backward(t.Messages) {
		if message.Role == "user" {
			return message.Content, messages
		}
	}
	return "", messages
}

func size(texts []string) int {
	sum := 0
	for _, text := range texts {
		sum += len(text)
	}
	return sum
}

// bounded is a text's head and tail in one form: what looks the same must be the same.
func bounded(text string) string {
	if len(text) > HeadBytes+TailBytes {
		tail := text[len(text)-TailBytes:]
		for tail != "" && !utf8.RuneStart(tail[0]) {
			tail = tail[1:]
		}
		text = cut(text, HeadBytes) + "\n" + tail
	}
	if strings.Contains(text, "\r\n") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return norm.NFC.String(text)
}

// cut is a text's first bytes, without half a character at the end.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
