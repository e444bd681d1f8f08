package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestQueuedTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second, third := b.newTask(), b.newTask(), b.newTask()
	batch := id()
	_, err := store.InsertTasks(t.Context(), b.pool, batch, time.Now(), []store.NewTask{third, first, second})
	require.NoError(t, err)
	b.accept(1) // of another batch
	b.classify(miniModel, second.ID)

	queued, err := store.QueuedTasks(t.Context(), b.pool, batch)

	require.NoError(t, err)
	require.Equal(t, []store.QueuedTask{
		{ID: first.ID, Tenant: "acme", Feature: "triage", Key: first.Key, Run: 1, Body: first.Body},
		{ID: third.ID, Tenant: "acme", Feature: "triage", Key: third.Key, Run: 1, Body: third.Body},
	}, queued, "by age, without what is classified")

	queued, err = store.QueuedTasks(t.Context(), b.pool, id())
	require.NoError(t, err)
	require.Empty(t, queued)
}

func TestInsertPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plan := store.StoredPlan{
		ID: id(), Class: task.L2, Stages: []byte(planStages), Included: []byte("[]"), Excluded: []byte(`[{"model": "big"}]`), ConfigHash: "one",
	}
	again := plan
	again.ConfigHash = "another"
	for range 2 {
		require.NoError(t, store.InsertPlans(t.Context(), b.pool, time.Now(), []store.StoredPlan{plan, again}))
	}
	require.Equal(t, 1, b.count("weir.plans WHERE id = $1 AND config_hash = 'one' AND class = 'L2'", plan.ID))
	require.NoError(t, store.InsertPlans(t.Context(), b.pool, time.Now(), nil))
}

// Two jobs with the same new plans in opposite orders: the second waits for the first, and neither deadlocks.
func TestInsertPlans_TwoJobsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plans := make([]store.StoredPlan, 2)
	for i := range plans {
		plans[i] = store.StoredPlan{ID: id(), Class: task.L1, Stages: []byte("[]"), Included: []byte("[]"), Excluded: []byte("[]"), ConfigHash: "h"}
	}
	first, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = first.Rollback(t.Context()) }()
	require.NoError(t, store.InsertPlans(t.Context(), first, time.Now(), plans[:1]))

	second := make(chan error, 1)
	go func() {
		second <- pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			return store.InsertPlans(t.Context(), tx, time.Now(), []store.StoredPlan{plans[1], plans[0]})
		})
	}()
	b.waitForLock()
	// had the second job begun with its own order, it would hold this one and wait for us for ever
	require.NoError(t, store.InsertPlans(t.Context(), first, time.Now(), plans[1:]))
	require.NoError(t, first.Commit(t.Context()))
	require.NoError(t, <-second)
}

func TestMarkReady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.accept(2)
	queued, cancelled := ids[0], ids[1]
	_, err := store.Finish(t.Context(), b.pool, time.Now(), []string{store.StateQueued},
		[]store.Ending{{TaskID: cancelled, ResultID: id(), Status: task.Cancelled, Reason: "not needed"}})
	require.NoError(t, err)

	huge := store.Classified{
		Class: task.L3, Source: "rule:long", Confidence: 0.75, PlanID: b.plan, Model: midModel, ExpectedCost: 12,
		PromptTokens: math.MaxInt64, MaxOutput: math.MaxInt,
	}
	classified := []store.Classified{huge, huge}
	classified[0].TaskID, classified[1].TaskID = queued, cancelled
	require.NoError(t, store.MarkReady(t.Context(), b.pool, classified))

	require.Equal(t, []string{store.StateReady, "cancelled"}, b.states(queued, cancelled), "only what is queued")
	require.Equal(t, 1, b.count(`weir.tasks
		WHERE id = $1 AND class = 'L3' AND class_source = 'rule:long' AND confidence = 0.75 AND plan_id = $2
		  AND model = 'mid' AND expected_cost_pusd = 12 AND prompt_tokens = 2147483647 AND max_output_tokens = 2147483647`,
		queued, b.plan))

	b.classify(miniModel, queued) // another run of the job
	require.Equal(t, midModel, *b.task(queued).Model, "what is ready stays as it is")
	ledgertest.Check(t, b.pool)
}

