package worker

import (
	"github.com/google/uuid"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// newCall builds the call of one attempt: what is stable comes first, what varies last.
func newCall(id uuid.UUID, t *task.Task, f catalog.Feature, modelID string, maxOutput int, hint string) providers.Call {
	context := f.Context
	if len(t.Context) > 0 {
		context = append(append(make([]string, 0, len(f.Context)+len(t.Context)), f.Context...), t.Context...)
	}
	messages := t.Messages
	if t.Input != "" {
		messages = append(append(make([]task.Message, 0, len(messages)+1), messages...),
			task.Message{Role: "user", Content: t.Input})
	}
	if len(messages) == 0 { // the files are all there is
		messages = []task.Message{{Role: task.RoleUser}}
	}
	if hint != "" {
		messages = withHint(messages, hint)
	}
	return providers.Call{
		AttemptID:       id,
		Model:           modelID,
		System:          f.System,
		Context:         context,
		StableContext:   len(f.Context),
		Tools:           t.Tools,
		Messages:        messages,
		Schema:          f.OutputSchema,
		MaxOutputTokens: maxOutput,
		Timeout:         f.CallTimeout,
	}
}

// withHint tells a model what was wrong with an earlier answer. The last turn is the user's, so the hint joins it: a
// second user turn in a row is refused by some providers.
func withHint(messages []task.Message, hint string) []task.Message {
	hinted := append([]task.Message(nil), messages...)
	last := &hinted[len(hinted)-1]
	if last.Content != "" {
		last.Content += "\n\n"
	}
	last.Content += "An earlier answer was rejected by a check: " + hint + "\nAnswer again and avoid that."
	return hinted
}
