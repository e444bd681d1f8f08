package worker

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// newCall builds the call of one attempt for every wire format. What is stable comes first and byte for byte: tools,
// system, the feature's context, its examples; then what is the task's own. Nothing of that may stand before the examples,
// so where a feature has some the task's context begins its first turn; without, it ends the system prompt.
func newCall(id uuid.UUID, t *task.Task, f catalog.Feature, modelID string, maxOutput int, hint string) providers.Call {
	context, messages := f.Context, t.Messages
	if t.Input != "" {
		messages = append(append(make([]task.Message, 0, len(messages)+1), messages...),
			task.Message{Role: task.RoleUser, Content: t.Input})
	}
	switch {
	case len(t.Context) == 0:
	case len(f.Examples) > 0:
		messages = withContext(messages, t.Context)
	default:
		context = append(append(make([]string, 0, len(f.Context)+len(t.Context)), f.Context...), t.Context...)
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
		Examples:        exampleTurns(f.Examples),
		Messages:        messages,
		Schema:          f.OutputSchema,
		MaxOutputTokens: maxOutput,
		Timeout:         f.CallTimeout,
	}
}

// labelled says whose call it is, for gateways that keep that beside the request.
func labelled(call providers.Call, m *store.Member) providers.Call {
	call.Tenant, call.Feature, call.TaskID = m.Tenant, m.Feature, m.TaskID
	return call
}

func exampleTurns(examples []catalog.Example) []task.Message {
	var turns []task.Message
	for _, e := range examples {
		turns = append(turns, task.Message{Role: task.RoleUser, Content: e.Input},
			task.Message{Role: task.RoleAssistant, Content: e.Output})
	}
	return turns
}

// withContext puts a task's own context before its first turn, into it when that is the user's.
func withContext(messages []task.Message, context []string) []task.Message {
	text := strings.Join(context, "\n\n")
	if len(messages) > 0 && messages[0].Role == task.RoleUser {
		out := slices.Clone(messages)
		out[0].Content = text + "\n\n" + out[0].Content
		return out
	}
	return append([]task.Message{{Role: task.RoleUser, Content: text}}, messages...)
}

// newTranslation builds the call of one attempt at a translation service, which takes the task's text and nothing else: the
// feature's prompt and an earlier answer's complaint are for models.
func newTranslation(id uuid.UUID, t *task.Task, f catalog.Feature, modelID string) providers.Call {
	call := providers.Call{
		AttemptID: id,
		Model:     modelID,
		Messages:  append(append([]task.Message(nil), t.Messages...), task.Message{Role: task.RoleUser, Content: t.Input}),
		Context:   t.Context,
		Tools:     t.Tools,
	}
	if f.Translate != nil {
		call.Translate = &providers.Translate{
			Source: f.Translate.Source, Target: f.Translate.Target, Formality: f.Translate.Formality,
			Glossary: f.Translate.Glossary,
		}
	}
	return call
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
