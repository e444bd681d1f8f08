package pricing

import (
	"fmt"
	"math"

	"github.com/weirhq/weir/task"
)

// table is the bands of one price, of which the last has no edge.
type table struct {
	variant string // of the row: empty, a mode or a window
	gte     bool   // a prompt of exactly the edge is in the dearer band
	bands   []band
}

type band struct {
	maxPrompt int64
	rates     rates
}

// band is the index of the band that a prompt falls into.
func (t table) band(prompt int64) int {
	for i := range t.bands[:len(t.bands)-1] {
		if prompt <= t.top(i, prompt) {
			return i
		}
	}
	return len(t.bands) - 1
}

// likely are the first and last band that an estimated prompt may fall into.
func (t table) likely(prompt int64) (first, last int) {
	const hundred = 100
	first = t.band(prompt)
	for last = first; last < len(t.bands)-1; last++ {
		edge := t.top(last, math.MaxInt64)
		if prompt < edge-edge*edgeMargin/hundred {
			break
		}
	}
	return first, last
}

// top is the largest prompt of at most limit tokens that a band takes.
func (t table) top(band int, limit int64) int64 {
	edge := t.bands[band].maxPrompt
	switch {
	case band == len(t.bands)-1:
		return limit
	case t.gte:
		return min(limit, edge-1)
	default:
		return min(limit, edge)
	}
}

// dearest is the highest known rate among the kinds of the prompt, or among those of the output.
func (b band) dearest(ofPrompt bool) rate {
	var top rate
	for k, r := range b.rates {
		if r.known && kind(k).ofTokens() && kind(k).ofPrompt() == ofPrompt && (!top.known || r.pico > top.pico) {
			top = r
		}
	}
	return top
}

// costOf is what so many prompt and output tokens cost at two rates.
func costOf(prompt int64, in rate, output int64, out rate) (task.Pico, error) {
	if (prompt > 0 && !in.known) || (output > 0 && !out.known) {
		return 0, fmt.Errorf("%w: no rate for input or output", ErrUnpriced)
	}
	first, err := mul(prompt, in.pico)
	if err != nil {
		return 0, err
	}
	second, err := mul(output, out.pico)
	if err != nil {
		return 0, err
	}
	return add(first, second)
}
