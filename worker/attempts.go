package worker

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/attachments"
	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// boundSlack is added to the bytes of a request for its upper bound in tokens: role markers and the like, which
// providers add themselves. A byte-level vocabulary has no token of less than a byte, so bytes bound the rest.
const boundSlack = 1_024

// attempts makes single attempts: intent, call, price, validate, settle.
type attempts struct {
	pool       *pgxpool.Pool
	recorder   *store.Recorder
	catalog    *catalog.Catalog
	models     *planner.Models
	planner    *planner.Planner
	plans      *plans
	providers  map[string]providers.Provider
	validators map[string]*validators.Chain // by feature
	gates      *gates
	dispatcher *dispatcher
	deliverer  *deliverer
	files      *attachments.Fetcher
	limits     task.Limits
	bookHash   string
	boot       uuid.UUID
	now        func() time.Time
	logger     *slog.Logger
	chaos      func(point string) // crash tests stop the process here; never nil
}

// attempt is one call on its way.
type attempt struct {
	id      uuid.UUID
	bundle  uuid.UUID
	member  *store.Member
	task    *task.Task
	feature catalog.Feature
	model   catalog.Model
	stages  []cascade.Stage
	vote    cascade.Vote // where it stands after the attempt
	files   []providers.Attachment
	request providers.Request
	pass    *pass
	bound   *task.Pico
	started time.Time
}

// make makes the attempt of one member and settles it. Whatever goes wrong ends in the ledger; false says that even that
// failed before there was an attempt, so that the member is still the bundle's. called is told when the call is over, and
// whether it brought a metered answer: the settlement's wait for its commit needs no room among the provider's calls.
func (a *attempts) make(
	ctx context.Context, bundle uuid.UUID, m *store.Member, cache caching, pass *pass, called func(answered bool),
) (made bool) {
	defer pass.cancel() // where no call is made
	var open *attempt   // its intent may be in the ledger
	defer func() {
		if p := recover(); p != nil {
			called(false)
			made = a.salvage(ctx, bundle, m, open, p)
		}
	}()
	at, ending := a.open(bundle, m)
	if ending != nil {
		return a.end(ctx, *ending)
	}
	if done, ok := a.load(ctx, at); done {
		return ok
	}
	if ending := a.prepare(at, cache); ending != nil {
		return a.end(ctx, *ending)
	}
	at.pass = pass
	a.chaos("before_intent")
	open = at
	allowed, err := a.recorder.Intent(at.intent(a.boot, a.catalog.Hash))
	if err != nil {
		a.logger.WarnContext(ctx, "intent was not committed", slog.String("task_id", m.TaskID.String()), slog.Any("err", err))
		a.settle(ctx, at, a.closed(at, notSent(err), a.now())) // in case the row is there after all
		return false
	}
	if !allowed { // the task has left the bundle, or another worker has this one
		return true
	}
	a.chaos("after_intent")
	settlement := a.call(ctx, at)
	called(len(settlement.RawUsage) > 0)
	a.settle(ctx, at, settlement)
	return true
}

// bugReason is what a task is told of a panic.
const bugReason = "a bug of weir's, see its log"

// salvage ends the attempt of a member whose way through weir panicked, and its task with it: one task never takes the
// others' process down. open is nil when there is no intent yet.
func (a *attempts) salvage(ctx context.Context, bundle uuid.UUID, m *store.Member, open *attempt, p any) bool {
	a.panicked(ctx, m, p)
	if open == nil {
		return a.end(ctx, store.Ending{
			TaskID: m.TaskID, ResultID: resultID(m), BundleID: bundle, Status: task.Failed, Reason: bugReason,
		})
	}
	now := a.now()
	a.settle(ctx, open, store.Settlement{
		TaskID: m.TaskID, BundleID: bundle, AttemptID: open.id, State: store.AttemptClosed,
		Verdict: store.VerdictErrored, Failure: task.FailInternal, Reason: bugReason, Counted: true,
		PriceBook: a.bookHash, Latency: now.Sub(open.started), FinishedAt: now,
		Next: store.Next{
			State: string(task.Failed), Stage: m.Stage, Sideways: m.Sideways, Model: m.Model, ResultID: resultID(m),
			Reason: bugReason,
		},
	})
	return true
}

func (a *attempts) panicked(ctx context.Context, m *store.Member, p any) {
	a.logger.ErrorContext(ctx, "attempt panicked", slog.String("task_id", m.TaskID.String()), slog.Any("panic", p),
		slog.String("stack", string(debug.Stack())))
}

