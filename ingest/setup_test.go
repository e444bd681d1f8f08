package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, pool *pgxpool.Pool) error {
		return migrations.Up(ctx, pool, slog.New(slog.DiscardHandler))
	})
}

const (
	patience = 30 * time.Second
	tick     = 5 * time.Millisecond
)

// testBundle is a Postgres and a NATS of the test's own, with weir's streams, and no ingester yet.
type testBundle struct {
	tb     testing.TB
	pool   *pgxpool.Pool
	server *natstest.Server
	js     jetstream.JetStream // the producers' connection
}

func setup(tb testing.TB) *testBundle {
	tb.Helper()
	return setupOn(tb, pgtest.NewPool(tb), natstest.Start(tb))
}

func setupOn(tb testing.TB, pool *pgxpool.Pool, server *natstest.Server) *testBundle {
	tb.Helper()
	b := &testBundle{tb: tb, pool: pool, server: server, js: server.JetStream(tb)}
	require.NoError(tb, ingest.EnsureStreams(tb.Context(), b.js, ingest.StreamConfig{}))
	return b
}

func testCatalog() *catalog.Catalog {
	return &catalog.Catalog{Features: map[string]catalog.Feature{
		"triage":  {Name: "triage", Lane: task.LaneNow},
		"archive": {Name: "archive", Lane: task.LaneBatch, MaxCost: new(task.USD)},
	}, Attachments: catalog.Attachments{Buckets: []string{"files"}, MaxCount: 1}}
}

// ingester is a running ingester.
type ingester struct {
	stop func()
	done chan error
}

// run starts an ingester with a connection of its own; it ends with the test.
func (b *testBundle) run(change ...func(*ingest.Config)) *ingester {
	b.tb.Helper()
	config := ingest.Config{
		Pool: b.pool, Stream: b.server.JetStream(b.tb), Catalog: testCatalog(), Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&config)
	}
	ctx, cancel := context.WithCancel(b.tb.Context())
	in := &ingester{done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in.done <- ingest.Run(ctx, config)
	}()
	in.stop = func() {
		cancel()
		<-ended
	}
	b.tb.Cleanup(in.stop)
	return in
}

// impatient makes JetStream deliver what an ingester left unanswered soon again.
func impatient(c *ingest.Config) { c.AckWait = time.Second }

// publish publishes a body on the tasks' subject of tenant acme and a feature.
func (b *testBundle) publish(feature, body string, opts ...jetstream.PublishOpt) {
	b.tb.Helper()
	_, err := b.js.Publish(b.tb.Context(), task.Subject("acme", feature), []byte(body), opts...)
	require.NoError(b.tb, err)
}

// publishMany publishes n tasks in atomic batches, with the ids prefix-0 and so on.
func (b *testBundle) publishMany(prefix string, n int) {
	b.tb.Helper()
	b.publishAll(numbered(prefix, n))
}

func numbered(prefix string, n int) []task.Task {
	tasks := make([]task.Task, n)
	for i := range tasks {
		tasks[i] = task.Task{ID: fmt.Sprintf("%s-%d", prefix, i), Feature: "triage", Input: "text"}
	}
	return tasks
}

func (b *testBundle) publishAll(tasks []task.Task) {
	b.tb.Helper()
	p, err := producer.New(b.server.Connect(b.tb), producer.Config{Tenant: "acme"})
	require.NoError(b.tb, err)
	_, err = p.PublishMany(b.tb.Context(), producer.Tasks(tasks...), producer.Options{})
	require.NoError(b.tb, err)
}

func (b *testBundle) count(from string, args ...any) int {
	b.tb.Helper()
	return scalar[int](b, `SELECT count(*) FROM `+from, args...)
}

func (b *testBundle) exec(sql string) {
	b.tb.Helper()
	_, err := b.pool.Exec(b.tb.Context(), sql)
	require.NoError(b.tb, err)
}

// scalar is the one value of a query.
func scalar[T any](b *testBundle, sql string, args ...any) T {
	b.tb.Helper()
	var value T
	require.NoError(b.tb, b.pool.QueryRow(b.tb.Context(), sql, args...).Scan(&value))
	return value
}

// drained waits until every message of a stream has its answer.
func (b *testBundle) drained(stream string) {
	b.tb.Helper()
	require.Eventually(b.tb, func() bool {
		s, err := b.js.Stream(b.tb.Context(), stream)
		if err != nil {
			return false
		}
		c, err := s.Consumer(b.tb.Context(), "weir-ingest")
		return err == nil && c.CachedInfo().AckFloor.Stream == s.CachedInfo().State.LastSeq
	}, patience, tick, "messages of %s stay without an answer", stream)
}

// check checks the ledger and the records of the batches (I3): from the stream's first message to its last one, all are
// in some batch, and every batch has the one job that classifies its tasks.
func (b *testBundle) check() {
	b.tb.Helper()
	ledgertest.Check(b.tb, b.pool)
	s, err := b.js.Stream(b.tb.Context(), task.StreamTasks)
	require.NoError(b.tb, err)
	require.Equal(b.tb, fmt.Sprintf("{[1,%d)}", s.CachedInfo().State.LastSeq+1), scalar[string](b,
		`SELECT range_agg(r)::text FROM weir.ingest_batches CROSS JOIN unnest(seqs) AS r`), "every message is in a batch")
	require.Zero(b.tb, b.count(`weir.ingest_batches WHERE first_seq <> lower(seqs) OR last_seq <> upper(seqs) - 1`))
	require.Zero(b.tb, b.count(`weir.ingest_batches i WHERE (i.tasks > 0) <> (1 = (
		SELECT count(*) FROM river.river_job j WHERE j.kind = 'weir_classify' AND j.args ->> 'batch' = i.id::text))`),
		"every batch with tasks has one job")
	require.Zero(b.tb, b.count(`weir.ingest_batches i WHERE i.tasks <> (
		SELECT count(*) FROM weir.tasks t WHERE t.ingest_batch = i.id AND t.state <> 'refused')`), "batches count their tasks")
}
