package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func (b *testBundle) insertIntents(intents ...store.Intent) map[uuid.UUID]bool {
	b.tb.Helper()
	inserted, err := store.InsertIntents(b.tb.Context(), b.pool, intents)
	require.NoError(b.tb, err)
	return inserted
}

func TestInsertIntents(t *testing.T) {
	t.Parallel()

	t.Run("StoresEveryField", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(2)
		intent := b.intent(bundle, ids[0])
		intent.StartedAt, intent.Stage = time.Now().UTC().Truncate(time.Microsecond), 1
		unpriced := b.intent(bundle, ids[1])
		unpriced.Bound = nil

		require.Equal(t, map[uuid.UUID]bool{intent.AttemptID: true, unpriced.AttemptID: true}, b.insertIntents(intent, unpriced))

		require.Equal(t, 1, b.count(`weir.attempts
			WHERE task_id = $1 AND bundle_id = $2 AND id = $3 AND owner = $4 AND started_at = $5 AND n = 1 AND stage = 1
			  AND provider = 'acme-ai' AND model = 'mini' AND model_asked = 'acme-mini-1' AND mode = 'sync'
			  AND state = 'in_flight' AND counted AND NOT late AND bound_pusd = 1000 AND config_hash = 'hash'
			  AND cost_pusd IS NULL AND finished_at IS NULL`,
			ids[0], bundle, intent.AttemptID, b.owner, intent.StartedAt))
		require.Equal(t, 1, b.count("weir.attempts WHERE id = $1 AND bound_pusd IS NULL", unpriced.AttemptID))
		ledgertest.Check(t, b.pool)
	})

	t.Run("TheBundleIsTheFence", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		stale, ids := b.released(3)
		_, err := store.HandBack(t.Context(), b.pool, stale, 0, "why")
		require.NoError(t, err)
		current := b.release(ids[0])
		_, err = store.Finish(t.Context(), b.pool, time.Now(), []string{store.StateReady},
			[]store.Ending{{TaskID: ids[2], ResultID: id(), Status: task.Cancelled}})
		require.NoError(t, err)

		mine := b.intent(current, ids[0])
		inserted := b.insertIntents(
			b.intent(stale, ids[0]), b.intent(stale, ids[1]), b.intent(current, ids[1]), b.intent(stale, ids[2]),
			b.intent(current, id()), mine,
		)

		require.Equal(t, map[uuid.UUID]bool{mine.AttemptID: true}, inserted)
		require.Equal(t, 1, b.count("weir.attempts"))
	})

	t.Run("ASecondWorkerGetsNone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(2)
		first := b.intent(bundle, ids[0])
		require.Len(t, b.insertIntents(first), 1)

		second := b.intent(bundle, ids[0])
		second.Owner = id()
		free := b.intent(bundle, ids[1])
		require.Equal(t, map[uuid.UUID]bool{free.AttemptID: true}, b.insertIntents(second, free))
		require.Empty(t, b.insertIntents(first), "nor does the first one get it twice")

		found, err := store.InsertedIntents(t.Context(), b.pool, []store.Intent{first, second, free})
		require.NoError(t, err)
		require.Equal(t, map[uuid.UUID]bool{first.AttemptID: true, free.AttemptID: true}, found,
			"what an earlier try did, by its own ids")
		ledgertest.Check(t, b.pool)
	})

	t.Run("AttemptsAreNumbered", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		for range 3 {
			b.settle(c.errored())
			c = b.again(c.task)
		}
		require.Equal(t, 4, scalar[int](b, `SELECT n FROM weir.attempts WHERE id = $1`, c.attempt))
		ledgertest.Check(t, b.pool)
	})

	t.Run("NothingIsNothing", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, setup(t).insertIntents())
	})
}

func TestInsertedIntents_OnlyWhatIsInFlight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bundle, ids := b.released(1)
	intent := b.intent(bundle, ids[0])
	b.insertIntents(intent)
	b.settle(call{ids[0], bundle, intent.AttemptID}.lost())

	found, err := store.InsertedIntents(t.Context(), b.pool, []store.Intent{intent})
	require.NoError(t, err)
	require.Empty(t, found, "the others have given it up: the call must not be made")
}

func TestLostAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deadline := time.Now().Add(time.Hour)
	mine := b.called(2, func(n *store.NewTask) { n.Deadline, n.MaxCost = &deadline, new(task.USD) })
	first := b.settleAndCallAgain(mine[0])
	closed := b.called(1)[0]
	b.settle(closed.accepted())
	survivor := b.called(1)[0]
	b.exec(`UPDATE weir.attempts SET owner = $1 WHERE id = $2`, id(), survivor.attempt)

	lost, err := store.LostAttempts(t.Context(), b.pool, []uuid.UUID{b.owner, id()})

	require.NoError(t, err)
	require.Len(t, lost, 2)
	got := lost[0]
	require.JSONEq(t, planStages, string(got.Stages))
	limit, maxCost := int64(bound), int64(task.USD)
	require.Equal(t, store.LostAttempt{
		AttemptID: first.attempt, TaskID: first.task, BundleID: first.bundle, Tenant: "acme", Feature: "triage",
		Key: "key-1", Run: 1, Model: miniModel, Stages: got.Stages, Calls: 1, Attempts: 1, ModelAttempts: 1,
		CostHigh: bound, Bound: &limit, MaxCost: &maxCost, PromptTokens: 100, MaxOutput: 50, Deadline: got.Deadline,
	}, got)
	require.Equal(t, mine[1].attempt, lost[1].AttemptID)

	byBundle, err := store.LostOfBundles(t.Context(), b.pool, []uuid.UUID{first.bundle, closed.bundle, mine[0].bundle})
	require.NoError(t, err)
	require.Len(t, byBundle, 2, "whoever owns them")
}

// settleAndCallAgain ends a call without an answer and makes the task's next one.
func (b *testBundle) settleAndCallAgain(c call) call {
	b.tb.Helper()
	b.settle(c.errored())
	return b.again(c.task)
}

func TestLostOfBundles_LeavesWhatHasMovedOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.called(1)[0]
	_, err := store.Finish(t.Context(), b.pool, time.Now(), []string{store.StateReleased},
		[]store.Ending{{TaskID: c.task, ResultID: id(), Status: task.Cancelled, Reason: "not needed"}})
	require.NoError(t, err)

	lost, err := store.LostOfBundles(t.Context(), b.pool, []uuid.UUID{c.bundle})
	require.NoError(t, err)
	require.Empty(t, lost, "its answer is on its way to a task that has ended")
	ledgertest.Check(t, b.pool)
}
