package model

import (
	"math"

	"github.com/weirhq/weir/task"
)

// Why a model does not decide. They are words of the ledger.
const (
	AbstainedConfidence   = "low confidence"
	AbstainedCostGap      = "small cost gap"
	AbstainedDistribution = "out of distribution"
	AbstainedEmbedding    = "no embedding" // an embedder outside of the process failed
)

// DefaultCost is what it costs to serve a task of the row's class as the column's, in wrong classes: an expert's task that is
// begun as a mechanical one is the dearest mistake, since a well-formed wrong answer may be accepted; the opposite only costs
// money. Probabilities are calibrated, so that moderate figures are enough to make that mistake rare.
func DefaultCost() [Classes][Classes]float64 {
	return [Classes][Classes]float64{{0, 1, 1.5}, {1, 0, 1}, {2, 1, 0}}
}

// Prediction is what a model says of a task.
type Prediction struct {
	// Probabilities are those of L1, L2 and L3; all zero without an embedding.
	Probabilities [Classes]float64
	// Class is the one that is cheapest to expect, also of a model that abstains.
	Class task.Class
	// Confidence is the probability of Class.
	Confidence float64
	// CostGap is by how much the second cheapest class is dearer to expect.
	CostGap float64
	// Similarity is the mean cosine to the nearest prototypes.
	Similarity float64
	// Abstained is why the model does not decide, one of the Abstained constants; empty where it does.
	Abstained string
}

// Level is the class as an index: 0 for L1.
func (p *Prediction) Level() int { return level(p.Class) }

func level(c task.Class) int {
	switch c {
	case task.L1:
		return 0
	case task.L2:
		return 1
	case task.L3:
	}
	return 2
}

func class(level int) task.Class { return [Classes]task.Class{task.L1, task.L2, task.L3}[level] }

// Decide turns scores into a prediction.
func (h *Header) Decide(scores [Classes]float64, similarity float64) Prediction {
	p := Prediction{Probabilities: Softmax(scores, h.Temperature), Similarity: similarity}
	best, gap := Cheapest(p.Probabilities, h.Cost)
	p.Class, p.Confidence, p.CostGap = class(best), p.Probabilities[best], gap
	p.Abstained = h.Thresholds.cause(&p)
	return p
}

// cause is why a prediction is no decision. What lies far from all that was seen comes first: nothing else said of it can
// be relied on.
func (t *Thresholds) cause(p *Prediction) string {
	switch {
	case p.Similarity < t.Similarity:
		return AbstainedDistribution
	case p.Confidence < t.Confidence:
		return AbstainedConfidence
	case p.CostGap < t.CostGap:
		return AbstainedCostGap
	default:
		return ""
	}
}

// Softmax is the probabilities of scores at a temperature.
func Softmax(scores [Classes]float64, temperature float64) [Classes]float64 {
	highest := max(scores[0], scores[1], scores[2])
	var p [Classes]float64
	sum := 0.0
	for k, score := range scores {
		p[k] = math.Exp((score - highest) / temperature)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// Cheapest is the class that is cheapest to expect, and by how much the next is dearer. Of equals it is the harder class.
func Cheapest(p [Classes]float64, cost [Classes][Classes]float64) (best int, gap float64) {
	var expected [Classes]float64
	for served := range Classes {
		for k := range Classes {
			expected[served] += float64(p[k] * cost[k][served])
		}
	}
	for k := range Classes {
		if expected[k] <= expected[best] {
			best = k
		}
	}
	gap = math.Inf(1)
	for k := range Classes {
		if k != best {
			gap = min(gap, expected[k]-expected[best])
		}
	}
	return best, gap
}
