// Package planner gives a task its class and its plan: it asks the classifier, then lays the class's cascade over the
// catalog and the price book. It does no I/O and decides alike wherever it runs: ingest plans tasks on their way in, a
// classify job those that ingest has left.
package planner

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

// safeSource marks a class that was given because classification itself failed.
const safeSource = "safe"

// errBug is what is said of a task whose planning panicked.
var errBug = errors.New("a bug of weir's, see its log")

// Config is what a planner is made of. All of it is needed.
type Config struct {
	Catalog    *catalog.Catalog
	Models     *Models
	Classifier classifier.Classifier
	// Factors are learnt from answers; nil means the price book's alone.
	Factors *Factors
	Logger  *slog.Logger
}

// Planner plans tasks. It is safe for concurrent use.
type Planner struct {
	Config

	counter  *tokens.Counter
	prefixes map[string]prefix // by feature
	tools    toolCounts
	rates    atomic.Pointer[Rates]
}

// New makes a planner. It counts the tokens of the features' texts, which takes some 0.1 s.
func New(c Config) *Planner {
	counter := tokens.NewCounter()
	if c.Factors == nil {
		c.Factors = NewFactors(time.Now)
	}
	return &Planner{Config: c, counter: counter, prefixes: prefixes(counter, c.Catalog)}
}

// Planned is a task's class with its plan.
type Planned struct {
	store.Classified
	Plan store.StoredPlan
	// Doubts are the models whose own count of the prompt may change the plan, where their providers can be asked: see
	// PlanCounted. They come with an error too.
	Doubts []string
	// Pending says that the classifier has to be prepared for the task before its class is final: see Prepare. It comes with
	// an error too.
	Pending bool
}

// Prepare has the classifier fetch what it lacks of tasks whose plans are pending. What an error leaves out is classified
// without it.
func (p *Planner) Prepare(ctx context.Context, tasks []*task.Task) error {
	preparer, ok := p.Classifier.(classifier.Preparer)
	if !ok {
		return nil
	}
	subjects := make([]classifier.Subject, len(tasks))
	for i, t := range tasks {
		subjects[i] = classifier.Subject{Task: t, Feature: p.Catalog.Features[t.Feature]}
	}
	return preparer.Prepare(ctx, subjects)
}

// Plan gives one task its class and its plan. MaxOutputTokens is the task's own limit of an answer, 0 for none. An error is
// why the task cannot be done, in words for its result: no model of the cascade can take it. A classifier that fails or
// panics costs the task no more than its class, which is the configured default then.
func (p *Planner) Plan(ctx context.Context, id uuid.UUID, t *task.Task, maxOutputTokens int) (Planned, error) {
	return p.PlanCounted(ctx, id, t, maxOutputTokens, nil)
}

// PlanCounted is Plan with what providers have counted of the task's prompt, by model: that many tokens and no others it
// has there, without a margin. The other models' are estimated.
func (p *Planner) PlanCounted(
	ctx context.Context, id uuid.UUID, t *task.Task, maxOutputTokens int, counts map[string]int64,
) (planned Planned, err error) {
	defer func() {
		if v := recover(); v != nil {
			p.panicked(ctx, id, v)
			err = errBug
		}
	}()
	feature, ok := p.Catalog.Features[t.Feature]
	if !ok {
		return planned, fmt.Errorf("the feature %q is no longer configured", t.Feature)
	}
	decision := p.classify(ctx, id, classifier.Subject{Task: t, Feature: feature})
	planned.Pending = decision.Pending
	output := maxOutput(maxOutputTokens, feature)
	order := p.Catalog.CascadeFor(feature, decision.Class)
	facts := p.Factors.of(p.Models.facts, t.Feature, t.CallPath)
	prompt := cascade.Prompt{
		Tokens: p.promptTokens(t, facts, order, int64(output)), MaxOutput: int64(output), Media: mediaOf(t),
	}
	if feature.Translate != nil { // no other feature has a use for it
		prompt.Text = textOf(t)
	}
	facts = p.Models.counted(facts, counts) // weir's own count is as exact as it would be without
	plan := cascade.New(decision.Class, facts, order, prompt)
	planned.MaxOutput = output
	if len(t.Attachments) == 0 { // a count without the files would be none
		planned.Doubts = cascade.Doubts(facts, order, prompt.Tokens, prompt.Tokens, prompt.MaxOutput)
	}
	if len(plan.Stages) == 0 {
		return planned, noModel(plan, prompt)
	}
	plan = p.shape(plan.Voting(feature.Agree), feature, id, t, facts, prompt)
	first := plan.Stages[0].Model
	stored := p.stored(plan)
	prefixHash, prefixTokens := p.prefixOf(t)
	planned.Plan = stored
	planned.Classified = store.Classified{
		TaskID: id, Class: decision.Class, Source: source(decision), Confidence: decision.Confidence,
		Learned: learned(decision), Shadow: shadow(decision),
		PlanID: stored.ID, Model: first,
		ExpectedCost: p.Models.ExpectedTask(first, t, prompt.Tokens, prompt.MaxOutput),
		PromptTokens: prompt.Tokens, MaxOutput: output, PrefixHash: prefixHash, PrefixTokens: prefixTokens,
	}
	if facts[first].Counted > 0 {
		planned.ExpectedCost = p.Models.expectedCounted(first, facts[first].Counted, prompt.MaxOutput)
	}
	return planned, nil
}

