package train

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/optimize"

	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
)

const classes = model.Classes

// problem is the objective of a multinomial logistic regression: the weighted mean of -ln p(level), and half of L2 times the
// squared weights. Columns are scaled before, which decides how much the regularisation lets each weigh: the larger the
// scale, the more. Weights are in the order of bias, counters, embedding, hashed words; of each feature one for each class.
type problem struct {
	examples []*Example
	weights  []float64 // of the examples, 1 together
	l2       float64

	dim    int       // of the embedding
	dense  int       // counters and, unless it is left out, embedding
	rows   []float64 // dense columns of the examples, scaled
	mean   []float64 // of the counters
	scale  []float64 // of the dense columns
	column []int32   // of a bucket among the hashed words; -1 without one
	bucket []uint16  // of a column, rising
	idf    []float64 // of a column, with the scale of hashed words
}

func newProblem(set *Set, c Config) *problem {
	p := &problem{examples: set.Examples, l2: c.L2, dim: set.Embedder.Dim(), dense: features.Counters}
	if c.EmbeddingScale > 0 {
		p.dense += p.dim
	}
	p.weigh(set, c)
	p.standardise(c)
	p.columns(c)
	p.rows = make([]float64, len(p.examples)*p.dense)
	for i, e := range p.examples {
		row := p.rows[i*p.dense : (i+1)*p.dense]
		for k, x := range e.Counters {
			row[k] = (float64(x) - p.mean[k]) * p.scale[k]
		}
		for k, x := range e.Embedding[:p.dense-features.Counters] {
			row[features.Counters+k] = float64(x) * c.EmbeddingScale
		}
	}
	return p
}

// weigh makes the classes equally heavy together, and large groups lighter than their size: a thousand rows of one template
// tell less than a hundred rows of ten.
func (p *problem) weigh(set *Set, c Config) {
	sizes := set.groups()
	p.weights = make([]float64, len(p.examples))
	var heavy [classes]float64
	for i, e := range p.examples {
		p.weights[i] = math.Pow(float64(sizes[e.Group]), -c.GroupPower)
		heavy[e.Level] += p.weights[i]
	}
	present := 0
	for _, sum := range heavy {
		if sum > 0 {
			present++
		}
	}
	for i, e := range p.examples {
		p.weights[i] /= heavy[e.Level] * float64(present)
	}
}

// standardise gives each counter the mean 0 and the deviation of its scale. One that never changes gets no weight.
func (p *problem) standardise(c Config) {
	p.mean = make([]float64, features.Counters)
	p.scale = make([]float64, p.dense)
	n := float64(len(p.examples))
	for k := range features.Counters {
		sum, squares := 0.0, 0.0
		for _, e := range p.examples {
			sum += float64(e.Counters[k])
		}
		p.mean[k] = sum / n
		for _, e := range p.examples {
			d := float64(e.Counters[k]) - p.mean[k]
			squares += float64(d * d)
		}
		if deviation := math.Sqrt(squares / n); deviation > 1e-6 {
			p.scale[k] = c.CounterScale / deviation
		}
	}
	for k := features.Counters; k < p.dense; k++ {
		p.scale[k] = c.EmbeddingScale
	}
}

// columns are the buckets that occur often enough, scaled by how rare they are.
func (p *problem) columns(c Config) {
	count := make([]int, features.Buckets)
	for _, e := range p.examples {
		for _, bucket := range e.Index {
			count[bucket]++
		}
	}
	p.column = make([]int32, features.Buckets)
	for bucket, n := range count {
		p.column[bucket] = -1
		if n >= c.MinRows && c.GramScale > 0 {
			p.column[bucket] = int32(len(p.bucket)) //nolint:gosec // at most 2^16 buckets
			p.bucket = append(p.bucket, uint16(bucket))
			p.idf = append(p.idf, c.GramScale*(1+math.Log(float64(1+len(p.examples))/float64(1+n))))
		}
	}
}

func (p *problem) size() int { return classes * (1 + p.dense + len(p.bucket)) }

