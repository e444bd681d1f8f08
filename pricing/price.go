package pricing

import (
	"fmt"

	"github.com/weirhq/weir/task"
)

// Price is the price of one call: a row of the book, at a time of day, in a mode and a region. Its zero value prices
// nothing.
type Price struct {
	row      *row
	list     table
	times    ratio     // on the sum of all tokens; not on searches
	ceilings []ceiling // what the provider may bill in its place, and the price itself
}

type ceiling struct {
	list  table
	times ratio
}

// Price finds the price of a call. The tier, speed and region that the reply names decide, because a provider may serve
// another than was asked for; where they are empty, the mode does. Every error wraps ErrUnpriced: an unknown provider or
// model, no row in force at q.At, or a mode, tier, speed or region without a known price.
func (b *Book) Price(q Query) (Price, error) {
	m, err := b.find(q.Provider, q.Model)
	if err != nil {
		return Price{}, err
	}
	r := m.at(q.At)
	if r == nil || q.At.IsZero() {
		return Price{}, fmt.Errorf("%w: %s/%s at %s", ErrUnpriced, q.Provider, m.id, stamp(q.At))
	}
	price, err := r.price(q)
	if err != nil {
		return Price{}, fmt.Errorf("%s: %w", r.key, err)
	}
	return price, nil
}

func (r *row) price(q Query) (Price, error) {
	name, err := servedMode(q)
	if err != nil {
		return Price{}, err
	}
	served, err := r.mode(name, q)
	if err != nil {
		return Price{}, err
	}
	region, dearest, err := r.region(q.Geo)
	if err != nil {
		return Price{}, err
	}
	price := Price{
		row:      r,
		list:     served.list,
		times:    served.times.times(region),
		ceilings: []ceiling{{served.list, served.times.times(dearest)}},
	}
	if name == string(ModeFlex) && q.ServiceTier == "" { // without room for flex, the provider may serve the standard tier
		price.ceilings = append(price.ceilings, ceiling{r.at(q.At), dearest})
	}
	return price, nil
}

// servedMode is the name in the book of what was billed, empty for the standard mode. A tier or speed on top of another
// deviation has no known price.
func servedMode(q Query) (string, error) {
	name := deviation(q.ServiceTier)
	switch q.Mode {
	case "", ModeSync:
	case ModeFlex:
		if q.ServiceTier == "" {
			name = string(ModeFlex)
		}
	case ModeBatch: // some providers name the standard tier in a batch's lines
		if name != "" && name != string(ModeBatch) {
			return "", fmt.Errorf("%w: tier %q in a batch", ErrUnpriced, q.ServiceTier)
		}
		name = string(ModeBatch)
	default:
		return "", fmt.Errorf("%w: mode %q", ErrUnpriced, q.Mode)
	}
	speed := deviation(q.Speed)
	switch {
	case speed == "":
		return name, nil
	case speed != speedFast, name != "" && name != speedFast:
		return "", fmt.Errorf("%w: speed %q in mode %q", ErrUnpriced, q.Speed, name)
	}
	return speed, nil
}

const (
	modePriority = "priority"
	speedFast    = "fast"
)

// deviation is empty for the words with which providers name the usual tier or speed.
func deviation(tierOrSpeed string) string {
	switch tierOrSpeed {
	case "standard", "default":
		return ""
	}
	return tierOrSpeed
}

// mode is the table of a mode, and the multiplier on it.
func (r *row) mode(name string, q Query) (ceiling, error) {
	if name == "" {
		return ceiling{r.at(q.At), one()}, nil
	}
	m, ok := r.modes[name]
	switch {
	case !ok:
		return ceiling{}, fmt.Errorf("%w: mode %q", ErrUnpriced, name)
	case m.own != nil:
		return ceiling{*m.own, one()}, nil
	}
	return ceiling{r.at(q.At), m.times}, nil
}

// region is the multiplier of a region, and the highest that a reply may still bring: a region that is not known yet
// may be any.
func (r *row) region(geo string) (times, dearest ratio, err error) {
	if geo != "" {
		known, ok := r.geo[geo]
		if !ok {
			return ratio{}, ratio{}, fmt.Errorf("%w: region %q", ErrUnpriced, geo)
		}
		return known, known, nil
	}
	dearest = one()
	for _, candidate := range r.geo {
		if candidate.above(dearest) {
			dearest = candidate
		}
	}
	return one(), dearest, nil
}

// Row is the key of the price row without its band, such as anthropic/claude-haiku-5-5@2026-10-07; empty for the zero
// Price.
func (p Price) Row() string {
	if p.row == nil {
		return ""
	}
	return p.row.tableKey(p.list)
}