// classify asks the classifier. One task that cannot be classified never strands its batch: it takes the safe class.
func (p *Planner) classify(ctx context.Context, id uuid.UUID, s classifier.Subject) (d classifier.Decision) {
	safe := classifier.Decision{Class: p.Catalog.Classifier.Default, Source: safeSource}
	defer func() {
		if v := recover(); v != nil {
			p.panicked(ctx, id, v)
			d = safe
		}
	}()
	decision, err := p.Classifier.Classify(s)
	if err != nil {
		p.Logger.WarnContext(ctx, "classification failed", slog.String("task_id", id.String()), slog.Any("err", err))
		return safe
	}
	return decision
}

func (p *Planner) panicked(ctx context.Context, id uuid.UUID, v any) {
	p.Logger.ErrorContext(ctx, "planning panicked", slog.String("task_id", id.String()), slog.Any("panic", v),
		slog.String("stack", string(debug.Stack())))
}

func noModel(plan cascade.Plan, prompt cascade.Prompt) error {
	reasons := make([]string, len(plan.Excluded))
	for i, e := range plan.Excluded {
		reasons[i] = e.Model + " " + e.Reason
	}
	if len(reasons) == 0 {
		return fmt.Errorf("no cascade is configured for class %s", plan.Class)
	}
	return fmt.Errorf("no model of the cascade can take the task, about %d tokens and an answer of at most %d: %s",
		prompt.Tokens, prompt.MaxOutput, strings.Join(reasons, "; "))
}

// stored gives a plan the hash of its content as id, so that equal plans are stored once.
func (p *Planner) stored(plan cascade.Plan) store.StoredPlan {
	stages, included, excluded := mustJSON(plan.Stages), mustJSON(plan.Included), mustJSON(plan.Excluded)
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte(p.Catalog.Hash), []byte(plan.Class), stages, included, excluded, []byte(plan.Policy),
	} {
		h.Write(part)
		h.Write([]byte{0})
	}
	if plan.Agree > 0 {
		h.Write(strconv.AppendInt(nil, int64(plan.Agree), 10))
	}
	return store.StoredPlan{
		ID: uuid.UUID(h.Sum(nil)[:16]), Class: plan.Class, Stages: stages, Included: included, Excluded: excluded, ConfigHash: p.Catalog.Hash,
		Policy: plan.Policy, Agree: plan.Agree,
	}
}

// mustJSON encodes values that always encode: structs of strings.
func mustJSON(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if string(data) == "null" {
		return json.RawMessage("[]")
	}
	return data
}

func source(d classifier.Decision) string {
	if d.Rule == "" {
		return d.Source
	}
	return d.Source + ":" + d.Rule
}

// learned is what is stored of where a class comes from; nil when nothing learnt was asked.
func learned(d classifier.Decision) *store.LearnedClass {
	if d.Learned == "" {
		return nil
	}
	return &store.LearnedClass{Probabilities: (*[3]float64)(d.Probabilities), From: d.Learned, Abstained: d.Abstained}
}

// shadow is what is stored of the decision of a model that looks on.
func shadow(d classifier.Decision) *store.ShadowClass {
	if d.Shadow == nil {
		return nil
	}
	return &store.ShadowClass{
		Model: d.Shadow.Learned, Class: d.Shadow.Class, Confidence: d.Shadow.Confidence, Abstained: d.Shadow.Abstained,
	}
}
