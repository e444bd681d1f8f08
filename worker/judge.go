package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// ended is how an attempt ended, before the decision on what follows.
type ended struct {
	reply      providers.Reply
	answered   bool // reply holds an answer
	accepted   bool
	failure    task.FailureClass
	reason     string
	validator  string
	status     int
	requestID  string
	retryAfter time.Duration
	counted    bool
	free       bool // provably not billed
	spent      bool // the model's retry budget has no room for another try
	own        bool // weir's own failure: it says nothing of the provider
	took       time.Duration
	limits     providers.RateLimits // as the provider told them
	vote       *uuid.UUID           // of a valid answer that was put to the vote
}

func notSent(err error) *ended {
	return &ended{failure: task.FailNotSent, reason: err.Error(), free: true, own: true}
}

// judge turns an answer or an error into an end: what failed, or what the validators say.
func (a *attempts) judge(ctx context.Context, at *attempt, reply providers.Reply, err error) *ended {
	var e *ended
	if err != nil {
		e = failed(reply, err)
	} else {
		e = a.validate(ctx, at, reply)
	}
	at.poll(e)
	return e
}

// validate says what the feature's validators do.
func (a *attempts) validate(ctx context.Context, at *attempt, reply providers.Reply) *ended {
	e := &ended{reply: reply, answered: true, requestID: reply.RequestID, counted: true, limits: reply.RateLimits}
	verdict, err := a.validators[at.member.Feature].Validate(&validators.Answer{
		Output: reply.Output, ToolCalls: reply.ToolCalls, Task: at.task,
		Truncated: reply.Stop == providers.StopMaxTokens || reply.Stop == providers.StopContext,
		Refused:   reply.Stop == providers.StopRefusal || reply.Stop == providers.StopFilter,
	})
	if err != nil { // a validator that breaks is a bug or an attack, and no verdict
		a.logger.ErrorContext(ctx, "validator broke", slog.String("task_id", at.member.TaskID.String()), slog.Any("err", err))
		e.failure, e.reason = task.FailInternal, err.Error()
		return e
	}
	if verdict.Accepted {
		e.accepted = true
		return e
	}
	e.validator, e.reason = fmt.Sprintf("%s@%d", verdict.Validator, verdict.Version), verdict.Reason
	e.failure = failureOf(reply.Stop)
	return e
}

// failureOf names the failure of a rejected answer: its stop reason decides before the validator's words.
func failureOf(stop providers.StopReason) task.FailureClass {
	switch stop {
	case providers.StopMaxTokens:
		return task.FailTruncated
	case providers.StopContext:
		return task.FailTooLong
	case providers.StopRefusal, providers.StopFilter:
		return task.FailRefusal
	case providers.StopEnd, providers.StopTools, providers.StopOther:
		return task.FailInvalid
	}
	return task.FailInvalid
}

// failed reads a provider's error.
func failed(reply providers.Reply, err error) *ended {
	e := &ended{reply: reply, failure: task.FailInternal, reason: err.Error(), counted: true}
	var callErr *providers.CallError
	if !errors.As(err, &callErr) {
		return e
	}
	e.failure, e.status, e.retryAfter = callErr.Class, callErr.Status, callErr.RetryAfter
	e.reason, e.requestID, e.limits = callErr.Message, callErr.RequestID, callErr.RateLimits
	e.free = reply.Usage == nil && callErr.Class.NeverBilled()
	return e
}

// closed is the settlement of an attempt: what it was, what it cost, and what follows.
func (a *attempts) closed(at *attempt, e *ended, finished time.Time) store.Settlement {
	s := a.ended(at, e, finished)
	d := cascade.Decide(a.state(at, e, s.Cost, finished), cascade.Event{
		Accepted: e.accepted, Failure: e.failure, RetryAfter: e.retryAfter, Reason: e.reason,
	})
	s.Counted = d.Counted
	s.Next = a.next(at, d, e, finished)
	s.Shadow = at.shadow(e, d)
	return s
}

