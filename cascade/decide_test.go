package cascade_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

func failureClasses() []task.FailureClass {
	return []task.FailureClass{
		task.FailNotSent, task.FailRateLimited, task.FailSlowDown, task.FailQuota, task.FailOverloaded, task.FailServer,
		task.FailTimeout, task.FailLostNet, task.FailLost, task.FailMalformed, task.FailAuth, task.FailNotFound,
		task.FailBadRequest, task.FailTooLong, task.FailRefusal, task.FailTruncated, task.FailInvalid, task.FailInternal,
	}
}

func baseState() cascade.State {
	return cascade.State{
		Stages: 3, Fallbacks: 1, MaxAttempts: 8, Refusal: catalog.RefusalEscalate,
		Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Jitter: 0.5,
	}
}

func TestDecide_Table(t *testing.T) {
	t.Parallel()
	last := func(s *cascade.State) { s.Stage = 2 }
	escalate := func(s *cascade.State) { s.Away = catalog.AwayEscalate }
	wait := func(s *cascade.State) { s.Away = catalog.AwayWait }
	probe := func(s *cascade.State) { s.Probe = true }
	shut := func(s *cascade.State) { s.Shut = true }
	spent := func(s *cascade.State) { s.RetriesSpent = true }
	soon := func(s *cascade.State) { s.Deadline = s.Now.Add(50 * time.Millisecond) }
	noFallback := func(s *cascade.State) { s.Fallbacks = 0 }
	tests := []struct {
		name    string
		failure task.FailureClass
		change  []func(*cascade.State)
		action  cascade.Action
		counted bool
	}{
		{"InvalidEscalates", task.FailInvalid, nil, cascade.Escalate, true},
		{"InvalidAtLastStageFails", task.FailInvalid, []func(*cascade.State){last}, cascade.Fail, true},
		{"TruncatedEscalates", task.FailTruncated, nil, cascade.Escalate, true},
		{"TooLongEscalates", task.FailTooLong, nil, cascade.Escalate, true},
		{"RateLimitWaitsUncounted", task.FailRateLimited, nil, cascade.Wait, false},
		{"NotSentWaitsUncounted", task.FailNotSent, nil, cascade.Wait, false},
		{"QuotaGoesSideways", task.FailQuota, nil, cascade.Sideways, false},
		{"QuotaWithoutFallbackWaits", task.FailQuota, []func(*cascade.State){noFallback}, cascade.Wait, false},
		{"OverloadedTriesAgain", task.FailOverloaded, nil, cascade.SameModel, true},
		{
			"OverloadedTwiceGoesSideways", task.FailOverloaded,
			[]func(*cascade.State){func(s *cascade.State) { s.ModelAttempts = 2 }},
			cascade.Sideways, true,
		},
		{
			"OverloadedWithoutFallbackWaitsAndNeverEscalates", task.FailOverloaded,
			[]func(*cascade.State){noFallback, func(s *cascade.State) { s.ModelAttempts = 2 }},
			cascade.Wait, false,
		},
		{"TimeoutTriesOnceMore", task.FailTimeout, nil, cascade.SameModel, true},
		{
			"ProviderFaultsNeverEscalate", task.FailTimeout,
			[]func(*cascade.State){noFallback, func(s *cascade.State) { s.ModelAttempts = 5 }},
			cascade.SameModel, true,
		},
		{
			"ProviderFaultsGoSidewaysFirst", task.FailTimeout,
			[]func(*cascade.State){func(s *cascade.State) { s.ModelAttempts = 1 }},
			cascade.Sideways, true,
		},
		{"WaitBeyondTheDeadlineGoesSideways", task.FailRateLimited, []func(*cascade.State){soon}, cascade.Sideways, false},
		{"WaitBeyondTheDeadlineWithoutFallbackWaits", task.FailRateLimited, []func(*cascade.State){soon, noFallback}, cascade.Wait, false},
		{"WaitBeyondTheDeadlineEscalatesByPolicy", task.FailSlowDown, []func(*cascade.State){soon, noFallback, escalate}, cascade.Escalate, false},
		{"RateLimitNeverEscalatesInTime", task.FailRateLimited, []func(*cascade.State){noFallback, escalate}, cascade.Wait, false},
		{"QuotaEscalatesByPolicy", task.FailQuota, []func(*cascade.State){noFallback, escalate}, cascade.Escalate, false},
		{"QuotaPrefersSidewaysToEscalating", task.FailQuota, []func(*cascade.State){escalate}, cascade.Sideways, false},
		{"QuotaWaitsByPolicy", task.FailQuota, []func(*cascade.State){wait}, cascade.Wait, false},
		{"AuthWaitsAtTheLastStage", task.FailAuth, []func(*cascade.State){noFallback, escalate, last}, cascade.Wait, false},
		{"ServerErrorsStayByPolicy", task.FailServer, []func(*cascade.State){wait, func(s *cascade.State) { s.ModelAttempts = 5 }}, cascade.SameModel, true},
		{"AProbeThatFailsWaitsUncounted", task.FailServer, []func(*cascade.State){probe}, cascade.Wait, false},
		{"AProbeThatTimesOutWaitsUncounted", task.FailTimeout, []func(*cascade.State){probe}, cascade.Wait, false},
		{"AProbeIsJudgedAsEverybody", task.FailInvalid, []func(*cascade.State){probe}, cascade.Escalate, true},
		{"AtAShutModelNothingCounts", task.FailServer, []func(*cascade.State){shut, noFallback}, cascade.Wait, false},
		{"AtAShutModelItGoesSideways", task.FailTimeout, []func(*cascade.State){shut}, cascade.Sideways, false},
		{"SpentRetriesGoSidewaysAtOnce", task.FailServer, []func(*cascade.State){spent}, cascade.Sideways, true},
		{"SpentRetriesWithoutFallbackTryLater", task.FailServer, []func(*cascade.State){spent, noFallback}, cascade.SameModel, true},
		{"BadRequestFails", task.FailBadRequest, nil, cascade.Fail, true},
		{"RefusalEscalatesByPolicy", task.FailRefusal, nil, cascade.Escalate, true},
		{
			"RefusalFailsByPolicy", task.FailRefusal,
			[]func(*cascade.State){func(s *cascade.State) { s.Refusal = catalog.RefusalFail }},
			cascade.Fail, true,
		},
		{
			"RefusalGoesSidewaysByPolicy", task.FailRefusal,
			[]func(*cascade.State){func(s *cascade.State) { s.Refusal = catalog.RefusalSideways }},
			cascade.Sideways, true,
		},
		{
			"LastAttemptFails", task.FailServer,
			[]func(*cascade.State){func(s *cascade.State) { s.Attempts = 7 }},
			cascade.Fail, true,
		},
		{
			"CostCeilingFails", task.FailInvalid,
			[]func(*cascade.State){func(s *cascade.State) { s.MaxCost, s.CostHigh = 10, 10 }},
			cascade.Fail, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := baseState()
			for _, change := range tt.change {
				change(&s)
			}
			d := cascade.Decide(s, cascade.Event{Failure: tt.failure, Reason: "why"})
			require.Equal(t, tt.action, d.Action)
			require.Equal(t, tt.counted, d.Counted)
			require.Contains(t, d.Reason, "why")
		})
	}
}

