package worker

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// countTime is how long the tasks of a job wait for counts, all of them together: what has not come by then is estimated.
	countTime = 5 * time.Second
	// countPause is how long a provider is not asked after it did not answer, so that an outage delays one job a minute.
	countPause = time.Minute
	// countsPerTask is how many models are asked about one task.
	countsPerTask = 4
	// countsPerMinute and countsInFlight bound the questions to one provider from one process. The lowest tier of Anthropic's
	// takes 100 a minute, and there may be other processes.
	countsPerMinute = 60
	countsInFlight  = 4
)

// counts asks providers how many tokens prompts have, where the plan hangs on it.
type counts struct {
	attempts *attempts           // for the calls that would be made
	counters map[string]*counter // by provider
	now      func() time.Time
	logger   *slog.Logger
}

// counter is one provider that may be asked.
type counter struct {
	providers.TokenCounter
	slots chan struct{}

	mu     sync.Mutex
	paused time.Time // until when
	minute time.Time // since when asked counts
	asked  int
}

func newCounts(c Config, a *attempts) *counts {
	own := &counts{attempts: a, counters: map[string]*counter{}, now: c.Now, logger: c.Logger}
	for name, provider := range c.Providers {
		if asked, ok := provider.(providers.TokenCounter); ok && c.Catalog.Providers[name].CountTokens {
			own.counters[name] = &counter{TokenCounter: asked, slots: make(chan struct{}, countsInFlight)}
		}
	}
	return own
}

// doubt is a task whose plan hangs on counts.
type doubt struct {
	queued    *store.QueuedTask
	task      *task.Task
	estimated planner.Planned
	err       error // of the estimate: no model can take it
	counts    map[string]int64
}

// helps says that somebody can be asked about one of the models.
func (c *counts) helps(models []string) bool {
	for _, model := range models {
		if counter := c.of(model); counter != nil && !counter.pausing(c.now()) {
			return true
		}
	}
	return false
}

func (c *counts) of(model string) *counter {
	return c.counters[c.attempts.catalog.Models[model].Provider]
}

// ask asks about all of the tasks side by side, once for each model of each, and waits for the answers as long as
// countTime.
func (c *counts) ask(ctx context.Context, doubts []*doubt) {
	asking, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	var group sync.WaitGroup
	var mu sync.Mutex
	for _, d := range doubts {
		d.counts = map[string]int64{}
		for _, model := range d.estimated.Doubts[:min(len(d.estimated.Doubts), countsPerTask)] {
			counter := c.of(model)
			if counter == nil || !counter.take(c.now()) {
				continue
			}
			group.Go(func() {
				n := c.one(asking, counter, d, model)
				mu.Lock()
				defer mu.Unlock()
				if n > 0 {
					d.counts[model] = n
				}
			})
		}
	}
	group.Wait()
}

// one asks about one task at one model; 0 says that nothing came of it. A panic costs no more than the count.
func (c *counts) one(ctx context.Context, counter *counter, d *doubt, model string) (n int64) {
	defer func() {
		if v := recover(); v != nil {
			c.logger.ErrorContext(ctx, "count panicked", slog.String("task_id", d.queued.ID.String()), slog.Any("panic", v),
				slog.String("stack", string(debug.Stack())))
			n = 0
		}
	}()
	select {
	case counter.slots <- struct{}{}:
		defer func() { <-counter.slots }()
	case <-ctx.Done():
		return 0
	}
	if counter.pausing(c.now()) || tooLate(ctx) { // since this one was let through
		return 0
	}
	request, err := counter.PrepareCount(c.attempts.callBefore(d, model))
	if err != nil { // the attempt will say so
		return 0
	}
	n, err = counter.Count(ctx, request)
	if err != nil {
		c.failed(ctx, counter, model, err)
		return 0
	}
	c.logger.DebugContext(ctx, "prompt counted", slog.String("task_id", d.queued.ID.String()), slog.String("model", model),
		slog.Int64("tokens", n))
	return n
}

// tooLate says that so little time is left that an answer in good time could come too late, and look like an outage.
func tooLate(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ok && time.Until(end) < countTime/2
}

// failed leaves a provider alone for a while, unless it is the prompt alone that it did not take, or weir stops.
func (c *counts) failed(ctx context.Context, counter *counter, model string, err error) {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	pause := countPause
	if failure, ok := errors.AsType[*providers.CallError](err); ok {
		if failure.Class == task.FailTooLong || failure.Class == task.FailBadRequest {
			c.logger.DebugContext(ctx, "prompt was not counted", slog.String("model", model), slog.Any("err", err))
			return
		}
		pause = max(pause, failure.RetryAfter)
	}
	if counter.pause(c.now(), pause) {
		c.logger.WarnContext(ctx, "tokens are not counted for a while", slog.String("model", model),
			slog.Duration("pause", pause), slog.Any("err", err))
	}
}

func (c *counter) pausing(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.paused)
}

// pause is false when there is a pause already.
func (c *counter) pause(now time.Time, pause time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.paused) {
		return false
	}
	c.paused = now.Add(pause)
	return true
}

// take takes one question out of the minute's; false when there is none left, or a pause.
func (c *counter) take(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.paused) {
		return false
	}
	if now.Sub(c.minute) >= time.Minute {
		c.minute, c.asked = now, 0
	}
	if c.asked >= countsPerMinute {
		return false
	}
	c.asked++
	return true
}

// callBefore is the call that a model's first attempt at a task would make, but for what is said of the cache, which
// changes no token.
func (a *attempts) callBefore(d *doubt, model string) providers.Call {
	at := &attempt{
		id: newID(), task: d.task, feature: a.catalog.Features[d.queued.Feature], model: a.catalog.Models[model],
		member: &store.Member{
			TaskID: d.queued.ID, Tenant: d.queued.Tenant, Feature: d.queued.Feature, Model: model,
			MaxOutput: d.estimated.MaxOutput,
		},
	}
	return labelled(a.callOf(at, caching{}), at.member)
}
