package worker

import (
	"slices"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

const (
	// unaskedLife is of what OpenAI writes unasked.
	unaskedLife = 30 * time.Minute
	// leastCacheable is the shortest prefix that auto has kept, in tokens, where the price book does not know the model's:
	// the longest of the known ones.
	leastCacheable = 4_096
)

// caching is what the calls of a bundle ask of a provider's cache.
type caching struct {
	ask providers.Cache
	// without is asked by a call whose prefix is not the bundle's.
	without providers.Cache
}

// Lifetimes are the marks that a model can be asked for, shortest first: those of its API for which the price has a rate,
// and one for reads. Without, an answer's cost would be unknown.
func Lifetimes(api string, price pricing.Price) []providers.Cache {
	return slices.DeleteFunc(providers.Lifetimes(api), func(c providers.Cache) bool { return !price.Keeps(c.Lifetime()) })
}

// Nearest is the lifetime that stands for the one that a feature's policy names: the longest that is not longer, or else
// the shortest that there is; false when there is none.
func Nearest(policy catalog.Cache, lifetimes []providers.Cache) (providers.Cache, bool) {
	if len(lifetimes) == 0 {
		return providers.CacheUnasked, false
	}
	nearest := lifetimes[0]
	for _, c := range lifetimes {
		if c.Lifetime() <= providers.Cache(policy).Lifetime() {
			nearest = c
		}
	}
	return nearest, true
}

// cachingOf turns a feature's policy into what its calls ask for at a price. Auto asks where the prefix is long enough for
// the model, and is warm already or the calls at hand pay the write back; where it does not ask, nothing is to be written
// by a provider that writes unasked and bills it.
func cachingOf(
	f catalog.Feature, price pricing.Price, traits pricing.Traits, lifetimes []providers.Cache, calls int,
	warm func(providers.Cache) bool,
) caching {
	c := caching{}
	if slices.ContainsFunc(lifetimes, func(c providers.Cache) bool { return c.Lifetime() == unaskedLife }) {
		c.without = providers.CacheNone
	}
	c.ask = c.without
	switch nearest, ok := Nearest(f.Cache, lifetimes); {
	case f.Cache == catalog.CacheNone || !ok:
		return c
	case f.Cache != catalog.CacheAuto:
		return caching{ask: nearest, without: nearest}
	}
	least := traits.MinCacheable
	if least == 0 {
		least = leastCacheable
	}
	shortest := lifetimes[0]
	uses, pays := pricing.BreakEven(price, shortest.Lifetime())
	if pays && PrefixTokens(f) >= least && (int64(calls) >= uses || warm(shortest)) {
		c.ask = shortest
	}
	return c
}

// with is what one call asks for. The prefix begins with the task's tools, which nobody knows to be the feature's: auto
// does not pay for the writing of what may not come again.
func (c caching) with(tools []task.Tool) providers.Cache {
	if len(tools) > 0 {
		return c.without
	}
	return c.ask
}

// PrefixTokens is about how many tokens of every prompt of a feature are the same: a guess from the bytes, which is rather
// too low, so that what seems long enough is.
func PrefixTokens(f catalog.Feature) int64 {
	size := tokens.Bound(f.System)
	for _, text := range f.Context {
		size = size.Plus(tokens.Bound(text))
	}
	for _, e := range f.Examples {
		size = size.Plus(tokens.Bound(e.Input)).Plus(tokens.Bound(e.Output))
	}
	return size.About
}
