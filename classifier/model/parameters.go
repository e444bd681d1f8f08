// Package model is the trained classifier: a multinomial logistic regression, or imported trees, over a task's features,
// with calibrated probabilities, a decision by expected cost, and the knowledge of when not to decide. It does not train.
package model

import (
	"fmt"
	"math"

	"github.com/weirhq/weir/classifier/features"
)

// Classes is how many classes there are: L1, L2 and L3, in this order everywhere.
const Classes = 3

// What a file may hold. The bounds are checked before anything is allocated.
const (
	// MaxFileBytes is the largest model file.
	MaxFileBytes = 4 << 20
	// MaxPrototypes is how many prototypes a model may have.
	MaxPrototypes = 1024

	maxHeaderBytes = 64 << 10
	maxDim         = 4096
)

// Parameters are all that training finds, and all that a model file holds.
type Parameters struct {
	Header
	// Linear are the weights of a logistic regression; nil with trees.
	Linear *Linear
	// Trees is the document of an XGBoost model, as XGBoost saved it; nil with weights.
	Trees []byte
	// Prototypes are points that the training data lies around: PrototypeCount vectors of length 1 of the embedder's
	// dimension, one after another.
	Prototypes []float32
}

// Header is the readable part of a model file.
type Header struct {
	// Features is the version of the features, features.Version.
	Features int `json:"features"`
	// Embedder is the ID of the embedder whose vectors the model was trained on. No other will do.
	Embedder string `json:"embedder"`
	// Dim is the dimension of the embedder's vectors.
	Dim int `json:"dim"`
	// Temperature divides the scores before they become probabilities; 1 changes nothing, more is less sure.
	Temperature float64 `json:"temperature"`
	// Cost is what it costs to serve a task of the row's class as the column's.
	Cost [Classes][Classes]float64 `json:"cost"`
	// Thresholds say when the model does not decide.
	Thresholds Thresholds `json:"thresholds"`
	// Grams is how many buckets of hashed words have weights.
	Grams int `json:"grams"`
	// PrototypeCount is how many prototypes there are.
	PrototypeCount int `json:"prototypes"`
	// TreeBytes is how long the trees' document is; 0 without trees.
	TreeBytes int `json:"tree_bytes,omitempty"`
	// Training says what the model was trained on and how it was judged then.
	Training Training `json:"training"`
}

// Thresholds say when a model does not decide. Zero decides always.
type Thresholds struct {
	// Confidence is the least probability of the class that is decided.
	Confidence float64 `json:"confidence"`
	// CostGap is by how much the second cheapest class must be dearer to expect than the cheapest.
	CostGap float64 `json:"cost_gap"`
	// Similarity is the least mean cosine to the nearest prototypes.
	Similarity float64 `json:"similarity"`
}

// Training is where a model comes from.
type Training struct {
	// Data is the SHA-256 of the rows, in hex.
	Data string `json:"data_sha256"`
	// Rows and Groups are how many rows there were, and how many data sets or templates they came from.
	Rows   int `json:"rows"`
	Groups int `json:"groups"`
	// Seed is that of the splits and of the prototypes.
	Seed uint64 `json:"seed"`
	// L2 is the strength of the regularisation.
	L2 float64 `json:"l2"`
	// Reliability compares probabilities with what came true, on groups that were kept out.
	Reliability []Bin `json:"reliability"`
	// Covered is the share of the rows of groups that were kept out on which the model decided, and CoveredAccuracy how
	// often it was right there.
	Covered         float64 `json:"covered_share"`
	CoveredAccuracy float64 `json:"covered_accuracy"`
}

// Bin is one bin of a reliability diagram.
type Bin struct {
	// Rows is how many rows fell into it.
	Rows int `json:"rows"`
	// Confidence is their mean probability of the likeliest class, Accuracy how often that class was right.
	Confidence float64 `json:"confidence"`
	Accuracy   float64 `json:"accuracy"`
}

// Linear are the weights of a logistic regression, by feature and then class.
type Linear struct {
	Bias      [Classes]float32
	Counters  [features.Counters][Classes]float32
	Embedding [][Classes]float32
	// Index are the buckets that have weights, rising, and Grams their weights.
	Index []uint16
	Grams [][Classes]float32
}

// check is the first reason why the header makes no sense, with its sizes first.
func (h *Header) check() error {
	switch {
	case h.Dim < 1 || h.Dim > maxDim:
		return fmt.Errorf("a dimension of %d: it must be from 1 to %d", h.Dim, maxDim)
	case h.Grams < 0 || h.Grams > features.Buckets:
		return fmt.Errorf("%d hashed words: there are at most %d", h.Grams, features.Buckets)
	case h.PrototypeCount < 0 || h.PrototypeCount > MaxPrototypes:
		return fmt.Errorf("%d prototypes: there are at most %d", h.PrototypeCount, MaxPrototypes)
	case h.TreeBytes < 0 || h.TreeBytes > MaxFileBytes:
		return fmt.Errorf("trees of %d bytes: a file has at most %d", h.TreeBytes, MaxFileBytes)
	case h.TreeBytes > 0 && h.Grams > 0:
		return fmt.Errorf("trees and %d weights of hashed words: it must be one or the other", h.Grams)
	case h.Features != features.Version:
		return fmt.Errorf("features of version %d: this build has version %d; train again", h.Features, features.Version)
	case !(h.Temperature > 0) || math.IsInf(h.Temperature, 0):
		return fmt.Errorf("a temperature of %v: it must be above 0", h.Temperature)
	}
	for _, row := range h.Cost {
		for _, cost := range row {
			if !(cost >= 0) || math.IsInf(cost, 0) {
				return fmt.Errorf("a cost of %v: it must be 0 or more", cost)
			}
		}
	}
	return nil
}

// floats is how many float32 the header announces.
func (h *Header) floats() int {
	n := h.PrototypeCount * h.Dim
	if h.TreeBytes == 0 {
		n += Classes * (1 + features.Counters + h.Dim + h.Grams)
	}
	return n
}

// bodyBytes is how long the blocks are together.
func (h *Header) bodyBytes() int { return 4*h.floats() + 2*h.Grams + h.TreeBytes }
