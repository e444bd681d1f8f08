package train

import (
	"math"
	"slices"

	"github.com/weirhq/weir/classifier/model"
)

// held is what is known of an example that was kept out while the model that scored it was trained.
type held struct {
	level      int
	scores     [classes]float64
	similarity float64
}

// temperature is the divisor of the scores under which the held examples are likeliest. Every row counts alike: where groups
// did, hundreds of small ones that are easy to tell would make the model sure of the large ones too. The likelihood has one maximum in
// it, which a golden section finds between cold and hot.
func temperature(all []held) float64 {
	const cold, hot, steps = 0.05, 20.0, 60
	loss := func(log float64) float64 {
		t, sum := math.Exp(log), 0.0
		for _, h := range all {
			p := model.Softmax(h.scores, t)
			sum -= math.Log(max(p[h.level], 1e-300))
		}
		return sum
	}
	ratio := (math.Sqrt(5) - 1) / 2
	low, high := math.Log(cold), math.Log(hot)
	a, b := high-ratio*(high-low), low+ratio*(high-low)
	fa, fb := loss(a), loss(b)
	for range steps {
		if fa < fb {
			high, b, fb = b, a, fa
			a = high - ratio*(high-low)
			fa = loss(a)
			continue
		}
		low, a, fa = a, b, fb
		b = low + ratio*(high-low)
		fb = loss(b)
	}
	return math.Exp((low + high) / 2)
}

// decided is a held example's decision.
type decided struct {
	confidence, gap float64
	right           bool
}

// thresholds are those that decide most of the held examples while at least the target's share of what they decide is right.
// Where no thresholds reach the target, they are those with the best share on at least leastCovered of the examples.
func thresholds(all []held, header *model.Header, c Config) model.Thresholds {
	t := model.Thresholds{Similarity: percentile(all, c.SimilarityShare)}
	var rows []decided
	for _, h := range all {
		if h.similarity < t.Similarity {
			continue
		}
		p := model.Softmax(h.scores, header.Temperature)
		best, gap := model.Cheapest(p, header.Cost)
		rows = append(rows, decided{confidence: p[best], gap: gap, right: best == h.level})
	}
	slices.SortFunc(rows, func(a, b decided) int {
		switch {
		case a.confidence > b.confidence:
			return -1
		case a.confidence < b.confidence:
			return 1
		default:
			return 0
		}
	})
	best := choice{}
	for _, gap := range costGaps() {
		best = best.better(least(rows, gap, c.Target, int(leastCovered*float64(len(all)))))
	}
	t.Confidence, t.CostGap = best.confidence, best.gap
	return t
}

// leastCovered is the least share of tasks that a model with a use decides.
const leastCovered = 0.05

func costGaps() []float64 { return []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5} }

// choice is a pair of thresholds and what it does.
type choice struct {
	confidence, gap float64
	covered         int
	accuracy        float64
	reached         bool
}

func (c choice) better(other choice) choice {
	switch {
	case c.reached != other.reached:
		if c.reached {
			return c
		}
		return other
	case c.reached && other.covered > c.covered, !c.reached && other.accuracy > c.accuracy:
		return other
	default:
		return c
	}
}

// least is the lowest threshold of confidence at a cost gap. The rows are by falling confidence.
func least(rows []decided, gap, target float64, covered int) choice {
	var best choice
	right, count := 0, 0
	for i, row := range rows {
		if row.gap >= gap {
			count++
			if row.right {
				right++
			}
		}
		if count < max(covered, 1) || i+1 < len(rows) && rows[i+1].confidence == row.confidence {
			continue
		}
		accuracy := float64(right) / float64(count)
		best = best.better(choice{
			confidence: row.confidence, gap: gap, covered: count, accuracy: accuracy, reached: accuracy >= target,
		})
	}
	return best
}

// percentile is the similarity below which the share of the held examples lies.
func percentile(all []held, share float64) float64 {
	sorted := make([]float64, len(all))
	for i, h := range all {
		sorted[i] = h.similarity
	}
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// bins is how many bins a reliability diagram has.
const bins = 10

// reliability compares the held examples' probabilities with what came true.
func reliability(all []held, temperature float64) []model.Bin {
	diagram := make([]model.Bin, bins)
	for _, h := range all {
		p := model.Softmax(h.scores, temperature)
		best := likeliest(p)
		bin := &diagram[min(bins-1, int(p[best]*bins))]
		bin.Rows++
		bin.Confidence += p[best]
		if best == h.level {
			bin.Accuracy++
		}
	}
	for i := range diagram {
		if n := float64(diagram[i].Rows); n > 0 {
			diagram[i].Confidence /= n
			diagram[i].Accuracy /= n
		}
	}
	return diagram
}

func likeliest(p [classes]float64) int {
	best := 0
	for k := range p {
		if p[k] > p[best] {
			best = k
		}
	}
	return best
}
