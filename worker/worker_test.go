package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/worker"
)

func TestWorker_AcceptedAnswerCompletes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?","metadata":{"k":"v"},"batch":"night"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, "yes", r.Output)
	require.Equal(t, "luna", r.Model)
	require.Equal(t, task.L1, r.Class)
	require.Equal(t, 1, r.Attempts)
	require.Equal(t, map[string]string{"k": "v"}, r.Metadata)
	require.Equal(t, "night", r.Batch)
	require.Equal(t, task.ResultID("acme", "a", 1), r.ResultID)
	// 1,000 tokens at 0.10 and 10 at 0.50 USD per million
	require.Equal(t, "0.000105", r.CostUSD.String())
	require.Equal(t, r.CostUSD, r.CostHighUSD)
	got := b.attempts(t, "a")
	require.Len(t, got, 1)
	require.Equal(t, "closed", got[0].State)
	require.Equal(t, "accepted", *got[0].Verdict)
	require.Equal(t, int64(105_000_000), *got[0].Cost)
	require.GreaterOrEqual(t, *got[0].Bound, *got[0].Cost)
	require.Equal(t, int64(1000), *got[0].Input)
}

func TestWorker_RejectedOutputGoesToNextStage(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6-luna": {say("maybe")}, "gpt-6.2-sol": {say("perhaps")}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, "astra", r.Model)
	got := b.attempts(t, "a")
	require.Len(t, got, 3)
	for i, model := range []string{"luna", "sol", "astra"} {
		require.Equal(t, model, got[i].Model)
		require.Equal(t, i+1, got[i].N)
	}
	require.Equal(t, "rejected", *got[0].Verdict)
	require.Contains(t, *got[0].Validator, "enum@")
	require.Equal(t, "invalid", *got[0].Failure)
	// 0.000105 + 0.0021 + 0.0084
	require.Equal(t, "0.010605", r.CostUSD.String())
	b.fake.mu.Lock()
	defer b.fake.mu.Unlock()
	require.Contains(t, b.fake.prompts[1], "rejected by a check", "the next model is told what was wrong")
}

func TestWorker_LastStageFails(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6-luna": {say("?")}, "gpt-6.2-sol": {say("?")}, "gpt-6.2-astra": {say("?")}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "invalid")
	require.Empty(t, r.Output)
	require.Len(t, b.attempts(t, "a"), 3)
}

func TestWorker_RateLimitWaitsWithoutCountingAnAttempt(t *testing.T) {
	t.Parallel()
	limited := answer{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "1"}, body: "slow"}
	b := setup(t, map[string][]answer{"gpt-6-luna": {limited, say("yes")}})
	began := time.Now()
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, 1, r.Attempts)
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	got := b.attempts(t, "a")
	require.Len(t, got, 2)
	require.False(t, got[0].Counted)
	require.Equal(t, "rate_limited", *got[0].Failure)
	require.Zero(t, *got[0].Cost, "what was turned away cost nothing")
}

func TestWorker_OutageGoesSidewaysAndNeverUp(t *testing.T) {
	t.Parallel()
	down := answer{status: http.StatusServiceUnavailable, body: "overloaded"}
	b := setup(t, map[string][]answer{"gpt-6-luna": {down}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, "nano", r.Model)
	require.Zero(t, b.fake.count("gpt-6.2-sol"))
	require.Equal(t, 3, b.fake.count("gpt-6-luna"))
}

func TestWorker_TimeoutHasACostInterval(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6.2-astra": {{hold: make(chan struct{})}, say("done")}})
	b.publish(t, `{"id":"a","feature":"expert","input":"Think."}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Greater(t, r.CostHighUSD, r.CostUSD, "nobody knows what the first call cost")
	got := b.attempts(t, "a")
	require.Equal(t, "timeout", *got[0].Failure)
	require.Nil(t, got[0].Cost)
	require.Equal(t, int64(r.CostHighUSD-r.CostUSD), *got[0].Bound)
}

func TestWorker_BadRequestFailsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6-luna": {{status: http.StatusBadRequest, body: "no such parameter"}}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "no such parameter")
	require.Equal(t, 1, b.fake.count("gpt-6-luna"))
}

func TestWorker_CostCeilingPreventsTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"expert","input":"Think.","max_cost_usd":"0.0001"}`)
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "ceiling")
	require.Zero(t, b.fake.count("gpt-6.2-astra"))
	require.Zero(t, r.CostHighUSD)
}

func TestWorker_DeadlineExpires(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?","deadline":"2020-01-01T00:00:00Z"}`)
	r := b.result(t)
	require.Equal(t, task.Expired, r.Status)
	require.Zero(t, b.fake.count("gpt-6-luna"))
}

func TestWorker_RefusedBodyGetsAResult(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","inputt":"typo"}`)
	r := b.result(t)
	require.Equal(t, task.Refused, r.Status)
	require.Contains(t, r.Reason, "inputt")
	require.Equal(t, "a", r.ID)
	b.publish(t, `{"id":"a","feature":"triage","input":"corrected"}`)
	require.Equal(t, task.Succeeded, b.result(t).Status, "the key of a refused body stays free")
}

func TestWorker_PromptAboveEveryModelFails(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *worker.Config) {
		astra := c.Catalog.Models["astra"]
		astra.MaxInput = 1000
		c.Catalog.Models["astra"] = astra
		changed := c.Planner.Config
		changed.Models = planner.NewModels(c.Catalog, c.Book, time.Now)
		c.Planner = planner.New(changed)
	})
	body, err := json.Marshal(task.Task{ID: "a", Feature: "expert", Input: strings.Repeat("word ", 10_000)})
	require.NoError(t, err)
	b.publish(t, string(body))
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "input limit of 1000")
}

