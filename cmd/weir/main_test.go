package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/task"
)

// childEnv makes a process of this test binary the command itself, for tests that kill it.
const childEnv = "WEIR_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	pgtest.Main(m, func(ctx context.Context, pool *pgxpool.Pool) error {
		return migrations.Up(ctx, pool, slog.New(slog.DiscardHandler))
	})
}

// testBundle is a Postgres and a NATS of the test's own, with weir's streams, and the environment that names them.
type testBundle struct {
	tb   testing.TB
	env  map[string]string
	pool *pgxpool.Pool
	js   jetstream.JetStream
}

func newTestBundle(tb testing.TB) *testBundle {
	tb.Helper()
	dsn, server := pgtest.DSN(tb), natstest.StartListening(tb)
	b := &testBundle{
		tb: tb, pool: pgtest.Open(tb, dsn), js: server.JetStream(tb),
		env: map[string]string{"DATABASE_URL": dsn, "NATS_URL": server.URL(), "HOME": tb.TempDir()},
	}
	require.NoError(tb, ingest.EnsureStreams(tb.Context(), b.js, ingest.StreamConfig{}))
	return b
}

// output is what a command wrote.
type output struct{ stdout, stderr string }

// run runs a command line in this process.
func (b *testBundle) run(stdin io.Reader, args ...string) (output, error) {
	b.tb.Helper()
	var stdout, stderr bytes.Buffer
	err := run(b.tb.Context(), args, func(name string) string { return b.env[name] }, stdin, &stdout, &stderr)
	return output{stdout: stdout.String(), stderr: stderr.String()}, err
}

func (b *testBundle) mustRun(args ...string) output {
	b.tb.Helper()
	out, err := b.run(strings.NewReader(""), args...)
	require.NoError(b.tb, err, out.stderr)
	return out
}

// startIngest takes in what comes until stop or the test's end. The features are those of the starter file and more.
func (b *testBundle) startIngest(more ...string) (stop func()) {
	b.tb.Helper()
	c, err := catalog.Parse(catalog.Default())
	require.NoError(b.tb, err)
	for _, name := range more {
		c.Features[name] = c.Features["ticket-triage"]
	}
	ctx, cancel := context.WithCancel(b.tb.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- ingest.Run(ctx, ingest.Config{
			Pool: b.pool, Stream: b.js, Catalog: c, Logger: slog.New(slog.DiscardHandler),
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) { // as when it is stopped before it has begun
			require.NoError(b.tb, err)
		}
	})
	b.tb.Cleanup(stop)
	return stop
}

// stored are the bodies of the stream of tasks by Nats-Msg-Id.
func (b *testBundle) stored() []jetstream.Msg {
	b.tb.Helper()
	stream, err := b.js.Stream(b.tb.Context(), task.StreamTasks)
	require.NoError(b.tb, err)
	count := stream.CachedInfo().State.Msgs
	if count == 0 {
		return nil
	}
	consumer, err := b.js.OrderedConsumer(b.tb.Context(), task.StreamTasks, jetstream.OrderedConsumerConfig{})
	require.NoError(b.tb, err)
	iterator, err := consumer.Messages()
	require.NoError(b.tb, err)
	defer iterator.Stop()
	messages := make([]jetstream.Msg, count)
	for i := range messages {
		messages[i], err = iterator.Next(jetstream.NextContext(b.tb.Context()))
		require.NoError(b.tb, err)
	}
	return messages
}

// storedTasks are the decoded tasks of the stream by id; each is there once.
func (b *testBundle) storedTasks() map[string]task.Task {
	b.tb.Helper()
	all := map[string]task.Task{}
	for _, msg := range b.stored() {
		_, tenant, feature, err := task.ParseSubject(msg.Subject())
		require.NoError(b.tb, err)
		items, err := task.DecodeMessage(msg.Data(), task.Limits{})
		require.NoError(b.tb, err)
		for _, item := range items {
			require.NoError(b.tb, item.Err)
			require.NoError(b.tb, item.Task.Bind(tenant, feature, ""))
			_, twice := all[item.ID]
			require.False(b.tb, twice, item.ID)
			all[item.ID] = *item.Task
		}
	}
	return all
}

func (b *testBundle) count(sql string, args ...any) int {
	b.tb.Helper()
	var n int
	require.NoError(b.tb, b.pool.QueryRow(b.tb.Context(), sql, args...).Scan(&n))
	return n
}