func TestMarkReady_StartsAPlanAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.called(1)[0]
	b.settle(c.errored()) // one counted attempt on the model
	require.Equal(t, 1, b.task(c.task).ModelAttempts)

	n, err := store.Requeue(t.Context(), b.pool, []string{midModel}, 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	b.classify(midModel, c.task)

	got := b.task(c.task)
	require.Zero(t, got.ModelAttempts, "the new model has not been tried")
	require.Equal(t, 1, got.Attempts, "the task's own ceiling stays")
	ledgertest.Check(t, b.pool)
}

func TestFinish(t *testing.T) {
	t.Parallel()

	t.Run("OnlyFromTheGivenStates", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		queued, ready := b.accept(1)[0], b.ready(1)[0]
		_, released := b.released(1)
		ids := []uuid.UUID{queued, ready, released[0]}
		endings := make([]store.Ending, len(ids))
		for i, taskID := range ids {
			endings[i] = store.Ending{TaskID: taskID, ResultID: id(), Status: task.Expired, Reason: "the deadline has passed"}
		}

		ended, err := store.Finish(t.Context(), b.pool, time.Now(), []string{store.StateQueued, store.StateReady}, endings)

		require.NoError(t, err)
		require.ElementsMatch(t, []uuid.UUID{queued, ready}, ended)
		require.Equal(t, []string{"expired", "expired", store.StateReleased}, b.states(ids...))
		require.Equal(t, 1, b.count("weir.results WHERE task_id = $1 AND id = $2 AND status = 'expired'", queued, endings[0].ResultID))
		ledgertest.Check(t, b.pool)
	})

	t.Run("WritesTheResultOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		taskID := b.accept(1)[0]
		first := store.Ending{TaskID: taskID, ResultID: id(), Status: task.Failed, Reason: "no model\x00 takes it"}
		for i, ending := range []store.Ending{first, {TaskID: taskID, ResultID: id(), Status: task.Cancelled}} {
			ended, err := store.Finish(t.Context(), b.pool, time.Now(), []string{store.StateQueued}, []store.Ending{ending})
			require.NoError(t, err)
			require.Len(t, ended, 1-i)
		}
		require.Equal(t, "no model\uFFFD takes it", *b.task(taskID).Reason)
		require.Equal(t, 1, b.count("weir.results WHERE id = $1 AND status = 'failed'", first.ResultID))
		ledgertest.Check(t, b.pool)
	})

	t.Run("ABundlesEndingIsFenced", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		stale, ids := b.released(1)
		_, err := store.HandBack(t.Context(), b.pool, stale, 0, "its worker has died")
		require.NoError(t, err)
		current := b.release(ids...)

		end := func(bundle uuid.UUID) []uuid.UUID {
			ended, err := store.Finish(t.Context(), b.pool, time.Now(), []string{store.StateReleased},
				[]store.Ending{{TaskID: ids[0], ResultID: id(), BundleID: bundle, Status: task.Failed, Reason: "why"}})
			require.NoError(t, err)
			return ended
		}
		require.Empty(t, end(stale), "the task is in another bundle by now")
		require.Equal(t, store.StateReleased, b.task(ids[0]).State)
		require.Equal(t, ids, end(current))
		require.Nil(t, b.task(ids[0]).BundleID, "every exit clears the fence")
		ledgertest.Check(t, b.pool)
	})

	t.Run("NothingIsNothing", func(t *testing.T) {
		t.Parallel()
		ended, err := store.Finish(t.Context(), setup(t).pool, time.Now(), []string{store.StateQueued}, nil)
		require.NoError(t, err)
		require.Empty(t, ended)
	})
}
