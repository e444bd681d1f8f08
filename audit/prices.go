package audit

import (
	"errors"
	"math/bits"
	"slices"
	"time"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// prices finds the models of a log in the price book, and what their calls cost.
type prices struct {
	book    *pricing.Book
	sellers []string // the book's providers, those that make models first
	found   map[named]*identity
	prices  map[priced]*pricing.Price // nil where there is none
}

// named is a model as a log names it.
type named struct{ provider, model string }

// identity is the model in the book.
type identity struct{ provider, id string }

type priced struct {
	identity
	mode   pricing.Mode
	minute int64 // some prices change with the time of day
}

func newPrices(book *pricing.Book) *prices {
	p := &prices{
		book: book, sellers: []string{"openai", "anthropic", "google"}, found: map[named]*identity{}, prices: map[priced]*pricing.Price{},
	}
	for _, m := range book.Models() {
		if !slices.Contains(p.sellers, m.Provider) {
			p.sellers = append(p.sellers, m.Provider)
		}
	}
	return p
}

// mostNames bounds how many names of models and how many prices are remembered; beyond, they are looked up anew.
const mostNames = 10_000

// identify finds a model: at the provider that the log names, else at the one that has a model of the name. nil is an unknown
// one.
func (p *prices) identify(provider, model string) *identity {
	name := named{provider, model}
	if known, ok := p.found[name]; ok {
		return known
	}
	var known *identity
	sellers := p.sellers
	if provider != "" {
		sellers = append([]string{provider}, sellers...)
	}
	for _, seller := range sellers {
		if id, ok := p.book.ID(seller, model); ok {
			known = &identity{seller, id}
			break
		}
	}
	if len(p.found) < mostNames {
		p.found[name] = known
	}
	return known
}

// price is the price of a model at a time; nil without one. Logs are sorted by time or nearly so: what was found for an earlier
// time is dropped when there is much of it.
func (p *prices) price(model identity, mode pricing.Mode, at time.Time) *pricing.Price {
	key := priced{model, mode, at.Unix() / 60}
	if known, ok := p.prices[key]; ok {
		return known
	}
	var known *pricing.Price
	price, err := p.book.Price(pricing.Query{Provider: model.provider, Model: model.id, At: at, Mode: mode})
	if err == nil {
		known = &price
	}
	if len(p.prices) >= mostNames {
		clear(p.prices)
	}
	p.prices[key] = known
	return known
}

// cost is what a row's calls cost by the book. A row of several calls is priced as so many of its mean call, whose prompt
// decides the band, and the rest of the division is added at the same rates; false without a price for all of it.
func (p *prices) cost(model identity, c *Call) (task.Pico, bool) {
	price := p.price(model, c.Mode, c.At)
	if price == nil || c.Usage == nil {
		return 0, false
	}
	n := max(1, c.Count)
	mean, rest := split(*c.Usage, n)
	one, err := price.Cost(mean)
	if err != nil {
		return 0, false
	}
	total, ok := times(one.Total, n)
	if !ok {
		return 0, false
	}
	if rest == (task.Usage{}) {
		return total, true
	}
	left, err := price.Cost(rest)
	if err != nil {
		return 0, false
	}
	return plus(total, left.Total)
}

// split divides a usage into n equal ones and a rest.
func split(u task.Usage, n int64) (mean, rest task.Usage) {
	for _, class := range []func(*task.Usage) *int64{
		func(u *task.Usage) *int64 { return &u.Input }, func(u *task.Usage) *int64 { return &u.CacheRead },
		func(u *task.Usage) *int64 { return &u.CacheWrite5m }, func(u *task.Usage) *int64 { return &u.Output },
	} {
		all := *class(&u)
		*class(&mean), *class(&rest) = all/n, all%n
	}
	return mean, rest
}

// times multiplies; false beyond what a Pico holds.
func times(p task.Pico, n int64) (task.Pico, bool) {
	high, low := bits.Mul64(uint64(p), uint64(n)) //nolint:gosec // neither is negative
	if high != 0 || low > 1<<63-1 {
		return 0, false
	}
	return task.Pico(low), true
}

// plus adds; false beyond what a Pico holds.
func plus(a, b task.Pico) (task.Pico, bool) {
	sum := a + b
	return sum, sum >= a // neither is negative
}

var errTooMuch = errors.New("the bill is larger than 9.2 million USD; audit a shorter time")
