package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// unwind is what a stage job's timeout adds to its window and its longest call.
const unwind = 30 * time.Second

// Why members of a bundle go back without an attempt.
const (
	windowEnded  = "the bundle's window has ended"
	jobCancelled = "the job was cancelled"
	// workerStopping is the reason of a shutdown.
	workerStopping = "the worker is stopping"
	// leftAlone is the reason of an open gate.
	leftAlone = "the model, its account or the feature is left alone for now: see weir providers status"
)

// stage works bundles: one attempt for each member, the members side by side.
type stage struct {
	river.WorkerDefaults[jobs.Stage]
	pool       *pgxpool.Pool
	catalog    *catalog.Catalog
	attempts   *attempts
	slots      map[string]chan struct{} // by provider: its concurrency
	gates      *gates
	warmth     *warmth
	lease      *lease
	dispatcher *dispatcher
	boot       uuid.UUID
	now        func() time.Time
	logger     *slog.Logger
	chaos      func(point string) // never nil
	stopping   <-chan struct{}    // closed when the process stops: no new calls
}

// Timeout is the bundle's window, the longest call and time to unwind. River's rescue comes later still.
func (w *stage) Timeout(*river.Job[jobs.Stage]) time.Duration { return stageTimeout(w.catalog) }

func stageTimeout(c *catalog.Catalog) time.Duration {
	return max(c.Lanes.Now.BundleWindow, c.Lanes.Batch.BundleWindow) + longestCall(c) + unwind
}

func longestCall(c *catalog.Catalog) time.Duration {
	longest := time.Duration(0)
	for _, p := range c.Providers {
		longest = max(longest, p.Timeout)
	}
	for _, f := range c.Features {
		longest = max(longest, f.CallTimeout)
	}
	for _, m := range c.Models {
		longest = max(longest, c.CallTimeout(catalog.Feature{}, m))
	}
	return longest + c.Attachments.Timeout // its files come first
}

// Work makes the attempts of a bundle. It returns nil when every member is settled or handed back, so a second run of
// the same job finds nothing to do.
func (w *stage) Work(ctx context.Context, job *river.Job[jobs.Stage]) error {
	bundle := job.Args.Bundle
	members, err := store.StartBundle(ctx, w.pool, w.now(), bundle, w.boot)
	if err != nil || len(members) == 0 {
		return err
	}
	w.chaos("stage_fetched")
	left, wait, reason := w.enterGates(ctx, bundle, members)
	if left == 0 {
		return nil
	}
	// the rest goes back even when the job's context has ended: it is what ended it that the rest must not wait for
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unwind)
	defer cancel()
	handed, err := store.HandBack(ctx, w.pool, bundle, wait, reason)
	if err != nil {
		return fmt.Errorf("work bundle: %w", err)
	}
	if handed > 0 {
		w.dispatcher.Wake()
	}
	return nil
}

// enterGates works a bundle unless its model, account or feature is left alone by now. A probe goes all the same.
func (w *stage) enterGates(
	ctx context.Context, bundle uuid.UUID, members []store.Member,
) (left int, wait time.Duration, reason string) {
	first := members[0]
	switch {
	case first.Probe:
		defer w.gates.unmade(context.WithoutCancel(ctx), bundle) // changes nothing when its call was made
	case first.Gated:
		return len(members), 0, leftAlone
	default:
		w.gates.opened(first.Model, first.Feature)
	}
	return w.work(ctx, bundle, members)
}

// work starts the members' attempts until something says to stop, waits for those that it started, and says how many
// are left over, how long they have to wait, and why.
func (w *stage) work(
	ctx context.Context, bundle uuid.UUID, members []store.Member,
) (left int, wait time.Duration, reason string) {
	first := members[0]
	window := time.NewTimer(w.window(first))
	defer window.Stop()
	slots := w.slots[w.catalog.Models[first.Model].Provider]
	cache := w.attempts.cachingOf(&first, len(members), func(c providers.Cache) bool {
		return w.warmth.has(prefixOf{first.Feature, first.Model, c}, w.now())
	})
	prefix, reason := w.enter(ctx, prefixOf{first.Feature, first.Model, cache.ask}, window.C)
	if reason != "" {
		return len(members), 0, reason
	}
	defer func() { w.warmth.leave(prefix, false) }() // nobody waits for a call that is not made
	var calls sync.WaitGroup
	var unmade atomic.Int64
	defer func() {
		calls.Wait()
		if n := int(unmade.Load()); n > 0 && left == 0 {
			left, wait, reason = n, cascade.BackoffBase, "the attempt could not be written"
		}
	}()
	keys := w.gates.keys[first.Model]
	waiting := len(members)
	w.gates.limiter.Hold(waiting, keys...)
	defer func() { w.gates.limiter.Hold(-waiting, keys...) }()
	for i := range members {
		var pass *pass
		if pass, wait, reason = w.take(ctx, &members[i], slots, window.C); reason != "" {
			return len(members) - i, wait, reason
		}
		waiting--
		w.gates.limiter.Hold(-1, keys...)
		over := make(chan bool, 1)
		calls.Go(func() {
			var once sync.Once
			free := func(answered bool) {
				once.Do(func() {
					<-slots
					over <- answered
				})
			}
			defer free(false)
			// a call that has begun is paid for: neither a shutdown nor River's timeout throws its answer away
			if !w.attempts.make(context.WithoutCancel(ctx), bundle, &members[i], cache, pass, free) {
				unmade.Add(1)
			}
		})
		if prefix == nil {
			continue
		}
		var written bool // what the others read
		if written, reason = w.wait(ctx, over, window.C); reason != "" {
			return len(members) - i - 1, 0, reason
		}
		if written || i == mostAlone-1 {
			w.warmth.leave(prefix, written)
			prefix = nil
		}
	}
	return 0, 0, ""
}

