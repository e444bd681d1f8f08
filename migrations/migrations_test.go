package migrations_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/migrations"
)

// The databases of these tests are empty: migrating them is the test.
func TestMain(m *testing.M) { pgtest.Main(m, nil) }

func up(ctx context.Context, pool *pgxpool.Pool) error {
	return migrations.Up(ctx, pool, slog.New(slog.DiscardHandler))
}

// migrated is a pool on a migrated database.
func migrated(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.NewPool(t)
	require.NoError(t, up(t.Context(), pool))
	return pool
}

// column reads the one column of a query.
func column[T any](t *testing.T, pool *pgxpool.Pool, sql string, args ...any) []T {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	require.NoError(t, err)
	return values
}

// schema describes everything in weir's schemas: columns, indexes, constraints, functions and table settings.
func schema(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return column[string](t, pool, `
		SELECT format('column %s.%s.%s %s %s %s', table_schema, table_name, column_name, data_type, is_nullable, column_default)
		FROM information_schema.columns WHERE table_schema IN ('weir', 'river')
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname IN ('weir', 'river')
		UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace IN ('weir'::regnamespace, 'river'::regnamespace)
		UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE pronamespace = 'weir'::regnamespace
		UNION ALL SELECT format('settings %s %s', oid::regclass, reloptions) FROM pg_class
		WHERE relnamespace IN ('weir'::regnamespace, 'river'::regnamespace) AND reloptions IS NOT NULL
		UNION ALL SELECT format('view %s %s', viewname, definition) FROM pg_views WHERE schemaname = 'weir'
		UNION ALL SELECT format('grant %s %s %s', grantee, table_name, privilege_type)
		FROM information_schema.role_table_grants WHERE table_schema = 'weir'
		ORDER BY 1`)
}