func TestDecide_SpentRetriesWaitForLong(t *testing.T) {
	t.Parallel()
	s := baseState()
	s.Fallbacks, s.RetriesSpent = 0, true
	for _, jitter := range []float64{0, 0.999} {
		s.Jitter = jitter
		wait := cascade.Decide(s, cascade.Event{Failure: task.FailServer}).NotBefore.Sub(s.Now)
		require.GreaterOrEqual(t, wait, cascade.SpentWait/2)
		require.LessOrEqual(t, wait, cascade.SpentWait)
	}
}

// A task that meets nothing but errors has its last attempt after more than an hour, and then it ends.
func TestDecide_AttemptsOutlastAnHour(t *testing.T) {
	t.Parallel()
	for _, class := range []task.FailureClass{task.FailServer, task.FailTimeout, task.FailLostNet, task.FailMalformed} {
		s := baseState()
		s.Fallbacks, s.Jitter = 0, 0
		start := s.Now
		for {
			d := cascade.Decide(s, cascade.Event{Failure: class})
			if d.Action == cascade.Fail {
				break
			}
			require.Equal(t, cascade.SameModel, d.Action)
			s.Now, s.Calls, s.Attempts, s.ModelAttempts = d.NotBefore, s.Calls+1, s.Attempts+1, s.ModelAttempts+1
		}
		require.Equal(t, 7, s.Attempts)
		require.Greater(t, s.Now.Sub(start), time.Hour, class)
	}
}

func TestDecide_DeadlineExpires(t *testing.T) {
	t.Parallel()
	s := baseState()
	s.Deadline = s.Now
	d := cascade.Decide(s, cascade.Event{Failure: task.FailRateLimited})
	require.Equal(t, task.Expired, d.Status)
	require.Equal(t, cascade.Fail, d.Action)

	d = cascade.Decide(s, cascade.Event{Accepted: true})
	require.Equal(t, task.Succeeded, d.Status, "an answer that is there is not thrown away")
}

