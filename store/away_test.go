package store_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/store"
)

func spoolFiles(tb testing.TB, dir string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.spool.jsonl"))
	require.NoError(tb, err)
	return files
}

// Postgres is killed while calls are under way: their answers wait on disk and are settled when it is back, and no new
// call is allowed meanwhile.
func TestRecorder_PostgresIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	server := pgtest.StartDurable(t)
	b := setupOn(t, server.Pool(t))
	calls := b.called(3)
	bundle, waiting := b.released(1)
	dir := t.TempDir()
	spool, err := store.NewSpool(dir, id())
	require.NoError(t, err)
	r := startRecorder(t, b.pool, spool)

	server.Kill(t)
	errs := make([]error, len(calls))
	var callers sync.WaitGroup
	for i, c := range calls {
		callers.Go(func() { _, errs[i] = r.Settle(c.accepted()) })
	}
	intent := b.intent(bundle, waiting[0])
	allowed, err := r.Intent(intent)
	require.Error(t, err, "an intent gives up: no money is at stake yet")
	require.False(t, allowed)
	require.Len(t, spoolFiles(t, dir), 1, "by then the answers are on disk")

	server.Start(t)
	callers.Wait()

	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Empty(t, spoolFiles(t, dir), "Postgres has what was in it")
	require.Equal(t, 3, b.count("weir.results"))
	allowed, err = r.Intent(intent)
	require.NoError(t, err)
	require.True(t, allowed)
	ledgertest.Check(t, b.pool)
}

// A process ends while Postgres is away: what it had paid for is on disk, and the next one settles it.
func TestRecorder_ThePaidAnswersOutliveTheProcess(t *testing.T) {
	t.Parallel()
	server := pgtest.StartDurable(t)
	b := setupOn(t, server.Pool(t))
	c := b.called(1)[0]
	dir := t.TempDir()
	spool, err := store.NewSpool(dir, id())
	require.NoError(t, err)
	server.Stop(t)

	ctx, end := context.WithCancel(t.Context())
	r := store.NewRecorder(b.pool, spool, slog.New(slog.DiscardHandler))
	r.Start(ctx)
	failed := make(chan error, 1)
	go func() {
		_, err := r.Settle(c.accepted())
		failed <- err
	}()
	require.Eventually(t, func() bool { return len(spoolFiles(t, dir)) == 1 }, 20*time.Second, 10*time.Millisecond)
	end()
	require.Error(t, <-failed)
	r.Close()
	require.Len(t, spoolFiles(t, dir), 1, "nobody has settled it")

	server.Start(t)
	next, err := store.NewSpool(dir, id())
	require.NoError(t, err)
	n, err := next.Replay(t.Context(), b.pool, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "succeeded", b.task(c.task).State)
	require.Empty(t, spoolFiles(t, dir))
	ledgertest.Check(t, b.pool)
}

// cutConn loses the server's answer to a chosen message, as a network that breaks at that moment does: the server has
// done what it was asked, and the client cannot know.
type cutConn struct {
	net.Conn
	cut *cutter
	hit atomic.Bool
}

// cutter chooses the message: the first one that holds the needle. The zero value cuts nothing.
type cutter struct {
	mu     sync.Mutex
	needle []byte
	cuts   int
}

func (c *cutter) arm(needle []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.needle = needle
}

func (c *cutter) done() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

func (c *cutter) hits(message []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.needle == nil || !bytes.Contains(message, c.needle) {
		return false
	}
	c.needle = nil
	c.cuts++
	return true
}

func (c *cutConn) Write(p []byte) (int, error) {
	if c.cut.hits(p) {
		c.hit.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p) // the server's answer: it has done its part
	if c.hit.Load() {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// cutPool is a pool whose connections go through a cutter.
func cutPool(tb testing.TB, dsn string, cut *cutter) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(tb, err)
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &cutConn{Conn: conn, cut: cut}, nil
	}
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

func TestRecorder_TheAnswerToACommitIsLost(t *testing.T) {
	t.Parallel()

	t.Run("ASettlementIsAppliedOnce", func(t *testing.T) {
		t.Parallel()
		dsn := pgtest.DSN(t)
		b := setupOn(t, pgtest.Open(t, dsn))
		c := b.called(1)[0]
		cut := &cutter{}
		r := startRecorder(t, cutPool(t, dsn, cut), nil)
		s := c.accepted()
		cut.arm([]byte("commit"))

		_, err := r.Settle(s)

		require.Equal(t, 1, cut.done())
		require.ErrorIs(t, err, store.ErrSettledBefore, "the first try has landed")
		require.Equal(t, 1, b.count("weir.results WHERE id = $1", s.Next.ResultID))
		require.EqualValues(t, 400, b.task(c.task).Cost)
		ledgertest.Check(t, b.pool)
	})

	t.Run("AnIntentIsFoundAgain", func(t *testing.T) {
		t.Parallel()
		dsn := pgtest.DSN(t)
		b := setupOn(t, pgtest.Open(t, dsn))
		bundle, ids := b.released(2)
		cut := &cutter{}
		r := startRecorder(t, cutPool(t, dsn, cut), nil)
		warmUp, intent := b.intent(bundle, ids[0]), b.intent(bundle, ids[1])
		allowed, err := r.Intent(warmUp) // prepares the statement: the next message with the attempt's id is the insert
		require.NoError(t, err)
		require.True(t, allowed)
		cut.arm(attemptBytes(intent.AttemptID))

		allowed, err = r.Intent(intent)

		require.Equal(t, 1, cut.done())
		require.NoError(t, err)
		require.True(t, allowed, "the row is there and it is ours: the call may be made")
		require.Equal(t, 2, b.count("weir.attempts"))
		ledgertest.Check(t, b.pool)
	})
}

func attemptBytes(attempt uuid.UUID) []byte { return attempt[:] }
