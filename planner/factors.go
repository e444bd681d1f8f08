package planner

import (
	"maps"
	"sync"
	"time"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

const (
	// LeastRatios is how many prompts have to be seen before what they came to counts.
	LeastRatios = 50
	// MostRatios is how many models, features and call paths are told apart; beyond it, call paths go by their feature's.
	MostRatios = 4_096
	// ratioPace is the shortest time between two prompts of a feature at a model that are counted exactly to learn from.
	ratioPace = 250 * time.Millisecond
	// mostCounted is the longest prompt that is, in bytes.
	mostCounted = 64 << 10
)

// Factors are how many tokens models count for what weir counts, learnt from their answers. Each factor goes by the most
// exact of call path, feature and model that has been seen often enough. It is safe for concurrent use; the zero value is
// not ready, use NewFactors.
type Factors struct {
	now func() time.Time

	mu      sync.Mutex
	learned map[ratioKey]factor
	facts   map[ratioKey]map[string]cascade.Model // with learned factors, by feature and call path
	seen    map[ratioKey]*tokens.Ratios           // since they were taken last
	next    map[ratioKey]time.Time                // by model and feature: when another prompt is counted
}

type ratioKey struct{ model, feature, callPath string }

// factor is the mean of what was seen, what 99 of 100 prompts do not exceed, and what one of 100 does not.
type factor struct{ mean, high, low float64 }

// NewFactors makes factors that have learnt nothing.
func NewFactors(now func() time.Time) *Factors {
	return &Factors{
		now: now, learned: map[ratioKey]factor{}, facts: map[ratioKey]map[string]cascade.Model{},
		seen: map[ratioKey]*tokens.Ratios{}, next: map[ratioKey]time.Time{},
	}
}

// wants says that a prompt of a feature at a model is worth counting: not every one is, as counting costs time.
func (f *Factors) wants(model, feature string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key, now := ratioKey{model: model, feature: feature}, f.now()
	if now.Before(f.next[key]) {
		return false
	}
	f.next[key] = now.Add(ratioPace)
	return true
}

// observe takes in that a model counted so many times what weir counts.
func (f *Factors) observe(model, feature, callPath string, ratio float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	keys := []ratioKey{{model: model}, {model: model, feature: feature}}
	if callPath != "" && len(f.seen) < MostRatios {
		keys = append(keys, ratioKey{model, feature, callPath})
	}
	for _, key := range keys {
		if f.seen[key] == nil {
			f.seen[key] = &tokens.Ratios{}
		}
		f.seen[key].Add(ratio)
	}
}

// Take returns what was seen since it was called last, to be stored; it is forgotten here.
func (f *Factors) Take() []store.TokenRatios {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := make([]store.TokenRatios, 0, len(f.seen))
	for key, r := range f.seen {
		taken = append(taken, stored(key, *r))
	}
	f.seen = map[ratioKey]*tokens.Ratios{}
	return taken
}

func stored(key ratioKey, r tokens.Ratios) store.TokenRatios {
	return store.TokenRatios{
		Model: key.model, Feature: key.feature, CallPath: key.callPath, Steps: r.Steps[:], Samples: r.Samples, Sum: r.Sum,
	}
}

// ratiosOf reads a stored row; steps that it does not have are 0.
func ratiosOf(s store.TokenRatios) tokens.Ratios {
	r := tokens.Ratios{Samples: s.Samples, Sum: s.Sum}
	copy(r.Steps[:], s.Steps)
	return r
}

// MergeRatios adds what was seen to what is stored, and lets old ones fade.
func MergeRatios(old, seen store.TokenRatios) store.TokenRatios {
	r := ratiosOf(old)
	r.Merge(ratiosOf(seen))
	return stored(ratioKey{old.Model, old.Feature, old.CallPath}, r)
}

// Learn replaces what is known by what is stored.
func (f *Factors) Learn(rows []store.TokenRatios) {
	learned := make(map[ratioKey]factor, len(rows))
	for _, row := range rows {
		r := ratiosOf(row)
		if r.Samples >= LeastRatios {
			learned[ratioKey{row.Model, row.Feature, row.CallPath}] = factor{
				mean: r.Mean(), high: r.Quantile(0.99), low: r.Floor(0.01),
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if maps.Equal(learned, f.learned) {
		return
	}
	f.learned, f.facts = learned, map[ratioKey]map[string]cascade.Model{}
}

// of are the facts of models as prompts of a call path have them. They are worked out once after each Learn.
func (f *Factors) of(facts map[string]cascade.Model, feature, callPath string) map[string]cascade.Model {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.learned) == 0 {
		return facts
	}
	key := ratioKey{feature: feature, callPath: callPath}
	if known, ok := f.facts[key]; ok {
		return known
	}
	if len(f.facts) >= MostRatios {
		clear(f.facts)
	}
	own := maps.Clone(facts)
	for name, model := range own {
		for _, key := range []ratioKey{{name, feature, callPath}, {model: name, feature: feature}, {model: name}} {
			if learned, ok := f.learned[key]; ok {
				model.TokenFactor, model.HighFactor, model.LowFactor = learned.mean, learned.high, learned.low
				own[name] = model
				break
			}
		}
	}
	f.facts[key] = own
	return own
}

// Learn takes in how many tokens a model counted in the prompt of a task that was sent as it is. Most are passed over: a
// few a second of each feature tell as much, and files are counted in another way than texts.
func (p *Planner) Learn(model string, t *task.Task, counted int64) {
	texts := textsOf(t)
	bytes := 0
	for _, text := range texts {
		bytes += len(text)
	}
	if counted <= 0 || len(t.Attachments) > 0 || bytes > mostCounted || !p.Factors.wants(model, t.Feature) {
		return
	}
	known := p.prefixes[t.Feature].size.Plus(tokens.Exactly(int64(len(texts)) * framing))
	neutral := p.counter.Narrow(known, texts, func(tokens.Size) bool { return false }).About
	if neutral > 0 {
		p.Factors.observe(model, t.Feature, t.CallPath, float64(counted)/float64(neutral))
	}
}