// ended is what a call was and what it cost.
func (a *attempts) ended(at *attempt, e *ended, finished time.Time) store.Settlement {
	s := store.Settlement{
		TaskID: at.member.TaskID, BundleID: at.bundle, AttemptID: at.id, State: store.AttemptClosed,
		Verdict: store.VerdictErrored, Validator: e.validator, Reason: e.reason, Failure: e.failure,
		Vote: e.vote, HTTPStatus: e.status, StopReason: string(e.reply.Stop), ModelAnswered: e.reply.Model, Usage: e.reply.Usage,
		RawUsage: e.reply.RawUsage, ServiceTier: e.reply.ServiceTier, Speed: e.reply.Speed, Geo: e.reply.Geo,
		PriceBook: a.bookHash, Latency: finished.Sub(at.started), RequestID: e.requestID, FinishedAt: finished,
	}
	if e.answered {
		s.Verdict, s.Output = store.VerdictRejected, []byte(e.reply.Output)
		if len(e.reply.ToolCalls) > 0 {
			s.ToolCalls = toolCallsJSON(e.reply.ToolCalls)
		}
	}
	if e.accepted {
		s.Verdict = store.VerdictAccepted
	}
	if e.failure == task.FailInternal {
		s.Verdict = store.VerdictErrored
	}
	if e.failure == task.FailNotSent {
		s.State = store.AttemptNotSent
	}
	s.Cost, s.PriceRow = a.cost(at, e)
	s.ReportedCost = e.reply.ReportedCost // beside the cost, never for it
	return s
}

// toolCallsJSON encodes what always encodes: structs of strings.
func toolCallsJSON(calls []task.ToolCall) json.RawMessage {
	data, err := json.Marshal(calls)
	if err != nil {
		panic(err)
	}
	return data
}

// cost prices an attempt by what its answer says of itself and by the time of sending. nil is "unknown".
func (a *attempts) cost(at *attempt, e *ended) (*task.Pico, string) {
	if e.free {
		var zero task.Pico
		return &zero, ""
	}
	if e.reply.Usage == nil {
		return nil, ""
	}
	cost, err := a.priced(at, e.reply)
	if err != nil {
		a.logger.Error("attempt has no price", slog.String("model", at.member.Model),
			slog.String("model_answered", e.reply.Model), slog.String("attempt_id", at.id.String()), slog.Any("err", err))
		return nil, ""
	}
	return &cost.Total, cost.Row
}

// priced takes the price of the model that answered, at the time of sending. A reply that names a model which the book
// does not know has no price: another model's would be a guess.
func (a *attempts) priced(at *attempt, reply providers.Reply) (pricing.Cost, error) {
	price, err := a.models.PriceOf(at.model, pricing.Query{
		Model: reply.Model, At: at.started, Mode: planner.ModeOf(at.model),
		ServiceTier: reply.ServiceTier, Speed: reply.Speed, Geo: reply.Geo,
	})
	if err != nil {
		return pricing.Cost{}, err
	}
	return price.Cost(*reply.Usage)
}

// state is what the retry table decides on.
func (a *attempts) state(at *attempt, e *ended, cost *task.Pico, now time.Time) cascade.State {
	m := at.member
	s := cascade.State{
		Stage: m.Stage, Stages: len(at.stages), Skip: at.vote.Skip(), Sideways: m.Sideways, Fallbacks: len(at.stages[m.Stage].Sideways),
		Calls: m.Calls, Attempts: m.Attempts, ModelAttempts: m.ModelAttempts, MaxAttempts: at.feature.MaxAttempts,
		CostHigh: m.CostHigh, Refusal: at.feature.Refusal, Away: at.feature.WhenAway, Probe: m.Probe,
		Shut:         !e.own && a.gates.isShut(m.Model, ""),
		RetriesSpent: e.spent, Now: now, Jitter: jitter(),
	}
	if m.MaxCost != nil {
		s.MaxCost = task.Pico(*m.MaxCost)
	}
	switch {
	case cost != nil:
		s.CostHigh += *cost
	case at.bound != nil:
		s.CostHigh += *at.bound
	}
	if m.Deadline != nil {
		s.Deadline = *m.Deadline
	}
	return s
}

// next translates a decision for the store.
func (a *attempts) next(at *attempt, d cascade.Decision, e *ended, now time.Time) store.Next {
	m := at.member
	next := store.Next{State: store.StateReady, Stage: d.Stage, Sideways: d.Sideways, Reason: d.Reason}
	switch d.Action {
	case cascade.Complete, cascade.Fail:
		next.State, next.Model, next.ResultID = string(d.Status), m.Model, resultID(m)
		return next
	case cascade.Wait, cascade.SameModel, cascade.Sideways, cascade.Escalate:
	}
	next.Model = modelAt(at.stages, d.Stage, d.Sideways)
	next.ExpectedCost = a.models.ExpectedTask(next.Model, at.task, m.PromptTokens, int64(m.MaxOutput))
	if !d.NotBefore.IsZero() {
		next.Wait = d.NotBefore.Sub(now)
	}
	if d.Action == cascade.Escalate && at.feature.RepairHint && e.failure == task.FailInvalid && e.validator != agreement {
		next.Hint = e.reason
	}
	return next
}

func modelAt(stages []cascade.Stage, stage, sideways int) string {
	if sideways > 0 {
		return stages[stage].Sideways[sideways-1]
	}
	return stages[stage].Model
}
