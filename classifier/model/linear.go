package model

import "github.com/weirhq/weir/classifier/features"

// Scorer is the weights of a logistic regression laid out for scoring.
type Scorer struct {
	*Linear
	table [][Classes]float32
}

// NewScorer lays weights out.
func NewScorer(l *Linear) *Scorer { return &Scorer{Linear: l, table: l.table()} }

// Score adds in float64 and in one order, so that the same vector has the same score everywhere.
func (w *Scorer) Score(v *features.Vector) [Classes]float64 {
	s := [Classes]float64{float64(w.Bias[0]), float64(w.Bias[1]), float64(w.Bias[2])}
	for i, x := range v.Counters {
		add(&s, x, &w.Counters[i])
	}
	for i, x := range v.Embedding {
		add(&s, x, &w.Embedding[i])
	}
	for i, bucket := range v.Index {
		add(&s, v.Value[i], &w.table[bucket])
	}
	return s
}

func add(s *[Classes]float64, x float32, w *[Classes]float32) {
	s[0] += float64(float64(x) * float64(w[0]))
	s[1] += float64(float64(x) * float64(w[1]))
	s[2] += float64(float64(x) * float64(w[2]))
}
