package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestWatchBatch(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	night := store.Selection{Tenant: "acme", Feature: "triage", Batch: "night", Key: "a"}
	ids := b.accept(night, 5)
	b.accept(store.Selection{Tenant: "other", Feature: "triage", Batch: "night", Key: "a"}, 1)
	b.accept(store.Selection{Tenant: "acme", Feature: "triage", Batch: "day", Key: "b"}, 1)
	classify := func(id uuid.UUID, class, model string, stage int, cost, high int64) {
		b.exec(`
			UPDATE weir.tasks
			SET class = @class, model = @model, stage = @stage, cost_pusd = @cost, cost_high_pusd = @high
			WHERE id = @id`,
			pgx.NamedArgs{"id": id, "class": class, "model": model, "stage": stage, "cost": cost, "high": high})
	}
	classify(ids[0], "L1", "mini", 0, 10, 10)
	classify(ids[1], "L2", "flagship", 2, 500, 600)
	classify(ids[2], "L2", "mid", 1, 70, 70)
	classify(ids[3], "L1", "mini", 0, 5, 5)
	b.end(task.Succeeded, ids[0], ids[1])
	b.end(task.Failed, ids[2], ids[3])
	night.Key = "a-3"
	require.Equal(t, 1, b.rerun(night, 10))

	got, err := store.WatchBatch(t.Context(), b.pool, "acme", "night")

	require.NoError(t, err)
	require.NotNil(t, got.AcceptedAt)
	require.NotNil(t, got.FinishedAt)
	require.WithinDuration(t, time.Now(), *got.FinishedAt, time.Minute)
	got.AcceptedAt, got.FinishedAt = nil, nil
	require.Equal(t, store.BatchProgress{
		Tasks: 5, Ended: 3, States: map[string]int{"succeeded": 2, "failed": 1, "queued": 2},
		Classes: map[string]int{"L1": 2, "L2": 1}, Models: map[string]int{"mini": 1, "flagship": 1},
		Escalated: 1, Cost: 585, CostHigh: 685,
	}, got)
	require.Equal(t, 2, got.Open())
}

func TestWatchBatch_UnknownLabel(t *testing.T) {
	t.Parallel()
	got, err := store.WatchBatch(t.Context(), newBacklog(t).pool, "acme", "nothing")
	require.NoError(t, err)
	require.Zero(t, got.Tasks)
	require.Nil(t, got.FinishedAt)
}

func TestBatchResults_LatestRunAlone(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	night := store.Selection{Tenant: "acme", Feature: "triage", Batch: "night", Key: "a"}
	ids := b.accept(night, 4)
	b.accept(store.Selection{Tenant: "other", Feature: "triage", Batch: "night", Key: "a"}, 1)
	b.end(task.Succeeded, ids[0], ids[1])
	b.end(task.Failed, ids[2])
	night.Key = "a-3"
	page := func(after uuid.UUID, limit int) []string {
		rows, err := store.BatchResults(t.Context(), b.pool, "acme", "night", after, limit)
		require.NoError(t, err)
		keys := []string{}
		for _, r := range rows {
			keys = append(keys, r.Key+" "+r.Status)
		}
		return keys
	}

	require.Equal(t, []string{"a-1 succeeded", "a-2 succeeded", "a-3 failed"}, page(uuid.Nil, 10))
	require.Equal(t, []string{"a-1 succeeded"}, page(uuid.Nil, 1))
	require.Equal(t, []string{"a-2 succeeded", "a-3 failed"}, page(ids[0], 10))

	fresh := newIDs(1)
	n, err := store.Rerun(t.Context(), b.pool, time.Now(), uuid.New(), night, fresh)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"a-1 succeeded", "a-2 succeeded"}, page(uuid.Nil, 10), "the new run has not ended")
	b.end(task.Succeeded, fresh[0])
	require.Equal(t, []string{"a-1 succeeded", "a-2 succeeded", "a-3 succeeded"}, page(uuid.Nil, 10))
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	letters := make([]store.DeadLetter, 4)
	for i, code := range []task.Code{task.CodeInvalidJSON, task.CodeUnknownFeature, task.CodeUnknownFeature, task.CodeConflict} {
		letters[i] = store.DeadLetter{
			ID: uuid.Must(uuid.NewV7()), Stream: task.StreamTasks, Seq: uint64(i + 1), StoredAt: time.Now(),
			Subject: task.Subject("acme", "triage"), Code: string(code), Reason: "because", Body: []byte("body"),
		}
	}
	require.NoError(t, store.InsertDeadLetters(t.Context(), b.pool, uuid.New(), time.Now(), letters))
	require.NoError(t, store.MarkRedriven(t.Context(), b.pool, time.Now(), letters[1].ID))
	list := func(f store.DeadLetterFilter, limit int) []int64 {
		rows, err := store.DeadLetters(t.Context(), b.pool, f, limit)
		require.NoError(t, err)
		seqs := []int64{}
		for _, r := range rows {
			seqs = append(seqs, r.Seq)
		}
		return seqs
	}

	require.Equal(t, []int64{4, 3, 2, 1}, list(store.DeadLetterFilter{}, 10))
	require.Equal(t, []int64{4, 3}, list(store.DeadLetterFilter{}, 2))
	require.Equal(t, []int64{2, 1}, list(store.DeadLetterFilter{Before: letters[2].ID}, 10))
	require.Equal(t, []int64{3, 2}, list(store.DeadLetterFilter{Code: string(task.CodeUnknownFeature)}, 10))
	require.Equal(t, []int64{3}, list(store.DeadLetterFilter{Code: string(task.CodeUnknownFeature), Open: true}, 10))
	row, body, err := store.DeadLetterBody(t.Context(), b.pool, letters[1].ID)
	require.NoError(t, err)
	require.Equal(t, "body", string(body))
	require.NotNil(t, row.RedrivenAt)
	_, _, err = store.DeadLetterBody(t.Context(), b.pool, uuid.New())
	require.ErrorIs(t, err, pgx.ErrNoRows)
}
