package tokens

import "math"

// Ratios between a provider's count of a prompt and weir's are kept in steps of a sixteenth of a doubling, from a quarter
// to sixteen.
const (
	// RatioSteps is how many steps a Ratios has.
	RatioSteps = 96
	// RatioLife is about how many ratios count: when there are twice as many, all weigh half, so that old ones fade.
	RatioLife = 2_000

	stepsPerDoubling = 16
	lowestDoubling   = -2
)

// Ratios is what was seen of one prompt's kind at one model. The zero value has seen nothing.
type Ratios struct {
	// Steps counts the ratios by size.
	Steps [RatioSteps]int32
	// Samples and Sum are of the ratios that count.
	Samples int64
	Sum     float64
}

// Add takes in one ratio. One that is no number above 0 is left out.
func (r *Ratios) Add(ratio float64) {
	if !(ratio > 0) || math.IsInf(ratio, 0) {
		return
	}
	r.Steps[step(ratio)]++
	r.Samples++
	r.Sum += ratio
	r.fade()
}

// Merge takes in what another process has seen.
func (r *Ratios) Merge(o Ratios) {
	for i, n := range o.Steps {
		r.Steps[i] += n
	}
	r.Samples += o.Samples
	r.Sum += o.Sum
	r.fade()
}

// fade is the exponential weighting: the newest RatioLife of ratios weigh at least as much as all before.
func (r *Ratios) fade() {
	if r.Samples < 2*RatioLife {
		return
	}
	mean := r.Mean()
	r.Samples = 0
	for i, n := range r.Steps {
		r.Steps[i] = n / 2
		r.Samples += int64(n / 2)
	}
	r.Sum = mean * float64(r.Samples)
}

// Mean is the average; 0 when nothing was seen.
func (r *Ratios) Mean() float64 {
	if r.Samples == 0 {
		return 0
	}
	return r.Sum / float64(r.Samples)
}

// Quantile is a ratio that a part q of those seen, from 0 to 1, does not exceed: the upper end of a step, less than 5 %
// too high. It is 0 when nothing was seen.
func (r *Ratios) Quantile(q float64) float64 {
	if r.Samples == 0 {
		return 0
	}
	wanted := int64(math.Ceil(q * float64(r.Samples)))
	seen := int64(0)
	for i, n := range r.Steps {
		if seen += int64(n); seen >= wanted && n > 0 {
			return math.Exp2(lowestDoubling + float64(i+1)/stepsPerDoubling)
		}
	}
	return math.Exp2(lowestDoubling + float64(RatioSteps)/stepsPerDoubling)
}

func step(ratio float64) int {
	at := int(math.Ceil((math.Log2(ratio)-lowestDoubling)*stepsPerDoubling)) - 1
	return min(RatioSteps-1, max(0, at))
}
