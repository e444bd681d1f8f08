package replay

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// AIQ is the average improvement in quality: the area under the non-decreasing convex hull of what plans cost and reach,
// from the cheapest to the largest cost that is looked at, by that cost. What lies beyond the dearest plan has its quality.
// Qitian Jason Hu et al., RouterBench: A Benchmark for Multi-LLM Routing System (2024), section 3.2, as their evaluation/AIQ.py
// computes it: below the cheapest plan there is no quality.
func AIQ(points []Point, most float64) float64 {
	var vertices []vertex
	for _, p := range points {
		vertices = append(vertices, vertex{accuracy: p.Accuracy, cost: p.USD.Float()})
	}
	kept := hull(vertices)
	if len(kept) == 0 || most <= 0 {
		return 0
	}
	area := 0.0
	for i, v := range kept {
		next := vertex{accuracy: v.accuracy, cost: max(most, v.cost)}
		if i+1 < len(kept) {
			next = kept[i+1]
		}
		area += (next.cost - v.cost) * (v.accuracy + next.accuracy) / 2
	}
	return area / max(most, kept[len(kept)-1].cost)
}

// Singles are what each model alone reaches and costs. Every cost has to be known.
func Singles(r *Replay, j *Judge) []Point {
	t := totalsOf(r, j)
	points := make([]Point, len(r.Models))
	for m := range r.Models {
		points[m] = Point{Accuracy: t.right[m] / float64(len(r.Rows)), USD: perThousand(t.cost[m], len(r.Rows))}
	}
	return points
}

// Dearest is the largest cost of some points, in USD for a thousand tasks.
func Dearest(points []Point) float64 {
	most := 0.0
	for _, p := range points {
		most = max(most, p.USD.Float())
	}
	return most
}

// Pair is a weak and a strong model between which prompts are routed.
type Pair struct {
	replay       *Recordings
	judge        *Judge
	weak, strong int
	order        []int // of equal scores: by id, which tells nothing
}

// NewPair fails when a model was not recorded, or when the strong one is not right more often.
func NewPair(r *Recordings, j *Judge, weak, strong string) (*Pair, error) {
	p := &Pair{replay: r, judge: j, weak: r.Model(weak), strong: r.Model(strong)}
	for name, at := range map[string]int{weak: p.weak, strong: p.strong} {
		if at < 0 {
			return nil, fmt.Errorf("model %q was not recorded; the file has %q", name, r.Models)
		}
	}
	gain := 0.0
	for i := range r.Rows {
		gain += p.Gain(i)
		p.order = append(p.order, i)
	}
	if gain <= 0 {
		return nil, fmt.Errorf("%s is not right more often than %s: there is nothing to gain", strong, weak)
	}
	slices.SortFunc(p.order, func(a, b int) int {
		return cmp.Or(cmp.Compare(hashOf(r.Rows[a].ID, 0), hashOf(r.Rows[b].ID, 0)), a-b)
	})
	return p, nil
}

// Extremes are the models that are right least and most often.
func Extremes(r *Recordings, j *Judge) (weakest, strongest string) {
	right := make([]float64, len(r.Models))
	for i := range r.Rows {
		for m := range r.Models {
			right[m] += j.Right(i, m)
		}
	}
	least, most := 0, 0
	for m := range right {
		if right[m] < right[least] {
			least = m
		}
		if right[m] > right[most] {
			most = m
		}
	}
	return r.Models[least], r.Models[most]
}

// Folds deals rows out so that each fold has its share of every task.
func (r *Recordings) Folds(folds int) []int { return (&Replay{Recordings: r}).folds(outerSalt, folds) }

// Accuracies are how often the two are right.
func (p *Pair) Accuracies() (weak, strong float64) {
	for i := range p.replay.Rows {
		weak += p.judge.Right(i, p.weak)
		strong += p.judge.Right(i, p.strong)
	}
	n := float64(len(p.replay.Rows))
	return weak / n, strong / n
}

// Gain is how much better the strong model's answer to a prompt is.
func (p *Pair) Gain(row int) float64 {
	return p.judge.Right(row, p.strong) - p.judge.Right(row, p.weak)
}

