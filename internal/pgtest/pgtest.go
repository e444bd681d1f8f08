// Package pgtest gives every test a Postgres database of its own, with weir's schema in it, on a real server. It knows
// no schema itself: a package's TestMain passes one in.
//
//	func TestMain(m *testing.M) { pgtest.Main(m, migrations.Migrate) }
//
//	func TestThing(t *testing.T) {
//		t.Parallel()
//		pool := pgtest.NewPool(t)
//
// One server serves all tests of a process. It starts with the first test that asks, without any durability, and ends
// with the process, however that ends. Durable is for tests that kill the server.
package pgtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// Migrate makes a schema in the empty database of pool. It may close pool.
type Migrate func(ctx context.Context, pool *pgxpool.Pool) error

const (
	// poolSize leaves room for many parallel tests below the server's limit of connections.
	poolSize = 8
	// closeTimeout bounds the wait for connections that a test forgot to give back.
	closeTimeout = 10 * time.Second
	dropTimeout  = 30 * time.Second
)

// Main runs the tests of a package whose databases migrate prepares; call it from TestMain. A nil migrate leaves the
// databases empty.
func Main(m *testing.M, migrate Migrate) {
	process.migrate = migrate
	defer process.stop()
	m.Run()
}

// DSN makes a database for the test, a copy of the migrated template, and returns its connection string. The database is
// dropped, with whatever is still connected to it, when the test ends.
func DSN(tb testing.TB) string {
	tb.Helper()
	s, err := process.server(tb.Context())
	require.NoError(tb, err)
	name := fmt.Sprintf("test_%d", process.next.Add(1))
	_, err = s.admin.Exec(tb.Context(), "CREATE DATABASE "+name+" TEMPLATE "+templateName+s.strategy)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), dropTimeout)
		defer cancel()
		_, err := s.admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(tb, err)
	})
	return s.postgres.DatabaseDSN(name)
}

// NewPool is a pool on a database of the test's own, closed when the test ends.
func NewPool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return Open(tb, DSN(tb))
}

// Open opens a pool of at most 8 connections on dsn, closed when the test ends. A connection that has not been given
// back by then fails the test.
func Open(tb testing.TB, dsn string) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(tb, err)
	config.MaxConns = poolSize
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(func() { mustClose(tb, pool) })
	return pool
}

func mustClose(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
		tb.Errorf("close the pool: %d connections were not given back", pool.Stat().AcquiredConns())
	}
}
