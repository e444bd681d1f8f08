package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
)

const lease = 15 * time.Second

// dead takes the processes that are dead in a transaction of its own.
func (b *testBundle) dead() []uuid.UUID {
	b.tb.Helper()
	var dead []uuid.UUID
	require.NoError(b.tb, pgx.BeginFunc(b.tb.Context(), b.pool, func(tx pgx.Tx) error {
		var err error
		dead, err = store.DeadProcesses(b.tb.Context(), tx, uuid.Nil, lease)
		return err
	}))
	return dead
}

func (b *testBundle) register() uuid.UUID {
	b.tb.Helper()
	boot := id()
	require.NoError(b.tb, store.Register(b.tb.Context(), b.pool, time.Now(), store.Process{ID: boot, Host: "h", Roles: []string{}, Version: "v"}))
	return boot
}

// silence makes a process's last beat older.
func (b *testBundle) silence(boot uuid.UUID, age time.Duration) {
	b.tb.Helper()
	b.exec(`UPDATE weir.processes SET beat_at = now() - $2 * interval '1 ms' WHERE id = $1`, boot, age.Milliseconds())
}

func TestRegister(t *testing.T) {
	t.Parallel()
	b := setup(t)
	started := time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Microsecond) // a process whose clock is wrong
	p := store.Process{ID: id(), Host: "node-1", Roles: []string{"ingest", "worker"}, Version: "v1.2.3"}
	require.NoError(t, store.Register(t.Context(), b.pool, started, p))
	require.Equal(t, 1, b.count(`weir.processes WHERE id = $1 AND host = 'node-1' AND roles = '{ingest,worker}'
		AND version = 'v1.2.3' AND started_at = $2 AND beat_at BETWEEN now() - interval '1 min' AND now()`, p.ID, started))
	require.Error(t, store.Register(t.Context(), b.pool, started, p), "a boot id is used once")
}

// beat renews a lease and tells nothing.
func (b *testBundle) beat(boot uuid.UUID) error {
	_, err := store.Beat(b.tb.Context(), b.pool, boot, nil, time.Minute)
	return err
}

func TestBeat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	boot := b.register()
	b.silence(boot, time.Minute)
	require.NoError(t, b.beat(boot))
	require.Equal(t, 1, b.count("weir.processes WHERE id = $1 AND beat_at > now() - interval '10 s'", boot))

	require.NoError(t, store.Deregister(t.Context(), b.pool, boot))
	require.ErrorIs(t, b.beat(boot), store.ErrReaped)
	require.NoError(t, store.Deregister(t.Context(), b.pool, boot))
}

func TestDeadProcesses(t *testing.T) {
	t.Parallel()

	t.Run("TakesTheSilentOnes", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		silent, slow := b.register(), b.register()
		b.silence(silent, lease+time.Second)
		b.silence(slow, lease-5*time.Second)
		require.Equal(t, []uuid.UUID{silent}, b.dead())
		require.ErrorIs(t, b.beat(silent), store.ErrReaped)
		require.NoError(t, b.beat(slow))
		require.Empty(t, b.dead(), "once")
	})

	t.Run("LeavesThoseOfAnotherReaper", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		silent := b.register()
		b.silence(silent, time.Minute)
		other, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = other.Rollback(t.Context()) }()
		dead, err := store.DeadProcesses(t.Context(), other, uuid.Nil, lease)
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{silent}, dead)

		require.Empty(t, b.dead())
		require.NoError(t, other.Rollback(t.Context()))
		require.Equal(t, []uuid.UUID{silent}, b.dead(), "a reaper that fails leaves them to the next one")
	})

	t.Run("FindsTheOwnersOfOrphanedAttempts", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(4)
		ghost, young, alive := id(), id(), b.register()
		insert := func(taskID, owner uuid.UUID, age time.Duration) {
			intent := b.intent(bundle, taskID)
			intent.Owner, intent.StartedAt = owner, time.Now().Add(-age)
			b.insertIntents(intent)
		}
		insert(ids[0], ghost, time.Minute) // given up, and then it began a last attempt
		insert(ids[1], ghost, time.Minute)
		insert(ids[2], young, time.Second) // may be registering
		insert(ids[3], alive, time.Minute)
		require.Equal(t, []uuid.UUID{ghost}, b.dead())
	})
}

// What a reaper does with a dead process, as far as the store goes: its calls are lost at their bound, the rest of its
// bundles goes back, and what it says later changes only the cost.
func TestDeadProcesses_TheirWorkGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bundle, ids := b.released(3)
	_, err := store.StartBundle(t.Context(), b.pool, time.Now(), bundle, b.owner)
	require.NoError(t, err)
	calls := b.begin(bundle, ids[0], ids[1])
	b.settle(calls[0].accepted())
	other, _ := b.released(1)
	b.silence(b.owner, time.Minute)

	require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		dead, err := store.DeadProcesses(t.Context(), tx, uuid.Nil, lease)
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{b.owner}, dead)
		open, err := store.LostAttempts(t.Context(), tx, dead)
		require.NoError(t, err)
		require.Len(t, open, 1)
		_, err = store.Settle(t.Context(), tx, []store.Settlement{calls[1].lost()})
		require.NoError(t, err)
		bundles, err := store.BundlesOf(t.Context(), tx, dead)
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{bundle}, bundles, "not those that nobody has begun, such as %s", other)
		n, err := store.HandBack(t.Context(), tx, bundle, 0, "its worker has died")
		require.EqualValues(t, 1, n)
		return err
	}))

	require.Equal(t, []string{"succeeded", store.StateReady, store.StateReady}, b.states(ids...))
	ledgertest.Check(t, b.pool)

	zombie := b.settle(calls[1].accepted())
	require.True(t, zombie[calls[1].attempt].Fenced)
	_, err = store.HandBack(t.Context(), b.pool, bundle, 0, "stopping")
	require.NoError(t, err)
	require.Empty(t, b.insertIntents(b.intent(bundle, ids[2])))
	require.Equal(t, []string{"succeeded", store.StateReady, store.StateReady}, b.states(ids...))
	ledgertest.Check(t, b.pool)
}
