package eval

import (
	"fmt"

	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/classifier/train"
)

// Baseline is how well one does without understanding.
type Baseline struct {
	Name     string  `json:"name"`
	Accuracy float64 `json:"accuracy"`
	MacroF1  float64 `json:"macro_f1"`
	L3AsL1   float64 `json:"l3_as_l1"`
}

// The baselines.
const (
	Majority = "majority"
	Length   = "length"
	TFIDF    = "tfidf"
)

// baselines are trained on what each part may see, and decide for the likeliest class.
func baselines(data, seen *train.Set, parts []part) ([]Baseline, error) {
	guesses := map[string][]int{}
	for _, name := range []string{Majority, Length, TFIDF} {
		guesses[name] = make([]int, len(data.Examples))
	}
	for _, p := range parts {
		rest := seen.Select(func(e *train.Example) bool { return !p.hidden(e) })
		most := commonest(rest)
		length, err := train.Scorer(onlyLength(rest), train.Config{L2: 1e-6, CounterScale: 1})
		if err != nil {
			return nil, fmt.Errorf("baseline %s: %w", Length, err)
		}
		tfidf, err := train.Scorer(rest, train.Config{L2: 2e-4, GramScale: 1, MinRows: 1})
		if err != nil {
			return nil, fmt.Errorf("baseline %s: %w", TFIDF, err)
		}
		for _, i := range p.rows {
			e := data.Examples[i]
			guesses[Majority][i] = most
			guesses[Length][i] = likeliest(length.Score(&onlyLengthOf(e).Vector))
			guesses[TFIDF][i] = likeliest(tfidf.Score(&e.Vector))
		}
	}
	var all []Baseline
	for _, name := range []string{Majority, Length, TFIDF} {
		all = append(all, compare(name, data, guesses[name]))
	}
	return all, nil
}

func compare(name string, data *train.Set, guesses []int) Baseline {
	var confusion [classes][classes]int
	right := 0
	for i, e := range data.Examples {
		confusion[e.Level][guesses[i]]++
		if e.Level == guesses[i] {
			right++
		}
	}
	f1, _ := macroF1(&confusion)
	return Baseline{
		Name: name, Accuracy: share(right, len(guesses)), MacroF1: f1,
		L3AsL1: share(confusion[2][0], confusion[2][0]+confusion[2][1]+confusion[2][2]),
	}
}

func commonest(set *train.Set) int {
	var count [model.Classes]float64
	for _, e := range set.Examples {
		count[e.Level]++
	}
	return likeliest(count)
}

func likeliest(scores [classes]float64) int {
	best := 0
	for k := range scores {
		if scores[k] > scores[best] {
			best = k
		}
	}
	return best
}

func onlyLength(set *train.Set) *train.Set {
	bare := &train.Set{Embedder: set.Embedder}
	for _, e := range set.Examples {
		bare.Examples = append(bare.Examples, onlyLengthOf(e))
	}
	return bare
}

// onlyLengthOf keeps the first counter, the logarithm of the length.
func onlyLengthOf(e *train.Example) *train.Example {
	bare := &train.Example{Level: e.Level, Group: e.Group}
	bare.Counters = [features.Counters]float32{e.Counters[0]}
	return bare
}