// enter returns the prefix that the bundle has to write, with its first call alone; nil when it is warm, or is not to be
// kept. It waits while another bundle's first call is under way.
func (w *stage) enter(ctx context.Context, p prefixOf, window <-chan time.Time) (*kept, string) {
	limit := time.NewTimer(mostWarming)
	defer limit.Stop()
	for {
		k, alone := w.warmth.enter(p, w.now())
		if k == nil || alone {
			return k, ""
		}
		select {
		case <-k.ready: // warm, or somebody else's turn
		case <-limit.C:
			return nil, "" // see wait
		case <-window:
			return nil, windowEnded
		case <-w.stopping:
			return nil, workerStopping
		case <-ctx.Done():
			return nil, jobCancelled
		}
	}
}

// wait waits for a call that goes alone, and says whether it has written its prefix. One that takes long has: a prefix can
// be read once its answer has begun.
func (w *stage) wait(ctx context.Context, over <-chan bool, window <-chan time.Time) (written bool, reason string) {
	limit := time.NewTimer(mostWarming)
	defer limit.Stop()
	select {
	case answered := <-over:
		return answered, ""
	case <-limit.C:
		return true, ""
	case <-window:
		return false, windowEnded
	case <-w.stopping:
		return false, workerStopping
	case <-ctx.Done():
		return false, jobCancelled
	}
}

// take waits until the rate limits let a call go and for a slot, and takes both. It gives a reason instead when no call
// may start.
func (w *stage) take(
	ctx context.Context, m *store.Member, slots chan struct{}, window <-chan time.Time,
) (p *pass, wait time.Duration, reason string) {
	if p, wait, reason = w.permit(ctx, m, window); reason != "" {
		return nil, wait, reason
	}
	select {
	case slots <- struct{}{}:
	case <-window:
		reason = windowEnded
	case <-w.stopping:
		reason = workerStopping
	case <-ctx.Done():
		reason = jobCancelled
	}
	if reason != "" {
		p.cancel()
		return nil, 0, reason
	}
	// the wait may have been long, and a select prefers none of the cases that are ready
	if wait, reason = w.blocked(m); reason == "" {
		reason = over(ctx, window)
	}
	if reason != "" {
		<-slots
		p.cancel()
	}
	return p, wait, reason
}

// permit waits until the rate limits let a call go.
func (w *stage) permit(
	ctx context.Context, m *store.Member, window <-chan time.Time,
) (p *pass, wait time.Duration, reason string) {
	for {
		if wait, reason = w.blocked(m); reason != "" {
			return nil, wait, reason
		}
		if p, wait = w.gates.try(m); p != nil {
			return p, 0, ""
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			continue
		case <-window:
			reason = windowEnded
		case <-w.stopping:
			reason = workerStopping
		case <-ctx.Done():
			reason = jobCancelled
		}
		timer.Stop()
		return nil, 0, reason
	}
}

// over says what has ended the bundle's time.
func over(ctx context.Context, window <-chan time.Time) string {
	select {
	case <-window:
		return windowEnded
	case <-ctx.Done():
		return jobCancelled
	default:
		return ""
	}
}

func (w *stage) window(m store.Member) time.Duration {
	if m.Lane == string(task.LaneBatch) {
		return w.catalog.Lanes.Batch.BundleWindow
	}
	return w.catalog.Lanes.Now.BundleWindow
}

// blocked says why no call may start now.
func (w *stage) blocked(m *store.Member) (time.Duration, string) {
	if _, known := w.catalog.Models[m.Model]; !known {
		return time.Second, fmt.Sprintf("this process does not know the model %q", m.Model)
	}
	select {
	case <-w.stopping: // the slots' select may prefer a free slot
		return 0, workerStopping
	default:
	}
	if !w.lease.alive() {
		return 0, "the process cannot renew its lease"
	}
	if !m.Probe && w.gates.isShut(m.Model, m.Feature) {
		return 0, leftAlone
	}
	return 0, ""
}
