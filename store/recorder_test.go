package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// startRecorder runs a recorder until the test ends.
func startRecorder(tb testing.TB, pool *pgxpool.Pool, spool *store.Spool) *store.Recorder {
	tb.Helper()
	r := store.NewRecorder(pool, spool, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	r.Start(ctx)
	tb.Cleanup(func() {
		cancel()
		r.Close()
	})
	return r
}

func TestRecorder(t *testing.T) {
	t.Parallel()

	t.Run("ConcurrentCallersShareTransactions", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		const n = 200
		bundle, ids := b.released(n)
		r := startRecorder(t, b.pool, nil)
		calls, allowed, errs := make([]call, n), make([]bool, n), make([]error, n)
		var callers sync.WaitGroup
		for i, taskID := range ids {
			callers.Go(func() {
				intent := b.intent(bundle, taskID)
				calls[i] = call{taskID, bundle, intent.AttemptID}
				if allowed[i], errs[i] = r.Intent(intent); errs[i] == nil {
					_, errs[i] = r.Settle(calls[i].accepted())
				}
			})
		}
		callers.Wait()
		for i := range n {
			require.NoError(t, errs[i])
			require.True(t, allowed[i])
		}
		require.Equal(t, n, b.count("weir.results"))
		require.Less(t, scalar[int](b, `SELECT count(DISTINCT xmin::text) FROM weir.results`), n/2)
		ledgertest.Check(t, b.pool)
	})

	t.Run("OneWorkerOfTwoMayCall", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bundle, ids := b.released(1)
		r := startRecorder(t, b.pool, nil)
		first, second := b.intent(bundle, ids[0]), b.intent(bundle, ids[0])
		allowed, err := r.Intent(first)
		require.NoError(t, err)
		require.True(t, allowed)
		allowed, err = r.Intent(second)
		require.NoError(t, err)
		require.False(t, allowed)
	})

	t.Run("WhatCostNothingIsSettledToo", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		r := startRecorder(t, b.pool, nil)
		free := task.Pico(0)
		settled, err := r.Settle(c.errored(func(s *store.Settlement) { s.Counted, s.Cost = false, &free }))
		require.NoError(t, err, "a settlement without any totals is still one")
		require.Equal(t, store.Settled{}, settled)
		require.Equal(t, store.StateReady, b.task(c.task).State)
	})

	t.Run("ASettlementWaitsForWhatMayHeal", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		dir := t.TempDir()
		r := startRecorder(t, b.pool, newSpool(t, dir))
		b.exec(`ALTER TABLE weir.results RENAME TO mislaid`)
		settled := make(chan error, 1)
		go func() {
			_, err := r.Settle(c.accepted())
			settled <- err
		}()
		require.Eventually(t, func() bool { return len(spoolFiles(t, dir)) == 1 }, 20*time.Second, 10*time.Millisecond,
			"it is kept on disk meanwhile")
		b.exec(`ALTER TABLE weir.mislaid RENAME TO results`)
		require.NoError(t, <-settled)
		require.Equal(t, "succeeded", b.task(c.task).State)
		require.Empty(t, spoolFiles(t, dir))
		ledgertest.Check(t, b.pool)
	})

	t.Run("ASecondSettlementIsToldSo", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		r := startRecorder(t, b.pool, nil)
		settled, err := r.Settle(c.accepted())
		require.NoError(t, err)
		require.True(t, settled.Finished)
		_, err = r.Settle(c.accepted())
		require.ErrorIs(t, err, store.ErrSettledBefore)
		never := call{c.task, c.bundle, id()}
		_, err = r.Settle(never.accepted())
		require.ErrorIs(t, err, store.ErrSettledBefore)
		ledgertest.Check(t, b.pool)
	})
}

