package cascade

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// Action is what follows from an attempt.
type Action string

// The actions. Complete and Fail end the task; the others send it back to the dispatcher.
const (
	Complete  Action = "complete"
	SameModel Action = "same_model"
	Wait      Action = "wait"
	Sideways  Action = "sideways"
	Escalate  Action = "escalate"
	Fail      Action = "fail"
)

// Ceilings and waits of the retry table. All of them bound one task.
const (
	// BackoffBase is the ceiling of the first wait after an error; it doubles with each further one.
	BackoffBase = time.Second
	// BackoffCap is the longest wait after an error that names none.
	BackoffCap = time.Minute
	// HardWait is the wait where only a person can help: a dead quota, a refused key.
	HardWait = 5 * time.Minute
	// SpentWait is the wait before a retry that the model's retry budget has no room for.
	SpentWait = 20 * time.Second
	// AgainBase is the wait before a model is tried once more when all else has been; it doubles up to AgainCap. With the
	// eight attempts that a task has, they outlast an outage of an hour.
	AgainBase = 2 * time.Minute
	AgainCap  = time.Hour
	// RetryAfterJitter is the largest share that is added to a wait that a provider asked for, so that the tasks
	// that it turned away do not come back together.
	RetryAfterJitter = 0.1
)

// State is a task at the end of an attempt, that attempt not yet counted.
type State struct {
	Stage         int // from 0
	Stages        int
	Sideways      int // 0: the stage's own model, n: its n-th fallback
	Fallbacks     int // how many fallbacks the stage has
	Skip          int // stages after this one that an escalation leaves out; see Vote
	Calls         int // attempts that have ended, counted or not
	Attempts      int // counted ones
	ModelAttempts int // counted ones on the current model
	MaxAttempts   int
	CostHigh      task.Pico // the most that the task may have cost, this attempt included
	MaxCost       task.Pico // 0 means no ceiling
	Refusal       catalog.Policy
	Away          catalog.Away // what the feature does while a model is away; empty means sideways
	Probe         bool         // the attempt was to find out whether the model is back
	Shut          bool         // the model is left alone by now
	RetriesSpent  bool         // the model's retry budget is used up
	Deadline      time.Time    // zero means none
	Now           time.Time
	Jitter        float64 // in [0, 1), from the caller, so that the decision stays a function
}

// Event is how an attempt ended.
type Event struct {
	// Accepted says that the answer passed every validator; Failure is empty then.
	Accepted bool
	// Failure is why there is no accepted answer.
	Failure task.FailureClass
	// RetryAfter is the wait that the provider asked for.
	RetryAfter time.Duration
	// Reason is the verdict's or the error's text.
	Reason string
}

// Decision is what follows.
type Decision struct {
	Action Action
	// Status is how the task ended, for Complete and Fail.
	Status task.Status
	// Stage and Sideways name the model of the next attempt.
	Stage    int
	Sideways int
	// NotBefore is zero when the next attempt may start at once.
	NotBefore time.Time
	// Counted says whether the attempt counts against the ceilings.
	Counted bool
	// Alarm says that a person has to look: nothing heals this by waiting.
	Alarm bool
	// Reason says in words why.
	Reason string
}

// Decide is the retry table. It is total: every state and event has a decision, and the ceilings bound the number of
// counted attempts, so every task ends unless a provider stays away for ever, where it waits until its deadline.
func Decide(s State, e Event) Decision {
	if e.Accepted {
		return Decision{Action: Complete, Status: task.Succeeded, Stage: s.Stage, Sideways: s.Sideways, Counted: true}
	}
	d := react(s, e)
	if d.Counted {
		s.Attempts++
		s.ModelAttempts++
	}
	if d.Action == Fail {
		d.Status = task.Failed
		return d
	}
	return ceilings(s, d)
}

// rule is one row of the retry table.
type rule struct {
	counted bool
	same    int  // how often the same model is tried again
	aside   bool // then a model of equal tier
	late    bool // a model of equal tier when the wait would outlast the deadline
	up      bool // then the next stage
	again   bool // else the same model once more, while the task has attempts left
	wait    bool // else wait: the provider is away, the task is fine
	away    bool // the trouble is the provider's: the feature says what may be done about it
	alarm   bool
}

func ruleFor(class task.FailureClass) rule {
	switch class {
	case task.FailNotSent, task.FailRateLimited, task.FailSlowDown:
		return rule{late: true, wait: true, away: true}
	case task.FailQuota, task.FailAuth, task.FailNotFound:
		return rule{aside: true, wait: true, away: true, alarm: true}
	// A provider's trouble moves traffic to a dearer model only where the feature says so: an hour of it would put the
	// day's bill on the flagship.
	// What turned the call away at the door costs nothing and is waited for; what may have been billed uses up attempts.
	case task.FailOverloaded:
		return rule{counted: true, same: 2, aside: true, wait: true, away: true}
	case task.FailServer, task.FailLost:
		return rule{counted: true, same: 2, aside: true, again: true, away: true}
	case task.FailTimeout, task.FailLostNet, task.FailMalformed:
		return rule{counted: true, same: 1, aside: true, again: true, away: true}
	case task.FailTooLong, task.FailTruncated, task.FailInvalid:
		return rule{counted: true, up: true}
	case task.FailInternal:
		return rule{counted: true, same: 1}
	case task.FailBadRequest:
		return rule{counted: true}
	case task.FailRefusal:
		return rule{counted: true} // by the feature's policy, see react
	}
	return rule{counted: true}
}

