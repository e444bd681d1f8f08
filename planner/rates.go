package planner

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// LeastTries is how many answers of a model have to be known, in tasks of the class, before plans go by pass rates.
	LeastTries = 50
	// rateWeight is how many answers the class's pass rate counts as on each call path: a few lucky ones decide nothing.
	rateWeight = 30
	// exploreShare is one of how many tasks keeps the cascade as configured, so that the rates of what others skip stay
	// known.
	exploreShare = 50
)

// Rates are the pass rates of one snapshot. They never change.
type Rates struct {
	snapshot string
	paths    map[rateKey]tries
}

// rateKey is a call path, or with an empty feature all tasks of a class.
type rateKey struct {
	tenant, feature, callPath string
	class                     task.Class
	model                     string
	first                     bool
}

type tries struct{ tried, accepted int64 }

// NewRates takes over a snapshot's rows.
func NewRates(snapshot string, rows []store.PassRate) *Rates {
	r := &Rates{snapshot: snapshot, paths: make(map[rateKey]tries, 2*len(rows))}
	for _, row := range rows {
		for _, key := range []rateKey{
			{row.Tenant, row.Feature, row.CallPath, row.Class, row.Model, row.AskedFirst},
			{class: row.Class, model: row.Model, first: row.AskedFirst},
		} {
			t := r.paths[key]
			t.tried += row.Tried
			t.accepted += row.Accepted
			r.paths[key] = t
		}
	}
	return r
}

// UseRates takes over pass rates for every task from now on; nil plans without.
func (p *Planner) UseRates(r *Rates) { p.rates.Store(r) }

// pass is the expected pass rate of a model: the call path's own, pulled towards all of the class's. Where a model was
// never asked first, what it does with others' failures stands for it, and the other way round. False: too little is known.
func (r *Rates) pass(path rateKey) (float64, bool) {
	all, known := r.either(rateKey{class: path.class, model: path.model, first: path.first})
	if !known || all.tried < LeastTries {
		return 0, false
	}
	own, _ := r.either(path)
	prior := float64(all.accepted+1) / float64(all.tried+2)
	return (float64(own.accepted) + rateWeight*prior) / (float64(own.tried) + rateWeight), true
}

func (r *Rates) either(key rateKey) (tries, bool) {
	if t, ok := r.paths[key]; ok {
		return t, true
	}
	key.first = !key.first
	t, ok := r.paths[key]
	return t, ok
}

// shape makes of the models that can take a task the plan that is expected to cost least for its feature's bar.
func (p *Planner) shape(
	plan cascade.Plan, feature catalog.Feature, id uuid.UUID, t *task.Task, facts map[string]cascade.Model, prompt cascade.Prompt,
) cascade.Plan {
	rates := p.rates.Load()
	if feature.MinSuccess == nil || rates == nil || len(plan.Stages) < 2 {
		return plan
	}
	path := rateKey{tenant: t.Tenant, feature: feature.Name, callPath: t.CallPath, class: plan.Class}
	order := make([]string, len(plan.Stages))
	known := map[string][2]cascade.Rate{} // asked first, and later
	for i, stage := range plan.Stages {
		var of [2]cascade.Rate
		for j, first := range []bool{true, false} {
			path.model, path.first = stage.Model, first
			pass, ok := rates.pass(path)
			if !ok {
				return plan
			}
			of[j] = cascade.Rate{Pass: pass, Cost: costOf(facts[stage.Model], prompt)}
		}
		order[i], known[stage.Model] = stage.Model, of
	}
	rate := func(model string, first bool) cascade.Rate {
		if first {
			return known[model][0]
		}
		return known[model][1]
	}
	kept, _ := cascade.Cheapest(order, *feature.MinSuccess, rate)
	if len(kept) == len(order) {
		plan.Policy = "expected cost, " + rates.snapshot
		return plan
	}
	if explores(id) {
		plan.Policy = "exploring, " + rates.snapshot
		return plan
	}
	return plan.Without("expected cost, "+rates.snapshot, skipped(order, kept, rate))
}

// skipped says of each model that is not kept why.
func skipped(order, kept []string, rate func(string, bool) cascade.Rate) map[string]string {
	reasons := map[string]string{}
	k := 0
	for i, model := range order {
		if k < len(kept) && kept[k] == model {
			k++
			continue
		}
		reasons[model] = cascade.SkipReason(rate(model, i == 0))
	}
	return reasons
}

func costOf(m cascade.Model, prompt cascade.Prompt) float64 {
	cost, err := m.Cost(prompt)
	if err != nil {
		return 0 // it is in the plan, so that it has one
	}
	return float64(cost)
}

// explores is decided by the task's id alone, so that a task is planned alike however often: the random bits of a UUIDv7
// are the seed.
func explores(id uuid.UUID) bool {
	return binary.BigEndian.Uint32(id[12:])%exploreShare == 0
}