// call makes the call and turns whatever comes of it into a settlement, a panic included.
func (a *attempts) call(ctx context.Context, at *attempt) (s store.Settlement) {
	defer func() {
		if p := recover(); p != nil {
			a.panicked(ctx, at.member, p)
			s = a.closed(at, &ended{failure: task.FailInternal, reason: bugReason, counted: true, own: true}, a.now())
		}
	}()
	reply, err := a.providers[at.model.Provider].Do(ctx, at.request)
	finished := a.now()
	a.chaos("after_body")
	judged := a.judge(ctx, at, reply, err)
	a.chaos("after_validate")
	if u := reply.Usage; u != nil && at.member.Hint == nil { // a hint is not the task's
		a.planner.Learn(at.member.Model, at.task, u.Prompt())
	}
	judged.took = finished.Sub(at.started)
	a.gates.observe(ctx, at, judged, finished)
	return a.closed(at, judged, finished)
}

// cachingOf is what the calls of a bundle ask of the provider's prompt cache; warm says that it has their prefix already.
func (a *attempts) cachingOf(m *store.Member, members int, warm func(providers.Cache) bool) caching {
	price, err := a.models.Price(m.Model, a.now())
	if err != nil { // every member is told so
		return caching{}
	}
	lifetimes := Lifetimes(a.catalog.Providers[a.catalog.Models[m.Model].Provider].API, price)
	return cachingOf(a.catalog.Features[m.Feature], price, a.models.Traits(m.Model), lifetimes, members, warm)
}

// open decodes the task. It gives an ending instead when no call can be made.
func (a *attempts) open(bundle uuid.UUID, m *store.Member) (*attempt, *store.Ending) {
	at := &attempt{id: newID(), bundle: bundle, member: m, model: a.catalog.Models[m.Model]}
	fail := func(status task.Status, reason string) (*attempt, *store.Ending) {
		ending := at.ending(status, reason)
		return nil, &ending
	}
	if m.Deadline != nil && !a.now().Before(*m.Deadline) {
		return fail(task.Expired, pastDeadline)
	}
	feature, ok := a.catalog.Features[m.Feature]
	if !ok {
		return fail(task.Failed, fmt.Sprintf("the feature %q is no longer configured", m.Feature))
	}
	at.feature = feature
	var err error
	if at.task, err = task.Decode(m.Body, a.limits); err != nil {
		return fail(task.Failed, "the stored task cannot be read: "+err.Error())
	}
	if at.stages, err = a.plans.stages(m.Stages); err != nil || m.Stage >= len(at.stages) {
		return fail(task.Failed, "the stored plan cannot be read")
	}
	return at, nil
}

// pastDeadline is the reason of a task that expires.
const pastDeadline = "the deadline has passed"

// prepare encodes the call of an open attempt with its files. It gives an ending instead when none can be made.
func (a *attempts) prepare(at *attempt, cache caching) *store.Ending {
	m := at.member
	fail := func(status task.Status, reason string) *store.Ending {
		ending := at.ending(status, reason)
		return &ending
	}
	at.started = a.now() // the price is that of the time of sending, which the files' fetching is before
	if m.Deadline != nil && !at.started.Before(*m.Deadline) {
		return fail(task.Expired, pastDeadline)
	}
	var err error
	if at.request, err = a.providers[at.model.Provider].Prepare(labelled(a.callOf(at, cache), m)); err != nil {
		return fail(task.Failed, "the call cannot be encoded: "+err.Error())
	}
	at.bound = a.boundOf(at)
	if m.MaxCost != nil && (at.bound == nil || m.CostHigh+*at.bound > task.Pico(*m.MaxCost)) {
		return fail(task.Failed, overCost(m, at.bound))
	}
	at.files = nil // the request has them
	return nil
}

// set says how the model is to work, in the words that it takes.
func (a *attempts) set(call *providers.Call, at *attempt) {
	name := at.member.Model
	call.Effort, call.Temperature = a.models.EffortFor(at.feature, name), a.models.TemperatureFor(at.feature, name)
	call.ThinkingTokens = a.models.ThinkingFor(name, call.MaxOutputTokens)
	call.ServiceTier = at.model.ServiceTier
	call.Timeout = a.catalog.CallTimeout(at.feature, at.model)
}

// cacheKey is the same for all calls with a stable prefix, whichever task they are of.
func cacheKey(prefix uuid.UUID) string { return "weir-" + hex.EncodeToString(prefix[:]) }

// callOf is the call of an attempt: of a model with everything that it is to know, of a translation service with the text.
func (a *attempts) callOf(at *attempt, cache caching) providers.Call {
	m := at.member
	if a.catalog.Translates(m.Model) {
		call := newTranslation(at.id, at.task, at.feature, at.model.ID)
		call.Timeout, call.Attachments = a.catalog.CallTimeout(at.feature, at.model), at.files
		return call
	}
	call := newCall(at.id, at.task, at.feature, at.model.ID, m.MaxOutput, deref(m.Hint))
	call.JSONSchema, call.Cache = a.models.TakesSchema(m.Model), cache.with(at.task.Tools)
	call.CacheKey = cacheKey(a.planner.PrefixHash(m.Feature, at.task.Tools))
	call.Attachments = at.files
	a.set(&call, at)
	return call
}

