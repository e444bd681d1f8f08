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

func TestStartBundle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deadline := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	last := b.ready(1, func(n *store.NewTask) { n.Priority = 4 })[0]
	first := b.newTask(func(n *store.NewTask) {
		n.Batch, n.Deadline, n.MaxCost, n.Priority = "nightly", &deadline, new(task.USD), 1
	})
	b.offer(first)
	b.classify(miniModel, first.ID)
	bundle := b.release(last, first.ID)
	first1, second1 := time.Now().UTC().Truncate(time.Microsecond), time.Now().Add(time.Minute)

	members, err := store.StartBundle(t.Context(), b.pool, first1, bundle, b.owner)

	require.NoError(t, err)
	require.Len(t, members, 2)
	require.Equal(t, []uuid.UUID{first.ID, last}, []uuid.UUID{members[0].TaskID, members[1].TaskID}, "by priority")
	require.JSONEq(t, planStages, string(members[0].Stages))
	got := members[0]
	require.True(t, deadline.Equal(*got.Deadline))
	require.False(t, got.AcceptedAt.IsZero())
	maxCost := int64(task.USD)
	require.Equal(t, store.Member{
		TaskID: first.ID, Tenant: "acme", Feature: "triage", Key: first.Key, Run: 1, Class: "L1", Batch: &first.Batch, Lane: "now",
		Model: miniModel, Stages: got.Stages, MaxCost: &maxCost, PromptTokens: 100, MaxOutput: 50, Deadline: got.Deadline,
		AcceptedAt: got.AcceptedAt, Body: first.Body,
	}, got)

	other := id()
	members, err = store.StartBundle(t.Context(), b.pool, second1, bundle, other)
	require.NoError(t, err)
	require.Len(t, members, 2, "River runs a job again")
	require.Equal(t, 1, b.count("weir.bundles WHERE id = $1 AND owner = $2 AND started_at = $3", bundle, other, first1))

	for _, c := range b.begin(bundle, last, first.ID) {
		b.settle(c.accepted())
	}
	members, err = store.StartBundle(t.Context(), b.pool, second1, bundle, other)
	require.NoError(t, err)
	require.Empty(t, members, "nothing is left to do")
}

func TestHandBack(t *testing.T) {
	t.Parallel()

	t.Run("OnlyMembersWithoutAnAttempt", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(3)
		b.begin(bundle, ids[1])
		elsewhere, others := b.released(1)

		n, err := store.HandBack(t.Context(), b.pool, bundle, 0, "the worker is stopping")

		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, []string{store.StateReady, store.StateReleased, store.StateReady}, b.states(ids...))
		require.Equal(t, "the worker is stopping", *b.task(ids[0]).Reason)
		require.Equal(t, &elsewhere, b.task(others[0]).BundleID)
		ledgertest.Check(t, b.pool)

		n, err = store.HandBack(t.Context(), b.pool, bundle, 0, "again")
		require.NoError(t, err)
		require.Zero(t, n)
	})

	t.Run("AWaitParks", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(2)
		_, err := store.HandBack(t.Context(), b.pool, bundle, time.Minute, "the provider asked for a pause")
		require.NoError(t, err)
		require.Equal(t, []string{store.StateParked, store.StateParked}, b.states(ids...))
		require.Equal(t, 2, b.count("weir.tasks WHERE not_before BETWEEN now() + interval '50 s' AND now() + interval '61 s'"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("AnAttemptFromAnEarlierBundleIsNoHindrance", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		b.settle(c.errored())
		n, err := store.HandBack(t.Context(), b.pool, b.release(c.task), 0, "why")
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		ledgertest.Check(t, b.pool)
	})
}

func TestPark(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bundle, ids := b.released(3)
	b.begin(bundle, ids[1])
	for i, want := range []bool{true, false, true} {
		parked, err := store.Park(t.Context(), b.pool, ids[i], bundle, time.Duration(i)*time.Minute, "its file is away")
		require.NoError(t, err)
		require.Equal(t, want, parked, "one with an attempt stays")
	}
	require.Equal(t, []string{store.StateParked, store.StateReleased, store.StateParked}, b.states(ids...))
	require.Equal(t, "its file is away", *b.task(ids[0]).Reason)
	require.Equal(t, 1, b.count("weir.tasks WHERE not_before BETWEEN now() + interval '110 s' AND now() + interval '121 s'"))
	require.Equal(t, 1, b.count("weir.tasks WHERE not_before <= now() + interval '1 s'"), "no wait at all is a short one")
	parked, err := store.Park(t.Context(), b.pool, ids[0], bundle, time.Minute, "again")
	require.NoError(t, err)
	require.False(t, parked, "it has left the bundle")
	ledgertest.Check(t, b.pool)
}

// An intent that is being committed at the moment when its bundle is handed back: the task goes back or is called, never
// both, whichever of the two comes first.
func TestHandBack_RacesAnIntent(t *testing.T) {
	t.Parallel()

	t.Run("TheIntentFirst", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(1)
		tx, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(t.Context()) }()
		inserted, err := store.InsertIntents(t.Context(), tx, []store.Intent{b.intent(bundle, ids[0])})
		require.NoError(t, err)
		require.Len(t, inserted, 1)

		handed := make(chan int64, 1)
		go func() {
			n, err := store.HandBack(t.Context(), b.pool, bundle, 0, "its worker has died")
			if err != nil {
				n = -1
			}
			handed <- n
		}()
		b.waitForLock()
		require.NoError(t, tx.Commit(t.Context()))

		require.Zero(t, <-handed)
		require.Equal(t, store.StateReleased, b.task(ids[0]).State)
		ledgertest.Check(t, b.pool)
	})

	t.Run("TheHandBackFirst", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(1)
		tx, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(t.Context()) }()
		n, err := store.HandBack(t.Context(), tx, bundle, 0, "its worker has died")
		require.NoError(t, err)
		require.EqualValues(t, 1, n)

		allowed := make(chan map[uuid.UUID]bool, 1)
		go func() {
			inserted, err := store.InsertIntents(t.Context(), b.pool, []store.Intent{b.intent(bundle, ids[0])})
			if err != nil {
				inserted = map[uuid.UUID]bool{uuid.Nil: true}
			}
			allowed <- inserted
		}()
		b.waitForLock()
		require.NoError(t, tx.Commit(t.Context()))

		require.Empty(t, <-allowed)
		require.Zero(t, b.count("weir.attempts"))
		ledgertest.Check(t, b.pool)
	})
}
