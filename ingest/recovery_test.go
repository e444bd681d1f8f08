package ingest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/task"
)

// An ingester that dies at any point of its way leaves nothing half done: the next one takes in what is missing, and
// nothing twice.
func TestRun_DiesAt(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"fetched", "in_tx", "committed", "acked"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			const n = 700
			b.publishMany("t", n)
			b.publish("triage", `{"id":"t-0","input":"another text"}`)
			b.publish("triage", `not json`)
			conn := b.server.Connect(t)
			js, err := jetstream.New(conn)
			require.NoError(t, err)
			var once sync.Once
			first := b.run(impatient, func(c *ingest.Config) {
				c.Stream = js
				c.Chaos = func(at string) {
					if at == point {
						once.Do(conn.Close) // no answer of this process arrives any more
					}
				}
			})
			require.Error(t, <-first.done, "an ingester without a connection ends")

			b.run(impatient)
			b.drained(task.StreamTasks)

			require.Equal(t, n, b.count("weir.tasks"))
			require.Equal(t, n, b.count("weir.task_keys"))
			require.Equal(t, 2, b.count("weir.dead_letters"))
			require.Equal(t, n, b.totals()[1])
			b.check()
		})
	}
}

func TestRun_PostgresIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	server := pgtest.StartDurable(t)
	b := setupOn(t, server.Pool(t), natstest.Start(t))
	b.run(impatient)
	b.publishMany("before", 200)
	b.drained(task.StreamTasks)
	server.Kill(t)
	b.publishMany("meanwhile", 1_200)
	b.publish("triage", `not json`)
	_, err := b.js.Publish(t.Context(), task.OutcomeSubject("acme", "triage"), []byte(`{"id":"before-1","success":true}`))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.pending(task.StreamTasks) > 0 }, patience, tick, "the ingester tries")

	server.Start(t)
	b.publishMany("after", 100)
	b.drained(task.StreamTasks)
	b.drained(task.StreamOutcomes)

	require.Equal(t, 1_500, b.count("weir.tasks"))
	require.Equal(t, 1, b.count("weir.dead_letters"))
	require.Equal(t, 1, b.count("weir.outcomes WHERE task_id IS NOT NULL"))
	b.check()
}

// pending is how many messages are with an ingester.
func (b *testBundle) pending(stream string) int {
	b.tb.Helper()
	c, err := b.js.Consumer(b.tb.Context(), stream, "weir-ingest")
	require.NoError(b.tb, err)
	return c.CachedInfo().NumAckPending
}

func TestRun_NATSRestarts(t *testing.T) {
	t.Parallel()
	server := natstest.StartListening(t)
	b := setupOn(t, pgtest.NewPool(t), server)
	js, err := jetstream.New(server.Connect(t, nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1)))
	require.NoError(t, err)
	in := b.run(impatient, func(c *ingest.Config) { c.Stream = js })
	b.publishMany("before", 100)
	b.drained(task.StreamTasks)

	server.Restart(t)
	b.js = server.JetStream(t)
	b.publishMany("after", 100)
	b.drained(task.StreamTasks)

	require.Equal(t, 200, b.count("weir.tasks"))
	select {
	case err := <-in.done:
		require.Fail(t, "the ingester ended", "%v", err)
	default:
	}
	b.check()
}

// A day whose partitions nobody has made yet makes tasks wait; it does not make them poison.
func TestRun_WithoutPartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fetched := make(chan struct{})
	var once sync.Once
	in := b.run(impatient, func(c *ingest.Config) {
		c.Chaos = func(at string) {
			if at == "fetched" {
				once.Do(func() {
					b.exec(`DROP TABLE ` + scalar[string](b, `
						SELECT string_agg(c.oid::regclass::text, ', ')
						FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
						WHERE i.inhparent = 'weir.payloads'::regclass`))
					close(fetched)
				})
			}
		}
	})
	b.publishMany("t", 50)
	<-fetched
	require.Eventually(t, func() bool { return b.pending(task.StreamTasks) == 50 }, patience, tick)
	require.Zero(t, b.count("weir.dead_letters"))
	in.stop()

	b.run(impatient) // makes what is missing
	b.drained(task.StreamTasks)
	require.Equal(t, 50, b.count("weir.tasks WHERE state = 'queued'"))
	require.Zero(t, b.count("weir.dead_letters"))
	b.check()
}

func TestRun_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.run()
	b.publishMany("t", 100)
	b.drained(task.StreamTasks)
	in.stop()
	require.NoError(t, <-in.done)
}