// value is the objective, and its gradient when gradient is not nil. It works through the examples one after another, so
// that every sum has one order.
func (p *problem) value(x, gradient []float64) float64 {
	clear(gradient)
	sum := 0.0
	for i, e := range p.examples {
		s := p.score(x, i)
		q := model.Softmax(s, 1)
		sum -= p.weights[i] * math.Log(max(q[e.Level], math.SmallestNonzeroFloat64))
		if gradient == nil {
			continue
		}
		q[e.Level]--
		for k := range q {
			q[k] *= p.weights[i]
			gradient[k] += q[k]
		}
		p.spread(gradient, i, &q)
	}
	for k := classes; k < len(x); k++ { // the bias is free
		sum += p.l2 / 2 * x[k] * x[k]
		if gradient != nil {
			gradient[k] += p.l2 * x[k]
		}
	}
	return sum
}

// score is the scores of example i.
func (p *problem) score(x []float64, i int) [classes]float64 {
	s0, s1, s2 := x[0], x[1], x[2]
	w := x[classes : classes*(1+p.dense)]
	for _, v := range p.rows[i*p.dense : (i+1)*p.dense] {
		s0 += float64(v * w[0])
		s1 += float64(v * w[1])
		s2 += float64(v * w[2])
		w = w[classes:]
	}
	w = x[classes*(1+p.dense):]
	e := p.examples[i]
	for k, bucket := range e.Index {
		if c := p.column[bucket]; c >= 0 {
			v, at := float64(e.Value[k])*p.idf[c], classes*int(c)
			s0 += float64(v * w[at])
			s1 += float64(v * w[at+1])
			s2 += float64(v * w[at+2])
		}
	}
	return [classes]float64{s0, s1, s2}
}

// spread adds an example's part to the gradient.
func (p *problem) spread(gradient []float64, i int, q *[classes]float64) {
	g := gradient[classes : classes*(1+p.dense)]
	for _, v := range p.rows[i*p.dense : (i+1)*p.dense] {
		g[0] += float64(v * q[0])
		g[1] += float64(v * q[1])
		g[2] += float64(v * q[2])
		g = g[classes:]
	}
	g = gradient[classes*(1+p.dense):]
	e := p.examples[i]
	for k, bucket := range e.Index {
		if c := p.column[bucket]; c >= 0 {
			v, at := float64(e.Value[k])*p.idf[c], classes*int(c)
			g[at] += float64(v * q[0])
			g[at+1] += float64(v * q[1])
			g[at+2] += float64(v * q[2])
		}
	}
}

// How long the search goes on: until the gradient is that flat, or for that many steps.
const (
	flat     = 1e-5
	maxSteps = 200
)

// solve finds the weights, by L-BFGS from zero.
func (p *problem) solve() ([]float64, error) {
	result, err := optimize.Minimize(
		optimize.Problem{
			Func: func(x []float64) float64 { return p.value(x, nil) },
			Grad: func(gradient, x []float64) { p.value(x, gradient) },
		},
		make([]float64, p.size()),
		&optimize.Settings{GradientThreshold: flat, MajorIterations: maxSteps},
		&optimize.LBFGS{Linesearcher: &optimize.MoreThuente{}},
	)
	if result == nil {
		return nil, fmt.Errorf("search for weights: %w", err)
	}
	// A line search that finds no step downwards has come to the bottom, as far as float64 can tell.
	if err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) && !errors.Is(err, optimize.ErrNoProgress) {
		return nil, fmt.Errorf("search for weights: %w", err)
	}
	return result.X, nil
}

// linear undoes the scales, and puts the counters' means into the bias.
func (p *problem) linear(x []float64) *model.Linear {
	l := &model.Linear{
		Embedding: make([][classes]float32, p.dim), Index: p.bucket,
		Grams: make([][classes]float32, len(p.bucket)),
	}
	for k := range classes {
		bias := x[k]
		for j := range p.dense {
			w := x[classes*(1+j)+k] * p.scale[j]
			if j < features.Counters {
				bias -= float64(w * p.mean[j])
				l.Counters[j][k] = float32(w)
				continue
			}
			l.Embedding[j-features.Counters][k] = float32(w)
		}
		for c := range p.bucket {
			l.Grams[c][k] = float32(x[classes*(1+p.dense+c)+k] * p.idf[c])
		}
		l.Bias[k] = float32(bias)
	}
	return l
}
