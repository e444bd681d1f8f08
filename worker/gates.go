package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/limiter"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// longWait is the Retry-After from which on the whole fleet keeps away, not only the process that was told.
	longWait = 10 * time.Second
	// slowPart is the part of a call's timeout from which on the call is slow.
	slowPart = 0.5
	// strikes and strikesWindow pause a feature whose requests are refused as they are: its template is wrong, and every
	// other task would fail as well.
	strikes       = 3
	strikesWindow = time.Minute
	// gateWrite is how long a change of a gate waits for Postgres.
	gateWrite = 5 * time.Second
)

// gates is what a process knows of the models, accounts and features that are to be left alone, what it finds out about
// them, and its part in the rate limits.
type gates struct {
	pool    *pgxpool.Pool
	catalog *catalog.Catalog
	timing  Timing
	now     func() time.Time
	logger  *slog.Logger

	limiter  *limiter.Limiter
	keys     map[string][]string // of the rate limits, by model
	breakers map[string]*limiter.Breaker
	retries  map[string]*limiter.Retries

	mu     sync.Mutex
	shut   map[store.GateKey]bool
	slowed map[string]time.Time // since when refusals slow this process down, by rate limit
}

func newGates(c Config) *gates {
	g := &gates{
		pool: c.Pool, catalog: c.Catalog, timing: c.Timing, now: c.Now, logger: c.Logger,
		limiter: limiter.New(c.Timing.Beat, c.Catalog.RateLimits()),
		keys:    map[string][]string{}, breakers: map[string]*limiter.Breaker{}, retries: map[string]*limiter.Retries{},
		shut: map[store.GateKey]bool{}, slowed: map[string]time.Time{},
	}
	for name := range c.Catalog.Models {
		g.keys[name] = c.Catalog.RateKeys(name)
		g.breakers[name] = &limiter.Breaker{}
		g.retries[name] = limiter.NewRetries()
	}
	return g
}

// keysOf are the gates that a task of a feature at a model passes.
func (g *gates) keysOf(model, feature string) [3]store.GateKey {
	return [3]store.GateKey{
		{Scope: store.ScopeProvider, Name: g.catalog.Models[model].Provider},
		{Scope: store.ScopeModel, Name: model},
		{Scope: store.ScopeFeature, Name: feature},
	}
}

// isShut says whether one of them is shut, as far as this process knows.
func (g *gates) isShut(model, feature string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range g.keysOf(model, feature) {
		if g.shut[key] {
			return true
		}
	}
	return false
}

// opened notes that they are not shut: the database has said so just now.
func (g *gates) opened(model, feature string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range g.keysOf(model, feature) {
		delete(g.shut, key)
	}
}

