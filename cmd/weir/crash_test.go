package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

const crashYAML = `
providers:
  sim: {api: openai, base_url: "%s", allow_private: true, concurrency: 8, timeout: 10s}
models:
  luna: {provider: sim, id: gpt-6-luna, tier: mini}
  sol: {provider: sim, id: gpt-6.2-sol, tier: mid}
  astra: {provider: sim, id: gpt-6.2-astra, tier: flagship}
cascades:
  L1: [luna, sol, astra]
features:
  triage:
    system: |
      Sort the message. Answer with one of:
      - billing
      - refund
      - delivery
    class: L1
    max_output_tokens: 400
    validators: [{type: enum, values: [billing, refund, delivery]}]
lanes:
  now: {bundle_tasks: 20, released_tasks: 60}
`

const (
	crashTasks = 60
	crashLease = 1500 * time.Millisecond
	// crashRecovery is the promise: a killed process's work runs again within its lease and twenty seconds.
	crashRecovery = crashLease + 20*time.Second
	// crashRedelivery is the promise for what a killed ingester had read and not yet brought into Postgres: JetStream
	// keeps that for its AckWait of 30 s, which is not scaled with the lease.
	crashRedelivery = 30*time.Second + 20*time.Second
)

// crashBundle is servers that outlive the weir processes of a crash test.
type crashBundle struct {
	dsn    string
	pool   *pgxpool.Pool
	nats   *natstest.Server
	js     jetstream.JetStream
	sim    *sim.Server
	config string
	spool  string
	env    []string // of the processes, beside what all have

	mu      sync.Mutex
	results map[string]map[uuid.UUID]task.Result // by the task's id, then by the result's identity
}

func setupCrash(t *testing.T, dsn string, pool *pgxpool.Pool) *crashBundle {
	t.Helper()
	return setupServers(t, dsn, pool, crashYAML, crashSim())
}

func crashSim() sim.Config { return sim.Config{Seed: 7, Speed: 20} }

// setupServers starts what weir processes need. The %s of the configuration becomes the simulator's address.
func setupServers(t *testing.T, dsn string, pool *pgxpool.Pool, yaml string, config sim.Config) *crashBundle {
	t.Helper()
	server, err := sim.New(config)
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context(), "127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	b := &crashBundle{
		dsn: dsn, pool: pool, nats: natstest.StartListening(t), sim: server, spool: t.TempDir(),
		config: filepath.Join(t.TempDir(), "weir.yaml"), results: map[string]map[uuid.UUID]task.Result{},
	}
	require.NoError(t, os.WriteFile(b.config, fmt.Appendf(nil, yaml, server.URL()), 0o600))
	b.js = b.nats.JetStream(t)
	require.NoError(t, ingest.EnsureStreams(t.Context(), b.js, ingest.StreamConfig{MaxBytes: 256 << 20}))
	b.collect(t)
	return b
}

// collect keeps every result that is ever delivered.
func (b *crashBundle) collect(t *testing.T) {
	t.Helper()
	consumer, err := b.js.OrderedConsumer(t.Context(), task.StreamResults, jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		var r task.Result
		if json.Unmarshal(m.Data(), &r) != nil {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.results[r.ID] == nil {
			b.results[r.ID] = map[uuid.UUID]task.Result{}
		}
		b.results[r.ID][r.ResultID] = r
	})
	require.NoError(t, err)
	t.Cleanup(consuming.Stop)
}

func (b *crashBundle) answered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.results)
}

// child is a weir process.
type child struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	ended  chan error
}

// start runs weir in a process of its own; chaos arms a crash point.
func (b *crashBundle) start(t *testing.T, chaos string) *child {
	t.Helper()
	return b.startWith(t, b.spool, chaos)
}

func (b *crashBundle) startWith(t *testing.T, spool, chaos string) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &child{stderr: &bytes.Buffer{}, ended: make(chan error, 1)}
	c.cmd = exec.Command(self, "run", "--config", b.config, "--spool-dir", spool) //nolint:noctx // it is killed, not cancelled
	c.cmd.Env = append(os.Environ(), childEnv+"=1", "DATABASE_URL="+b.dsn, "NATS_URL="+b.nats.URL(),
		"WEIR_BEAT=200ms", "WEIR_LEASE="+crashLease.String(), "WEIR_CHAOS="+chaos, "WEIR_LOG_LEVEL=warn")
	c.cmd.Env = append(c.cmd.Env, b.env...)
	c.cmd.Stderr = c.stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, c.cmd.Start())
	go func() { c.ended <- c.cmd.Wait() }()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("weir (chaos %q) said:\n%s", chaos, c.stderr.String())
		}
	})
	return c
}

