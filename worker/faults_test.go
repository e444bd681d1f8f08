package worker_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/worker"
)

// poison is the input that the broken parts below break on.
const poison = "poison"

// brokenProvider panics on poison, on the way to a call or in it.
type brokenProvider struct {
	providers.Provider
	in string
}

func (p brokenProvider) Prepare(c providers.Call) (providers.Request, error) {
	if p.in == "prepare" && strings.Contains(c.Messages[len(c.Messages)-1].Content, poison) {
		panic("prepare")
	}
	return p.Provider.Prepare(c)
}

func (p brokenProvider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	if p.in == "do" && strings.Contains(string(r.Body), poison) {
		panic("do")
	}
	return p.Provider.Do(ctx, r)
}

func TestWorker_PanicInAnAttemptFailsItsTaskOnly(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"prepare", "do"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, func(c *worker.Config) {
				c.Providers["fake"] = brokenProvider{Provider: c.Providers["fake"], in: in}
			})
			requireOnlyPoisonFails(t, b)
		})
	}
}

// requireOnlyPoisonFails publishes a poisoned task among others.
func requireOnlyPoisonFails(t *testing.T, b *testBundle) {
	t.Helper()
	inputs := map[string]string{"a": "Is it?", "b": poison, "c": "Is it not?"}
	for id, input := range inputs {
		b.publish(t, fmt.Sprintf(`{"id":%q,"feature":"triage","input":%q}`, id, input))
	}
	for range inputs {
		r := b.result(t)
		if inputs[r.ID] == poison {
			require.Equal(t, task.Failed, r.Status)
			require.NotEmpty(t, r.Reason)
			continue
		}
		require.Equal(t, task.Succeeded, r.Status, r.Reason)
	}
	var open int
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM weir.attempts WHERE state = 'in_flight'`).Scan(&open))
	require.Zero(t, open)
}

// brokenClassifier panics on poison, or says of it what Postgres refuses.
type brokenClassifier struct {
	classifier.Classifier
	refused bool
}

func (c brokenClassifier) Classify(s classifier.Subject) (classifier.Decision, error) {
	if !strings.Contains(s.Task.Input, poison) {
		return c.Classifier.Classify(s)
	}
	if !c.refused {
		panic("classify")
	}
	return classifier.Decision{Class: task.L1, Source: "a\x00b"}, nil
}

func breakClassifier(c *worker.Config, refused bool) {
	broken := c.Planner.Config
	broken.Classifier = brokenClassifier{Classifier: broken.Classifier, refused: refused}
	c.Planner = planner.New(broken)
}

func TestWorker_PanickingClassifierGivesTheSafeClass(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *worker.Config) { breakClassifier(c, false) })
	b.publish(t, `{"id":"a","feature":"triage","input":"poison"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status, r.Reason)
	require.Equal(t, b.config.Catalog.Classifier.Default, r.Class)
}

func TestWorker_RefusedClassFailsItsTaskOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *worker.Config) {
		breakClassifier(c, true)
	})
	requireOnlyPoisonFails(t, b)
}

func TestWorker_ClosedPortPausesTheModel(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *worker.Config) {
		server := httptest.NewServer(nil)
		server.Close() // its port refuses from here on
		client, err := openai.New(providers.Config{BaseURL: server.URL, AllowPrivate: true, Timeout: 2 * time.Second})
		require.NoError(t, err)
		c.Providers["fake"] = client
	})
	const n, concurrency = 400, 16
	for i := range n {
		b.publish(t, fmt.Sprintf(`{"id":"t%d","feature":"triage","input":"Is it?"}`, i))
	}
	count := func(sql string) int {
		var rows int
		require.NoError(t, b.pool.QueryRow(t.Context(), sql).Scan(&rows))
		return rows
	}
	require.Eventually(t, func() bool {
		return count(`SELECT count(*) FROM weir.tasks WHERE state NOT IN ('queued')`) == n &&
			count(`SELECT count(*) FROM weir.attempts WHERE state = 'not_sent'`) > 0
	}, 20*time.Second, 20*time.Millisecond)
	requireStays(t, func() bool { return count(`SELECT count(*) FROM weir.attempts`) <= n/4 }, 2*time.Second,
		"each pause lets at most %d calls through", concurrency)
	require.Zero(t, count(`SELECT count(*) FROM weir.tasks WHERE finished_at IS NOT NULL`))
}

func TestWorker_OutageOfPostgresKillsNobody(t *testing.T) {
	t.Parallel()
	server := pgtest.StartDurable(t)
	b := prepare(t, nil, func(c *worker.Config) {
		c.Pool, c.RiverPool, c.BeatPool = server.Pool(t), server.Pool(t), server.Pool(t)
	})
	b.pool = b.config.Pool
	b.start(t)
	b.publish(t, `{"id":"before","feature":"triage","input":"Is it?"}`)
	require.Equal(t, task.Succeeded, b.result(t).Status)
	// long enough that the reaper would have been allowed to work without the outage
	lease := b.config.Timing.Lease
	requireStays(t, func() bool { return b.processes(t) == 1 }, lease, "one process")
	// another process, alive but silent for as long as the outage lasts
	_, err := b.pool.Exec(t.Context(), `
		INSERT INTO weir.processes (id, host, roles, version, started_at, beat_at)
		VALUES (gen_random_uuid(), 'other', '{}', '', now(), now())`)
	require.NoError(t, err)
	server.Kill(t)
	<-time.After(3 * lease)
	server.Start(t)
	require.Eventually(t, func() bool { return b.processes(t) == 2 }, 10*time.Second, 20*time.Millisecond)
	requireStays(t, func() bool { return b.processes(t) == 2 }, lease/2, "the others get a lease to be heard again")
	b.publish(t, `{"id":"after","feature":"triage","input":"Is it?"}`)
	require.Equal(t, task.Succeeded, b.result(t).Status)
	// the other one has had its time
	require.Eventually(t, func() bool { return b.processes(t) == 1 }, 20*time.Second, 50*time.Millisecond)
}

// processes counts those that hold a lease; -1 while Postgres is away.
func (b *testBundle) processes(t *testing.T) int {
	t.Helper()
	var n int
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM weir.processes`).Scan(&n); err != nil {
		return -1
	}
	return n
}

// requireStays checks a condition again and again for a time. Unlike require.Never it leaves no check running behind that
// would meet a test that has ended.
func requireStays(t *testing.T, holds func() bool, d time.Duration, message string, args ...any) {
	t.Helper()
	end := time.NewTimer(d)
	defer end.Stop()
	ticker := time.NewTicker(d / 20)
	defer ticker.Stop()
	for {
		require.True(t, holds(), append([]any{message}, args...)...)
		select {
		case <-end.C:
			return
		case <-ticker.C:
		}
	}
}