func TestUp(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	require.ErrorIs(t, migrations.Check(t.Context(), pool), migrations.ErrBehind)

	require.NoError(t, up(t.Context(), pool))

	require.NoError(t, migrations.Check(t.Context(), pool))
	tables := column[string](t, pool, `
		SELECT c.relname FROM pg_class c
		WHERE c.relnamespace = 'weir'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	require.Subset(t, tables, []string{
		"tasks", "task_keys", "payloads", "plans", "attempts", "outputs", "results", "bundles", "processes",
		"dispatch_deficits", "ingest_batches", "dead_letters", "outcomes",
	})
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: migrations.RiverSchema})
	require.NoError(t, err)
	valid, err := migrator.Validate(t.Context(), nil)
	require.NoError(t, err)
	require.True(t, valid.OK, valid.Messages)

	before := schema(t, pool)
	require.NoError(t, up(t.Context(), pool), "a second time changes nothing")
	require.Equal(t, before, schema(t, pool))
}

func TestUp_FourReplicasAtOnce(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	var replicas errgroup.Group
	for range 4 {
		pool := pgtest.Open(t, dsn)
		replicas.Go(func() error { return up(t.Context(), pool) })
	}
	require.NoError(t, replicas.Wait())
	pool := pgtest.Open(t, dsn)
	require.NoError(t, migrations.Check(t.Context(), pool))
	require.Equal(t, schema(t, migrated(t)), schema(t, pool))
	require.Empty(t, column[int64](t, pool, `
		SELECT version_id FROM public.weir_migrations GROUP BY version_id HAVING count(*) > 1`), "each was applied once")
}

func TestUp_WithALogger(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	require.NoError(t, migrations.Up(t.Context(), pgtest.NewPool(t), slog.New(slog.NewTextHandler(&log, nil))))
	require.Contains(t, log.String(), `msg="migration applied" version=1`)
	require.Contains(t, log.String(), `version=2`, "River's too")
}

func TestUp_StopsWithItsContext(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, up(ctx, pool), context.Canceled)
	require.NoError(t, up(t.Context(), pool), "and leaves nothing in the way")
}

func TestCheck_AMissingMigration(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	_, err := pool.Exec(t.Context(), `DELETE FROM public.weir_migrations WHERE version_id = (
		SELECT max(version_id) FROM public.weir_migrations)`)
	require.NoError(t, err)
	require.ErrorIs(t, migrations.Check(t.Context(), pool), migrations.ErrBehind)
}

func TestUp_TunesRiver(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	require.Empty(t, column[string](t, pool, `SELECT indexname FROM pg_indexes WHERE schemaname = 'river' AND indexdef LIKE '%USING gin%'`))
	require.Equal(t, []string{"autovacuum_vacuum_cost_delay=0"}, column[string](t, pool, `
		SELECT o FROM pg_class, unnest(reloptions) o WHERE oid = 'river.river_job'::regclass AND o LIKE '%cost_delay%'`))
}

// Tables that were never analyzed are several times slower: Postgres guesses ten pages for each.
func TestUp_Analyzes(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	require.Empty(t, column[string](t, pool, `
		SELECT oid::regclass::text FROM pg_class
		WHERE relnamespace IN ('weir'::regnamespace, 'river'::regnamespace) AND relkind IN ('r', 'p') AND reltuples < 0`))
}

// The SQL files can be undone, for people who try a release and go back. River's migration is undone with its schema.
func TestFiles_Down(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	want := schema(t, pool)
	db := stdlib.OpenDBFromPool(pool)
	defer func() { require.NoError(t, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("."),
		goose.WithDisableGlobalRegistry(true), goose.WithTableName("public.weir_migrations"),
		goose.WithGoMigrations(goose.NewGoMigration(2, nil, nil)))
	require.NoError(t, err)

	undone, err := provider.DownTo(t.Context(), 0)

	require.NoError(t, err)
	require.GreaterOrEqual(t, len(undone), 6)
	require.Empty(t, column[string](t, pool, `SELECT nspname FROM pg_namespace WHERE nspname IN ('weir', 'river')`))
	require.NoError(t, up(t.Context(), pool))
	require.Equal(t, want, schema(t, pool))
}

func TestUUID7(t *testing.T) {
	t.Parallel()
	pool := migrated(t)

	t.Run("RoundTrip", func(t *testing.T) {
		t.Parallel()
		random := rand.New(rand.NewPCG(1, 2))
		times := make([]time.Time, 2_000)
		for i := range times {
			times[i] = time.UnixMicro(random.Int64N(8_000_000_000_000_000)).UTC() // up to the year 2223
		}
		times[0] = time.UnixMilli(0)
		require.Empty(t, column[time.Time](t, pool, `
			SELECT t FROM unnest($1::timestamptz[]) t
			WHERE weir.uuid7_time(weir.uuid7_at(t)) <> date_trunc('milliseconds', t)`, times))
	})

	t.Run("IsTheLeastOfItsMillisecond", func(t *testing.T) {
		t.Parallel()
		for range 100 {
			id := uuid.Must(uuid.NewV7())
			sec, nsec := id.Time().UnixTime()
			made := time.Unix(sec, nsec)
			require.Equal(t, []bool{true}, column[bool](t, pool, `
				SELECT $1 >= weir.uuid7_at($2) AND $1 < weir.uuid7_at($2 + interval '1 ms') AND weir.uuid7_time($1) = $2`,
				id, made.Truncate(time.Millisecond)))
		}
	})

	t.Run("OpenEnds", func(t *testing.T) {
		t.Parallel()
		const least, most = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-0000-0000-000000000000"
		for at, want := range map[string]string{
			"-infinity": least, "0001-01-01": least, "1969-12-31": least, "1970-01-01 UTC": least,
			"infinity": most, "99999-01-01": most,
		} {
			require.Equal(t, []string{want}, column[string](t, pool, `SELECT weir.uuid7_at($1::text::timestamptz)::text`, at), at)
		}
	})
}
