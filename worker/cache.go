package worker

import (
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

const (
	shortLife = 5 * time.Minute
	longLife  = time.Hour
	autoLife  = 30 * time.Minute // of what OpenAI writes unasked
	// leastCacheable is the shortest prefix that auto has kept, in tokens, where the price book does not know the model's:
	// the longest of the known ones.
	leastCacheable = 4_096
)

// cacheOf turns a feature's policy into what its calls ask for at a price. Marks are only set where writes and reads have
// a rate: without, an answer's cost would be unknown. Auto asks where the prefix is long enough for the model, and is warm
// already or the calls at hand pay the write back.
func cacheOf(
	f catalog.Feature, price pricing.Price, traits pricing.Traits, calls int, warm bool,
) providers.Cache {
	switch {
	case f.Cache == catalog.CacheNone && price.Keeps(autoLife):
		return providers.CacheNone
	case f.Cache == catalog.CacheNone || !price.Keeps(shortLife):
		return providers.CacheUnasked
	case f.Cache == catalog.Cache1h && price.Keeps(longLife):
		return providers.Cache1h
	case f.Cache == catalog.Cache1h || f.Cache == catalog.Cache5m:
		return providers.Cache5m
	}
	least := traits.MinCacheable
	if least == 0 {
		least = leastCacheable
	}
	uses, pays := pricing.BreakEven(price, shortLife)
	if !pays || PrefixTokens(f) < least || !warm && int64(calls) < uses {
		return providers.CacheUnasked
	}
	return providers.Cache5m
}

// cacheWith is what one call asks for. The prefix begins with the task's tools, which nobody knows to be the feature's:
// auto does not pay for the writing of what may not come again.
func cacheWith(tools []task.Tool, f catalog.Feature, cache providers.Cache) providers.Cache {
	if len(tools) > 0 && f.Cache == catalog.CacheAuto && cache != providers.CacheNone {
		return providers.CacheUnasked
	}
	return cache
}

// PrefixTokens is about how many tokens of every prompt of a feature are the same: a guess from the bytes, which is rather
// too low, so that what seems long enough is.
func PrefixTokens(f catalog.Feature) int64 {
	size := tokens.Bound(f.System)
	for _, text := range f.Context {
		size = size.Plus(tokens.Bound(text))
	}
	return size.About
}
