package store_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func due(at time.Time) func(*store.NewTask) {
	return func(n *store.NewTask) { n.Deadline = &at }
}

func TestPastDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	past, future := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	queued, ready := b.accept(1, due(past))[0], b.ready(1, due(past))[0]
	parked := b.called(1, due(past))[0]
	b.settle(parked.errored(func(s *store.Settlement) { s.Next.Wait = time.Hour }))
	b.accept(1, due(future))
	b.accept(1)
	b.released(1, due(past)) // its worker looks at the deadline
	ended := b.called(1, due(past))[0]
	b.settle(ended.accepted())
	held := b.accept(1, due(past))[0]

	other, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(t.Context()) }()
	_, err = other.Exec(t.Context(), `SELECT FROM weir.tasks WHERE id = $1 FOR NO KEY UPDATE`, held)
	require.NoError(t, err)

	expired, err := store.PastDeadline(t.Context(), b.pool, 100)
	require.NoError(t, err)
	require.Equal(t, []store.Named{
		{TaskID: queued, Tenant: "acme", Key: "key-1", Run: 1},
		{TaskID: ready, Tenant: "acme", Key: "key-2", Run: 1},
		{TaskID: parked.task, Tenant: "acme", Key: "key-3", Run: 1},
	}, expired, "by age, without those that another transaction holds")

	expired, err = store.PastDeadline(t.Context(), b.pool, 2)
	require.NoError(t, err)
	require.Len(t, expired, 2)
}

func TestStaleBatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert := func(age time.Duration) (batch, taskID uuid.UUID) {
		at := time.Now().Add(-age)
		accepted := func(n *store.NewTask) { n.ID = id7(at) }
		n := b.newTask(accepted)
		batch = id()
		_, err := store.InsertTasks(t.Context(), b.pool, batch, at, []store.NewTask{n, b.newTask(accepted)})
		require.NoError(t, err)
		return batch, n.ID
	}
	forgotten, first := insert(2 * time.Minute)
	insert(time.Second)

	stale, err := store.StaleBatches(t.Context(), b.pool, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{forgotten}, stale)

	b.classify(miniModel, first)
	stale, err = store.StaleBatches(t.Context(), b.pool, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{forgotten}, stale, "one of its tasks is still queued")
	b.exec(`DELETE FROM weir.tasks WHERE state = 'queued'`)
	stale, err = store.StaleBatches(t.Context(), b.pool, time.Minute)
	require.NoError(t, err)
	require.Empty(t, stale)
}

func TestRequeue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	known, ready := b.ready(1)[0], b.ready(2)
	b.classify(midModel, b.accept(1)...)
	parked := b.called(1)[0]
	b.settle(parked.errored(func(s *store.Settlement) { s.Next.Wait, s.Next.Model = time.Hour, "retired" }))
	b.exec(`UPDATE weir.tasks SET model = 'retired' WHERE id = ANY ($1)`, ready)
	_, released := b.released(1)
	b.exec(`UPDATE weir.tasks SET model = 'retired' WHERE id = $1`, released[0])

	n, err := store.Requeue(t.Context(), b.pool, []string{miniModel, midModel}, 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = store.Requeue(t.Context(), b.pool, []string{miniModel, midModel}, 10)
	require.NoError(t, err)
	require.Zero(t, n, "a parked task waits for its time")
	b.exec(`UPDATE weir.tasks SET not_before = now() WHERE id = $1`, parked.task)
	_, err = store.Unpark(t.Context(), b.pool, 10)
	require.NoError(t, err)
	n, err = store.Requeue(t.Context(), b.pool, []string{miniModel, midModel}, 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)

	require.Equal(t, []string{store.StateQueued, store.StateQueued, store.StateQueued, store.StateReady, store.StateReleased},
		b.states(ready[0], ready[1], parked.task, known, released[0]))
	ledgertest.Check(t, b.pool)
}

func TestEnsurePartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ahead := time.Now().AddDate(0, 2, 0)
	late := b.newTask(func(n *store.NewTask) { n.ID = id7(ahead) })
	_, err := store.InsertTasks(t.Context(), b.pool, id(), ahead, []store.NewTask{late})
	require.True(t, store.Retryable(err), "%v", err)
	b.exec(`DELETE FROM weir.task_keys`)
	b.exec(`DELETE FROM weir.tasks`) // outside of a transaction the rows before the failure stay

	for range 2 {
		require.NoError(t, store.EnsurePartitions(t.Context(), b.pool, ahead))
	}

	require.Equal(t, []store.Intake{store.Inserted}, b.offer(late))
	b.classify(miniModel, late.ID)
	c := b.begin(b.release(late.ID), late.ID)[0]
	b.settle(c.accepted(func(s *store.Settlement) { s.FinishedAt = ahead.Add(time.Hour) }))
	require.Equal(t, 1, b.count("weir.outputs"))
}

