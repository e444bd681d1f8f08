// Package validators judges answers from outside and deterministically: the same answer to the same task gets the same
// verdict, whatever a model says of itself. One file holds one validator; configuration composes them.
package validators

import (
	"github.com/weirhq/weir/task"
)

// Answer is what a validator sees: the answer, and the task that it answers.
type Answer struct {
	Output    string
	ToolCalls []task.ToolCall
	// Truncated says that the model stopped at its output limit.
	Truncated bool
	// Refused says that the model or a filter refused.
	Refused bool
	Task    *task.Task
}

// Verdict is a validator's judgement.
type Verdict struct {
	Accepted bool
	// Validator and Version name who decided; empty for an accepted answer without validators.
	Validator string
	Version   int
	// Reason says in words why an answer was rejected, at most MaxReason characters.
	Reason string
}

// MaxReason is the most characters of a verdict's reason.
const MaxReason = 500

// Validator judges one property of an answer. Implementations are deterministic and safe for concurrent use. An error
// means that the validator itself broke, which is no verdict.
type Validator interface {
	Name() string
	Version() int
	Validate(*Answer) (Verdict, error)
}
