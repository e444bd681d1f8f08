// Package eval judges a classifier on labelled prompts: under protocols that differ in how unlike the training data the
// judged rows are, and beside baselines that need no understanding. It reads no files and prints nothing.
package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"time"

	"github.com/weirhq/weir/classifier/model"
)

const classes = model.Classes

// Metrics are how a classifier did. All but the covered figures are over every row, also those that it abstained on: its
// class is the one it would have decided. Shares are from 0 to 1.
type Metrics struct {
	// Rows is how many rows were judged.
	Rows int `json:"rows"`
	// Accuracy is the share of rows with the right class.
	Accuracy float64 `json:"accuracy"`
	// MacroF1 is the mean F1 of the classes that occur.
	MacroF1 float64 `json:"macro_f1"`
	// L3AsL1 is the share of the L3 rows that were given L1, and L3AsL1Served of those that a task would be served as L1:
	// where the model did not abstain.
	L3AsL1       float64 `json:"l3_as_l1"`
	L3AsL1Served float64 `json:"l3_as_l1_served"`
	// ECE is the expected calibration error in ten bins: how far the probability of the likeliest class is from how often
	// that class is right.
	ECE float64 `json:"ece"`
	// CoveredShare is the share of rows on which the model decides, CoveredAccuracy how often it is right there; 0 without any.
	CoveredShare    float64 `json:"covered_share"`
	CoveredAccuracy float64 `json:"covered_accuracy"`
	// Abstained is how many rows the model abstained on, by cause.
	Abstained map[string]int `json:"abstained"`
	// Recall is by class, Confusion the rows by class and then by the class they were given.
	Recall    [classes]float64      `json:"recall"`
	Confusion [classes][classes]int `json:"confusion"`
	// P50MS and P99MS are the time of one decision from text to class, in milliseconds.
	P50MS float64 `json:"p50_ms"`
	P99MS float64 `json:"p99_ms"`
	// Probabilities is the SHA-256 of all probabilities in the order of the rows: equal hashes are equal decisions.
	Probabilities string `json:"probabilities_sha256"`
}

// judged is a row and what was said of it.
type judged struct {
	level      int
	prediction model.Prediction
	took       time.Duration
}

// measure computes the metrics; there is at least one row.
func measure(rows []judged) Metrics {
	m := Metrics{Rows: len(rows), Abstained: map[string]int{}}
	right, covered, coveredRight, served := 0, 0, 0, 0
	took := make([]time.Duration, len(rows))
	for i := range rows {
		r := &rows[i]
		given := r.prediction.Level()
		m.Confusion[r.level][given]++
		took[i] = r.took
		if given == r.level {
			right++
		}
		if cause := r.prediction.Abstained; cause != "" {
			m.Abstained[cause]++
			continue
		}
		covered++
		if given == r.level {
			coveredRight++
		}
		if r.level == 2 && given == 0 {
			served++
		}
	}
	m.Accuracy = share(right, len(rows))
	m.CoveredShare, m.CoveredAccuracy = share(covered, len(rows)), share(coveredRight, covered)
	m.MacroF1, m.Recall = macroF1(&m.Confusion)
	hard := m.Confusion[2][0] + m.Confusion[2][1] + m.Confusion[2][2]
	m.L3AsL1, m.L3AsL1Served = share(m.Confusion[2][0], hard), share(served, hard)
	m.ECE = calibrationError(rows)
	slices.Sort(took)
	m.P50MS, m.P99MS = milliseconds(took, 0.5), milliseconds(took, 0.99)
	m.Probabilities = hash(rows)
	return m
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// macroF1 is over the classes that rows have or were given.
func macroF1(confusion *[classes][classes]int) (f1 float64, recall [classes]float64) {
	present := 0
	for k := range classes {
		is, given := 0, 0
		for other := range classes {
			is += confusion[k][other]
			given += confusion[other][k]
		}
		recall[k] = share(confusion[k][k], is)
		if is+given > 0 {
			present++
			f1 += share(2*confusion[k][k], is+given)
		}
	}
	return f1 / float64(present), recall
}

// calibrationError is the expected calibration error, with bins of equal width.
func calibrationError(rows []judged) float64 {
	const bins = 10
	var count, right [bins]int
	var confidence [bins]float64
	for i := range rows {
		p := rows[i].prediction.Probabilities
		best := 0
		for k := range p {
			if p[k] > p[best] {
				best = k
			}
		}
		bin := min(bins-1, int(p[best]*bins))
		count[bin]++
		confidence[bin] += p[best]
		if best == rows[i].level {
			right[bin]++
		}
	}
	sum := 0.0
	for bin := range bins {
		sum += math.Abs(confidence[bin] - float64(right[bin]))
	}
	return sum / float64(len(rows))
}

func milliseconds(sorted []time.Duration, quantile float64) float64 {
	at := min(len(sorted)-1, int(quantile*float64(len(sorted))))
	return float64(sorted[at]) / float64(time.Millisecond)
}

func hash(rows []judged) string {
	sum := sha256.New()
	var bits [8]byte
	for i := range rows {
		for _, p := range rows[i].prediction.Probabilities {
			binary.LittleEndian.PutUint64(bits[:], math.Float64bits(p))
			sum.Write(bits[:])
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
