package replay

import (
	"cmp"
	"math/big"
	"math/rand/v2"
	"slices"

	"github.com/weirhq/weir/task"
)

// Seeds make the figures of a report the same each time.
const (
	mixSeeds         = 100
	bootstrapSamples = 10_000
	seed             = 20_240_811
)

// totals are what each model alone would have reached and cost.
type totals struct {
	right []float64
	cost  []*big.Int
}

func totalsOf(r *Replay, j *Judge) totals {
	t := totals{right: make([]float64, len(r.Models)), cost: make([]*big.Int, len(r.Models))}
	for m := range r.Models {
		t.cost[m] = new(big.Int)
		for i := range r.Rows {
			t.right[m] += j.Right(i, m)
			t.cost[m].Add(t.cost[m], big.NewInt(int64(costOf(r, i, m))))
		}
	}
	return t
}

// costOf is 0 for an unknown cost; what is made of it is shown only where every cost is known.
func costOf(r *Replay, row, model int) task.Pico {
	if cost := r.Rows[row].Answers[model].Cost; cost != nil {
		return *cost
	}
	return 0
}

// mix sends a share of the tasks, drawn at random, to the strongest model and the others to the cheapest.
type mix struct {
	replay              *Replay
	judge               *Judge
	totals              totals
	cheapest, strongest int
}

// newMix finds the cheapest and the strongest, the one that is right most often. Where no cost is known, the model that is
// right least often counts as the cheapest.
func newMix(r *Replay, j *Judge) mix {
	m := mix{replay: r, judge: j, totals: totalsOf(r, j)}
	for i := range r.Models {
		cost := m.totals.cost[i].Cmp(m.totals.cost[m.cheapest])
		if !r.Priced() {
			cost = cmp.Compare(m.totals.right[i], m.totals.right[m.cheapest])
		}
		if cost < 0 {
			m.cheapest = i
		}
		if m.totals.right[i] > m.totals.right[m.strongest] {
			m.strongest = i
		}
	}
	return m
}

// Strongest is the model that is right most often.
func Strongest(r *Replay, j *Judge) string { return r.Models[newMix(r, j).strongest] }

// share is how much of the tasks the strongest gets for the mix to cost a total.
func (m mix) share(total *big.Int) float64 {
	low, high := m.totals.cost[m.cheapest], m.totals.cost[m.strongest]
	spread := new(big.Int).Sub(high, low)
	if spread.Sign() <= 0 {
		return 0
	}
	share, _ := new(big.Rat).SetFrac(new(big.Int).Sub(total, low), spread).Float64()
	return max(0, min(1, share))
}

// rows are how right the mix is on each row, the mean of many draws.
func (m mix) rows(share float64) []float64 {
	right := make([]float64, len(m.replay.Rows))
	for s := range uint64(mixSeeds) {
		random := rand.New(rand.NewPCG(seed, s)) //nolint:gosec // the draws have to be the same each time
		for i := range right {
			model := m.cheapest
			if random.Float64() < share {
				model = m.strongest
			}
			right[i] += m.judge.Right(i, model) / mixSeeds
		}
	}
	return right
}