func TestDecide_RetryAfterIsAFloor(t *testing.T) {
	t.Parallel()
	s := baseState()
	for _, jitter := range []float64{0, 0.5, 0.999} {
		s.Jitter = jitter
		d := cascade.Decide(s, cascade.Event{Failure: task.FailRateLimited, RetryAfter: 3 * time.Hour})
		wait := d.NotBefore.Sub(s.Now)
		require.GreaterOrEqual(t, wait, 3*time.Hour)
		require.LessOrEqual(t, wait, 3*time.Hour+18*time.Minute)
	}
}

// step applies a decision as the store does.
func step(s cascade.State, d cascade.Decision) cascade.State {
	s.Calls++
	if d.Counted {
		s.Attempts++
		s.ModelAttempts++
	}
	if d.Stage != s.Stage || d.Sideways != s.Sideways {
		s.ModelAttempts = 0
	}
	s.Stage, s.Sideways = d.Stage, d.Sideways
	return s
}

// TestDecide_Exhaustive walks every reachable state of cascades of up to three stages under every event and proves what
// the worker relies on.
func TestDecide_Exhaustive(t *testing.T) {
	t.Parallel()
	events := []cascade.Event{{Accepted: true}}
	for _, class := range failureClasses() {
		events = append(events, cascade.Event{Failure: class}, cascade.Event{Failure: class, RetryAfter: time.Hour})
	}
	seen := map[cascade.State]bool{}
	var queue []cascade.State
	for stages := 1; stages <= 3; stages++ {
		for fallbacks := range 3 {
			for skip := range stages { // as many as a vote may leave out, and more
				s := baseState()
				s.Stages, s.Fallbacks, s.Skip = stages, fallbacks, skip
				queue = append(queue, s)
			}
			for _, policy := range []catalog.Policy{catalog.RefusalEscalate, catalog.RefusalSideways, catalog.RefusalFail} {
				s := baseState()
				s.Stages, s.Fallbacks, s.Refusal = stages, fallbacks, policy
				queue = append(queue, s)
			}
		}
	}
	for len(queue) > 0 {
		s := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		for _, e := range events {
			d := cascade.Decide(s, e)
			mustHold(t, s, e, d)
			if d.Action == cascade.Complete || d.Action == cascade.Fail {
				continue
			}
			next := step(s, d)
			next.Calls = min(next.Calls, 8) // backoff is flat above: the state space closes
			queue = append(queue, next)
		}
	}
	t.Logf("%d states, %d events each", len(seen), len(events))
	require.Greater(t, len(seen), 1000)
}

// answerFailed reports whether a failure says something of the model's answer or of the task, not of the provider.
func answerFailed(class task.FailureClass) bool {
	return slices.Contains([]task.FailureClass{task.FailInvalid, task.FailTruncated, task.FailTooLong, task.FailRefusal}, class)
}

func mustHold(t *testing.T, s cascade.State, e cascade.Event, d cascade.Decision) {
	t.Helper()
	about := fmt.Sprintf("%+v %+v -> %+v", s, e, d)
	ended := d.Action == cascade.Complete || d.Action == cascade.Fail
	require.Equal(t, ended, d.Status != "", about)
	require.Equal(t, e.Accepted, d.Action == cascade.Complete, about)
	if ended {
		return
	}
	next := step(s, d)
	require.True(t, d.Counted || d.Action == cascade.Wait || next.Stage > s.Stage || next.Sideways > s.Sideways,
		"every way on costs an attempt, waits or moves: %s", about)
	require.GreaterOrEqual(t, next.Stage, s.Stage, about)
	require.Less(t, next.Stage, s.Stages, about)
	require.LessOrEqual(t, next.Sideways, s.Fallbacks, about)
	require.LessOrEqual(t, next.Attempts, s.MaxAttempts, about)
	require.LessOrEqual(t, next.ModelAttempts, s.MaxAttempts, about)
	if d.Action == cascade.Escalate {
		require.True(t, answerFailed(e.Failure), "only an answer that is no good leads to a dearer model: %s", about)
	}
	if d.Action == cascade.Wait {
		require.False(t, d.Counted, about)
		require.True(t, d.NotBefore.After(s.Now), about)
	}
	if e.RetryAfter > 0 && d.Action == cascade.Wait {
		require.GreaterOrEqual(t, d.NotBefore.Sub(s.Now), e.RetryAfter, about)
	}
}
