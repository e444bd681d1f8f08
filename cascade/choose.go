package cascade

import (
	"cmp"
	"slices"

	"github.com/weirhq/weir/task"
)

// Tally is what is known of one policy on one call path.
type Tally struct {
	// Tried is how many tasks it was tried on.
	Tried int64 `json:"tried"`
	// Passed is how many of them ended well: were accepted, or a success by their outcome, whichever the caller counts. A
	// task may count in part.
	Passed float64 `json:"passed"`
	// Cost is what they cost together.
	Cost task.Pico `json:"cost_usd"`
}

// Add counts one more task.
func (t *Tally) Add(passed float64, cost task.Pico) {
	t.Tried++
	t.Passed += passed
	t.Cost += cost
}

// Plus is both together.
func (t Tally) Plus(o Tally) Tally {
	return Tally{Tried: t.Tried + o.Tried, Passed: t.Passed + o.Passed, Cost: t.Cost + o.Cost}
}

// Minus is one without the other, which is a part of it.
func (t Tally) Minus(o Tally) Tally {
	return Tally{Tried: t.Tried - o.Tried, Passed: t.Passed - o.Passed, Cost: t.Cost - o.Cost}
}

// Rates are tallies of the same policies on call paths.
type Rates struct {
	Policies []Policy
	// Paths are the call paths in any fixed order.
	Paths []string
	// Tallies are by path and policy.
	Tallies [][]Tally
}

// Estimate is what a policy is expected to do on a call path.
type Estimate struct {
	// Pass is the expected share of tasks that end well, from 0 to 1.
	Pass float64 `json:"pass"`
	// Cost is the expected cost of a task.
	Cost task.Pico `json:"cost_usd"`
	// Tried is the number of tasks on this path that the estimate comes from; the rest comes from all paths.
	Tried int64 `json:"tried"`
}

// Chosen is the policy of a call path and what is expected of it.
type Chosen struct {
	Policy   Policy   `json:"policy"`
	Estimate Estimate `json:"estimate"`
}

// Policies are the policies of call paths.
type Policies struct {
	// Worth is the exchange rate by which they were chosen: what one more good answer may cost.
	Worth task.Pico `json:"worth_usd"`
	// Paths are the chosen policies by call path.
	Paths map[string]Chosen `json:"paths"`
	// Otherwise is for call paths of which nothing is known.
	Otherwise Chosen `json:"otherwise"`
}

// For is the policy of a call path.
func (p Policies) For(path string) Policy {
	if chosen, ok := p.Paths[path]; ok {
		return chosen.Policy
	}
	return p.Otherwise.Policy
}

// Choose picks for every call path the policy with the highest expected worth less its expected cost, so that all paths
// trade quality for cost at one rate: no path buys with a dollar less than another would. Strength is how many tasks the
// figures of all paths together count for on each one: with 0 a path goes by its own tasks alone, and a few lucky ones then
// choose among thousands of policies. Equal policies go by their order. It panics without policies or paths.
func Choose(r *Rates, worth task.Pico, strength float64) Policies {
	frontiers := NewFrontiers(r, strength)
	return frontiers.Choose(worth)
}

// Frontiers are the policies of each call path that some exchange rate would choose, so that many rates can be tried.
type Frontiers struct {
	rates *Rates
	paths [][]point // by path
	all   []point
}

// point is a policy that no cheaper one equals.
type point struct {
	policy   int
	estimate Estimate
}

// NewFrontiers works out the expected figures once.
func NewFrontiers(r *Rates, strength float64) *Frontiers {
	total := make([]Tally, len(r.Policies))
	for _, tallies := range r.Tallies {
		for i, t := range tallies {
			total[i] = total[i].Plus(t)
		}
	}
	f := &Frontiers{rates: r}
	points := make([]point, len(r.Policies))
	for i, t := range total {
		points[i] = point{policy: i, estimate: expect(t, t, 0)}
	}
	f.all = frontier(points)
	for _, tallies := range r.Tallies {
		for i, t := range tallies {
			points[i] = point{policy: i, estimate: expect(t, total[i], strength)}
		}
		f.paths = append(f.paths, frontier(points))
	}
	return f
}

// expect shrinks a path's own share of good answers towards that of all paths. Costs are not shrunk: they vary little
// inside of a path, and much between paths, with the length of prompts.
func expect(own, all Tally, strength float64) Estimate {
	if own.Tried == 0 {
		own, strength = all, 0
	}
	if own.Tried == 0 {
		return Estimate{}
	}
	prior := all.Passed / float64(all.Tried)
	return Estimate{
		Pass:  (own.Passed + strength*prior) / (float64(own.Tried) + strength),
		Cost:  own.Cost / task.Pico(own.Tried),
		Tried: own.Tried,
	}
}

// frontier keeps the points that pass more than every cheaper one, by rising cost.
func frontier(points []point) []point {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.estimate.Cost, b.estimate.Cost), cmp.Compare(b.estimate.Pass, a.estimate.Pass))
	})
	kept := sorted[:0]
	for _, p := range sorted {
		if len(kept) == 0 || p.estimate.Pass > kept[len(kept)-1].estimate.Pass {
			kept = append(kept, p)
		}
	}
	return slices.Clone(kept)
}

// Choose picks by one exchange rate.
func (f *Frontiers) Choose(worth task.Pico) Policies {
	chosen := Policies{Worth: worth, Paths: make(map[string]Chosen, len(f.paths)), Otherwise: f.chosen(best(f.all, worth))}
	for i, points := range f.paths {
		chosen.Paths[f.rates.Paths[i]] = f.chosen(best(points, worth))
	}
	return chosen
}

// Pick is the choice for one path by its place, as the place of the policy.
func (f *Frontiers) Pick(path int, worth task.Pico) int { return best(f.paths[path], worth).policy }

func (f *Frontiers) chosen(p point) Chosen {
	return Chosen{Policy: f.rates.Policies[p.policy], Estimate: p.estimate}
}

func best(points []point, worth task.Pico) point {
	at, most := 0, points[0].value(worth)
	for i, p := range points[1:] {
		if value := p.value(worth); value > most {
			at, most = i+1, value
		}
	}
	return points[at]
}

// value is a difference of amounts that are expected, not booked.
func (p point) value(worth task.Pico) float64 {
	return float64(worth)*p.estimate.Pass - float64(p.estimate.Cost)
}
