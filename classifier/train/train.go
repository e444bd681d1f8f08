package train

import (
	"errors"
	"fmt"

	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
)

// Config says how to train. Default has what did best on the groups that were kept out, see docs/classifier.md.
type Config struct {
	// L2 is the strength of the regularisation, above 0.
	L2 float64
	// EmbeddingScale, GramScale and CounterScale are how much the embedding, the hashed words and the counters may weigh
	// against each other; 0 leaves the part out.
	EmbeddingScale, GramScale, CounterScale float64
	// MinRows is in how many rows a hashed word must occur.
	MinRows int
	// GroupPower is how much lighter rows of large groups are: by the size of the group to this power. 0 weighs rows alike,
	// 1 groups.
	GroupPower float64
	// Folds is how many parts the groups are cut into to calibrate and to find thresholds.
	Folds int
	// Prototypes is how many points the training data is remembered by; 0 never calls a task out of distribution.
	Prototypes int
	// SimilarityShare is the share of rows of unseen groups that may be out of distribution.
	SimilarityShare float64
	// Target is how often a decision on unseen groups must be right. Where confidence is no reason to decide, less is decided.
	Target float64
	// Seed is that of the prototypes.
	Seed uint64
}

// Default is the configuration for an embedder, by the name that begins its ID.
func Default(embedder string) Config {
	return Config{
		L2: 3e-4, EmbeddingScale: 1.2, GramScale: 0.3, CounterScale: 0.6, MinRows: 2, GroupPower: 0.4, Folds: 5, Prototypes: 64,
		SimilarityShare: 0.01, Target: 0.8, Seed: 1,
	}
}

// ErrOneGroup means that all rows are of one group, so that nothing can be kept out to calibrate on.
var ErrOneGroup = errors.New("the rows are of one group: calibration needs at least two, by source and task")

// ErrOneLevel means that all rows have the same level.
var ErrOneLevel = errors.New("the rows are of one level: there is nothing to tell apart")

// Train makes a model of a set. It fails with ErrOneGroup or ErrOneLevel, and when the search for weights does.
func Train(set *Set, c Config) (*model.Parameters, error) {
	sizes := set.groups()
	if len(sizes) < 2 {
		return nil, ErrOneGroup
	}
	if set.levels() < 2 {
		return nil, ErrOneLevel
	}
	all, err := keepOut(set, Folds(sizes, min(c.Folds, len(sizes))), c)
	if err != nil {
		return nil, err
	}
	linear, points, err := fit(set, c)
	if err != nil {
		return nil, err
	}
	p := &model.Parameters{
		Header: model.Header{
			Features: features.Version, Embedder: set.Embedder.ID(), Dim: set.Embedder.Dim(),
			Temperature: temperature(all), Cost: model.DefaultCost(), Grams: len(linear.Index),
			PrototypeCount: len(points) / set.Embedder.Dim(),
		},
		Linear: linear, Prototypes: points,
	}
	p.Thresholds = thresholds(all, &p.Header, c)
	p.Training = model.Training{
		Data: set.Hash, Rows: len(set.Examples), Groups: len(sizes), Seed: c.Seed, L2: c.L2,
		Reliability: reliability(all, p.Temperature),
	}
	p.Training.Covered, p.Training.CoveredAccuracy = judge(all, &p.Header)
	return p, nil
}

// fit trains on all of a set.
func fit(set *Set, c Config) (*model.Linear, []float32, error) {
	p := newProblem(set, c)
	x, err := p.solve()
	if err != nil {
		return nil, nil, err
	}
	return p.linear(x), prototypes(set, c.Prototypes, c.Seed), nil
}

// keepOut scores each example by a model that was trained without its fold.
func keepOut(set *Set, folds map[string]int, c Config) ([]held, error) {
	count := 0
	for _, fold := range folds {
		count = max(count, fold+1)
	}
	var all []held
	for fold := range count {
		rest := set.Select(func(e *Example) bool { return folds[e.Group] != fold })
		linear, points, err := fit(rest, c)
		if err != nil {
			return nil, fmt.Errorf("without fold %d: %w", fold, err)
		}
		scorer := model.NewScorer(linear)
		for _, e := range set.Examples {
			if folds[e.Group] == fold {
				all = append(all, held{
					level: e.Level, scores: scorer.Score(&e.Vector), similarity: model.Similarity(e.Embedding, points),
				})
			}
		}
	}
	return all, nil
}

// judge is the share of the held examples that a model decides, and how often it is right there.
func judge(all []held, header *model.Header) (covered, accuracy float64) {
	count, right := 0, 0
	for _, h := range all {
		p := header.Decide(h.scores, h.similarity)
		if p.Abstained != "" {
			continue
		}
		count++
		if p.Level() == h.level {
			right++
		}
	}
	if count == 0 {
		return 0, 0
	}
	return float64(count) / float64(len(all)), float64(right) / float64(count)
}

func (s *Set) levels() int {
	var seen [classes]bool
	n := 0
	for _, e := range s.Examples {
		if !seen[e.Level] {
			seen[e.Level] = true
			n++
		}
	}
	return n
}

// Scorer fits weights and nothing else: no calibration, no thresholds. An embedding scale of 0 looks at no vectors.
func Scorer(set *Set, c Config) (*model.Scorer, error) {
	p := newProblem(set, c)
	x, err := p.solve()
	if err != nil {
		return nil, err
	}
	return model.NewScorer(p.linear(x)), nil
}
