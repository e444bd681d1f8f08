package model

import (
	"cmp"
	"math"
	"slices"

	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/task"
)

// explained is how many reasons are given.
const explained = 8

// Explanation is what a prediction rests on.
type Explanation struct {
	// Expected is what it costs to expect when the task is served as L1, L2 or L3.
	Expected [Classes]float64 `json:"expected_cost"`
	// CostGap, Similarity and Thresholds decide whether the model decides.
	CostGap    float64    `json:"cost_gap"`
	Similarity float64    `json:"similarity"`
	Thresholds Thresholds `json:"thresholds"`
	// Against is the likeliest class beside the decided one.
	Against task.Class `json:"against"`
	// Reasons are what speaks most for the decided class, or against it, the strongest first; empty for trees.
	Reasons []Reason `json:"reasons"`
}

// Reason is a feature and what it adds to the score of the decided class, less what it adds to the other's.
type Reason struct {
	Feature string  `json:"feature"`
	Weight  float64 `json:"weight"`
}

// Explain predicts, and says why.
func (m *Model) Explain(view features.View) (Prediction, Explanation) {
	p := m.Predict(view)
	e := Explanation{CostGap: p.CostGap, Similarity: p.Similarity, Thresholds: m.parameters.Thresholds}
	if p.Abstained == AbstainedEmbedding {
		return p, e
	}
	for served := range Classes {
		for k := range Classes {
			e.Expected[served] += float64(p.Probabilities[k] * m.parameters.Cost[k][served])
		}
	}
	decided, other := p.Level(), -1
	for k, probability := range p.Probabilities {
		if k != decided && (other < 0 || probability > p.Probabilities[other]) {
			other = k
		}
	}
	e.Against = class(other)
	if s, ok := m.scorer.(*Scorer); ok {
		e.Reasons = m.reasons(s, view, decided, other)
	}
	return p, e
}

// reasons splits the difference of two classes' scores. The embedding's dimensions mean nothing one by one, so that they
// are one reason. Model.Predict has shown that the embedder works.
func (m *Model) reasons(s *Scorer, view features.View, decided, other int) []Reason {
	v := &features.Vector{Embedding: make([]float32, m.parameters.Dim)}
	m.embed(v, view)
	m.extractor.Fill(v, view)
	weight := func(x float32, w [Classes]float32) float64 { return float64(x) * float64(w[decided]-w[other]) }
	meaning := 0.0
	for i, x := range v.Embedding {
		meaning += weight(x, s.Embedding[i])
	}
	reasons := []Reason{{"embedding", meaning}}
	for i, name := range features.CounterNames() {
		reasons = append(reasons, Reason{name, weight(v.Counters[i], s.Counters[i])})
	}
	names := features.Names(view.Text)
	for i, bucket := range v.Index {
		reasons = append(reasons, Reason{`"` + names[bucket] + `"`, weight(v.Value[i], s.table[bucket])})
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
	return reasons[:min(explained, len(reasons))]
}
