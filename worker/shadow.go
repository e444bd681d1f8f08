package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// shadowPace is how often a process looks for shadow calls.
	shadowPace = time.Second
	// shadowsAtOnce is how many of them a process makes side by side: they are samples, and tasks come first.
	shadowsAtOnce = 4
	// shadowWindow is how long one waits for room among the tasks' calls, before it goes back.
	shadowWindow = 5 * time.Second
	// shadowRest is how long a model without room is not asked again, so that the others' calls are not behind its own.
	shadowRest = time.Minute
	// shadowsKept is how long one waits for a model that is down.
	shadowsKept = 24 * time.Hour
	// shadowSettle bounds the tries to write the end of one; what was not written by then is lost, with its bound.
	shadowSettle = 2 * time.Minute
)

// shadow is the call that goes with an accepted answer, if it is one of the feature's sample: of the model that comes next,
// or of the last one where models have voted. Answers that cannot be compared need none.
func (at *attempt) shadow(e *ended, d cascade.Decision) *store.Shadow {
	last := len(at.stages) - 1
	if d.Action != cascade.Complete || at.member.Stage >= last || !sampled(at.member.TaskID, at.feature.ShadowShare) {
		return nil
	}
	form := cascade.Canonical(e.reply.Output, e.reply.ToolCalls)
	if form == "" {
		return nil
	}
	next := at.member.Stage + 1
	if at.member.Agree > 0 {
		next = last
	}
	return &store.Shadow{ID: newID(), Model: at.stages[next].Model, Accepted: at.member.Model, Vote: voteOf(form)}
}

// sampled is decided by the task's id alone. Its random bits below are those that plans explore by.
func sampled(id uuid.UUID, share float64) bool {
	return float64(binary.BigEndian.Uint32(id[8:])<<2) < share*math.Exp2(32) // the highest two bits are the variant
}

// shadows makes shadow calls, a few at a time. They go by the same limits as the tasks' calls, and nothing of them reaches a
// task or opens a gate.
type shadows struct {
	stage *stage

	mu    sync.Mutex
	rests map[string]time.Time // until when a model is not asked
}

// run makes them until the context ends, and then waits for those under way.
func (s *shadows) run(ctx context.Context) {
	ticker := time.NewTicker(shadowPace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			s.stage.logger.WarnContext(ctx, "shadow calls were not made", slog.Any("err", err))
		}
	}
}

func (s *shadows) round(ctx context.Context) error {
	w := s.stage
	open := s.open()
	if len(open) == 0 || !w.lease.alive() {
		return nil
	}
	calls, err := store.ClaimShadows(ctx, w.pool, w.boot, open, shadowsAtOnce)
	if err != nil {
		return err
	}
	errs := make([]error, len(calls))
	var under sync.WaitGroup
	for i := range calls {
		under.Go(func() {
			// a call that has begun is paid for
			errs[i] = s.work(context.WithoutCancel(ctx), &calls[i])
		})
	}
	under.Wait()
	return errors.Join(errs...)
}

// open are the models that may be asked now: none where no feature has shadow calls.
func (s *shadows) open() []string {
	var open []string
	if !slices.ContainsFunc(slices.Collect(maps.Values(s.stage.catalog.Features)), func(f catalog.Feature) bool { return f.ShadowShare > 0 }) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.stage.catalog.Models {
		if !s.stage.gates.isShut(name, "") && !s.stage.now().Before(s.rests[name]) {
			open = append(open, name)
		}
	}
	return open
}

// work makes one call, or writes why not.
func (s *shadows) work(ctx context.Context, c *store.ShadowCall) (err error) {
	w := s.stage
	at, reason := s.attempt(c)
	if reason != "" {
		return store.DropShadow(ctx, w.pool, w.now(), c.ID, w.boot, reason)
	}
	defer func() {
		if p := recover(); p != nil {
			w.attempts.panicked(ctx, at.member, p)
			err = store.DropShadow(ctx, w.pool, w.now(), c.ID, w.boot, bugReason) // an open one is lost with the process
		}
	}()
	window := time.NewTimer(shadowWindow)
	defer window.Stop()
	slots := w.slots[at.model.Provider]
	pass, _, reason := w.take(ctx, at.member, slots, window.C)
	if reason != "" {
		s.mu.Lock()
		s.rests[c.Model] = w.now().Add(shadowRest)
		s.mu.Unlock()
		return store.ReturnShadow(ctx, w.pool, c.ID, w.boot)
	}
	defer func() { <-slots }()
	defer pass.cancel() // where no call is made
	at.pass = pass
	if at.files, err = w.attempts.files.Fetch(ctx, at.task.Attachments); err != nil {
		return store.DropShadow(ctx, w.pool, w.now(), c.ID, w.boot, err.Error())
	}
	cache := w.attempts.cachingOf(at.member, 1, func(c providers.Cache) bool {
		return w.warmth.has(prefixOf{at.member.Feature, at.member.Model, c}, w.now())
	})
	if ending := w.attempts.prepare(at, cache); ending != nil {
		return store.DropShadow(ctx, w.pool, w.now(), c.ID, w.boot, ending.Reason)
	}
	begun, err := store.BeginShadow(ctx, w.pool, at.intent(w.boot, w.catalog.Hash))
	if err != nil || !begun {
		return err
	}
	w.chaos("shadow_sent")
	return s.settle(ctx, at, c.Vote)
}

// attempt is the call as an attempt that is no task's; a reason says why there can be none.
func (s *shadows) attempt(c *store.ShadowCall) (*attempt, string) {
	w := s.stage
	feature, known := w.catalog.Features[c.Feature]
	switch {
	case !known:
		return nil, "the feature is no longer configured"
	case c.Body == nil:
		return nil, "the task's text has been deleted"
	}
	t, err := task.Decode(c.Body, w.attempts.limits)
	if err != nil {
		return nil, "the stored task cannot be read: " + err.Error()
	}
	m := &store.Member{
		TaskID: c.TaskID, Tenant: c.Tenant, Feature: c.Feature, Key: c.Key, Run: c.Run, Class: c.Class, Batch: c.Batch, Lane: c.Lane,
		Model: c.Model, PromptTokens: c.PromptTokens, MaxOutput: c.MaxOutput, AcceptedAt: c.AcceptedAt, Body: c.Body,
	}
	return &attempt{id: c.ID, member: m, task: t, feature: feature, model: w.catalog.Models[c.Model]}, ""
}

// settle makes the call and writes what came of it.
func (s *shadows) settle(ctx context.Context, at *attempt, accepted uuid.UUID) error {
	w := s.stage
	reply, err := w.attempts.providers[at.model.Provider].Do(ctx, at.request)
	finished := w.now()
	var e *ended
	if err != nil {
		e = failed(reply, err)
	} else {
		e = w.attempts.validate(ctx, at, reply)
	}
	at.pass.done(finished, w.gates.used(at, e))
	var agrees *bool
	if e.accepted {
		form := cascade.Canonical(reply.Output, reply.ToolCalls)
		same := form != "" && voteOf(form) == accepted
		agrees = &same
	}
	end := w.attempts.ended(at, e, finished)
	w.chaos("shadow_answered")
	ctx, cancel := context.WithTimeout(ctx, shadowSettle)
	defer cancel()
	for wait := cascade.BackoffBase; ; wait *= 2 {
		err := store.EndShadow(ctx, w.pool, end, agrees)
		if err == nil || ctx.Err() != nil || !store.Retryable(err) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
