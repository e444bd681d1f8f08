package worker

import (
	"github.com/google/uuid"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// bytesPerToken turns bytes into a neutral token count for planning. English text has about four bytes to a token of
// the common vocabularies; three leaves room for numbers, code and other languages. It never feeds a cost.
const bytesPerToken = 3

// neutralTokens estimates everything that a call sends.
func neutralTokens(t *task.Task, f catalog.Feature) int64 {
	bytes := len(f.System) + len(f.OutputSchema) + len(t.Input)
	for _, c := range f.Context {
		bytes += len(c)
	}
	for _, c := range t.Context {
		bytes += len(c)
	}
	for _, m := range t.Messages {
		bytes += len(m.Content)
	}
	for _, tool := range t.Tools {
		bytes += len(tool.Name) + len(tool.Description) + len(tool.Parameters)
	}
	return int64(bytes)/bytesPerToken + 1
}

// maxOutput is the limit of one answer: the feature's, or the task's own when that is lower.
func maxOutput(requested int, f catalog.Feature) int {
	if requested > 0 && requested < f.MaxOutputTokens {
		return requested
	}
	return f.MaxOutputTokens
}

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
	if hint != "" {
		messages = withHint(messages, hint)
	}
	return providers.Call{
		AttemptID:       id,
		Model:           modelID,
		System:          f.System,
		Context:         context,
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
	last.Content += "\n\nAn earlier answer was rejected by a check: " + hint + "\nAnswer again and avoid that."
	return hinted
}
