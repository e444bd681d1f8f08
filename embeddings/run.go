package embeddings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// run is one list of texts on its way.
type run struct {
	*Embedder
	texts   []string
	counts  []int64
	options Options

	mu      sync.Mutex
	vectors [][]float32
	bill    Bill
	next    int
	failed  error
}

// all works the spans off, some at a time. The error is the first that ended one.
func (r *run) all(ctx context.Context, spans []span) error {
	var workers sync.WaitGroup
	for range min(len(spans), r.cfg.Embedder.Concurrency) {
		workers.Go(func() {
			for {
				s, ok := r.take(spans)
				if !ok {
					return
				}
				r.fail(r.work(ctx, s))
			}
		})
	}
	workers.Wait()
	return r.failed
}

// take is the next span; none once something has failed, because what follows would be paid for nothing.
func (r *run) take(spans []span) (span, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil || r.next == len(spans) {
		return span{}, false
	}
	r.next++
	return spans[r.next-1], true
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}

func (r *run) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed != nil
}

// work embeds a span. One that the provider finds too large was not paid, and is embedded in halves.
func (r *run) work(ctx context.Context, s span) error {
	err := r.persist(ctx, s)
	var failed *providers.CallError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed) || failed.Class != task.FailTooLong:
		return fmt.Errorf("embed inputs %d to %d: %w", s.from, s.to-1, err)
	case s.size() == 1:
		return r.tooLong(s.from, "was refused as too long ("+failed.Message+")")
	}
	first, second := s.halves()
	if err := r.work(ctx, first); err != nil {
		return err
	}
	if r.stopped() {
		return nil // another one has the error
	}
	return r.work(ctx, second)
}

// persist calls until there is an answer, the retry table has no further try, or the tries are used up.
func (r *run) persist(ctx context.Context, s span) error {
	counted := 0
	for calls := 0; ; calls++ {
		err := r.call(ctx, s)
		var failed *providers.CallError
		if err == nil || !errors.As(err, &failed) {
			return err
		}
		now := r.cfg.Now()
		d := cascade.Decide(cascade.State{
			Stages: 1, Calls: calls, Attempts: counted, ModelAttempts: counted, MaxAttempts: r.cfg.Tries, Now: now,
			Jitter: r.cfg.Jitter(),
		}, cascade.Event{Failure: failed.Class, RetryAfter: failed.RetryAfter, Reason: failed.Message})
		if d.Counted {
			counted++
		}
		wait := d.NotBefore.Sub(now)
		again := d.Action == cascade.SameModel || d.Action == cascade.Wait
		switch {
		case !again || d.Alarm || calls+1 >= r.cfg.Tries:
			return err
		case wait > r.cfg.Patience:
			return fmt.Errorf("a wait of %s would be next: %w", wait.Round(time.Second), err)
		}
		r.cfg.Logger.WarnContext(ctx, "call for embeddings is tried again", slog.String("embedder", r.cfg.Embedder.Name),
			slog.String("failure", string(failed.Class)), slog.Duration("wait", wait))
		if r.cfg.Sleep(ctx, wait) != nil {
			return err
		}
	}
}