// baselines are the other ways. Total is what the judged policy cost, order its models.
func baselines(r *Replay, j *Judge, m mix, order []string, total *big.Int) []Baseline {
	n := len(r.Rows)
	priced := r.Priced()
	baseline := func(name string, right float64, cost *big.Int) Baseline {
		b := Baseline{Name: name, Accuracy: right / float64(n)}
		if priced {
			b.USDPer1000 = perThousand(cost, n)
		}
		return b
	}
	all := []Baseline{
		baseline("always-cheapest", m.totals.right[m.cheapest], m.totals.cost[m.cheapest]),
		baseline("always-strongest", m.totals.right[m.strongest], m.totals.cost[m.strongest]),
	}
	for i, name := range r.Models {
		all = append(all, baseline("single:"+name, m.totals.right[i], m.totals.cost[i]))
	}
	if priced {
		share := m.share(total)
		all = append(all, baseline("random-mix", sum(m.rows(share)), m.cost(share)))
		right, cost := m.byLength(total)
		all = append(all, baseline("length-threshold", right, cost))
	}
	models := m.verified(order)
	right, cost := m.perfect(models)
	all = append(all, baseline("perfect-verifier", right, cost))
	right, cost = m.oracle()
	return append(all, baseline("oracle", right, cost))
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// cost is what the mix costs in expectation.
func (m mix) cost(share float64) *big.Int {
	low, high := m.totals.cost[m.cheapest], m.totals.cost[m.strongest]
	spread := new(big.Rat).SetInt(new(big.Int).Sub(high, low))
	spread.Mul(spread, new(big.Rat).SetFloat64(share))
	whole := new(big.Int).Quo(spread.Num(), spread.Denom())
	return whole.Add(whole, low)
}

// byLength sends the longest prompts to the strongest model, as many as the total pays for, and the others to the cheapest.
func (m mix) byLength(total *big.Int) (right float64, cost *big.Int) {
	rows := make([]int, len(m.replay.Rows))
	for i := range rows {
		rows[i] = i
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		return cmp.Compare(len(m.replay.Rows[b].Prompt), len(m.replay.Rows[a].Prompt))
	})
	right, cost = m.totals.right[m.cheapest], new(big.Int).Set(m.totals.cost[m.cheapest])
	for _, i := range rows {
		more := costOf(m.replay, i, m.strongest) - costOf(m.replay, i, m.cheapest)
		dearer := new(big.Int).Add(cost, big.NewInt(int64(more)))
		if dearer.Cmp(total) > 0 {
			break
		}
		cost = dearer
		right += m.judge.Right(i, m.strongest) - m.judge.Right(i, m.cheapest)
	}
	return right, cost
}

// verified are the models that the perfect verifier goes through: those of the policy, or the cheapest and the strongest
// where it has one alone or many.
func (m mix) verified(order []string) []int {
	var models []int
	for _, name := range order {
		if at := m.replay.Model(name); at >= 0 {
			models = append(models, at)
		}
	}
	if len(models) < 2 {
		return []int{m.cheapest, m.strongest}
	}
	return models
}

// perfect is a cascade that knows which answers are right: it stops at the first that is not wrong.
func (m mix) perfect(models []int) (right float64, cost *big.Int) {
	cost = new(big.Int)
	for i := range m.replay.Rows {
		for at, model := range models {
			cost.Add(cost, big.NewInt(int64(costOf(m.replay, i, model))))
			if m.judge.Right(i, model) == 1 || at == len(models)-1 {
				right += m.judge.Right(i, model)
				break
			}
		}
	}
	return right, cost
}

// oracle gives each task to the cheapest of the models that answer it best.
func (m mix) oracle() (right float64, cost *big.Int) {
	cost = new(big.Int)
	for i := range m.replay.Rows {
		best := 0
		for model := range m.replay.Models {
			better := cmp.Or(
				cmp.Compare(m.judge.Right(i, model), m.judge.Right(i, best)),
				cmp.Compare(costOf(m.replay, i, best), costOf(m.replay, i, model)),
			)
			if better > 0 {
				best = model
			}
		}
		right += m.judge.Right(i, best)
		cost.Add(cost, big.NewInt(int64(costOf(m.replay, i, best))))
	}
	return right, cost
}

// bootstrap is the middle 95 % of the mean difference over samples of the rows, drawn with replacement, both sides together.
func bootstrap(a, b []float64) [2]float64 {
	const tail = 0.025
	differences := make([]float64, len(a))
	for i := range a {
		differences[i] = a[i] - b[i]
	}
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // the samples have to be the same each time
	means := make([]float64, bootstrapSamples)
	for s := range means {
		total := 0.0
		for range differences {
			total += differences[random.IntN(len(differences))]
		}
		means[s] = total / float64(len(differences))
	}
	slices.Sort(means)
	low := int(tail * bootstrapSamples)
	return [2]float64{means[low], means[bootstrapSamples-1-low]}
}