// mustDie waits until the process has killed itself at its crash point, and returns when that was.
func (c *child) mustDie(t *testing.T) (killed time.Time) {
	t.Helper()
	select {
	case err := <-c.ended:
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		status, ok := exit.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		require.True(t, status.Signaled(), "it ended by itself: %v\n%s", err, c.stderr)
		require.Equal(t, syscall.SIGKILL, status.Signal())
	case <-time.After(30 * time.Second):
		require.Fail(t, "the process never came to its crash point")
	}
	return time.Now()
}

// stop ends a process in order.
func (c *child) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-c.ended:
		require.NoError(t, err, c.stderr.String())
	case <-time.After(30 * time.Second):
		require.Fail(t, "the process does not stop")
	}
}

func (b *crashBundle) publish(t *testing.T, n int) {
	t.Helper()
	p, err := producer.New(b.nats.Connect(t), producer.Config{Tenant: "acme"})
	require.NoError(t, err)
	tasks := make([]task.Task, n)
	for i := range tasks {
		tasks[i] = task.Task{
			ID: fmt.Sprintf("t%d", i), Feature: "triage",
			Input: fmt.Sprintf("Message %d: where is my parcel? %s", i, strings.Repeat("Please. ", i%20)),
		}
	}
	_, err = p.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})
	require.NoError(t, err)
}

// finish runs a fresh process until everything is answered, which has to be soon enough after the kill, and checks every
// promise.
func (b *crashBundle) finish(t *testing.T, n int, killed time.Time, within time.Duration) {
	t.Helper()
	if b.count(t, `SELECT count(*) FROM weir.tasks`) < n { // the killed ingester held the rest
		within = crashRedelivery
	}
	last := b.start(t, "")
	require.Eventually(t, func() bool { return b.answered() == n }, time.Until(killed.Add(within)), 20*time.Millisecond,
		"every accepted task gets its result within %s of the kill", within)
	t.Logf("all answered %s after the kill", time.Since(killed).Round(time.Millisecond))
	// a second result could still come from work that is under way
	require.Eventually(t, func() bool { return b.count(t, `SELECT count(*) FROM weir.attempts WHERE state = 'in_flight'`) == 0 },
		crashRecovery, 50*time.Millisecond)
	last.stop(t)
	b.check(t, n)
}

func (b *crashBundle) count(t *testing.T, sql string) int {
	t.Helper()
	var n int
	require.NoError(t, b.pool.QueryRow(t.Context(), sql).Scan(&n))
	return n
}

// check holds the ledger against the published tasks, the delivered results and the provider's own books.
func (b *crashBundle) check(t *testing.T, n int) {
	t.Helper()
	require.Equal(t, n, b.count(t, `SELECT count(*) FROM weir.tasks`), "nothing is lost and nothing taken in twice")
	b.mu.Lock()
	for id, results := range b.results {
		require.Len(t, results, 1, "task %s has one result, however often it is delivered", id)
	}
	b.mu.Unlock()
	b.checkBills(t)
	ledgertest.Check(t, b.pool)
}

// checkBills finds the attempt of every request that the provider began and holds its bill against what weir says.
func (b *crashBundle) checkBills(t *testing.T) {
	t.Helper()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	exact, within := 0, 0
	for _, entry := range b.sim.Ledger() {
		var cost, bound *int64
		var started time.Time
		err := b.pool.QueryRow(t.Context(), `
			SELECT cost_pusd, bound_pusd, started_at FROM weir.attempts WHERE id = $1
			UNION ALL
			SELECT cost_pusd, bound_pusd, started_at FROM weir.shadow_calls WHERE id = $1
			UNION ALL
			SELECT cost_pusd, bound_pusd, sent_at FROM weir.embedding_calls WHERE id = $1`, entry.AttemptID).
			Scan(&cost, &bound, &started)
		require.NoError(t, err, "the provider's request %d has no attempt", entry.Seq)
		if entry.Began.IsZero() {
			continue // it billed nothing
		}
		biller := entry.API
		switch biller {
		case catalog.APIGemini:
			biller = "google"
		case "openai-embeddings":
			biller = "openai"
		}
		price, err := book.Price(pricing.Query{Provider: biller, Model: entry.Model, At: started, ServiceTier: entry.Tier})
		require.NoError(t, err)
		bill, err := price.Cost(entry.Usage)
		require.NoError(t, err)
		if cost != nil {
			require.Equal(t, bill.Total, task.Pico(*cost), "a settled attempt costs what the provider billed")
			exact++
			continue
		}
		require.NotNil(t, bound)
		require.LessOrEqual(t, bill.Total, task.Pico(*bound), "the bill of a lost call lies in its interval")
		within++
	}
	t.Logf("%d bills exact, %d within their intervals", exact, within)
	require.Positive(t, exact)
}

