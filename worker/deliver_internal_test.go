package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// largestMessage is the limit of the tests' results stream: too low for a result with the metadata of unpublishable.
const largestMessage = 2_048

// deliverBundle is a deliverer on a Postgres and a NATS of the test's own.
type deliverBundle struct {
	pool      *pgxpool.Pool
	js        jetstream.JetStream
	deliverer *deliverer
}

func setupDeliverer(t *testing.T, age time.Duration) *deliverBundle {
	t.Helper()
	b := &deliverBundle{pool: pgtest.NewPool(t), js: natstest.Start(t).JetStream(t)}
	require.NoError(t, store.EnsurePartitions(t.Context(), b.pool, time.Now()))
	require.NoError(t, ingest.EnsureStreams(t.Context(), b.js, ingest.StreamConfig{}))
	stream, err := b.js.Stream(t.Context(), task.StreamResults)
	require.NoError(t, err)
	config := stream.CachedInfo().Config
	config.MaxMsgSize = largestMessage
	_, err = b.js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	b.deliverer = &deliverer{
		pool: b.pool, js: b.js, now: time.Now, logger: slog.New(slog.DiscardHandler), chaos: func(string) {}, age: age,
		queue: make(chan task.Result, deliverQueue), recover: make(chan struct{}, 1),
	}
	return b
}

// finish writes n finished tasks with their results, the oldest first, and returns the results.
func (b *deliverBundle) finish(t *testing.T, n int, unpublishable func(i int) bool) []task.Result {
	t.Helper()
	tasks := make([]store.NewTask, n)
	for i := range tasks {
		metadata := "small"
		if unpublishable(i) {
			metadata = strings.Repeat("x", 2*largestMessage)
		}
		key := fmt.Sprintf("t-%d", i)
		tasks[i] = store.NewTask{
			ID: uuid.Must(uuid.NewV7()), Tenant: "acme", Feature: "triage", Key: key, Hash: []byte(key), Lane: task.LaneNow,
			Priority: task.DefaultPriority, Body: fmt.Appendf(nil, `{"id":%q,"input":"text","metadata":{"m":%q}}`, key, metadata),
		}
	}
	_, err := store.InsertTasks(t.Context(), b.pool, uuid.Must(uuid.NewV7()), time.Now(), tasks)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.tasks SET state = 'cancelled', finished_at = now()`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `
		INSERT INTO weir.results (task_id, id, status, created_at)
		SELECT id, gen_random_uuid(), 'cancelled', now() - interval '1 hour' + substr(key, 3)::int * interval '1 ms' FROM weir.tasks`)
	require.NoError(t, err)
	rows, err := store.Unpublished(t.Context(), b.pool, 0, store.ResultPosition{}, n)
	require.NoError(t, err)
	require.Len(t, rows, n)
	results := make([]task.Result, n)
	for i := range rows {
		results[i] = rows[i].Result()
	}
	return results
}

// run runs the deliverer until the test ends.
func (b *deliverBundle) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.deliverer.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// unpublished waits until no more than n results are unpublished and returns their keys.
func (b *deliverBundle) unpublished(t *testing.T, n int) []string {
	t.Helper()
	var keys []string
	require.Eventually(t, func() bool {
		rows, err := store.Unpublished(t.Context(), b.pool, 0, store.ResultPosition{}, 10_000)
		keys = make([]string, len(rows))
		for i := range rows {
			keys[i] = rows[i].Key
		}
		return err == nil && len(rows) <= n
	}, 20*time.Second, 20*time.Millisecond)
	return keys
}

func (b *deliverBundle) stored(t *testing.T) uint64 {
	t.Helper()
	stream, err := b.js.Stream(t.Context(), task.StreamResults)
	require.NoError(t, err)
	return stream.CachedInfo().State.Msgs
}

func TestDeliverer_AnUnpublishableResultKeepsNobodyBack(t *testing.T) {
	t.Parallel()
	b := setupDeliverer(t, time.Hour)
	results := b.finish(t, 300, func(i int) bool { return i == 123 })
	for _, r := range results {
		b.deliverer.Add(r)
	}
	b.deliverer.measure(t.Context())
	require.True(t, b.deliverer.publish(t.Context(), b.deliverer.gather(t.Context(), <-b.deliverer.queue)))
	require.Equal(t, []string{"t-123"}, b.unpublished(t, 1))
	require.EqualValues(t, 299, b.stored(t))
}

func TestDeliverer_RecoveryGoesPastUnpublishableResults(t *testing.T) {
	t.Parallel()
	b := setupDeliverer(t, 100*time.Millisecond)
	b.finish(t, recoverPage+10, func(i int) bool { return i < recoverPage })
	b.run(t)
	require.Len(t, b.unpublished(t, recoverPage), recoverPage)
	require.EqualValues(t, 10, b.stored(t))
}

func TestDeliverer_TooLargeAResultGoesWithoutItsOutput(t *testing.T) {
	t.Parallel()
	b := setupDeliverer(t, time.Hour)
	result := b.finish(t, 1, func(int) bool { return false })[0]
	result.Output = strings.Repeat("x", largestMessage)
	b.deliverer.Add(result)
	b.run(t)
	require.Empty(t, b.unpublished(t, 0))
	stream, err := b.js.Stream(t.Context(), task.StreamResults)
	require.NoError(t, err)
	message, err := stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	var got task.Result
	require.NoError(t, json.Unmarshal(message.Data, &got))
	require.Equal(t, result.ResultID, got.ResultID)
	require.Empty(t, got.Output)
	require.Contains(t, got.Reason, "weir.outputs")
}

func TestDeliverer_SaysThatTheServerIsAway(t *testing.T) {
	t.Parallel()
	b := setupDeliverer(t, time.Hour)
	results := b.finish(t, 20, func(int) bool { return false })
	b.js.Conn().Close()
	require.False(t, b.deliverer.publish(t.Context(), results))
	require.Len(t, b.unpublished(t, 20), 20)
}
