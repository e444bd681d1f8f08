package store

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

var (
	errPoison = &pgconn.PgError{Code: "22P02", Message: "invalid input syntax"}
	errAway   = io.ErrUnexpectedEOF
)

// committer stands for Postgres: a test says what becomes of each group.
type committer struct {
	mu      sync.Mutex
	groups  [][]int
	repeats []bool
	commit  func(ctx context.Context, try int, items []int) error
}

func (c *committer) do(ctx context.Context, items []int, again bool) ([]int, error) {
	c.mu.Lock()
	try := len(c.groups)
	c.groups, c.repeats = append(c.groups, slices.Clone(items)), append(c.repeats, again)
	c.mu.Unlock()
	if err := c.commit(ctx, try, items); err != nil {
		return nil, err
	}
	answers := make([]int, len(items))
	for i, item := range items {
		answers[i] = item * 10
	}
	return answers, nil
}

// answers collects what the callers of a group get.
type answers struct {
	callers sync.WaitGroup
	mu      sync.Mutex
	values  map[int]int
	errs    map[int]error
}

func newAnswers() *answers { return &answers{values: map[int]int{}, errs: map[int]error{}} }

func (a *answers) call(g *group[int, int], item, bytes int) {
	a.callers.Go(func() {
		value, err := g.do(item, bytes)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.values[item], a.errs[item] = value, err
	})
}

func (a *answers) requireAll(t *testing.T, n int) {
	t.Helper()
	a.callers.Wait()
	require.Len(t, a.values, n)
	for item, value := range a.values {
		require.NoError(t, a.errs[item])
		require.Equal(t, item*10, value)
	}
}

func TestGroup_SharesCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c := &committer{commit: func(_ context.Context, try int, _ []int) error {
			if try == 0 {
				<-gate
			}
			return nil
		}}
		g := newGroup(c.do)
		stop := g.start(t.Context())
		a := newAnswers()
		a.call(g, 0, 1)
		synctest.Wait()
		for i := range GroupRows + 100 {
			a.call(g, i+1, 1)
		}
		synctest.Wait()
		close(gate)
		a.requireAll(t, GroupRows+101)
		stop()

		require.Len(t, c.groups, 3, "a lone item is not kept waiting, a crowd shares its transactions")
		require.Len(t, c.groups[0], 1)
		require.Len(t, c.groups[1], GroupRows)
		require.Len(t, c.groups[2], 100)
		require.Equal(t, []bool{false, false, false}, c.repeats)
	})
}

func TestGroup_BoundsTheBytesOfATransaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		c := &committer{}
		c.commit = func(context.Context, int, []int) error {
			if !back.Load() {
				return errAway
			}
			return nil
		}
		g := newGroup(c.do)
		stop := g.start(t.Context())
		a := newAnswers()
		for i := range 10 {
			a.call(g, i, GroupBytes/4)
		}
		a.call(g, 10, 3*GroupBytes)
		<-time.After(time.Minute) // by the bubble's clock
		c.mu.Lock()
		c.groups = nil
		c.mu.Unlock()
		back.Store(true)
		a.requireAll(t, 11)
		stop()

		total := 0
		for _, items := range c.groups {
			total += len(items)
			require.LessOrEqual(t, len(items), 4, "also when many are waiting")
			require.False(t, slices.Contains(items, 10) && len(items) > 1, "what is above the limit goes alone")
		}
		require.Equal(t, 11, total)
	})
}

func TestGroup_APoisonedItemHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c := &committer{commit: func(_ context.Context, try int, items []int) error {
			if try == 0 {
				<-gate
			}
			if slices.Contains(items, 13) || slices.Contains(items, 77) {
				return errPoison
			}
			return nil
		}}
		g := newGroup(c.do)
		stop := g.start(t.Context())
		a := newAnswers()
		for i := range 100 {
			a.call(g, i, 1)
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		close(gate)
		a.callers.Wait()
		stop()

		require.Len(t, a.values, 100)
		for i := range 100 {
			if i == 13 || i == 77 {
				require.ErrorIs(t, a.errs[i], errPoison)
				continue
			}
			require.NoError(t, a.errs[i])
		}
		require.Less(t, len(c.groups), 30, "by halving, not one by one")
	})
}

// Postgres goes away, again and again, in the middle of halving a group: what has its answer is not committed again, and
// nobody is answered twice.
func TestGroup_PostgresGoesAwayWhileHalving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		done := map[int]int{}
		away := 5
		c := &committer{}
		c.commit = func(_ context.Context, try int, items []int) error {
			switch {
			case try == 0:
				<-gate
			case slices.Contains(items, 7) && len(items) > 1:
				return errPoison
			case slices.Contains(items, 7) && away > 0:
				away--
				return errAway
			case slices.Contains(items, 7):
				return errPoison
			}
			for _, item := range items {
				done[item]++
			}
			return nil
		}
		g := newGroup(c.do)
		stop := g.start(t.Context())
		a := newAnswers()
		a.call(g, 0, 1)
		synctest.Wait()
		for i := range 20 {
			a.call(g, i+1, 1)
		}
		synctest.Wait()
		close(gate)
		a.callers.Wait()
		stop()

		require.Len(t, a.values, 21)
		require.ErrorIs(t, a.errs[7], errPoison)
		for item, times := range done {
			require.Equal(t, 1, times, "item %d", item)
		}
		require.Len(t, done, 20)
	})
}

