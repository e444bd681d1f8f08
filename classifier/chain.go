package classifier

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// ErrNoTask means that a subject has no task.
var ErrNoTask = errors.New("no task to classify")

// UnknownClassError means that a task, a feature or a rule names a class that does not exist.
type UnknownClassError struct{ Class task.Class }

func (e *UnknownClassError) Error() string { return fmt.Sprintf("unknown class %q", string(e.Class)) }

// Learned are the ways that change while a process runs. A nil one is passed over.
type Learned struct {
	// Prior goes by how earlier tasks of the call path went.
	Prior Way
	// Model is the trained model that decides.
	Model Way
	// Shadow is a trained model that only looks on.
	Shadow Way
}

// Chain is a classifier of several ways: the task's own class, else the feature's, else the first way that is sure in the
// configured order, else the default. It is safe for concurrent use.
type Chain struct {
	order    []string
	rules    *Rules
	fallback task.Class
	learned  atomic.Pointer[Learned]
}

// New makes a chain that has learnt nothing yet: see Use. It fails as NewRules does, and on an unknown class or way. An empty
// default means catalog.DefaultClass, an empty order catalog.DefaultOrder.
func New(config catalog.Classifier) (*Chain, error) {
	c := &Chain{order: config.Order, fallback: config.Default}
	if c.fallback == "" {
		c.fallback = catalog.DefaultClass
	}
	if len(c.order) == 0 {
		c.order = catalog.DefaultOrder()
	}
	if err := known(c.fallback); err != nil {
		return nil, fmt.Errorf("classifier default: %w", err)
	}
	for _, way := range c.order {
		if way != catalog.WayPrior && way != catalog.WayRules && way != catalog.WayModel {
			return nil, fmt.Errorf("classifier order: unknown way %q", way)
		}
	}
	var err error
	c.rules, err = NewRules(config.Rules)
	c.Use(Learned{})
	return c, err
}

// Use takes over what was learnt, for every task from now on.
func (c *Chain) Use(l Learned) { c.learned.Store(&l) }

// Classify implements Classifier. The error is ErrNoTask or an *UnknownClassError.
func (c *Chain) Classify(s Subject) (Decision, error) {
	if s.Task == nil {
		return Decision{}, ErrNoTask
	}
	if s.Task.Class != "" {
		return fixed(s.Task.Class, SourceExplicit)
	}
	if s.Feature.Class != "" {
		return fixed(s.Feature.Class, SourceFeature)
	}
	learned := c.learned.Load()
	decision := c.first(learned, s)
	if learned.Shadow != nil {
		shadow, _ := learned.Shadow.Decide(s)
		decision.Shadow = &shadow
		decision.Pending = decision.Pending || shadow.Pending
	}
	return decision, nil
}

// Prepare implements Preparer, for the models that need it.
func (c *Chain) Prepare(ctx context.Context, subjects []Subject) error {
	learned := c.learned.Load()
	var errs []error
	for _, way := range []Way{learned.Model, learned.Shadow} {
		if p, ok := way.(Preparer); ok {
			errs = append(errs, p.Prepare(ctx, subjects))
		}
	}
	return errors.Join(errs...)
}

// first is the decision of the first way that is sure. What the last unsure one has learnt goes along with the default.
func (c *Chain) first(learned *Learned, s Subject) Decision {
	unsure, pending := Decision{}, false
	for _, name := range c.order {
		way := c.way(name, learned)
		if way == nil {
			continue
		}
		decision, sure := way.Decide(s)
		pending = pending || decision.Pending
		if sure {
			decision.Pending = pending
			return decision
		}
		if decision.Probabilities != nil || unsure.Learned == "" {
			unsure = decision
		}
	}
	unsure.Class, unsure.Source, unsure.Confidence, unsure.Pending = c.fallback, SourceDefault, 0, pending
	return unsure
}

func (c *Chain) way(name string, learned *Learned) Way {
	switch name {
	case catalog.WayPrior:
		return learned.Prior
	case catalog.WayModel:
		return learned.Model
	}
	return c.rules
}

func fixed(class task.Class, source string) (Decision, error) {
	if err := known(class); err != nil {
		return Decision{}, fmt.Errorf("%s class: %w", source, err)
	}
	return Decision{Class: class, Source: source, Confidence: 1}, nil
}

func known(class task.Class) error {
	switch class {
	case task.L1, task.L2, task.L3:
		return nil
	default:
		return &UnknownClassError{Class: class}
	}
}