// Cost is the exact cost of a usage. The band follows from all prompt tokens, cached ones included, and covers the
// whole call. The multiplier of mode and region is applied once, to the sum of all tokens, and rounded half to even;
// searches are added at their list price. A used class of tokens without a rate is an error that wraps ErrUnpriced; a
// negative count or a sum out of range (ErrOverflow) is one too.
func (p Price) Cost(u task.Usage) (Cost, error) {
	if p.row == nil {
		return Cost{}, ErrUnpriced
	}
	used := countsOf(u)
	if err := checkCounts(append(used[:], u.WebSearches, u.Reasoning)...); err != nil {
		return Cost{}, fmt.Errorf("price a call: %w", err)
	}
	prompt, err := used.prompt()
	if err != nil {
		return Cost{}, fmt.Errorf("price a call: %w", err)
	}
	band := p.list.band(prompt)
	bill := bill{row: p.row.bandKey(p.list, band)}
	for k, r := range p.list.bands[band].rates {
		bill.add(kind(k).String(), used[k], r)
	}
	bill.scale(p.times)
	bill.add(lineWebSearch, u.WebSearches, p.row.search)
	return bill.cost()
}

// Bound is the most that a call of at most so many tokens can cost: it takes the dearest band within reach, the
// dearest rate of the prompt, cache writes included, and, where the query left the region or the flex tier open, the
// dearest that the reply may name. It holds for a call that is priced at the same instant. Searches are not in it. Errors
// are those of Cost.
func (p Price) Bound(promptTokens, outputTokens int64) (task.Pico, error) {
	if err := p.check(promptTokens, outputTokens); err != nil {
		return 0, err
	}
	var most task.Pico
	for _, c := range p.ceilings {
		bound, err := c.bound(promptTokens, outputTokens)
		if err != nil {
			return 0, fmt.Errorf("bound a call by %s: %w", p.Row(), err)
		}
		most = max(most, bound)
	}
	return most, nil
}

func (c ceiling) bound(prompt, output int64) (task.Pico, error) {
	var most task.Pico
	for i := range c.list.band(prompt) + 1 {
		b := c.list.bands[i]
		total, err := costOf(c.list.top(i, prompt), b.dearest(true), output, b.dearest(false))
		if err != nil {
			return 0, err
		}
		most = max(most, total)
	}
	return scale(most, c.times)
}

// edgeMargin is how close to a band's edge, in percent below it, a prompt may already be past it: token counts made before
// a call are that far from the provider's own.
const edgeMargin = 15

// Expected is the cost of a call that uses no cache: an estimate for choosing among models. Within 15 % below a band's
// edge the dearer side counts, because the count may be too low. Errors are those of Cost.
func (p Price) Expected(promptTokens, outputTokens int64) (task.Pico, error) {
	if err := p.check(promptTokens, outputTokens); err != nil {
		return 0, err
	}
	var most task.Pico
	first, last := p.list.likely(promptTokens)
	for _, b := range p.list.bands[first : last+1] {
		total, err := costOf(promptTokens, b.rates[kindInput], outputTokens, b.rates[kindOutput])
		if err == nil {
			total, err = scale(total, p.times)
		}
		if err != nil {
			return 0, fmt.Errorf("estimate a call by %s: %w", p.Row(), err)
		}
		most = max(most, total)
	}
	return most, nil
}

// OneBand reports whether Expected takes the same rates for every prompt of so many tokens, from least to most.
func (p Price) OneBand(least, most int64) bool {
	if p.row == nil {
		return true
	}
	first, last := p.list.likely(least)
	firstOfMost, lastOfMost := p.list.likely(most)
	return first == firstOfMost && last == lastOfMost
}

// SureBand reports whether every prompt is in one band that is estimated at so many tokens, from least to most, with the
// margin that Expected leaves below an edge.
func (p Price) SureBand(least, most int64) bool {
	if p.row == nil {
		return true
	}
	_, last := p.list.likely(most)
	return p.list.band(least) == last
}

// SameBand reports whether Cost takes the same rates for every prompt of so many tokens, from least to most. Unlike OneBand
// it leaves no margin: the counts are the provider's own.
func (p Price) SameBand(least, most int64) bool {
	return p.row == nil || p.list.band(least) == p.list.band(most)
}

func (p Price) check(counts ...int64) error {
	if p.row == nil {
		return ErrUnpriced
	}
	if err := checkCounts(counts...); err != nil {
		return fmt.Errorf("estimate a call: %w", err)
	}
	return nil
}

func checkCounts(counts ...int64) error {
	for _, n := range counts {
		if n < 0 {
			return fmt.Errorf("a count of %d is negative", n)
		}
	}
	return nil
}
