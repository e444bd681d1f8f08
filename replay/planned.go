package replay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

// Planned is a policy for each call path, found by Train. A part of the tasks goes by High, the others by Low, so that a bar
// that lies between two plans is met by no more than it takes.
type Planned struct {
	Low  cascade.Policies `json:"low"`
	High cascade.Policies `json:"high"`
	// Share is the part of the tasks that go by High, from 0 to 1.
	Share float64 `json:"share"`
	// Expected is what cross-validation on the training file expects.
	Expected Expected `json:"expected"`
}

// Expected is what a plan is expected to reach on tasks like those that it was trained on.
type Expected struct {
	Accuracy float64   `json:"accuracy"`
	Cost     task.Pico `json:"cost_usd"` // of a task
	// Strength is how many tasks the figures of all call paths counted for on each.
	Strength float64 `json:"strength"`
	// Reached is false where no plan is expected to meet the bar; then this is the best there is.
	Reached bool `json:"reached"`
}

// ReadPlanned reads a plan as JSON. The error names the policy that is none.
func ReadPlanned(text []byte) (*Planned, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var p Planned
	if err := decoder.Decode(&p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	for _, side := range []cascade.Policies{p.Low, p.High} {
		if err := side.Otherwise.Policy.Check(); err != nil {
			return nil, fmt.Errorf("read plan: otherwise: %w", err)
		}
		for path, chosen := range side.Paths {
			if err := chosen.Policy.Check(); err != nil {
				return nil, fmt.Errorf("read plan: call path %s: %w", path, err)
			}
		}
	}
	return &p, nil
}

// For picks the side by the task's id, so that a task has the same policy each time.
func (p *Planned) For(path, id string) cascade.Policy {
	const scale = 1 << 53
	if float64(hashOf(id, cuts+1)>>11)/scale < p.Share {
		return p.High.For(path)
	}
	return p.Low.For(path)
}

// Bar is the quality that a plan has to keep.
type Bar struct {
	// Quality is the share of Of's accuracy that is asked for: 0.98, or 1 for no loss.
	Quality float64
	// Of is the model that the plan is held against.
	Of string
}

const (
	// cuts is how many times a file is cut into folds, each time otherwise.
	cuts = 3
	// trainFolds is how many parts each cut has.
	trainFolds = 5
	// A bar that is only just expected to be met is missed half the time. So a plan goes beyond it, by two standard errors of
	// its difference from the model at the most, as long as that is cheap: for a tenth of the model's cost it has to bring
	// this many times the quality that the bar leaves to lose. Where it leaves none, any price is right.
	safetyPrice = 0.7
	safetyFloor = 0.02
	// Rates of exchange that are tried, as multiples of what the model costs on average.
	leastWorth, mostWorth, worthStep = 0.2, 1500.0, 1.12
)

// strengths are tried: from call paths that have little in common to ones that are all alike.
func strengths() []float64 { return []float64{30, 100, 300, 1000} }

// Trainer holds what searching needs of one training file, so that many bars can be planned for.
type Trainer struct {
	replay *Replay
	judge  *Judge
	of     int
	right  float64   // accuracy of the model
	cost   task.Pico // of one of its calls
	rates  *tallied
	curves []curve // by strength
}

// curve is what cross-validation found for one strength.
type curve struct {
	strength float64
	points   []vertex // by rising worth
	hull     []vertex // the best of them, by rising cost
}

// vertex is a plan by its exchange rate, with what it reached on the folds that it was not trained on.
type vertex struct {
	worth    task.Pico // 0: the model alone, for every task
	accuracy float64
	cost     float64 // of a task, in pico-USD: a mean, not an amount
}

// NewTrainer tries every candidate policy on every row and cross-validates every exchange rate. The error says that costs are
// missing or that the model was not recorded.
func NewTrainer(r *Replay, j *Judge, of string) (*Trainer, error) {
	t := &Trainer{replay: r, judge: j, of: r.Model(of)}
	switch {
	case t.of < 0:
		return nil, fmt.Errorf("model %q was not recorded; the file has %q", of, r.Models)
	case !r.Priced():
		return nil, errors.New("planning needs the cost of every answer, and some were not recorded: name list prices")
	case len(r.Rows) < 2*trainFolds:
		return nil, fmt.Errorf("planning needs %d rows at least", 2*trainFolds)
	}
	totals := totalsOf(r, j)
	n := int64(len(r.Rows))
	t.right = totals.right[t.of] / float64(n)
	t.cost = task.Pico(totals.cost[t.of].Int64() / n)
	if t.cost == 0 || t.right == 0 {
		return nil, fmt.Errorf("model %s costs nothing or is never right: there is nothing to hold a plan against", of)
	}
	var err error
	if t.rates, err = r.tally(j, r.candidates(), cuts, trainFolds); err != nil {
		return nil, err
	}
	for _, strength := range strengths() {
		t.curves = append(t.curves, t.cross(strength))
	}
	return t, nil
}

// worths are the exchange rates that are tried.
func (t *Trainer) worths() []task.Pico {
	var all []task.Pico
	for w := leastWorth; w < mostWorth; w *= worthStep {
		all = append(all, task.Pico(w*float64(t.cost)))
	}
	return all
}

// cross plans by all folds but one and looks what that would have reached on the one, for every fold of every cut.
func (t *Trainer) cross(strength float64) curve {
	worths := t.worths()
	sums := make([]cascade.Tally, len(worths))
	for _, parts := range t.rates.parts {
		for _, part := range parts {
			frontiers := cascade.NewFrontiers(without(t.rates.all, part), strength)
			for w, worth := range worths {
				for path := range part.Paths {
					sums[w] = sums[w].Plus(part.Tallies[path][frontiers.Pick(path, worth)])
				}
			}
		}
	}
	c := curve{strength: strength}
	for w, s := range sums {
		c.points = append(c.points, vertex{
			worth: worths[w], accuracy: s.Passed / float64(s.Tried), cost: float64(s.Cost) / float64(s.Tried),
		})
	}
	c.hull = hull(append([]vertex{{accuracy: t.right, cost: float64(t.cost)}}, c.points...))
	return c
}

// without is the rates less a part of them.
func without(all, part *cascade.Rates) *cascade.Rates {
	rest := newRates(all.Policies, all.Paths)
	for path := range all.Tallies {
		for i := range all.Tallies[path] {
			rest.Tallies[path][i] = all.Tallies[path][i].Minus(part.Tallies[path][i])
		}
	}
	return rest
}

// hull is the upper convex hull from the cheapest point to the best, by rising cost: what mixtures of plans can reach.
func hull(points []vertex) []vertex {
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b vertex) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(b.accuracy, a.accuracy))
	})
	var kept []vertex
	for _, p := range points {
		if len(kept) > 0 && p.accuracy <= kept[len(kept)-1].accuracy {
			continue
		}
		for len(kept) > 1 && slope(kept[len(kept)-2], p) >= slope(kept[len(kept)-2], kept[len(kept)-1]) {
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, p)
	}
	return kept
}