func react(s State, e Event) Decision {
	r := ruleFor(e.Failure)
	if e.Failure == task.FailRefusal {
		r.up = s.Refusal == catalog.RefusalEscalate
		r.aside = s.Refusal == catalog.RefusalSideways
	}
	if r.away {
		r = whileAway(s, e, r)
	}
	d := Decision{Stage: s.Stage, Sideways: s.Sideways, Counted: r.counted, Alarm: r.alarm, Reason: reason(e)}
	tried := s.ModelAttempts
	if r.counted {
		tried++
	}
	switch {
	case r.same > 0 && tried <= r.same:
		d.Action = SameModel
		d.NotBefore = s.Now.Add(retryWait(s))
	case r.aside && s.Sideways < s.Fallbacks:
		d.Action = Sideways
		d.Sideways++
	case r.up && s.Stage+1+s.Skip < s.Stages:
		d.Action = Escalate
		d.Stage += 1 + s.Skip
		d.Sideways = 0
	case r.wait:
		d.Action = Wait
		d.Counted = false // the ceilings are for tries; who waits tries nothing
		d.NotBefore = s.Now.Add(waitFor(s, e, r))
	case r.again:
		d.Action = SameModel
		d.NotBefore = s.Now.Add(againWait(tried-r.same, s.Jitter))
	default:
		d.Action = Fail
	}
	return d
}

// whileAway is the rule of a failure that is the provider's, as the feature and the moment have it.
func whileAway(s State, e Event, r rule) rule {
	if s.Probe { // it was sent out to fail for all the others: that uses up nothing of its own
		return rule{wait: true, alarm: r.alarm}
	}
	if s.Shut { // not this task's trouble but everybody's
		r = rule{aside: r.aside, late: r.late, wait: true, alarm: r.alarm}
	}
	if r.late && !s.Deadline.IsZero() && !s.Now.Add(waitFor(s, e, r)).Before(s.Deadline) {
		r.aside = true
	}
	if s.RetriesSpent && r.aside && s.Away != catalog.AwayWait && s.Sideways < s.Fallbacks {
		r.same = 0 // instead of more calls where there is trouble already
	}
	switch s.Away {
	case catalog.AwayWait:
		r.aside = false
	case catalog.AwayEscalate:
		r.up = r.aside
	case catalog.AwaySideways:
	}
	return r
}

// againWait doubles from AgainBase to AgainCap, and a tenth at most is added; n is 1 for the first.
func againWait(n int, jitter float64) time.Duration {
	wait := AgainCap
	if n <= 5 { // AgainBase*2^5 is above the cap
		wait = min(AgainCap, AgainBase<<max(0, n-1))
	}
	return wait + time.Duration(float64(wait)*RetryAfterJitter*jitter)
}

// retryWait is the back-off before the same model is tried again, and SpentWait where it has been retried too often.
func retryWait(s State) time.Duration {
	if s.RetriesSpent {
		return SpentWait/2 + time.Duration(float64(SpentWait/2)*s.Jitter)
	}
	return backoff(s.Calls, s.Jitter)
}

// ceilings turns a decision to go on into an end when a limit of the task is reached. Waiting is never cut short by
// attempts, since it makes none, but a spent budget ends it too.
func ceilings(s State, d Decision) Decision {
	end := func(status task.Status, why string) Decision {
		return Decision{
			Action: Fail, Status: status, Stage: s.Stage, Sideways: s.Sideways,
			Counted: d.Counted, Alarm: d.Alarm, Reason: why + "; last: " + d.Reason,
		}
	}
	switch {
	case !s.Deadline.IsZero() && !s.Now.Before(s.Deadline):
		return end(task.Expired, "the deadline has passed")
	case d.Action != Wait && s.MaxAttempts > 0 && s.Attempts >= s.MaxAttempts:
		return end(task.Failed, fmt.Sprintf("all %d attempts are used", s.MaxAttempts))
	case s.MaxCost > 0 && s.CostHigh >= s.MaxCost:
		return end(task.Failed, fmt.Sprintf("the cost ceiling of %s USD is reached", s.MaxCost))
	}
	return d
}

func reason(e Event) string {
	if e.Reason == "" {
		return string(e.Failure)
	}
	return string(e.Failure) + ": " + e.Reason
}

func waitFor(s State, e Event, r rule) time.Duration {
	wait := backoff(s.Calls, s.Jitter)
	if r.alarm {
		wait = HardWait
	}
	if asked := e.RetryAfter + time.Duration(float64(e.RetryAfter)*RetryAfterJitter*s.Jitter); asked > wait {
		return asked
	}
	return wait
}

// backoff is "full jitter": uniform in [0, min(cap, base*2^n)), with a floor of a tenth, so that no retry is instant.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func backoff(n int, jitter float64) time.Duration {
	limit := BackoffCap
	if n < 6 { // base*2^6 is above the cap already
		limit = min(BackoffCap, BackoffBase<<n)
	}
	return limit/10 + time.Duration(float64(limit-limit/10)*jitter)
}
