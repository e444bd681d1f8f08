// Package classifier decides which class of reasoning a task requires, before any model sees it. It is pure and
// deterministic: the same task and configuration give the same decision, in microseconds and without a network.
package classifier

import (
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// The sources of a decision, in the order in which they are asked.
const (
	SourceExplicit = "explicit" // the task names its class
	SourceFeature  = "feature"  // the feature fixes it
	SourceRule     = "rule"     // a rule matched
	SourceDefault  = "default"  // nothing knew better
)

// Subject is what is classified: a task and the feature that it belongs to.
type Subject struct {
	Task    *task.Task
	Feature catalog.Feature
}

// Decision is a class and how it came about.
type Decision struct {
	Class task.Class
	// Source is one of the Source constants.
	Source string
	// Rule is the name of the rule that matched; empty for every other source.
	Rule string
	// Confidence is 1 for what somebody fixed, the rule's own for a rule, and 0 for the default, which is no more than the
	// safe choice.
	Confidence float64
}

// Classifier gives a task its class. Implementations are deterministic and safe for concurrent use. An error means that
// nothing can be said of this task; the caller then uses the configured default.
type Classifier interface {
	Classify(Subject) (Decision, error)
}