// Routing is how well scores say which prompts the strong model is needed for. Isaac Ong et al., RouteLLM: Learning to Route
// LLMs with Preference Data (2024), section 2.2.
type Routing struct {
	// APGR is the average performance gap recovered: the mean over all shares of prompts that the strong model gets, of the
	// part of its lead that is kept. Scores that tell nothing have 0.5.
	APGR float64 `json:"apgr"`
	// CPT50 and CPT80 are the call-performance thresholds: the least share of prompts to the strong model with which half, or
	// four fifths, of its lead is kept.
	CPT50 float64 `json:"cpt50"`
	CPT80 float64 `json:"cpt80"`
}

// Route judges scores, one for each row; the strong model gets the highest first.
func (p *Pair) Route(scores []float64) Routing { return p.route(p.ranked(scores)) }

// ranked are the rows by falling score.
func (p *Pair) ranked(scores []float64) []int {
	rows := slices.Clone(p.order)
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	return rows
}

func (p *Pair) route(rows []int) Routing {
	all := 0.0
	for _, row := range rows {
		all += p.Gain(row)
	}
	r := Routing{CPT50: 1, CPT80: 1}
	if all == 0 {
		return r
	}
	kept, n := 0.0, float64(len(rows))
	for i, row := range rows {
		before := kept
		kept += p.Gain(row) / all
		r.APGR += (before + kept) / 2 / n
		share := float64(i+1) / n
		if kept >= 0.5 {
			r.CPT50 = min(r.CPT50, share)
		}
		if kept >= 0.8 {
			r.CPT80 = min(r.CPT80, share)
		}
	}
	return r
}

// routeSamples are the samples of an interval between routers: each takes a walk through all rows.
const routeSamples = 2_000

// Lead is the 95 % interval of the APGR of one router's scores less that of another's, by a bootstrap of whole tasks: prompts
// of one task are alike, and a task that was not seen is what the figure is to hold for.
func (p *Pair) Lead(scores, others []float64) [2]float64 {
	const tail = 0.025
	byTask := map[string]int{}
	task := make([]int, len(p.replay.Rows))
	for i := range p.replay.Rows {
		name := p.replay.Rows[i].Task
		if _, ok := byTask[name]; !ok {
			byTask[name] = len(byTask)
		}
		task[i] = byTask[name]
	}
	ours, theirs := p.ranked(scores), p.ranked(others)
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // the samples have to be the same each time
	leads := make([]float64, routeSamples)
	for s := range leads {
		times := make([]float64, len(byTask))
		for range byTask {
			times[random.IntN(len(times))]++
		}
		leads[s] = p.weighted(ours, task, times) - p.weighted(theirs, task, times)
	}
	slices.Sort(leads)
	low := int(tail * routeSamples)
	return [2]float64{leads[low], leads[routeSamples-1-low]}
}

// weighted is the APGR of a sample in which each task's rows are there so many times.
func (p *Pair) weighted(rows, task []int, times []float64) float64 {
	all, n := 0.0, 0.0
	for _, row := range rows {
		all += times[task[row]] * p.Gain(row)
		n += times[task[row]]
	}
	if all <= 0 {
		return 0.5
	}
	kept, area := 0.0, 0.0
	for _, row := range rows {
		weight := times[task[row]]
		before := kept
		kept += weight * p.Gain(row) / all
		area += weight * (before + kept) / 2 / n
	}
	return area
}

// TaskFolds deals whole tasks out to folds, the largest first, so that what is judged is of tasks that nobody has seen.
func TaskFolds(r *Recordings, folds int) []int {
	sizes := map[string]int{}
	for i := range r.Rows {
		sizes[r.Rows[i].Task]++
	}
	names := r.Tasks()
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(sizes[b], sizes[a]) })
	full, of := make([]int, folds), map[string]int{}
	for _, name := range names {
		least := 0
		for f := range full {
			if full[f] < full[least] {
				least = f
			}
		}
		of[name] = least
		full[least] += sizes[name]
	}
	assigned := make([]int, len(r.Rows))
	for i := range r.Rows {
		assigned[i] = of[r.Rows[i].Task]
	}
	return assigned
}
