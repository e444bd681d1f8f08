package planner

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// exploreShare is one of how many tasks keeps the cascade as configured, and one of how many does without its vote, so that
// the rates of what others skip stay known.
const exploreShare = 50

// shape makes of the models that can take a task the plan that is expected to cost least for its feature's bar: some or all
// of them one after another, or where the feature has a vote, the vote.
func (p *Planner) shape(
	plan cascade.Plan, feature catalog.Feature, id uuid.UUID, t *task.Task, facts map[string]cascade.Model, prompt cascade.Prompt,
) cascade.Plan {
	rates := p.rates.Load()
	if feature.MinSuccess == nil || rates == nil || len(plan.Stages) < 2 {
		return plan
	}
	path := rateKey{tenant: t.Tenant, feature: feature.Name, callPath: t.CallPath, class: plan.Class}
	s := shaping{plan: plan, least: *feature.MinSuccess, rates: rates, path: path, costs: costsOf(plan, facts, prompt)}
	for _, stage := range plan.Stages {
		s.order = append(s.order, stage.Model)
	}
	if measured, ok := rates.costs(path, s.order); ok {
		s.costs = measured
	}
	if plan.Agree > 0 {
		return s.withVote(explores(id, 0), explores(id, 1))
	}
	return s.withoutVote(explores(id, 0))
}

func costsOf(plan cascade.Plan, facts map[string]cascade.Model, prompt cascade.Prompt) map[string]float64 {
	costs := make(map[string]float64, len(plan.Stages))
	for _, stage := range plan.Stages {
		if cost, err := facts[stage.Model].Cost(prompt); err == nil { // it is in the plan, so that it has one
			costs[stage.Model] = float64(cost)
		}
	}
	return costs
}

// shaping is the choice of a plan for a call path.
type shaping struct {
	plan  cascade.Plan
	order []string
	least float64
	rates *Rates
	path  rateKey
	costs map[string]float64
}

// withoutVote leaves models out where that is expected to cost less.
func (s shaping) withoutVote(exploring bool) cascade.Plan {
	if !s.known() {
		return s.plan
	}
	kept, _ := cascade.Cheapest(s.order, s.least, s.rate)
	if len(kept) < len(s.order) && exploring {
		s.plan.Policy = "exploring, " + s.rates.snapshot
		return s.plan
	}
	return s.part(kept)
}

// withVote compares the vote with doing without it. As long as one of the two is not known, the vote stays as configured,
// but for the few tasks that explore what the other comes to.
func (s shaping) withVote(keeping, leaving bool) cascade.Plan {
	configured, plain := s.plan, s
	plain.plan.Agree = 0
	configured.Policy += ", exploring, " + s.rates.snapshot
	if keeping {
		return configured
	}
	vote, known := s.rates.vote(s.path, s.order, s.costs)
	if leaving {
		plain.plan.Policy = "exploring, " + s.rates.snapshot
		return plain.plan
	}
	if !known || !s.known() {
		return s.plan
	}
	kept, e := cascade.Cheapest(s.order, s.least, s.rate)
	if e.Better(vote, s.least) {
		return plain.part(kept)
	}
	s.plan.Policy += ", expected cost, " + s.rates.snapshot
	return s.plan
}

// part is the plan with the models that are kept.
func (s shaping) part(kept []string) cascade.Plan {
	policy := "expected cost, " + s.rates.snapshot
	if len(kept) == len(s.order) {
		s.plan.Policy = policy
		return s.plan
	}
	return s.plan.Without(policy, skipped(s.order, kept, s.rate))
}

// known reports whether every model has a pass rate.
func (s shaping) known() bool {
	for _, model := range s.order {
		s.path.model = model
		if _, ok := s.rates.pass(s.path); !ok {
			return false
		}
	}
	return true
}

func (s shaping) rate(model string, first bool) cascade.Rate {
	s.path.model, s.path.first = model, first
	pass, _ := s.rates.pass(s.path)
	return cascade.Rate{Pass: pass, Cost: s.costs[model]}
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

// explores is decided by the task's id alone, so that a task is planned alike however often: the random bits of a UUIDv7
// are the seed. The arms are those of different tasks.
func explores(id uuid.UUID, arm uint32) bool {
	return binary.BigEndian.Uint32(id[12:])%exploreShare == arm
}