func slope(a, b vertex) float64 { return (b.accuracy - a.accuracy) / (b.cost - a.cost) }

// Plan is the cheapest plan that is expected to keep the bar on tasks that it has not seen.
func (t *Trainer) Plan(quality float64) *Planned {
	target := quality * t.right
	best := t.curves[t.strongest()]
	place := best.find(target)
	if place.reached {
		goal := t.safe(best, place, target, quality)
		place = best.find(goal)
		place.reached = true
	}
	return t.build(best, place)
}

// strongest is the curve that does best over all exchange rates, by the value of what it reached. Choosing it for one bar
// would choose the luckiest.
func (t *Trainer) strongest() int {
	best, most := 0, math.Inf(-1)
	for i, c := range t.curves {
		value := 0.0
		for _, p := range c.points {
			value += p.accuracy - p.cost/float64(p.worth)
		}
		if value >= most { // of equals the one that trusts single paths less
			best, most = i, value
		}
	}
	return best
}

// place is a point on a hull, between two of its corners.
type place struct {
	low, high vertex
	share     float64 // of high
	reached   bool
}

func (p place) accuracy() float64 {
	return p.low.accuracy + p.share*(p.high.accuracy-p.low.accuracy)
}

func (p place) cost() float64 { return p.low.cost + p.share*(p.high.cost-p.low.cost) }

