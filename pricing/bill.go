package pricing

import (
	"fmt"

	"github.com/weirhq/weir/task"
)

// bill adds up one call. After the first error it stays as it is, and cost returns that error.
type bill struct {
	row   string
	total task.Pico
	lines []Line
	err   error
}

func (b *bill) add(name string, count int64, r rate) {
	switch {
	case b.err != nil || count == 0:
		return
	case !r.known:
		b.err = fmt.Errorf("%w: no rate for %s", ErrUnpriced, name)
		return
	}
	line := Line{Kind: name, Count: count, RatePico: r.pico}
	if line.CostPico, b.err = mul(count, r.pico); b.err != nil {
		return
	}
	b.lines = append(b.lines, line)
	b.total, b.err = add(b.total, line.CostPico)
}

func (b *bill) scale(by ratio) {
	if b.err == nil {
		b.total, b.err = scale(b.total, by)
	}
}

func (b *bill) cost() (Cost, error) {
	if b.err != nil {
		return Cost{}, fmt.Errorf("price a call by %s: %w", b.row, b.err)
	}
	return Cost{Total: b.total, Row: b.row, Lines: b.lines}, nil
}