// settleAll settles concurrently, in groups that begin with the first one's.
func (b *testBundle) settleAll(r *store.Recorder, settlements []store.Settlement) []error {
	b.tb.Helper()
	lock, err := b.pool.Begin(b.tb.Context())
	require.NoError(b.tb, err)
	_, err = lock.Exec(b.tb.Context(), `SELECT FROM weir.tasks WHERE id = $1 FOR UPDATE`, settlements[0].TaskID)
	require.NoError(b.tb, err)
	errs := make([]error, len(settlements))
	var callers sync.WaitGroup
	for i := range settlements {
		callers.Go(func() { _, errs[i] = r.Settle(settlements[i]) })
		if i == 0 {
			b.waitForLock() // the others gather behind it
		}
	}
	require.NoError(b.tb, lock.Rollback(b.tb.Context()))
	callers.Wait()
	return errs
}

func TestRecorder_APoisonedRowHarmsOnlyItself(t *testing.T) {
	t.Parallel()

	t.Run("AProvidersWordsAreWorthLessThanItsBill", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		settlements := make([]store.Settlement, 60)
		for i, c := range b.called(len(settlements)) {
			settlements[i] = c.accepted()
		}
		settlements[20].RawUsage = []byte(`{"in": 100`)
		settlements[40].RawUsage = []byte("{\"in\": \"\xff\"}")

		for _, err := range b.settleAll(startRecorder(t, b.pool, nil), settlements) {
			require.NoError(t, err)
		}

		require.Equal(t, 60, b.count("weir.results WHERE status = 'succeeded'"))
		require.Equal(t, 58, b.count("weir.attempts WHERE raw_usage IS NOT NULL AND request_id = 'req-1'"))
		require.Equal(t, 2, b.count("weir.attempts WHERE raw_usage IS NULL AND request_id IS NULL AND cost_pusd = 400"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("WhatIsRefusedIsRefusedAlone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		settlements := make([]store.Settlement, 60)
		for i, c := range b.called(len(settlements)) {
			settlements[i] = c.accepted()
		}
		negative := task.Pico(-1)
		settlements[30].Cost = &negative

		r := startRecorder(t, b.pool, nil)
		errs := b.settleAll(r, settlements)

		for i, err := range errs {
			if i == 30 {
				require.True(t, store.DataError(err), "%v", err)
				continue
			}
			require.NoError(t, err)
		}
		require.Equal(t, 59, b.count("weir.results"))
		_, err := r.Settle(call{settlements[30].TaskID, settlements[30].BundleID, settlements[30].AttemptID}.rejected())
		require.NoError(t, err, "a better settlement is welcome")
		ledgertest.Check(t, b.pool)
	})

	t.Run("AnIntent", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		const n = 40
		bundle, ids := b.released(n)
		r := startRecorder(t, b.pool, nil)
		allowed, errs := make([]bool, n), make([]error, n)
		var callers sync.WaitGroup
		for i, taskID := range ids {
			callers.Go(func() {
				intent := b.intent(bundle, taskID)
				if i == 7 {
					intent.Mode = "carrier pigeon"
				}
				allowed[i], errs[i] = r.Intent(intent)
			})
		}
		callers.Wait()
		for i := range n {
			if i == 7 {
				require.True(t, store.DataError(errs[i]), "%v", errs[i])
				require.False(t, allowed[i])
				continue
			}
			require.NoError(t, errs[i])
			require.True(t, allowed[i])
		}
		require.Equal(t, n-1, b.count("weir.attempts"))
		ledgertest.Check(t, b.pool)
	})
}

// Many processes settle for one task: exactly one of them ends it.
func TestRecorder_OneResultATask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.called(1)[0]
	finished := make([]bool, 8)
	var processes sync.WaitGroup
	for i := range finished {
		r := startRecorder(t, b.pool, nil)
		processes.Go(func() {
			settled, err := r.Settle(c.accepted(func(s *store.Settlement) { s.Output = fmt.Appendf(nil, "answer %d", i) }))
			finished[i] = err == nil && settled.Finished
		})
	}
	processes.Wait()
	ended := 0
	for _, f := range finished {
		if f {
			ended++
		}
	}
	require.Equal(t, 1, ended)
	require.Equal(t, 1, b.count("weir.results"))
	require.Equal(t, 1, b.count("weir.outputs"))
	ledgertest.Check(t, b.pool)
}
