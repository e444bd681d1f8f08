package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestTryDispatchLock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = first.Rollback(t.Context()) }()
	locked, err := store.TryDispatchLock(t.Context(), first)
	require.NoError(t, err)
	require.True(t, locked)

	try := func() (locked bool) {
		require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			locked, err = store.TryDispatchLock(t.Context(), tx)
			return err
		}))
		return locked
	}
	require.False(t, try(), "another round is under way")
	require.NoError(t, first.Commit(t.Context()))
	require.True(t, try(), "the round's end gives it free")
}

func TestUnpark(t *testing.T) {
	t.Parallel()
	b := setup(t)
	due, later := b.called(3), b.called(1)[0]
	for _, c := range due {
		b.settle(c.errored(func(s *store.Settlement) { s.Next.Wait = time.Millisecond }))
	}
	b.settle(later.errored(func(s *store.Settlement) { s.Next.Wait = time.Hour }))
	require.Equal(t, 4, b.count("weir.tasks WHERE state = 'parked'"))
	require.Eventually(t, func() bool { return b.count("weir.tasks WHERE not_before <= now()") == 3 },
		10*time.Second, time.Millisecond)

	n, err := store.Unpark(t.Context(), b.pool, 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = store.Unpark(t.Context(), b.pool, 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)

	require.Equal(t, store.StateParked, b.task(later.task).State)
	require.Equal(t, 3, b.count("weir.tasks WHERE state = 'ready' AND not_before IS NULL"))
	ledgertest.Check(t, b.pool)
}

func TestReleased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	counts, err := store.Released(t.Context(), b.pool)
	require.NoError(t, err)
	require.Empty(t, counts)

	b.released(3)
	ids := b.accept(2)
	b.classify(midModel, ids...)
	b.release(ids...)
	b.ready(4)

	counts, err = store.Released(t.Context(), b.pool)
	require.NoError(t, err)
	require.Equal(t, map[string]int{miniModel: 3, midModel: 2}, counts)
}

func of(feature string) func(*store.NewTask) {
	return func(n *store.NewTask) { n.Feature = feature }
}

func TestLines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lines, err := store.Lines(t.Context(), b.pool)
	require.NoError(t, err)
	require.Empty(t, lines)

	b.ready(50, of("triage"))
	b.ready(1, of("archive"))
	b.classify(midModel, b.accept(2, of("archive"))...)
	b.released(3, of("zoo"))
	b.accept(1, of("queued"))
	owed := store.Line{Model: miniModel, Feature: "triage", Deficit: 77}
	require.NoError(t, store.SaveDeficits(t.Context(), b.pool, []store.Line{owed, {Model: miniModel, Feature: "idle", Deficit: 5}}))

	lines, err = store.Lines(t.Context(), b.pool)
	require.NoError(t, err)
	require.ElementsMatch(t, []store.Line{
		{Model: midModel, Feature: "archive"}, {Model: miniModel, Feature: "archive"}, owed,
	}, lines)
}

// The cost of finding the lines must not grow with the backlog.
func TestLines_SkipsThroughTheIndex(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ready(2_000, of("triage"))
	b.ready(1, of("archive"))
	b.exec("VACUUM ANALYZE weir.tasks")
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()

	before := tuplesRead(t, tx)
	lines, err := store.Lines(t.Context(), tx)
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Less(t, tuplesRead(t, tx)-before, 20)
}

// tuplesRead is how many rows of weir.tasks this transaction has read.
func tuplesRead(t *testing.T, tx pgx.Tx) int {
	t.Helper()
	var n int
	require.NoError(t, tx.QueryRow(t.Context(), `
		SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::int
		FROM pg_stat_xact_user_tables WHERE schemaname = 'weir' AND relname = 'tasks'`).Scan(&n))
	return n
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	soon, later := time.Now().Add(time.Minute), time.Now().Add(time.Hour)
	make1 := func(priority int, deadline *time.Time) uuid.UUID {
		return b.ready(1, func(n *store.NewTask) { n.Priority, n.Deadline = priority, deadline })[0]
	}
	old := make1(2, nil)
	young := make1(2, nil)
	last := make1(4, &soon)
	relaxed := make1(2, &later)
	urgent := make1(2, &soon)
	first := make1(1, nil)
	b.ready(1, of("archive"))
	b.classify(midModel, b.accept(1)...)

	candidates, err := store.Candidates(t.Context(), b.pool, store.Line{Model: miniModel, Feature: "triage"}, 100)

	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{first, urgent, relaxed, old, young, last}, idsOf(candidates),
		"by priority, then deadline, then age")
	require.Equal(t, store.Candidate{
		ID: first, Lane: "now", Bytes: len(`{"id":"key-1","input":"text"}`), Cost: 10, Feature: "triage",
	}, candidates[0])

	candidates, err = store.Candidates(t.Context(), b.pool, store.Line{Model: miniModel, Feature: "triage"}, 2)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{first, urgent}, idsOf(candidates))
}

