package migrations_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/internal/pgtest"
)

const day = 24 * time.Hour

// partition is a partition's name and the times that it spans.
type partition struct {
	Name  string
	Lower time.Time
	Upper time.Time
}

// database is a pool or a connection.
type database interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// partitions are the partitions of a table, by time.
func partitions(t *testing.T, db database, table string) []partition {
	t.Helper()
	rows, err := db.Query(t.Context(), `
		SELECT c.relname, weir.uuid7_time(b[1]::uuid), weir.uuid7_time(b[2]::uuid)
		FROM pg_inherits i
		JOIN pg_class c ON c.oid = i.inhrelid
		CROSS JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') b
		WHERE i.inhparent = ('weir.' || $1)::regclass
		ORDER BY 2`, table)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[partition])
	require.NoError(t, err)
	return found
}

// requireCover requires that partitions follow each other without a gap or an overlap, have the names of their times, and
// span from one time to another.
func requireCover(t *testing.T, found []partition, from, to time.Time, format string) {
	t.Helper()
	require.NotEmpty(t, found)
	require.False(t, found[0].Lower.After(from), "%s begins at %s", found[0].Name, found[0].Lower)
	last := found[len(found)-1]
	require.False(t, last.Upper.Before(to), "%s ends at %s, before %s", last.Name, last.Upper, to)
	for i, p := range found {
		require.Equal(t, p.Lower.UTC().Format(format), p.Name)
		require.True(t, p.Lower.UTC().Equal(p.Lower.UTC().Truncate(day)), "%s begins at midnight in UTC", p.Name)
		if i > 0 {
			require.True(t, found[i-1].Upper.Equal(p.Lower), "between %s and %s", found[i-1].Name, p.Name)
		}
	}
}

func TestUp_MakesPartitions(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	now := time.Now()
	requireCover(t, partitions(t, pool, "payloads"), now.Add(-day), now.Add(7*day), "payloads_20060102")
	requireCover(t, partitions(t, pool, "outputs"), now.Add(-day), now.Add(7*day), "outputs_20060102")
	requireCover(t, partitions(t, pool, "attempts"), now.Add(-day), now.Add(7*day), "attempts_200601")
}

// Whatever the time zone of the session, days and months are those of UTC: summer time leaves no gap.
func TestEnsurePartitions(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			conn, err := migrated(t).Acquire(t.Context())
			require.NoError(t, err)
			defer conn.Release()
			_, err = conn.Exec(t.Context(), fmt.Sprintf("SET TimeZone = '%s'", zone))
			require.NoError(t, err)
			for _, season := range []time.Time{
				time.Date(2027, 3, 5, 23, 30, 0, 0, time.UTC), time.Date(2027, 9, 24, 5, 0, 0, 0, time.UTC),
			} {
				dropPartitions(t, conn)
				for n := range 45 {
					now := season.Add(time.Duration(n) * day)
					_, err := conn.Exec(t.Context(), `SELECT weir.ensure_partitions($1)`, now)
					require.NoError(t, err)
					requireCover(t, partitions(t, conn, "payloads"), now.Add(-day), now.Add(7*day), "payloads_20060102")
					requireCover(t, partitions(t, conn, "attempts"), now.Add(-28*day), now.Add(7*day), "attempts_200601")
				}
				require.Len(t, partitions(t, conn, "outputs"), 45+8)
			}
		})
	}
}

// dropPartitions drops all partitions, in portions that the server's lock table can hold.
func dropPartitions(t *testing.T, db database) {
	t.Helper()
	for _, table := range []string{"payloads", "outputs", "attempts"} {
		for _, p := range partitions(t, db, table) {
			_, err := db.Exec(t.Context(), `DROP TABLE weir.`+p.Name)
			require.NoError(t, err)
		}
	}
}

func TestEnsurePartitions_Idempotent(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	pool := pgtest.Open(t, dsn)
	require.NoError(t, up(t.Context(), pool))
	ahead := time.Now().Add(40 * day)
	var processes errgroup.Group
	for range 6 {
		processes.Go(func() error {
			_, err := pool.Exec(t.Context(), `SELECT weir.ensure_partitions($1)`, ahead)
			return err
		})
	}
	require.NoError(t, processes.Wait())
	before := schema(t, pool)
	_, err := pool.Exec(t.Context(), `SELECT weir.ensure_partitions($1)`, ahead)
	require.NoError(t, err)
	require.Equal(t, before, schema(t, pool))
}

// A partition has what its table has, and settings of its own.
func TestEnsurePartitions_Settings(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	attempts := partitions(t, pool, "attempts")[0].Name
	require.Equal(t, []string{"autovacuum_vacuum_scale_factor=0.02"}, column[string](t, pool, `
		SELECT o FROM pg_class, unnest(reloptions) o WHERE relname = $1 AND o LIKE 'autovacuum_vacuum_scale%'`, attempts))
	require.Len(t, column[string](t, pool, `
		SELECT i.inhrelid::regclass::text FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
		WHERE x.indrelid = ('weir.' || $1)::regclass`, attempts),
		len(column[string](t, pool, `SELECT indexname FROM pg_indexes WHERE schemaname = 'weir' AND tablename = 'attempts'`)),
		"every index belongs to the table's own")
	require.Len(t, column[string](t, pool, `SELECT conname FROM pg_constraint WHERE conrelid = ('weir.' || $1)::regclass`, attempts),
		len(column[string](t, pool, `SELECT conname FROM pg_constraint WHERE conrelid = 'weir.attempts'::regclass`)))
	lz4 := column[bool](t, pool, `
		SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'`)
	if len(lz4) == 1 && lz4[0] {
		require.Equal(t, []string{"l"}, column[string](t, pool, `
			SELECT attcompression::text FROM pg_attribute
			WHERE attrelid = ('weir.' || $1)::regclass AND attname = 'body'`, partitions(t, pool, "payloads")[0].Name))
	}
}

// A report that reads for long must not hold up new partitions, nor everybody who would queue behind them.
func TestEnsurePartitions_WaitsForNoReader(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	reader, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = reader.Rollback(t.Context()) }()
	_, err = reader.Exec(t.Context(), `SELECT (SELECT count(*) FROM weir.attempts), (SELECT count(*) FROM weir.payloads)`)
	require.NoError(t, err)

	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `SET LOCAL lock_timeout = '1s'`)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SELECT weir.ensure_partitions($1)`, time.Now().Add(60*day))
		return err
	}))
}