func newCrashBundle(t *testing.T) *crashBundle {
	t.Helper()
	dsn := pgtest.DSN(t)
	return setupCrash(t, dsn, pgtest.Open(t, dsn))
}

func TestCrash_KillAtEveryPoint(t *testing.T) {
	t.Parallel()
	points := []string{
		"fetched", "in_tx", "committed", "acked", // ingest
		"dispatch_in_tx", "dispatch_committed",
		"stage_fetched", "before_intent:3", "after_intent:5", "after_validate:6", "after_body:7", "before_settle:9",
		"settle_in_tx:2", "after_settle:11",
		"after_publish", "after_mark", // deliver
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			b := newCrashBundle(t)
			doomed := b.start(t, point)
			b.publish(t, crashTasks)
			b.finish(t, crashTasks, doomed.mustDie(t), crashRecovery)
		})
	}
}

// TestCrash_KillAtEveryPoint_InJobs leaves the tasks to classify jobs.
func TestCrash_KillAtEveryPoint_InJobs(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"committed", "classify_fetched", "classify_in_tx"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			b := setupServers(t, dsn, pgtest.Open(t, dsn), crashYAML+"classifier: {in_jobs: true}\n", crashSim())
			doomed := b.start(t, point)
			b.publish(t, crashTasks)
			b.finish(t, crashTasks, doomed.mustDie(t), crashRecovery)
		})
	}
}

// TestCrash_KillAtEveryPoint_InShadow kills processes that make shadow calls: what left is lost with its bound, and the next
// process makes the others.
func TestCrash_KillAtEveryPoint_InShadow(t *testing.T) {
	t.Parallel()
	const inFlight, lost = `SELECT count(*) FROM weir.shadow_calls WHERE state = 'in_flight'`,
		`SELECT count(*) FROM weir.shadow_calls WHERE state = 'lost' AND bound_pusd > 0 AND cost_pusd IS NULL`
	const closed = `SELECT count(*) FROM weir.shadow_calls WHERE state = 'closed'`
	for _, point := range []string{"shadow_sent:2", "shadow_answered:2"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			yaml := strings.Replace(crashYAML, "class: L1", "class: L1\n    shadow_share: 1", 1)
			b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml, crashSim())
			doomed := b.start(t, point)
			b.publish(t, crashTasks)
			doomed.mustDie(t)
			heir := b.start(t, "")
			require.Eventually(t, func() bool {
				return b.answered() == crashTasks && b.count(t, lost) > 0 && b.count(t, closed) >= 4
			}, crashRedelivery, 50*time.Millisecond)
			heir.stop(t)
			require.Zero(t, b.count(t, inFlight), "a process in order waits for its own")
			b.check(t, crashTasks)
		})
	}
}

func TestCrash_KillMidCall(t *testing.T) {
	t.Parallel()
	b := newCrashBundle(t)
	b.sim.Hold("gpt-6-luna")
	doomed := b.start(t, "")
	b.publish(t, crashTasks)
	require.Eventually(t, func() bool { return len(b.sim.Ledger()) >= 8 }, 20*time.Second, 10*time.Millisecond,
		"the provider has as many requests as weir may have in flight")
	require.NoError(t, doomed.cmd.Process.Kill())
	killed := doomed.mustDie(t)
	b.sim.Release("gpt-6-luna")
	b.finish(t, crashTasks, killed, crashRecovery)
	require.GreaterOrEqual(t, b.count(t, `SELECT count(*) FROM weir.attempts WHERE state = 'lost'`), 1)
}

func TestCrash_KillTheReaper(t *testing.T) {
	t.Parallel()
	b := newCrashBundle(t)
	first := b.start(t, "after_intent:4")
	b.publish(t, crashTasks)
	first.mustDie(t)
	second := b.start(t, "reap_in_tx")
	b.finish(t, crashTasks, second.mustDie(t), crashRecovery)
}

func TestCrash_KillTheRecovery(t *testing.T) {
	t.Parallel()
	b := newCrashBundle(t)
	first := b.start(t, "after_publish") // in the stream, but the ledger does not know
	b.publish(t, crashTasks)
	first.mustDie(t)
	second := b.start(t, "recover_read")
	b.finish(t, crashTasks, second.mustDie(t), crashRecovery)
}