func TestGroup_Away(t *testing.T) {
	t.Parallel()

	t.Run("WaitsAndReportsWhatWaits", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			c := &committer{commit: func(context.Context, int, []int) error {
				if time.Since(start) < time.Minute {
					return errAway
				}
				return nil
			}}
			g := newGroup(c.do)
			reported := map[int]time.Duration{}
			g.away = func(since time.Duration, items []int) {
				for _, item := range items {
					reported[item] = since
				}
			}
			stop := g.start(t.Context())
			a := newAnswers()
			a.call(g, 1, 1)
			<-time.After(10 * time.Second) // by the bubble's clock
			a.call(g, 2, 1)                // comes while Postgres is away
			a.requireAll(t, 2)
			stop()

			require.Less(t, time.Since(start), time.Minute+retryMost+time.Second)
			require.Greater(t, reported[1], 50*time.Second)
			require.Greater(t, reported[2], 50*time.Second)
			require.Less(t, len(c.groups), 45, "with growing waits")
			require.False(t, c.repeats[0])
			require.True(t, c.repeats[1])
		})
	})

	t.Run("GivesUpAfterItsLimit", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var back atomic.Bool
			c := &committer{commit: func(context.Context, int, []int) error {
				if !back.Load() {
					return errAway
				}
				return nil
			}}
			g := newGroup(c.do)
			g.giveUp = 10 * time.Second
			stop := g.start(t.Context())
			_, err := g.do(1, 1)
			require.ErrorIs(t, err, errAway)
			require.GreaterOrEqual(t, time.Since(start), g.giveUp)
			require.Less(t, time.Since(start), g.giveUp+2*retryMost)
			back.Store(true)
			value, err := g.do(2, 1)
			require.NoError(t, err)
			require.Equal(t, 20, value)
			stop()
		})
	})

	t.Run("AHangingTryEnds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := &committer{commit: func(ctx context.Context, try int, _ []int) error {
				if try == 0 {
					<-ctx.Done() // a connection that broke silently
					return ctx.Err()
				}
				return nil
			}}
			g := newGroup(c.do)
			stop := g.start(t.Context())
			value, err := g.do(1, 1)
			require.NoError(t, err)
			require.Equal(t, 10, value)
			require.Equal(t, []bool{false, true}, c.repeats, "the first try may have landed")
			stop()
		})
	})

	t.Run("TheContextEndsTheRetries", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			g := newGroup((&committer{commit: func(context.Context, int, []int) error { return errAway }}).do)
			var last time.Duration
			g.away = func(since time.Duration, _ []int) { last = since }
			stop := g.start(ctx)
			a := newAnswers()
			a.call(g, 1, 1)
			synctest.Wait()
			cancel()
			a.callers.Wait()
			stop()
			require.Error(t, a.errs[1])
			require.Equal(t, SpoolAfter, last, "it has to be on disk now")
		})
	})

	t.Run("AnErrorThatTimeDoesNotHeal", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			denied := &pgconn.PgError{Code: "42501"}
			g := newGroup((&committer{commit: func(context.Context, int, []int) error { return denied }}).do)
			stop := g.start(t.Context())
			_, err := g.do(1, 1)
			require.ErrorIs(t, err, denied)
			require.Equal(t, start, time.Now(), "at once")
			stop()
		})
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		err       error
		data      bool
		retryable bool
	}{
		{"None", nil, false, false},
		{"InvalidText", &pgconn.PgError{Code: "22021"}, true, false},
		{"NotNull", &pgconn.PgError{Code: "23502", ColumnName: "body"}, true, false},
		{"Check", &pgconn.PgError{Code: "23514", ConstraintName: "tasks_lane_check"}, true, false},
		{"TooComplex", &pgconn.PgError{Code: "54001"}, true, false},
		{"NoPartition", &pgconn.PgError{Code: "23514", TableName: "payloads"}, false, true},
		{"ConnectionFailure", &pgconn.PgError{Code: "08006"}, false, true},
		{"Deadlock", &pgconn.PgError{Code: "40P01"}, false, true},
		{"TooManyConnections", &pgconn.PgError{Code: "53300"}, false, true},
		{"ShuttingDown", &pgconn.PgError{Code: "57P01"}, false, true},
		{"IdleInTransaction", &pgconn.PgError{Code: "25P03"}, false, true},
		{"Standby", &pgconn.PgError{Code: "25006"}, false, true},
		{"LockTimeout", &pgconn.PgError{Code: "55P03"}, false, true},
		{"Disk", &pgconn.PgError{Code: "58030"}, false, true},
		{"Internal", &pgconn.PgError{Code: "XX000"}, false, true},
		{"OutdatedStatement", &pgconn.PgError{Code: "0A000"}, false, true},
		{"NoTable", &pgconn.PgError{Code: "42P01"}, false, false},
		{"Network", io.ErrUnexpectedEOF, false, true},
		{"Timeout", context.DeadlineExceeded, false, true},
		{"Cancelled", context.Canceled, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.err
			if err != nil {
				err = errors.Join(errors.New("commit"), err)
			}
			require.Equal(t, tt.data, DataError(err))
			require.Equal(t, tt.retryable, Retryable(err))
		})
	}
}
