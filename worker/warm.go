package worker

import (
	"sync"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

const (
	shortLife = 5 * time.Minute
	longLife  = time.Hour
	autoLife  = 30 * time.Minute // of what OpenAI writes unasked
	// mostWarming is how long calls wait for the one that goes alone, and mostAlone how many of a bundle go alone when none
	// is answered. What is at stake is the price of some writes.
	mostWarming = 10 * time.Second
	mostAlone   = 3
	// leastCacheable is the shortest prefix that auto has kept, in tokens, where the price book does not know the model's:
	// the longest of the known ones.
	leastCacheable = 4_096
	// prefixBytes is about how many bytes of a prefix make a token. Four underestimate the tokens of most texts, so that
	// what seems long enough is.
	prefixBytes = 4
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

// PrefixTokens is about how many tokens of every prompt of a feature are the same.
func PrefixTokens(f catalog.Feature) int64 {
	bytes := len(f.System)
	for _, c := range f.Context {
		bytes += len(c)
	}
	return int64(bytes / prefixBytes)
}

// warmth knows which prefixes this process has had kept lately. A prefix can be read once the answer to the call that
// wrote it has begun, so calls that go out side by side all pay the write: the first one goes alone.
type warmth struct {
	mu       sync.Mutex
	prefixes map[prefixOf]*kept
}

// prefixOf is a feature's prefix at a model.
type prefixOf struct {
	feature, model string
	cache          providers.Cache
}

// kept is a prefix that was called with.
type kept struct {
	of    prefixOf
	until time.Time
	ready chan struct{} // closed when the call that writes it is over
	done  bool          // ready is closed
}

func newWarmth() *warmth { return &warmth{prefixes: map[prefixOf]*kept{}} }

// enter is called before the calls of a bundle. Nil lets them go: the prefix is warm, or is not to be kept. Alone says
// that it is cold and the caller's to write: its first call goes alone, and leave is called when that is over. Otherwise
// another bundle is writing it: enter is called again when ready is closed.
func (w *warmth) enter(p prefixOf, now time.Time) (k *kept, alone bool) {
	life := shortLife
	switch p.cache {
	case providers.CacheUnasked, providers.CacheNone:
		return nil, false
	case providers.Cache1h:
		life = longLife
	case providers.Cache5m:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.prefixes[p]
	switch {
	case ok && !k.done:
		return k, false
	case ok && now.Before(k.until):
		k.until = now.Add(life) // each read renews it
		return nil, false
	}
	k = &kept{of: p, until: now.Add(life), ready: make(chan struct{})}
	w.prefixes[p] = k
	return k, true
}

// leave ends the turn of the bundle that writes a prefix; later calls change nothing. A call without an answer has
// written nothing, so the next bundle has the turn.
func (w *warmth) leave(k *kept, answered bool) {
	if k == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if k.done {
		return
	}
	k.done = true
	if !answered {
		delete(w.prefixes, k.of)
	}
	close(k.ready)
}

// has says whether a feature's prefix is in a model's cache for five minutes, as auto asks for it.
func (w *warmth) has(feature, model string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.prefixes[prefixOf{feature, model, providers.Cache5m}]
	return ok && k.done && now.Before(k.until)
}