// boundOf is the most that the request can cost, nil without a price: by its bytes and the longest answer, or by the
// characters of a translation, which are what is billed.
func (a *attempts) boundOf(at *attempt) *task.Pico {
	price, err := a.models.Price(at.member.Model, at.started)
	if err != nil {
		return nil
	}
	var bound task.Pico
	if price.ByCharacter() {
		bound, err = price.Characters(at.request.Characters)
	} else {
		prompt, known := promptBound(a.models, at.member.Model, at.model.ID, len(at.request.Body), at.files)
		if !known {
			return nil
		}
		bound, err = price.Bound(prompt, int64(at.member.MaxOutput))
	}
	if err != nil {
		return nil
	}
	return &bound
}

func overCost(m *store.Member, bound *task.Pico) string {
	if bound == nil {
		return "the next call has no price in force, or brings a file whose size in tokens nobody knows, so the task's cost ceiling cannot be kept"
	}
	return fmt.Sprintf("the next call may cost up to %s USD, which with %s USD spent exceeds the task's ceiling of %s USD",
		bound, m.CostHigh, task.Pico(*m.MaxCost))
}

// intent is the row that is committed before the call leaves.
func (at *attempt) intent(owner uuid.UUID, configHash string) store.Intent {
	return store.Intent{
		TaskID: at.member.TaskID, BundleID: at.bundle, AttemptID: at.id, Owner: owner, Stage: at.member.Stage,
		Provider: at.model.Provider, Model: at.member.Model, ModelAsked: at.model.ID, Mode: string(planner.ModeOf(at.model)),
		Bound: at.bound, ConfigHash: configHash, StartedAt: at.started,
	}
}

// end finishes a member without a call; false says that it could not.
func (a *attempts) end(ctx context.Context, ending store.Ending) bool {
	_, err := store.Finish(ctx, a.pool, a.now(), []string{store.StateReleased}, []store.Ending{ending})
	if err != nil {
		a.logger.WarnContext(ctx, "task was not ended", slog.String("task_id", ending.TaskID.String()), slog.Any("err", err))
		return false
	}
	a.deliverer.Recover()
	return true
}

// settle commits a settlement and passes on what follows.
func (a *attempts) settle(ctx context.Context, at *attempt, s store.Settlement) {
	a.chaos("before_settle")
	settled, err := a.recorder.Settle(s)
	a.chaos("after_settle")
	switch {
	case errors.Is(err, store.ErrSettledBefore):
		// An earlier try landed without an answer: recovery publishes its result. Or the intent never landed: the job's
		// next run makes the attempt.
		a.deliverer.Recover()
	case err != nil:
		a.logger.ErrorContext(ctx, "settlement was not committed", slog.String("task_id", s.TaskID.String()),
			slog.String("attempt_id", s.AttemptID.String()), slog.Any("err", err))
	case settled.Finished:
		a.deliverer.Add(at.result(s, settled))
	case !settled.Fenced:
		a.dispatcher.Wake()
	}
}

func (at *attempt) result(s store.Settlement, settled store.Settled) task.Result {
	m := at.member
	r := task.Result{
		ResultID: s.Next.ResultID, TaskID: m.TaskID, ID: m.Key, Tenant: m.Tenant, Feature: m.Feature,
		Status: task.Status(s.Next.State), Reason: s.Next.Reason, Class: task.Class(m.Class), Attempts: settled.Attempts,
		CostUSD: settled.Cost, CostHighUSD: settled.CostHigh, Batch: at.task.Batch, Metadata: at.task.Metadata,
		Traceparent: at.task.Traceparent, AcceptedAt: m.AcceptedAt.UTC(), FinishedAt: s.FinishedAt.UTC().Truncate(time.Microsecond), // as Postgres keeps it
	}
	if r.Status == task.Succeeded {
		r.Model, r.Output = m.Model, string(s.Output)
		r.ToolCalls = decodeToolCalls(s.ToolCalls)
	}
	return r
}

func decodeToolCalls(data json.RawMessage) []task.ToolCall {
	if len(data) == 0 {
		return nil
	}
	var calls []task.ToolCall
	if json.Unmarshal(data, &calls) != nil { // written by weir itself; a result without them is better than none
		return nil
	}
	return calls
}

func resultID(m *store.Member) uuid.UUID { return task.ResultID(m.Tenant, m.Key, m.Run) }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// jitter spreads waits; it decides nothing that has to be repeatable.
func jitter() float64 { return rand.Float64() } //nolint:gosec // spreading load needs no secrecy
