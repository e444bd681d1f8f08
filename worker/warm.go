package worker

import (
	"sync"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
)

const (
	shortLife = 5 * time.Minute
	longLife  = time.Hour
	autoLife  = 30 * time.Minute // of what OpenAI writes unasked
	// leastCacheable is the shortest prefix that auto has kept, in tokens, where the price book does not know the model's:
	// the longest of the known ones.
	leastCacheable = 4_096
	// prefixBytes is about how many bytes of a prefix make a token. Four underestimate the tokens of most texts, so that
	// what seems long enough is.
	prefixBytes = 4
)

// cacheOf turns a feature's policy into what its calls ask for at a price. Marks are only set where writes and reads have
// a rate: without, an answer's cost would be unknown. Auto asks where the calls at hand pay the write back and the prefix
// is long enough for the model.
func cacheOf(f catalog.Feature, price pricing.Price, traits pricing.Traits, calls int) providers.Cache {
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
	if !pays || int64(calls) < uses || PrefixTokens(f) < least {
		return providers.CacheUnasked
	}
	return providers.Cache5m
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

// kept is a prefix that was called with. A nil one is not to be kept.
type kept struct {
	until time.Time
	once  sync.Once
	ready chan struct{} // closed when the call that writes it is over
}

func newWarmth() *warmth { return &warmth{prefixes: map[prefixOf]*kept{}} }

// enter is called before the calls of a bundle. Where it says alone, the prefix is cold: the first call goes alone, and
// warm is called when it is over. The calls of other bundles wait for that.
func (w *warmth) enter(p prefixOf, now time.Time) (k *kept, alone bool) {
	if p.cache == providers.CacheUnasked || p.cache == providers.CacheNone {
		return nil, false
	}
	life := shortLife
	if p.cache == providers.Cache1h {
		life = longLife
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if k, ok := w.prefixes[p]; ok && now.Before(k.until) {
		k.until = now.Add(life) // each read renews it
		return k, false
	}
	k = &kept{until: now.Add(life), ready: make(chan struct{})}
	w.prefixes[p] = k
	return k, true
}

func (k *kept) warm() { k.once.Do(func() { close(k.ready) }) }

// wait returns when the prefix is warm. The call that warms it is bounded by its timeout.
func (k *kept) wait() {
	if k != nil {
		<-k.ready
	}
}