func idsOf(candidates []store.Candidate) []uuid.UUID {
	ids := make([]uuid.UUID, len(candidates))
	for i, c := range candidates {
		ids[i] = c.ID
	}
	return ids
}

func TestRelease(t *testing.T) {
	t.Parallel()

	t.Run("WritesTheFence", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mini, mid := b.ready(3), b.accept(2)
		b.classify(midModel, mid...)
		queued := b.accept(1)[0]
		bundles := []store.Bundle{
			{ID: id(), Feature: "triage", Provider: "acme-ai", Model: miniModel, Lane: "now", TaskIDs: append(slices.Clone(mini), queued, id())},
			{ID: id(), Feature: "triage", Provider: "acme-ai", Model: midModel, Stage: 1, Lane: "batch", TaskIDs: mid},
			{ID: id(), Feature: "triage", Provider: "acme-ai", Model: midModel, Lane: "now", TaskIDs: []uuid.UUID{queued}},
		}

		stored, err := store.Release(t.Context(), b.pool, time.Now(), bundles)

		require.NoError(t, err)
		require.Equal(t, map[uuid.UUID]int{bundles[0].ID: 3, bundles[1].ID: 2}, stored, "an empty bundle is not stored")
		require.Equal(t, 3, b.count("weir.tasks WHERE state = 'released' AND bundle_id = $1", bundles[0].ID))
		require.Equal(t, store.StateQueued, b.task(queued).State)
		require.Equal(t, 1, b.count("weir.bundles WHERE id = $1 AND tasks = 3 AND model = 'mini' AND owner IS NULL", bundles[0].ID))
		require.Equal(t, 1, b.count("weir.bundles WHERE id = $1 AND tasks = 2 AND stage = 1 AND lane = 'batch'", bundles[1].ID))
		ledgertest.Check(t, b.pool)
	})

	t.Run("SkipsWhatAnotherTransactionHolds", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ids := b.ready(3)
		other, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = other.Rollback(t.Context()) }()
		_, err = other.Exec(t.Context(), `SELECT FROM weir.tasks WHERE id = $1 FOR NO KEY UPDATE`, ids[1])
		require.NoError(t, err)

		bundle := b.release(ids...)

		require.NoError(t, other.Rollback(t.Context()))
		require.Equal(t, []string{store.StateReleased, store.StateReady, store.StateReleased}, b.states(ids...))
		require.Equal(t, 1, b.count("weir.bundles WHERE id = $1 AND tasks = 2", bundle))
		ledgertest.Check(t, b.pool)
	})

	t.Run("NothingIsNothing", func(t *testing.T) {
		t.Parallel()
		stored, err := store.Release(t.Context(), setup(t).pool, time.Now(), nil)
		require.NoError(t, err)
		require.Empty(t, stored)
	})
}

func TestSaveDeficits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	save := func(lines ...store.Line) map[string]task.Pico {
		require.NoError(t, store.SaveDeficits(t.Context(), b.pool, lines))
		saved := map[string]task.Pico{}
		rows, err := b.pool.Query(t.Context(), `SELECT model || ' ' || feature, deficit_pusd FROM weir.dispatch_deficits`)
		require.NoError(t, err)
		var line string
		var deficit task.Pico
		_, err = pgx.ForEachRow(rows, []any{&line, &deficit}, func() error {
			saved[line] = deficit
			return nil
		})
		require.NoError(t, err)
		return saved
	}
	one := store.Line{Model: miniModel, Feature: "triage", Deficit: 5}
	two := store.Line{Model: midModel, Feature: "triage", Deficit: 6}
	require.Equal(t, map[string]task.Pico{"mini triage": 5, "mid triage": 6}, save(one, two))
	one.Deficit = 9
	require.Equal(t, map[string]task.Pico{"mini triage": 9}, save(one), "what is not owed any more is forgotten")
	require.Empty(t, save())
}