// find is the cheapest place with an accuracy, or the best one below.
func (c curve) find(accuracy float64) place {
	for i, v := range c.hull {
		if v.accuracy < accuracy {
			continue
		}
		if i == 0 {
			return place{low: v, high: v, reached: true}
		}
		before := c.hull[i-1]
		return place{low: before, high: v, share: (accuracy - before.accuracy) / (v.accuracy - before.accuracy), reached: true}
	}
	last := c.hull[len(c.hull)-1]
	return place{low: last, high: last}
}

// safe is the accuracy to aim at so that the bar is not missed by bad luck.
func (t *Trainer) safe(c curve, at place, target, quality float64) float64 {
	const tenth = 0.1
	needed := max(safetyFloor, safetyPrice*(1-quality)/tenth)
	const errorsAtMost = 2
	most := target + errorsAtMost*t.deviation(c.strength, at)
	goal := max(target, at.accuracy())
	for i := 1; i < len(c.hull); i++ {
		low, high := c.hull[i-1], c.hull[i]
		if high.accuracy <= goal {
			continue
		}
		if slope(low, high)*float64(t.cost)/t.right < needed || goal >= most {
			break
		}
		goal = min(high.accuracy, most)
	}
	return goal
}

// deviation is the standard error of the difference between a plan and the model, both on the rows of one cut that the plan
// was not trained on.
func (t *Trainer) deviation(strength float64, at place) float64 {
	worth := at.low.worth
	if at.share > 1-at.share {
		worth = at.high.worth
	}
	var sum, squares float64
	assigned := t.replay.folds(0, trainFolds)
	for fold, part := range t.rates.parts[0] {
		policies := t.policies(cascade.NewFrontiers(without(t.rates.all, part), strength), worth)
		for i := range t.replay.Rows {
			if assigned[i] != fold {
				continue
			}
			policy := policies.For(t.replay.Rows[i].Task)
			models, err := t.replay.places(policy)
			if err != nil { // cannot happen: the candidates are made of these models
				continue
			}
			stands, _ := t.replay.try(i, policy, models)
			difference := t.judge.Right(i, stands) - t.judge.Right(i, t.of)
			sum += difference
			squares += difference * difference
		}
	}
	n := float64(len(t.replay.Rows))
	return math.Sqrt(max(0, squares/n-(sum/n)*(sum/n)) / n)
}

// build plans by the whole file.
func (t *Trainer) build(c curve, at place) *Planned {
	frontiers := cascade.NewFrontiers(t.rates.all, c.strength)
	return &Planned{
		Low: t.policies(frontiers, at.low.worth), High: t.policies(frontiers, at.high.worth), Share: at.share,
		Expected: Expected{
			Accuracy: at.accuracy(), Cost: task.Pico(math.Round(at.cost())), Strength: c.strength, Reached: at.reached,
		},
	}
}

// policies are those of an exchange rate; without one, the model alone.
func (t *Trainer) policies(frontiers *cascade.Frontiers, worth task.Pico) cascade.Policies {
	if worth > 0 {
		return frontiers.Choose(worth)
	}
	alone := cascade.Policy{Stages: []string{t.replay.Models[t.of]}}
	return cascade.Policies{Otherwise: cascade.Chosen{
		Policy:   alone,
		Estimate: cascade.Estimate{Pass: t.right, Cost: t.cost, Tried: int64(len(t.replay.Rows))},
	}}
}