func TestWorker_StopFinishesCallsAndHandsTheRestBack(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	b := setup(t, map[string][]answer{"gpt-6-luna": {{status: http.StatusOK, body: "yes", hold: hold}}})
	const n = 40 // above the provider's concurrency of 16
	for i := range n {
		b.publish(t, fmt.Sprintf(`{"id":"t%d","feature":"triage","input":"Is it?"}`, i))
	}
	for range 16 {
		<-b.fake.called
	}
	stopped := make(chan struct{})
	go func() {
		b.stop()
		close(stopped)
	}()
	// every call is under way and nothing else starts: let them go once the stop is known
	require.Eventually(t, func() bool { return b.fake.count("gpt-6-luna") == 16 }, 5*time.Second, 10*time.Millisecond)
	close(hold)
	<-stopped
	var finished, lost int
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE state = 'succeeded') FROM weir.tasks`).Scan(&finished))
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM weir.attempts WHERE state <> 'closed'`).Scan(&lost))
	require.GreaterOrEqual(t, finished, 16)
	require.Zero(t, lost, "a paid answer is never thrown away")
	b.start(t)
	seen := map[string]bool{}
	for len(seen) < n {
		r := b.result(t)
		require.Equal(t, task.Succeeded, r.Status)
		seen[r.ID] = true
	}
	require.Equal(t, n, b.fake.count("gpt-6-luna"), "nothing was called twice")
}

func TestWorker_CancelledWhileInFlightBooksTheCostOnly(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	b := setup(t, map[string][]answer{"gpt-6-luna": {{status: http.StatusOK, body: "yes", hold: hold}}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	<-b.fake.called
	_, err := b.pool.Exec(t.Context(), `
		UPDATE weir.tasks SET state = 'cancelled', bundle_id = NULL, finished_at = now() WHERE key = 'a'`)
	require.NoError(t, err)
	close(hold)
	require.Eventually(t, func() bool { return b.attempts(t, "a")[0].State == "closed" }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, "cancelled", b.state(t, "a"))
	var cost int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT cost_pusd FROM weir.tasks WHERE key = 'a'`).Scan(&cost))
	require.Equal(t, int64(105_000_000), cost)
}

func TestWorker_DeadProcessIsReaped(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	script := map[string][]answer{"gpt-6-luna": {{status: http.StatusOK, body: "yes", hold: hold}}}
	b := setup(t, script, func(c *worker.Config) {
		triage := c.Catalog.Features["triage"]
		triage.CallTimeout = time.Minute // the reaper calls nobody dead before its own lease has been steady for a while
		c.Catalog.Features["triage"] = triage
	})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	<-b.fake.called
	// the process seems dead to the others: its lease has run out while its call is under way
	_, err := b.pool.Exec(t.Context(), `
		UPDATE weir.processes SET id = gen_random_uuid(), beat_at = now() - interval '1 hour'`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.attempts SET owner = (SELECT id FROM weir.processes)`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.bundles SET owner = (SELECT id FROM weir.processes)`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `
		INSERT INTO weir.processes SELECT $1, host, roles, version, started_at, now() + interval '1 hour' FROM weir.processes`,
		b.config.Boot)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.attempts(t, "a")[0].State == "lost" }, 10*time.Second, 20*time.Millisecond)
	require.Nil(t, b.attempts(t, "a")[0].Cost)
	<-b.fake.called // the task runs again
	close(hold)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, 2, r.Attempts)
	// the late answer of the first call brings its cost and nothing else
	require.Eventually(t, func() bool { return b.attempts(t, "a")[0].Cost != nil }, 5*time.Second, 20*time.Millisecond)
	var cost, high int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT cost_pusd, cost_high_pusd FROM weir.tasks WHERE key = 'a'`).Scan(&cost, &high))
	require.Equal(t, int64(210_000_000), cost)
	require.Equal(t, cost, high)
	require.Empty(t, b.results, "there is one result")
}

func TestWorker_UnpublishedResultsAreRecovered(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?","metadata":{"k":"v"}}`)
	first := b.result(t)
	require.Eventually(t, func() bool {
		tag, err := b.pool.Exec(t.Context(), `UPDATE weir.results SET published_at = NULL WHERE published_at IS NOT NULL`)
		return err == nil && tag.RowsAffected() == 1
	}, 5*time.Second, 10*time.Millisecond)
	again := b.result(t)
	require.Equal(t, first.FinishedAt.UnixMicro(), again.FinishedAt.UnixMicro())
	again.FinishedAt, again.AcceptedAt = first.FinishedAt, first.AcceptedAt
	require.Equal(t, first, again, "the ledger gives the same result as memory did")
}

func TestWorker_LoneTaskIsQuick(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var waits []time.Duration
	for i := range 7 {
		began := time.Now()
		b.publish(t, fmt.Sprintf(`{"id":"t%d","feature":"triage","input":"Is it?"}`, i))
		<-b.fake.called
		waits = append(waits, time.Since(began))
		b.result(t)
	}
	quick := 0
	for _, wait := range waits {
		if wait < 150*time.Millisecond {
			quick++
		}
	}
	t.Logf("publish to provider call: %v", waits)
	require.GreaterOrEqual(t, quick, 4, "the median is under 150 ms")
}
