package providers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weirhq/weir/task"
)

// ErrCall is wrapped by every error of Prepare: the call cannot be encoded, so trying it again cannot help.
var ErrCall = errors.New("call cannot be encoded")

// Check says whether the call has what every wire format needs. Every error wraps ErrCall.
func (c Call) Check() error {
	switch {
	case c.Model == "":
		return fmt.Errorf("%w: no model", ErrCall)
	case c.MaxOutputTokens <= 0:
		return fmt.Errorf("%w: no limit of output tokens, so no bounded cost", ErrCall)
	case len(c.Messages) == 0:
		return fmt.Errorf("%w: no message", ErrCall)
	case c.Messages[len(c.Messages)-1].Role != "user":
		return fmt.Errorf("%w: the last message is not the user's", ErrCall)
	}
	if c.StableContext < 0 || c.StableContext > len(c.Context) {
		return fmt.Errorf("%w: %d of %d contexts are stable", ErrCall, c.StableContext, len(c.Context))
	}
	if c.Cache.Marks() && c.Cache.Lifetime() == 0 {
		return fmt.Errorf("%w: the cache lifetime %q is not one of none, 5m, 30m, 1h, 12h", ErrCall, c.Cache)
	}
	if err := c.checkExamples(); err != nil {
		return err
	}
	for i, m := range c.Messages {
		if m.Role != "user" && m.Role != "assistant" {
			return fmt.Errorf("%w: message %d has the role %q, neither user nor assistant", ErrCall, i, m.Role)
		}
	}
	for i, a := range c.Attachments {
		if len(a.Data) == 0 || !slices.Contains(task.MediaTypes(), a.MediaType) {
			return fmt.Errorf("%w: attachment %d is empty or of the type %q, which is none of an image's or a PDF's", ErrCall, i, a.MediaType)
		}
	}
	for i, tool := range c.Tools {
		if tool.Name == "" {
			return fmt.Errorf("%w: tool %d has no name", ErrCall, i)
		}
	}
	return nil
}

// checkExamples asks for pairs, and for nothing that varies before them.
func (c Call) checkExamples() error {
	if len(c.Examples) > 0 && len(c.Context) > c.StableContext {
		return fmt.Errorf("%w: a context of the task's own stands before the examples", ErrCall)
	}
	for i, m := range c.Examples {
		if want := [2]string{task.RoleUser, task.RoleAssistant}[i%2]; m.Role != want {
			return fmt.Errorf("%w: example turn %d has the role %q, not %s", ErrCall, i, m.Role, want)
		}
	}
	if len(c.Examples)%2 != 0 {
		return fmt.Errorf("%w: the last example has no answer", ErrCall)
	}
	return nil
}