// accepted at makes tasks of a day that ended with an answer.
func (b *testBundle) answeredAt(at time.Time, feature string, n int) []uuid.UUID {
	b.tb.Helper()
	require.NoError(b.tb, store.EnsurePartitions(b.tb.Context(), b.pool, at))
	tasks, ids := make([]store.NewTask, n), make([]uuid.UUID, n)
	for i := range tasks {
		tasks[i] = b.newTask(of(feature), func(t *store.NewTask) { t.ID = id7(at) })
		ids[i] = tasks[i].ID
	}
	_, err := store.InsertTasks(b.tb.Context(), b.pool, id(), at, tasks)
	require.NoError(b.tb, err)
	b.classify(miniModel, ids...)
	bundle := b.release(ids...)
	for i, taskID := range ids {
		intent := b.intent(bundle, taskID)
		intent.StartedAt = at
		b.insertIntents(intent)
		s := call{taskID, bundle, intent.AttemptID}.accepted(func(s *store.Settlement) {
			s.FinishedAt, s.Output = at.Add(time.Second), fmt.Append(nil, i)
		})
		b.settle(s)
	}
	return ids
}

func TestExpireTexts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	old := b.answeredAt(now.AddDate(0, 0, -3), "triage", 3)
	other := b.answeredAt(now.AddDate(0, 0, -3), "archive", 1)
	young := b.answeredAt(now.Add(-time.Hour), "triage", 1)
	working := b.newTask(func(n *store.NewTask) { n.ID = id7(now.AddDate(0, 0, -3)) })
	b.offer(working)

	first := slices.MinFunc(slices.Concat(old, other, []uuid.UUID{working.ID}), compareIDs)
	next, err := store.ExpireTexts(t.Context(), b.pool, "triage", now.AddDate(0, 0, -2), uuid.Nil, 1)
	require.NoError(t, err)
	require.Equal(t, first, next, "a page is looked at from the oldest on")
	pages := 0
	for next = uuid.Nil; pages == 0 || next != uuid.Nil; pages++ {
		next, err = store.ExpireTexts(t.Context(), b.pool, "triage", now.AddDate(0, 0, -2), next, 2)
		require.NoError(t, err)
	}
	require.Greater(t, pages, 1)

	for _, table := range []string{"weir.payloads", "weir.outputs"} {
		require.Zero(t, b.count(table+" WHERE task_id = ANY ($1)", old))
		require.Equal(t, 2, b.count(table+" WHERE task_id = ANY ($1)", append(young, other...)))
	}
	require.Equal(t, 1, b.count("weir.payloads WHERE task_id = $1", working.ID))
	require.Equal(t, 6, b.count("weir.tasks"), "the ledger stays")
	results, err := store.Unpublished(t.Context(), b.pool, 0, store.ResultPosition{}, 10)
	require.NoError(t, err)
	require.Len(t, results, 5, "and a result without its text is still one")
	ledgertest.Check(t, b.pool)
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

func TestExpireTexts_WaitsForNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	old := b.answeredAt(now.AddDate(0, 0, -3), "triage", 2)
	other, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(t.Context()) }()
	_, err = other.Exec(t.Context(), `DELETE FROM weir.payloads WHERE task_id = $1`, old[0])
	require.NoError(t, err)

	next, err := store.ExpireTexts(t.Context(), b.pool, "triage", now, uuid.Nil, 100)
	require.NoError(t, err)
	require.Equal(t, uuid.Nil, next)

	require.Zero(t, b.count("weir.payloads WHERE task_id = $1", old[1]))
	require.Equal(t, 1, b.count("weir.outputs WHERE task_id = $1", old[0]), "that one is the other's")
}

func TestForgetBundles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	past := time.Now().AddDate(0, 0, -40)
	release := func(at time.Time, ids ...uuid.UUID) uuid.UUID {
		bundle := store.Bundle{ID: id7(at), Feature: "triage", Provider: "acme-ai", Model: miniModel, Lane: "now", TaskIDs: ids}
		_, err := store.Release(t.Context(), b.pool, at, []store.Bundle{bundle})
		require.NoError(t, err)
		return bundle.ID
	}
	for range 3 {
		ended := b.ready(1)[0]
		b.settle(b.begin(release(past, ended), ended)[0].accepted())
	}
	held, young := release(past, b.ready(1)...), b.ready(1)[0]
	b.settle(b.begin(release(time.Now(), young), young)[0].accepted())

	n, err := store.ForgetBundles(t.Context(), b.pool, time.Now().AddDate(0, 0, -30), 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "as many as the limit allows")
	n, err = store.ForgetBundles(t.Context(), b.pool, time.Now().AddDate(0, 0, -30), 2)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)

	require.Equal(t, 2, b.count("weir.bundles"))
	require.Equal(t, 1, b.count("weir.bundles WHERE id = $1", held), "its task is still in it")
	ledgertest.Check(t, b.pool)
}

func TestForgetIngestBatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for seq, age := range []int{-40, -40, -40, -20} {
		at := time.Now().AddDate(0, 0, age)
		require.NoError(t, store.InsertIngestBatch(t.Context(), b.pool, at, store.IngestBatch{
			ID: id7(at), Stream: "WEIR_TASKS", Seqs: []uint64{uint64(seq + 1)}, Messages: 1,
		}))
	}
	for _, want := range []int64{2, 1, 0} {
		n, err := store.ForgetIngestBatches(t.Context(), b.pool, time.Now().AddDate(0, 0, -30), 2)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, 1, b.count("weir.ingest_batches WHERE last_seq = 4"))
	require.Equal(t, 1, b.count("weir.ingest_batches"))
}

func TestDropTexts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	day := func(n int) time.Time {
		return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, n).Add(12 * time.Hour)
	}
	gone := b.answeredAt(day(-40), "triage", 2)
	kept := b.answeredAt(day(-20), "triage", 1)
	busy := b.answeredAt(day(-30), "triage", 1)
	working := b.newTask(func(n *store.NewTask) { n.ID = id7(day(-30)) })
	b.offer(working)

	conn, err := b.pool.Acquire(t.Context())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `SET TimeZone = 'America/New_York'`) // days are days of UTC in any session
	require.NoError(t, err)
	dropped, err := store.DropTexts(t.Context(), conn, day(-25))
	conn.Release()
	require.NoError(t, err)
	require.Positive(t, dropped)

	require.Zero(t, b.count("weir.payloads WHERE task_id = ANY ($1)", gone))
	require.Zero(t, b.count("weir.outputs WHERE task_id = ANY ($1)", gone))
	require.Equal(t, 2, b.count("weir.outputs WHERE task_id = ANY ($1)", append(kept, busy...)),
		"a day in which somebody is still at work stays")
	require.Equal(t, 1, b.count("weir.payloads WHERE task_id = $1", working.ID))
	again, err := store.DropTexts(t.Context(), b.pool, day(-25))
	require.NoError(t, err)
	require.Zero(t, again)
	ledgertest.Check(t, b.pool)

	// the answer of an attempt that was given up comes after the day has gone: its cost is booked
	late := b.lateAfterDrop(day(-25))
	require.Equal(t, store.Settled{Late: true, Fenced: true, Attempts: 1, Cost: 400, CostHigh: 400}, late)
	ledgertest.Check(t, b.pool)
}

// lateAfterDrop gives an attempt of a dropped day up and settles it then.
func (b *testBundle) lateAfterDrop(before time.Time) store.Settled {
	b.tb.Helper()
	at := before.AddDate(0, 0, -20)
	require.NoError(b.tb, store.EnsurePartitions(b.tb.Context(), b.pool, at))
	n := b.newTask(func(n *store.NewTask) { n.ID = id7(at) })
	_, err := store.InsertTasks(b.tb.Context(), b.pool, id(), at, []store.NewTask{n})
	require.NoError(b.tb, err)
	b.classify(miniModel, n.ID)
	bundle := b.release(n.ID)
	intent := b.intent(bundle, n.ID)
	intent.StartedAt = at
	b.insertIntents(intent)
	c := call{n.ID, bundle, intent.AttemptID}
	b.settle(c.lost(func(s *store.Settlement) {
		s.FinishedAt = at.Add(time.Minute)
		s.Next = store.Next{State: string(task.Failed), Model: miniModel, ResultID: id()}
	}))
	dropped, err := store.DropTexts(b.tb.Context(), b.pool, before)
	require.NoError(b.tb, err)
	require.Positive(b.tb, dropped)
	return b.settle(c.accepted(func(s *store.Settlement) { s.FinishedAt = at.Add(time.Hour) }))[c.attempt]
}

func TestDropTexts_WaitsForNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.answeredAt(time.Now().AddDate(0, 0, -40), "triage", 1)
	reader, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = reader.Rollback(t.Context()) }()
	_, err = reader.Exec(t.Context(), `SELECT count(*) FROM weir.payloads`)
	require.NoError(t, err)

	_, err = store.DropTexts(t.Context(), b.pool, time.Now().AddDate(0, 0, -20))
	require.ErrorContains(t, err, "lock timeout", "behind a long reader everybody else would have to stand in line")
	require.NoError(t, reader.Rollback(t.Context()))
	_, err = store.DropTexts(t.Context(), b.pool, time.Now().AddDate(0, 0, -20))
	require.NoError(t, err)
}

func TestSelection_Empty(t *testing.T) {
	t.Parallel()
	require.True(t, store.Selection{Tenant: "acme"}.Empty(), "all of a tenant's tasks are no selection")
	for _, s := range []store.Selection{{Batch: "b"}, {Feature: "f"}, {Key: "k"}} {
		require.False(t, s.Empty())
	}
}
