package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// asReader runs a statement as weir_ro.
func (l *ledger) asReader(sql string) error {
	ctx := l.tb.Context()
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL ROLE weir_ro`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	})
}

func requireDenied(t *testing.T, err error) {
	t.Helper()
	var denied *pgconn.PgError
	require.ErrorAs(t, err, &denied)
	require.Equal(t, "42501", denied.Code, "insufficient privilege")
}

func TestReader_SeesTheViewsAndNothingElse(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	fillTriage(l)
	fillCascade(l)
	relations := l.rows(`
		SELECT c.relname AS name, c.relkind AS kind
		FROM pg_class c
		WHERE c.relnamespace = 'weir'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')`)
	kinds := map[string]int{}
	for _, relation := range relations {
		kinds[relation["kind"]]++
	}
	require.Equal(t, 22, kinds["v"])
	require.Greater(t, kinds["r"]+kinds["p"], 15)
	for _, relation := range relations {
		t.Run(relation["name"], func(t *testing.T) {
			t.Parallel()
			err := l.asReader(`SELECT * FROM weir.` + pgx.Identifier{relation["name"]}.Sanitize())
			if relation["kind"] == "v" {
				require.NoError(t, err)
				return
			}
			requireDenied(t, err)
		})
	}
	tests := []struct{ name, sql string }{
		{name: "RiversTables", sql: `SELECT FROM river.river_job`},
		{name: "AnUpdate", sql: `UPDATE weir.tasks SET tenant = 'x'`},
		{name: "AFunctionThatWrites", sql: `SELECT weir.ensure_partitions(now() + interval '100 days')`},
		{name: "ATableOfItsOwn", sql: `CREATE TABLE weir.mine (id int)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			requireDenied(t, l.asReader(test.sql))
		})
	}
	t.Run("ABoundMadeIntoATaskID", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, l.asReader(`SELECT FROM weir.attempts_flat WHERE task_id >= weir.uuid7_at(now())`))
	})
}

func TestReader_Settings(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	require.Equal(t, []map[string]string{{
		"rolcanlogin": "true", "rolsuper": "false", "rolcreatedb": "false", "rolcreaterole": "false", "rolbypassrls": "false",
		"rolreplication": "false", "rolconfig": `["default_transaction_read_only=on","statement_timeout=30s"]`,
	}}, l.rows(`
		SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication, rolconfig
		FROM pg_roles WHERE rolname = 'weir_ro'`))
}
