package providers

import (
	"fmt"
	"unicode/utf8"

	"github.com/weirhq/weir/task"
)

// CheckTranslation says whether the call is one for a translation service: a model's name, a language to translate into,
// and one text, the user's. Everything else that a call can have is a mistake here and not left out in silence: a
// service has no place for a prompt, context, tools or a schema. Every error wraps ErrCall.
func (c Call) CheckTranslation() error {
	switch {
	case c.Model == "":
		return fmt.Errorf("%w: no model", ErrCall)
	case c.Translate == nil || c.Translate.Target == "":
		return fmt.Errorf("%w: no language to translate into", ErrCall)
	case len(c.Messages) != 1 || c.Messages[0].Role != task.RoleUser:
		return fmt.Errorf("%w: a translation takes one text and no conversation", ErrCall)
	case c.Messages[0].Content == "":
		return fmt.Errorf("%w: no text to translate", ErrCall)
	case c.System != "" || len(c.Context)+len(c.Examples) > 0:
		return fmt.Errorf("%w: a translation takes no prompt, context or examples", ErrCall)
	case c.Effort != "" || c.ThinkingTokens != 0 || c.Temperature != nil || c.ServiceTier != "":
		return fmt.Errorf("%w: a translation takes no settings of models", ErrCall)
	case len(c.Tools)+len(c.Schema)+len(c.Attachments) > 0:
		return fmt.Errorf("%w: a translation takes no tools, no schema and no attachments", ErrCall)
	}
	return nil
}

// Text is the text of a call that CheckTranslation takes.
func (c Call) Text() string { return c.Messages[0].Content }

// Characters counts a text as translation services bill it: in Unicode code points. What is not UTF-8 is sent as U+FFFD,
// one for each byte, and counted so.
func Characters(text string) int64 { return int64(utf8.RuneCountInString(text)) }
