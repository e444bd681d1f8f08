package pgtest

import (
	"context"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

// Durable is a Postgres server of one test's own, set up as weir runs it, with every commit on disk. The test may kill,
// stop and start it. It ends with the test.
type Durable struct {
	dir *runDir

	mu       sync.Mutex
	postgres *embedded.Postgres
}

// StartDurable starts such a server; its database is migrated by what Main got.
func StartDurable(tb testing.TB) *Durable {
	tb.Helper()
	dir, err := makeRunDir()
	require.NoError(tb, err)
	tb.Cleanup(dir.remove)
	require.NoError(tb, plant(tb.Context(), dir.path))
	d := &Durable{dir: dir}
	d.Start(tb)
	tb.Cleanup(func() { d.Stop(tb) })
	require.NoError(tb, migrateDatabase(tb.Context(), d.DSN(), process.migrate))
	return d
}

// DSN is the connection string of the database weir. It stays the same over restarts.
func (d *Durable) DSN() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.postgres.DSN()
}

// Pool is a pool on the database weir, closed when the test ends.
func (d *Durable) Pool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return Open(tb, d.DSN())
}

// Start starts the server after Stop or Kill, and returns when it has recovered.
func (d *Durable) Start(tb testing.TB) {
	tb.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	postgres, err := embedded.StartPostgres(tb.Context(), config(d.dir.path, nil))
	require.NoError(tb, err)
	d.postgres = postgres
}

// Stop shuts the server down, ending all sessions.
func (d *Durable) Stop(tb testing.TB) {
	tb.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), stopTimeout)
	defer cancel()
	require.NoError(tb, d.postgres.Stop(ctx))
}

// Kill ends the server with kill -9, as a crash of it would.
func (d *Durable) Kill(tb testing.TB) {
	tb.Helper()
	d.mu.Lock()
	require.NoError(tb, syscall.Kill(d.postgres.Pid(), syscall.SIGKILL))
	<-d.postgres.Done()
	d.mu.Unlock()
	// Only gives the directory free: the server is gone.
	d.Stop(tb)
}
