package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, pool *pgxpool.Pool) error {
		_, err := pool.Exec(ctx, `CREATE TABLE note (text text PRIMARY KEY); INSERT INTO note VALUES ('from the template')`)
		return err
	})
}

func TestNewPool(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"First", "Second", "Third", "Fourth"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.NewPool(t)

			_, err := pool.Exec(t.Context(), `INSERT INTO note VALUES ('mine')`)
			require.NoError(t, err, "a row of another test must not be in the way")

			var count int
			require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM note`).Scan(&count))
			require.Equal(t, 2, count)
		})
	}
}

func TestDSN_DropsTheDatabase(t *testing.T) {
	t.Parallel()

	var dropped string
	t.Run("Use", func(t *testing.T) {
		dropped = pgtest.DSN(t)
		// A connection that stays open must not keep the database.
		_, err := pgx.Connect(context.Background(), dropped)
		require.NoError(t, err)
	})

	_, err := pgx.Connect(t.Context(), dropped)
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "3D000", refused.Code, "the database must not exist any more")
}

func TestNewPool_Settings(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)

	for name, want := range map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "listen_addresses": ""} {
		require.Equal(t, want, setting(t, pool, name), name)
	}
}

func TestStartDurable(t *testing.T) {
	t.Parallel()
	server := pgtest.StartDurable(t)
	pool := server.Pool(t)
	require.Equal(t, "on", setting(t, pool, "fsync"))
	dsn := server.DSN()

	_, err := pool.Exec(t.Context(), `INSERT INTO note VALUES ('before the kill')`)
	require.NoError(t, err)
	server.Kill(t)
	_, err = pool.Exec(t.Context(), `INSERT INTO note VALUES ('without a server')`)
	require.Error(t, err)

	server.Start(t)
	require.Equal(t, dsn, server.DSN())
	require.Equal(t, []string{"before the kill", "from the template"}, notes(t, pool))

	server.Stop(t)
	server.Start(t)
	pool.Reset()
	require.Equal(t, []string{"before the kill", "from the template"}, notes(t, pool))
}

func setting(t *testing.T, pool *pgxpool.Pool, name string) string {
	t.Helper()
	var value string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&value))
	return value
}

func notes(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT text FROM note ORDER BY text`)
	require.NoError(t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return texts
}
