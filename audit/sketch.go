package audit

import (
	"math"
	"math/bits"
)

const (
	// sketchSteps is how many steps a doubling has: a quantile is at most 1/32 off.
	sketchSteps = 16
	// sketchSize holds counts up to mostTokens.
	sketchSize = 51*sketchSteps + sketchSteps
)

// sketch is a histogram of counts in steps that grow with them, of which quantiles are known to about 3 %, whatever their
// number. The zero value is empty.
type sketch struct {
	steps []int64
	n     int64
}

// add takes in a value as often as it was seen.
func (s *sketch) add(value, times int64) {
	if times <= 0 {
		return
	}
	if s.steps == nil {
		s.steps = make([]int64, sketchSize)
	}
	s.steps[step(value)] += times
	s.n += times
}

// step is exact up to sketchSteps and logarithmic above, linear within a doubling.
func step(value int64) int {
	if value < sketchSteps {
		return int(max(0, value))
	}
	doubling := bits.Len64(uint64(value)) - 1
	within := (value - 1<<doubling) * sketchSteps >> doubling
	return min(sketchSize-1, (doubling-3)*sketchSteps+int(within))
}

// middle is the value that stands for a step.
func middle(i int) int64 {
	if i < sketchSteps {
		return int64(i)
	}
	doubling := i/sketchSteps + 3
	low := int64(1)<<doubling + int64(i%sketchSteps)<<doubling/sketchSteps
	return low + int64(1)<<doubling/sketchSteps/2
}

// quantile is a value that a part q of all do not exceed; 0 without any.
func (s *sketch) quantile(q float64) int64 {
	rank := int64(math.Ceil(q * float64(s.n)))
	for i, n := range s.steps {
		if rank -= n; rank <= 0 && n > 0 {
			return middle(i)
		}
	}
	return 0
}