func TestCrash_ZombieIsFenced(t *testing.T) {
	t.Parallel()
	b := newCrashBundle(t)
	b.sim.Hold("gpt-6-luna")
	zombie := b.start(t, "")
	b.publish(t, crashTasks)
	require.Eventually(t, func() bool { return len(b.sim.Ledger()) >= 8 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, zombie.cmd.Process.Signal(syscall.SIGSTOP))
	b.sim.Release("gpt-6-luna")
	heir := b.start(t, "")
	require.Eventually(t, func() bool { return b.answered() == crashTasks }, crashRedelivery, 20*time.Millisecond)
	require.NoError(t, zombie.cmd.Process.Signal(syscall.SIGCONT))
	select {
	case err := <-zombie.ended:
		require.Error(t, err)
		require.Contains(t, zombie.stderr.String(), "given up by the others")
	case <-time.After(30 * time.Second):
		require.Fail(t, "the zombie goes on")
	}
	heir.stop(t)
	b.check(t, crashTasks)
	require.Positive(t, b.count(t, `SELECT count(*) FROM weir.attempts WHERE late`),
		"the zombie's answers still brought their cost")
}

func TestCrash_PaidAnswersSurvivePostgresAndWeir(t *testing.T) {
	t.Parallel()
	postgres := pgtest.StartDurable(t)
	migrateDatabase(t, postgres.DSN())
	pool := postgres.Pool(t)
	b := setupCrash(t, postgres.DSN(), pool)
	b.sim.Hold("gpt-6-luna")
	doomed := b.start(t, "")
	b.publish(t, 8)
	require.Eventually(t, func() bool { return len(b.sim.Ledger()) == 8 }, 20*time.Second, 10*time.Millisecond)
	postgres.Kill(t)
	b.sim.Release("gpt-6-luna")
	require.Eventually(t, func() bool {
		files, err := filepath.Glob(filepath.Join(b.spool, "*.jsonl"))
		if err != nil || len(files) == 0 {
			return false
		}
		data, err := os.ReadFile(files[0])
		return err == nil && bytes.Count(data, []byte("\n")) == 8
	}, 20*time.Second, 50*time.Millisecond, "the answers are on disk")
	require.NoError(t, doomed.cmd.Process.Kill())
	doomed.mustDie(t)
	postgres.Start(t)
	pool.Reset()
	b.finish(t, 8, time.Now(), crashRecovery) // from when Postgres is back
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.attempts WHERE cost_pusd IS NULL`),
		"every cost is known, although the process died before Postgres came back")
}

// TestCrash_PostgresOutageKillsNobody: both processes are silent for longer than a lease, but neither is dead.
func TestCrash_PostgresOutageKillsNobody(t *testing.T) {
	t.Parallel()
	postgres := pgtest.StartDurable(t)
	migrateDatabase(t, postgres.DSN())
	pool := postgres.Pool(t)
	b := setupCrash(t, postgres.DSN(), pool)
	b.sim.Hold("gpt-6-luna")
	children := []*child{b.start(t, ""), b.startWith(t, t.TempDir(), "")}
	b.publish(t, crashTasks)
	require.Eventually(t, func() bool { return len(b.sim.Ledger()) >= 8 }, 20*time.Second, 10*time.Millisecond,
		"calls are under way")
	require.Eventually(t, func() bool { return b.count(t, `SELECT count(*) FROM weir.processes`) == len(children) },
		20*time.Second, 10*time.Millisecond)

	postgres.Kill(t)
	b.sim.Release("gpt-6-luna") // the answers come while there is nobody to write them
	oneEnded := func() bool { return len(children[0].ended)+len(children[1].ended) > 0 }
	require.Never(t, oneEnded, 3*crashLease, 20*time.Millisecond, "a process ended without Postgres")
	postgres.Start(t)
	pool.Reset()

	back := time.Now()
	require.Eventually(t, func() bool { return b.answered() == crashTasks || oneEnded() }, crashRedelivery, 20*time.Millisecond,
		"every accepted task gets its result")
	t.Logf("all answered %s after Postgres came back", time.Since(back).Round(time.Millisecond))
	require.Never(t, oneEnded, 3*crashLease, 20*time.Millisecond, "a process was given up for the silence of Postgres")
	for _, c := range children {
		c.stop(t)
	}
	b.check(t, crashTasks)
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.attempts WHERE state = 'lost' OR cost_pusd IS NULL`),
		"no call is given up while its process lives")
}

func migrateDatabase(t *testing.T, dsn string) {
	t.Helper()
	var out bytes.Buffer
	env := func(name string) string {
		if name == "DATABASE_URL" {
			return dsn
		}
		return ""
	}
	require.NoError(t, run(context.WithoutCancel(t.Context()), []string{"migrate"}, env, nil, &out, &out), out.String())
}
