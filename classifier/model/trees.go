package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/weirhq/weir/classifier/features"
)

// What a document of trees may hold.
const (
	// MaxTrees is how many trees a model may have, of all classes together.
	MaxTrees = 6_000
	// MaxNodes is how many nodes all its trees may have together.
	MaxNodes = 400_000
)

// Trees are the boosted trees of an XGBoost model with the objective multi:softprob or multi:softmax over three classes. Its
// inputs are a vector's counters and then its embedding, as float32; hashed words are none.
type Trees struct {
	base  [Classes]float64
	trees []tree
	dim   int
}

// tree is a tree of one class. A leaf has no left child, and its score in the place of the threshold.
type tree struct {
	class       int
	feature     []int32
	threshold   []float32
	left, right []int32
}

// xgboost is the part of a document that a prediction takes. XGBoost writes numbers of its parameters as texts.
type xgboost struct {
	Learner struct {
		Booster struct {
			Name  string `json:"name"`
			Model struct {
				Class []int     `json:"tree_info"`
				Trees []xgbTree `json:"trees"`
			} `json:"model"`
		} `json:"gradient_booster"`
		Parameters struct {
			Base     string `json:"base_score"`
			Classes  string `json:"num_class"`
			Features string `json:"num_feature"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
	} `json:"learner"`
}

type xgbTree struct {
	Left       []int32   `json:"left_children"`
	Right      []int32   `json:"right_children"`
	Feature    []int32   `json:"split_indices"`
	Condition  []float32 `json:"split_conditions"`
	Categories []int     `json:"categories"`
}

// ParseTrees reads a model that XGBoost saved as JSON (save_model with a name that ends with .json), for an embedder's
// dimension. The error says what of it weir does not take. A document is at most MaxFileBytes long, so that decoding it takes
// no more than a small multiple of that.
func ParseTrees(document []byte, dim int) (*Trees, error) {
	if len(document) > MaxFileBytes {
		return nil, ErrTooLarge
	}
	var x xgboost
	if err := json.Unmarshal(document, &x); err != nil {
		return nil, fmt.Errorf("read XGBoost model: %w", err)
	}
	t := &Trees{dim: dim}
	if err := x.check(features.Counters + dim); err != nil {
		return nil, fmt.Errorf("read XGBoost model: %w", err)
	}
	if err := t.setBase(x.Learner.Parameters.Base); err != nil {
		return nil, fmt.Errorf("read XGBoost model: %w", err)
	}
	m, nodes := &x.Learner.Booster.Model, 0
	for i := range m.Trees {
		nodes += len(m.Trees[i].Left)
		if nodes > MaxNodes {
			return nil, fmt.Errorf("read XGBoost model: more than %d nodes", MaxNodes)
		}
		one, err := m.Trees[i].tree(m.Class[i], features.Counters+dim)
		if err != nil {
			return nil, fmt.Errorf("read XGBoost model: tree %d: %w", i, err)
		}
		t.trees = append(t.trees, one)
	}
	return t, nil
}

func (x *xgboost) check(inputs int) error {
	l := &x.Learner
	switch m := &l.Booster.Model; {
	case l.Booster.Name != "gbtree":
		return fmt.Errorf("the booster is %q; gbtree is read", l.Booster.Name)
	case l.Objective.Name != "multi:softprob" && l.Objective.Name != "multi:softmax":
		return fmt.Errorf("the objective is %q; multi:softprob and multi:softmax are read", l.Objective.Name)
	case l.Parameters.Classes != strconv.Itoa(Classes):
		return fmt.Errorf("it has %q classes; %d are needed", l.Parameters.Classes, Classes)
	case l.Parameters.Features != strconv.Itoa(inputs):
		return fmt.Errorf("it has %q inputs; %d counters and the embedder's dimension make %d", l.Parameters.Features, features.Counters, inputs)
	case len(m.Trees) == 0:
		return errors.New("it has no trees")
	case len(m.Trees) > MaxTrees:
		return fmt.Errorf("it has %d trees; at most %d are read", len(m.Trees), MaxTrees)
	case len(m.Class) != len(m.Trees):
		return fmt.Errorf("it names the classes of %d trees and has %d", len(m.Class), len(m.Trees))
	}
	return nil
}

// setBase reads the scores that every task begins with: one for all classes, or from XGBoost 3 on a list of one for each.
func (t *Trees) setBase(text string) error {
	parts := strings.Split(strings.Trim(text, "[]"), ",")
	if len(parts) != 1 && len(parts) != Classes {
		return fmt.Errorf("the base score is %q", text)
	}
	for k := range t.base {
		score, err := strconv.ParseFloat(strings.TrimSpace(parts[k%len(parts)]), 32)
		if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
			return fmt.Errorf("the base score is %q", text)
		}
		t.base[k] = score
	}
	return nil
}

// tree checks that every way down ends: nodes have one parent each, and the root none.
func (x *xgbTree) tree(class, inputs int) (tree, error) {
	n := len(x.Left)
	switch {
	case class < 0 || class >= Classes:
		return tree{}, fmt.Errorf("it is of class %d", class)
	case n == 0 || len(x.Right) != n || len(x.Feature) != n || len(x.Condition) != n:
		return tree{}, errors.New("its lists are not of one length")
	case len(x.Categories) > 0:
		return tree{}, errors.New("it splits by categories, and all inputs are numbers")
	}
	parents := make([]bool, n)
	for i := range n {
		left, right := x.Left[i], x.Right[i]
		if c := float64(x.Condition[i]); math.IsNaN(c) || math.IsInf(c, 0) {
			return tree{}, fmt.Errorf("node %d has no finite number", i)
		}
		if left < 0 {
			continue
		}
		if x.Feature[i] < 0 || int(x.Feature[i]) >= inputs {
			return tree{}, fmt.Errorf("node %d splits by input %d of %d", i, x.Feature[i], inputs)
		}
		for _, child := range []int32{left, right} {
			if child < 1 || int(child) >= n || parents[child] {
				return tree{}, fmt.Errorf("node %d has no child %d, or it is another's", i, child)
			}
			parents[child] = true
		}
	}
	return tree{class: class, feature: x.Feature, threshold: x.Condition, left: x.Left, right: x.Right}, nil
}

// Score adds the leaves up, in the trees' order. Softmax of the scores is what XGBoost predicts, up to the rounding of its own
// sums in float32.
func (t *Trees) Score(v *features.Vector) [Classes]float64 {
	s := t.base
	for i := range t.trees {
		one := &t.trees[i]
		s[one.class] += float64(one.leaf(v))
	}
	return s
}

// leaf goes down: left where the input is below the threshold. Inputs are never missing.
func (t *tree) leaf(v *features.Vector) float32 {
	node := int32(0)
	for t.left[node] >= 0 {
		var x float32
		if f := t.feature[node]; f < features.Counters {
			x = v.Counters[f]
		} else {
			x = v.Embedding[f-features.Counters]
		}
		if x < t.threshold[node] {
			node = t.left[node]
		} else {
			node = t.right[node]
		}
	}
	return t.threshold[node]
}
