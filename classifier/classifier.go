// Package classifier decides which class of reasoning a task requires, before any model sees it. It is pure and
// deterministic: the same task, configuration and learnt parts give the same decision, in microseconds and without a
// network. Only a model over a provider's embeddings has to be prepared: see Preparer.
package classifier

import (
	"context"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// The sources of a decision. The first two are asked first, the default last, the others in the order of the configuration.
const (
	SourceExplicit = "explicit"       // the task names its class
	SourceFeature  = "feature"        // the feature fixes it
	SourcePrior    = catalog.WayPrior // the call path's earlier tasks tell
	SourceRule     = "rule"           // a rule matched
	SourceModel    = catalog.WayModel // the trained model is sure
	SourceDefault  = "default"        // nothing knew better
)

// Subject is what is classified: a task and the feature that it belongs to.
type Subject struct {
	Task    *task.Task
	Feature catalog.Feature
}

// Probabilities are those of L1, L2 and L3, in this order.
type Probabilities [3]float64

// Decision is a class and how it came about.
type Decision struct {
	Class task.Class
	// Source is one of the Source constants.
	Source string
	// Rule is the name of the rule that matched; empty for every other source.
	Rule string
	// Confidence is 1 for what somebody fixed, the rule's own for a rule, the pass rate or the probability for what was
	// learnt, and 0 for the default, which is no more than the safe choice.
	Confidence float64
	// Probabilities are what was learnt of the task, also where it was not enough to decide; nil where nothing was asked
	// that has any.
	Probabilities *Probabilities
	// Learned names what the probabilities come from: the trained model's hash, or the snapshot of pass rates.
	Learned string
	// Abstained is why a trained model that was asked did not decide, in a word or two; empty where it did or was not asked.
	Abstained string
	// Pending says that a trained model that was asked lacks an embedding which its provider has to make: after Prepare the
	// decision may be another.
	Pending bool
	// Shadow is what a trained model that only looks on would have decided; nil without one.
	Shadow *Decision
}

// Classifier gives a task its class. Implementations are deterministic and safe for concurrent use. An error means that
// nothing can be said of this task; the caller then uses the configured default.
type Classifier interface {
	Classify(Subject) (Decision, error)
}

// Way is one way to a decision. It is deterministic and safe for concurrent use. False means that it is not sure; what it
// learnt about the task is in the decision all the same.
type Way interface {
	Decide(Subject) (Decision, bool)
}

// Preparer is a classifier, or a way, that fetches what its decisions lack which are pending, of many subjects at once. It
// is all that ever touches a network. What an error leaves out stays pending.
type Preparer interface {
	Prepare(context.Context, []Subject) error
}