// tell is what the others are told with a beat.
func (g *gates) tell() map[string]store.Rate {
	now := g.now()
	rates := map[string]store.Rate{}
	for key, n := range g.limiter.Demand() {
		rates[key] = store.Rate{Demand: n}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, keys := range g.keys {
		for _, key := range keys {
			part, slowed := g.limiter.Slowed(now, key)
			if !slowed {
				delete(g.slowed, key)
				continue
			}
			if _, before := g.slowed[key]; !before {
				g.slowed[key] = now
			}
			since := g.slowed[key]
			rates[key] = store.Rate{Demand: rates[key].Demand, Part: &part, Since: &since}
		}
	}
	return rates
}

// hear takes in what a beat has learned.
func (g *gates) hear(self uuid.UUID, fleet store.Fleet) {
	peers := make([]limiter.Peer, len(fleet.Peers))
	for i, p := range fleet.Peers {
		demand := make(map[string]int, len(p.Rates))
		for key, rate := range p.Rates {
			demand[key] = rate.Demand
		}
		peers[i] = limiter.Peer{ID: p.ID, Demand: demand}
	}
	g.limiter.Beat(g.now(), self, peers)
	shut := map[store.GateKey]bool{}
	for _, gate := range fleet.Gates {
		if gate.Shut() {
			shut[gate.GateKey] = true
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
}

// pass is the right to one call, used up by the first of done and cancel.
type pass struct {
	limiter *limiter.Limiter
	permit  limiter.Permit
	once    sync.Once
}

func (p *pass) done(now time.Time, used limiter.Used) {
	p.once.Do(func() { p.limiter.Done(now, p.permit, used) })
}

func (p *pass) cancel() {
	p.once.Do(func() { p.limiter.Cancel(p.permit) })
}

// try takes the right to call for a member, or says how long to wait.
func (g *gates) try(m *store.Member) (*pass, time.Duration) {
	cost := limiter.Cost{Input: m.PromptTokens, Output: int64(m.MaxOutput)}
	if g.catalog.Translates(m.Model) {
		cost = limiter.Cost{} // a call without tokens
	}
	permit, wait := g.limiter.Try(g.now(), cost, g.keys[m.Model]...)
	if wait > 0 {
		return nil, wait
	}
	return &pass{limiter: g.limiter, permit: permit}, 0
}

// observe learns from a call: about the rate limits, the model, the account and the feature.
func (g *gates) observe(ctx context.Context, at *attempt, e *ended, now time.Time) {
	at.pass.done(now, g.used(at, e))
	if e.own {
		return
	}
	m := at.member
	if m.ModelAttempts == 0 && !trouble(e.failure) {
		g.retries[m.Model].Earn()
	}
	if trouble(e.failure) && !m.Probe {
		e.spent = !g.retries[m.Model].Spend()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gateWrite)
	defer cancel()
	if m.Probe {
		g.endProbe(ctx, at, e)
		return
	}
	g.note(ctx, at, e)
	outcome := limiter.Outcome{Failed: trouble(e.failure), Slow: e.took >= g.slow(at)}
	if trip := g.breakers[m.Model].Record(now, outcome); trip != "" {
		o := g.soft(e)
		o.Reason = trip
		if e.reason != "" {
			o.Reason += "; last: " + e.reason
		}
		g.open(ctx, store.GateKey{Scope: store.ScopeModel, Name: m.Model}, o)
	}
}

// note opens the gate that a failure asks for by itself.
func (g *gates) note(ctx context.Context, at *attempt, e *ended) {
	m := at.member
	model := store.GateKey{Scope: store.ScopeModel, Name: m.Model}
	switch account := e.failure == task.FailQuota || e.failure == task.FailAuth; {
	case account:
		g.open(ctx, store.GateKey{Scope: store.ScopeProvider, Name: at.model.Provider}, g.hard(e))
	case e.failure == task.FailNotFound:
		g.open(ctx, model, g.hard(e))
	case e.failure == task.FailBadRequest:
		opened, err := store.Strike(ctx, g.pool, m.Feature, strikes, strikesWindow, g.hard(e))
		g.changed(ctx, store.GateKey{Scope: store.ScopeFeature, Name: m.Feature}, opened, err, e)
	case e.retryAfter >= longWait:
		_, err := store.LimitGate(ctx, g.pool, model, e.retryAfter, string(e.failure), e.reason)
		g.changed(ctx, model, false, err, e)
	}
}

// used is what a call came to for the rate limits.
func (g *gates) used(at *attempt, e *ended) limiter.Used {
	used := limiter.Used{Limits: e.limits, Wait: e.retryAfter, Free: e.free}
	used.Refused = e.failure == task.FailRateLimited || e.failure == task.FailSlowDown
	if u := e.reply.Usage; u != nil {
		used.Known, used.Input, used.Output = true, u.Prompt(), u.Output
		if g.catalog.Providers[at.model.Provider].API == catalog.APIAnthropic {
			used.Input -= u.CacheRead // it does not count there: docs.anthropic.com, rate limits
		}
	}
	return used
}

// trouble says that a failure is the model's or its provider's, and not the task's: what a breaker counts.
func trouble(class task.FailureClass) bool {
	switch class {
	case task.FailNotSent, task.FailOverloaded, task.FailServer, task.FailTimeout, task.FailLostNet, task.FailMalformed:
		return true
	case task.FailRateLimited, task.FailSlowDown, task.FailQuota, task.FailLost, task.FailAuth, task.FailNotFound,
		task.FailBadRequest, task.FailTooLong, task.FailRefusal, task.FailTruncated, task.FailInvalid, task.FailInternal:
		return false
	}
	return false
}

func (g *gates) slow(at *attempt) time.Duration {
	timeout := g.catalog.Providers[at.model.Provider].Timeout
	if at.feature.CallTimeout > 0 {
		timeout = at.feature.CallTimeout
	}
	return time.Duration(slowPart * float64(timeout))
}

// soft opens a gate that heals by itself, hard one that a person heals.
func (g *gates) soft(e *ended) store.Opening {
	return store.Opening{
		Failure: string(e.failure), Reason: e.reason, First: g.timing.Breaker, Most: g.timing.BreakerMost,
	}
}

func (g *gates) hard(e *ended) store.Opening {
	o := g.soft(e)
	o.Hard = max(g.timing.HardProbe, e.retryAfter)
	return o
}

func (g *gates) open(ctx context.Context, key store.GateKey, o store.Opening) {
	opened, err := store.OpenGate(ctx, g.pool, key, o)
	g.changed(ctx, key, opened, err, &ended{failure: task.FailureClass(o.Failure), reason: o.Reason})
}

// changed keeps this process away at once; whoever has changed the gate says so.
func (g *gates) changed(ctx context.Context, key store.GateKey, opened bool, err error, e *ended) {
	if err != nil {
		g.logger.WarnContext(ctx, "gate was not written", slog.String("scope", key.Scope), slog.String("name", key.Name),
			slog.Any("err", err))
	}
	if key.Scope != store.ScopeFeature || opened {
		g.mu.Lock()
		g.shut[key] = true // until the next beat says otherwise
		g.mu.Unlock()
	}
	if opened {
		g.logger.ErrorContext(ctx, "left alone until a probe comes through: see 'weir providers status'",
			slog.String("scope", key.Scope), slog.String("name", key.Name), slog.String("failure", string(e.failure)),
			slog.String("reason", e.reason))
	}
}

// endProbe tells the gates what their probe has found out.
func (g *gates) endProbe(ctx context.Context, at *attempt, e *ended) {
	m := at.member
	for _, scope := range []string{store.ScopeProvider, store.ScopeModel, store.ScopeFeature} {
		o := g.soft(e)
		if healedByPerson(e.failure) {
			o = g.hard(e)
		}
		end := probeEnd(scope, e.failure)
		if err := store.EndProbe(ctx, g.pool, at.bundle, scope, end, o); err != nil {
			g.logger.WarnContext(ctx, "probe was not ended", slog.String("scope", scope), slog.Any("err", err))
		}
	}
	if e.failure == "" {
		g.opened(m.Model, m.Feature)
	}
}

func healedByPerson(class task.FailureClass) bool {
	return class == task.FailQuota || class == task.FailAuth || class == task.FailNotFound || class == task.FailBadRequest
}

// probeEnd is what an end of a probe says of a gate: what is no answer to its question leaves it as it is.
func probeEnd(scope string, class task.FailureClass) store.ProbeEnd {
	account := class == task.FailQuota || class == task.FailAuth
	switch {
	case scope == store.ScopeFeature && class == task.FailBadRequest:
		return store.ProbeDown
	case class == task.FailInternal, class == task.FailLost:
		return store.ProbeUnmade
	case scope == store.ScopeFeature && (account || class == task.FailNotFound || trouble(class)):
		return store.ProbeUnmade
	case scope == store.ScopeProvider && account:
		return store.ProbeDown
	case scope == store.ScopeProvider && trouble(class):
		return store.ProbeUnmade // the account may be well
	case scope == store.ScopeModel && account:
		return store.ProbeUnmade
	case scope == store.ScopeModel && (class == task.FailNotFound || trouble(class)):
		return store.ProbeDown
	}
	return store.ProbeUp
}

// unmade says that the probe of a bundle was not sent, if it was one that is still waited for.
func (g *gates) unmade(ctx context.Context, bundle uuid.UUID) {
	for _, scope := range []string{store.ScopeProvider, store.ScopeModel, store.ScopeFeature} {
		err := store.EndProbe(ctx, g.pool, bundle, scope, store.ProbeUnmade, store.Opening{First: g.timing.Breaker})
		if err != nil {
			g.logger.WarnContext(ctx, "probe was not ended", slog.String("scope", scope), slog.Any("err", err))
		}
	}
}
