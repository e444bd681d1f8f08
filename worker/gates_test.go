package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/worker"
)

// shortGates makes an hour of a breaker's time six seconds.
func shortGates(c *worker.Config) {
	c.Timing.Breaker, c.Timing.BreakerMost = 25*time.Millisecond, 500*time.Millisecond
	c.Timing.HardProbe, c.Timing.Ramp = time.Hour, 10*time.Millisecond
}

// fallback is what models answer with while they are down.
func (f *fakeModel) always(a answer, models ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, model := range models {
		f.script[model] = []answer{a}
	}
}

func (f *fakeModel) total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := 0
	for _, n := range f.calls {
		sum += n
	}
	return sum
}

// more starts further workers on the same Postgres.
func (b *testBundle) more(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range n {
		config := b.config
		config.Boot, config.SpoolDir = uuid.Must(uuid.NewV7()), t.TempDir()
		w, err := worker.New(config)
		require.NoError(t, err)
		running.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Errorf("worker: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func (b *testBundle) status(t *testing.T) map[string]store.Status {
	t.Helper()
	found, err := store.ProviderStatus(t.Context(), b.pool)
	require.NoError(t, err)
	byName := map[string]store.Status{}
	for _, s := range found {
		byName[s.Scope+" "+s.Name] = s
	}
	return byName
}

func (b *testBundle) publishMany(t *testing.T, feature string, n int) {
	t.Helper()
	for i := range n {
		b.publish(t, fmt.Sprintf(`{"id":"%s%d","feature":%q,"input":"Is it?"}`, feature, i, feature))
	}
}

// An outage of an hour, six seconds by these breakers' clock: eight processes with a backlog make few calls, no task
// fails or uses up its attempts, and all of them are done when the provider is back.
func TestGates_AnHourOfOutageFailsNoTask(t *testing.T) {
	t.Parallel()
	const tasks, mostCalls = 300, 250
	outage := 6 * time.Second
	down := answer{status: http.StatusServiceUnavailable, body: "overloaded"}
	b := prepare(t, map[string][]answer{}, shortGates)
	b.fake.always(down, "gpt-6-luna", "gpt-5-nano", "gpt-6.2-sol", "gpt-6.2-astra")
	b.start(t)
	b.more(t, 7)
	b.publishMany(t, "triage", tasks)
	over := time.NewTimer(outage)
	defer over.Stop()
	<-over.C
	calls := b.fake.total()
	t.Logf("%d calls during the outage", calls)
	require.LessOrEqual(t, calls, mostCalls)
	require.Greater(t, calls, 10, "probes went on")
	require.Contains(t, b.status(t), "model luna")
	b.fake.always(say("yes"), "gpt-6-luna", "gpt-5-nano")
	for range tasks {
		r := b.result(t)
		require.Equal(t, task.Succeeded, r.Status, r.Reason)
		require.LessOrEqual(t, r.Attempts, 4)
	}
	later := 0
	require.Eventually(t, func() bool {
		_, shut := b.status(t)["model luna"]
		if shut { // others may have done all there was, and nobody probes without a task
			later++
			b.publish(t, fmt.Sprintf(`{"id": "later-%d", "feature": "triage", "input": "x"}`, later))
		}
		return !shut
	}, 20*time.Second, 200*time.Millisecond, "the gate closes for good")
	require.Zero(t, b.fake.count("gpt-6.2-sol"), "an outage never makes a task dearer")
}

// A refused key opens the whole account, hard: nothing is called until a person or the hour says so.
func TestGates_ARefusedKeyOpensTheAccount(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{
		"gpt-6-luna": {{status: http.StatusUnauthorized, body: "no such key"}},
	}, shortGates)
	b.publish(t, `{"id":"first","feature":"triage","input":"Is it?"}`)
	require.Eventually(t, func() bool { return b.status(t)["provider fake"].Hard }, 20*time.Second, 20*time.Millisecond)
	b.publishMany(t, "expert", 20) // other models of the same account
	requireStays(t, func() bool { return b.fake.total() == 1 }, time.Second, "one call")
	require.Equal(t, "auth", b.status(t)["provider fake"].Failure)

	b.fake.always(say("yes"), "gpt-6-luna", "gpt-5-nano")
	keys, err := store.ResetGates(t.Context(), b.pool, "fake")
	require.NoError(t, err)
	require.Equal(t, []store.GateKey{{Scope: store.ScopeProvider, Name: "fake"}}, keys)
	for range 21 {
		require.Equal(t, task.Succeeded, b.result(t).Status)
	}
}

// A new start may bring a new key: what a person heals is tried at once.
func TestGates_AStartTriesWhatAPersonHeals(t *testing.T) {
	t.Parallel()
	b := prepare(t, map[string][]answer{}, shortGates)
	opened, err := store.OpenGate(t.Context(), b.pool, store.GateKey{Scope: store.ScopeProvider, Name: "fake"}, store.Opening{
		Failure: "auth", Reason: "no such key", First: time.Second, Most: time.Second, Hard: time.Hour,
	})
	require.NoError(t, err)
	require.True(t, opened)
	b.start(t)
	b.publishMany(t, "triage", 50)
	for range 50 {
		require.Equal(t, task.Succeeded, b.result(t).Status)
	}
}

// A template that the provider refuses fails a few tasks, not the backlog, and no other feature.
func TestGates_ABadTemplatePausesItsFeature(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{
		"gpt-6-luna": {{status: http.StatusBadRequest, body: "no such parameter"}},
	}, shortGates, func(c *worker.Config) { c.Catalog.Lanes.Now.ReleasedTasks = 10 })
	b.publishMany(t, "triage", 200)
	require.Eventually(t, func() bool { return b.status(t)["feature triage"].Hard }, 20*time.Second, 20*time.Millisecond)
	failed := func() int {
		var n int
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM weir.tasks WHERE state = 'failed'`).Scan(&n))
		return n
	}
	requireStays(t, func() bool { return failed() <= 20 }, time.Second, "those that were under way")
	b.publish(t, `{"id":"other","feature":"expert","input":"Is it?"}`)
	for {
		if r := b.result(t); r.ID == "other" {
			require.Equal(t, task.Succeeded, r.Status, r.Reason)
			return
		}
	}
}

// What waits at a model that is left alone goes to a model of equal tier without a failed call of its own.
func TestGates_TheBacklogGoesSideways(t *testing.T) {
	t.Parallel()
	b := prepare(t, map[string][]answer{}, shortGates)
	b.hold(t, store.ScopeModel, "luna")
	b.start(t)
	b.publishMany(t, "triage", 100)
	for range 100 {
		r := b.result(t)
		require.Equal(t, task.Succeeded, r.Status, r.Reason)
		require.Equal(t, "nano", r.Model)
		require.Equal(t, 1, r.Attempts)
	}
	require.Zero(t, b.fake.count("gpt-6-luna"))
}

// A feature may pay for a dearer model instead of waiting, or wait although there is another one.
func TestGates_WhenAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		away catalog.Away
		want string
	}{
		{away: catalog.AwayEscalate, want: "sol"},
		{away: catalog.AwaySideways},
		{away: catalog.AwayWait},
	} {
		t.Run(string(tt.away), func(t *testing.T) {
			t.Parallel()
			b := prepare(t, map[string][]answer{}, shortGates, func(c *worker.Config) {
				feature := c.Catalog.Features["triage"]
				feature.WhenAway = tt.away
				c.Catalog.Features["triage"] = feature
			})
			b.hold(t, store.ScopeModel, "luna")
			if tt.away != catalog.AwayWait {
				b.hold(t, store.ScopeModel, "nano")
			}
			b.start(t)
			b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
			if tt.want != "" {
				require.Equal(t, tt.want, b.result(t).Model)
				return
			}
			require.Eventually(t, func() bool { return b.state(t, "a") == "ready" }, 20*time.Second, 20*time.Millisecond)
			requireStays(t, func() bool { return b.fake.total() == 0 && b.state(t, "a") == "ready" }, 2*time.Second, "it waits")
		})
	}
}

// hold leaves something alone for an hour.
func (b *testBundle) hold(t *testing.T, scope, name string) {
	t.Helper()
	limited, err := store.LimitGate(t.Context(), b.pool, store.GateKey{Scope: scope, Name: name}, time.Hour, "rate_limited", "busy")
	require.NoError(t, err)
	require.True(t, limited)
}

// A long Retry-After keeps the whole fleet away, a short one only delays.
func TestGates_ALongRetryAfterIsForAll(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{
		"gpt-6.2-astra": {{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "7200"}, body: "later"}},
	}, shortGates)
	b.publish(t, `{"id":"first","feature":"expert","input":"Is it?"}`)
	require.Eventually(t, func() bool { return b.status(t)["model astra"].State == store.GateLimited }, 20*time.Second, 20*time.Millisecond)
	until := b.status(t)["model astra"].Until
	require.WithinDuration(t, time.Now().Add(2*time.Hour), *until, time.Minute)
	b.publishMany(t, "expert", 20)
	requireStays(t, func() bool { return b.fake.total() == 1 }, time.Second, "nobody else calls")
}
