package worker

import (
	"sync"
	"time"

	"github.com/weirhq/weir/providers"
)

const (
	// mostWarming is how long calls wait for the one that goes alone, and mostAlone how many of a bundle go alone when none
	// is answered. What is at stake is the price of some writes.
	mostWarming = 10 * time.Second
	mostAlone   = 3
)

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
	life := p.cache.Lifetime()
	if life == 0 {
		return nil, false
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

// has says whether a prefix is in the provider's cache.
func (w *warmth) has(p prefixOf, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.prefixes[p]
	return ok && k.done && now.Before(k.until)
}
