package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestInsertTasks(t *testing.T) {
	t.Parallel()

	t.Run("StoresEveryField", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		deadline := time.Date(2027, 1, 2, 3, 4, 5, 6000, time.UTC)
		full := b.newTask(func(n *store.NewTask) {
			n.CallPath, n.Batch, n.Lane, n.Priority = "mail.go:12", "nightly", task.LaneBatch, 4
			n.Deadline, n.MaxCost, n.MaxOutput, n.Body = &deadline, new(task.USD), 700, []byte("\x00\xff bytes")
		})
		bare, batch, now := b.newTask(), id(), time.Now().UTC().Truncate(time.Microsecond)

		intakes, err := store.InsertTasks(t.Context(), b.pool, batch, now, []store.NewTask{full, bare})

		require.NoError(t, err)
		require.Equal(t, []store.Intake{store.Inserted, store.Inserted}, intakes)
		var path, label, lane, state string
		var priority, maxOutput, bytes int
		var maxCost task.Pico
		var stored, accepted time.Time
		var ingestBatch uuid.UUID
		var body []byte
		require.NoError(t, b.pool.QueryRow(t.Context(), `
			SELECT call_path, batch, lane, state, priority, max_output_tokens, payload_bytes, max_cost_pusd, deadline,
			       accepted_at, ingest_batch, body
			FROM weir.tasks JOIN weir.payloads ON task_id = id WHERE id = $1`, full.ID).
			Scan(&path, &label, &lane, &state, &priority, &maxOutput, &bytes, &maxCost, &stored, &accepted, &ingestBatch, &body))
		require.Equal(t, []any{"mail.go:12", "nightly", "batch", store.StateQueued, 4, 700, 8, task.USD, batch, full.Body},
			[]any{path, label, lane, state, priority, maxOutput, bytes, maxCost, ingestBatch, body})
		require.True(t, deadline.Equal(stored))
		require.True(t, now.Equal(accepted))
		require.Equal(t, 1, b.count(`weir.tasks
			WHERE id = $1 AND call_path IS NULL AND batch IS NULL AND deadline IS NULL AND max_cost_pusd IS NULL`, bare.ID))
		ledgertest.Check(t, b.pool)
	})

	t.Run("KnowsEveryKeyForGood", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first := b.newTask()
		require.Equal(t, []store.Intake{store.Inserted}, b.offer(first))

		same, changed, foreign, fresh := first, first, first, b.newTask()
		same.ID, changed.ID, foreign.ID = id(), id(), id()
		changed.Hash = []byte("another body")
		foreign.Tenant = "globex"
		intakes := b.offer(same, changed, foreign, fresh)

		require.Equal(t, []store.Intake{store.Duplicate, store.Conflict, store.Inserted, store.Inserted}, intakes,
			"keys are a tenant's own")
		require.Equal(t, 3, b.count("weir.tasks"))
		require.Equal(t, 3, b.count("weir.payloads"))
		require.Equal(t, first.ID, scalar[uuid.UUID](b,
			`SELECT task_id FROM weir.task_keys WHERE tenant = 'acme' AND key = $1`, first.Key))
	})

	t.Run("OfOneBatchTheFirstStands", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first := b.newTask()
		changed, same := first, first
		// ids that sort before the first one's: what counts is the place in the batch
		changed.ID, same.ID = uuid.UUID{6: 0x70, 15: 1}, uuid.UUID{6: 0x70, 15: 2}
		changed.Hash = []byte("another body")

		require.Equal(t, []store.Intake{store.Inserted, store.Conflict, store.Duplicate}, b.offer(first, changed, same))
		require.Equal(t, 1, b.count("weir.tasks WHERE id = $1", first.ID))
		require.Equal(t, 1, b.count("weir.tasks"))
	})

	t.Run("NothingIsNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Empty(t, b.offer())
		require.Zero(t, b.count("weir.tasks"))
	})

	t.Run("ARolledBackBatchLeavesNoKeys", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		good, bad := b.newTask(), b.newTask(func(n *store.NewTask) { n.Lane = "soon" })

		err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			_, err := store.InsertTasks(t.Context(), tx, id(), time.Now(), []store.NewTask{good, bad})
			return err
		})

		require.True(t, store.DataError(err), "%v", err)
		require.Zero(t, b.count("weir.task_keys"))
		require.Equal(t, []store.Intake{store.Inserted}, b.offer(good))
	})
}

// Two ingesters with the same 400 keys, each in an order of its own: every key becomes one task, and none of the two waits
// for the other for ever.
func TestInsertTasks_TwoIngestersAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 400
	mine, others := make([]store.NewTask, n), make([]store.NewTask, n)
	for i := range mine {
		mine[i] = b.newTask()
		others[n-1-i] = mine[i]
		others[n-1-i].ID = id()
	}
	intakes := make([][]store.Intake, 2)
	errs := make([]error, 2)
	var ingesters sync.WaitGroup
	for i, offered := range [][]store.NewTask{mine, others} {
		ingesters.Go(func() {
			errs[i] = pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
				var err error
				intakes[i], err = store.InsertTasks(t.Context(), tx, id(), time.Now(), offered)
				return err
			})
		})
	}
	ingesters.Wait()

	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	inserted := 0
	for _, intake := range append(intakes[0], intakes[1]...) {
		require.NotEqual(t, store.Conflict, intake)
		if intake == store.Inserted {
			inserted++
		}
	}
	require.Equal(t, n, inserted)
	require.Equal(t, n, b.count("weir.tasks"))
	ledgertest.Check(t, b.pool)
}

func TestInsertTasks_WithoutAPartitionIsNoPoison(t *testing.T) {
	t.Parallel()
	b := setup(t)
	late := b.newTask(func(n *store.NewTask) { n.ID = id7(time.Now().AddDate(0, 0, 20)) })

	_, err := store.InsertTasks(t.Context(), b.pool, id(), time.Now(), []store.NewTask{late})

	require.ErrorContains(t, err, "no partition")
	require.False(t, store.DataError(err), "the task is good: its day has no partition yet")
	require.True(t, store.Retryable(err))
}

func TestInsertIngestBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	batch := store.IngestBatch{
		ID: id(), Stream: task.StreamTasks, Seqs: []uint64{3, 4, 4, 5, 7, 9}, Messages: 5, Tasks: 5, Duplicates: 1,
		DeadLetters: 2,
	}
	require.NoError(t, store.InsertIngestBatch(t.Context(), b.pool, time.Now(), batch))
	require.Equal(t, 1, b.count(`weir.ingest_batches WHERE id = $1 AND stream = 'WEIR_TASKS' AND first_seq = 3
		AND last_seq = 9 AND seqs = '{[3,5],[7,7],[9,9]}' AND messages = 5 AND tasks = 5 AND duplicates = 1 AND dead_letters = 2`, batch.ID))
	require.Error(t, store.InsertIngestBatch(t.Context(), b.pool, time.Now(), batch), "a batch is recorded once")
}

// offer takes tasks in in a transaction of its own.
func (b *testBundle) offer(tasks ...store.NewTask) []store.Intake {
	b.tb.Helper()
	var intakes []store.Intake
	require.NoError(b.tb, pgx.BeginFunc(b.tb.Context(), b.pool, func(tx pgx.Tx) error {
		var err error
		intakes, err = store.InsertTasks(b.tb.Context(), tx, id(), time.Now(), tasks)
		return err
	}))
	return intakes
}
