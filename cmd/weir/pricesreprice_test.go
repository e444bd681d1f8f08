package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
)

// TestPrices_Reprice books attempts, spoils what some of them cost, and corrects them.
func TestPrices_Reprice(t *testing.T) {
	t.Parallel()
	const tasks = 20
	dsn := pgtest.DSN(t)
	b := setupCrash(t, dsn, pgtest.Open(t, dsn))
	b.publish(t, tasks)
	weir := b.start(t, "")
	require.Eventually(t, func() bool { return b.answered() == tasks }, 30*time.Second, 20*time.Millisecond)
	weir.stop(t)
	reprice := func(args ...string) repriced {
		t.Helper()
		var out, errs strings.Builder
		getenv := func(name string) string { return map[string]string{"DATABASE_URL": dsn}[name] }
		args = append([]string{"prices", "reprice", "--since", "2026-01-01", "--json"}, args...)
		require.NoError(t, run(t.Context(), args, getenv, strings.NewReader(""), &out, &errs), errs.String())
		var r repriced
		require.NoError(t, json.Unmarshal([]byte(out.String()), &r))
		return r
	}
	right := b.count(t, `SELECT sum(cost_pusd)::bigint FROM weir.attempts`)
	first := reprice()
	require.Positive(t, first.Attempts)
	require.Zero(t, first.Corrected, "the book that booked them finds nothing")

	_, err := b.pool.Exec(t.Context(), `
		UPDATE weir.attempts SET cost_pusd = cost_pusd * 2
		WHERE id IN (SELECT id FROM weir.attempts WHERE cost_pusd > 0 ORDER BY id LIMIT 3)`)
	require.NoError(t, err)
	booked := b.count(t, `SELECT sum(cost_pusd)::bigint FROM weir.attempts`)

	require.Equal(t, 3, reprice("--dry-run").Corrected)
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.cost_corrections`), "a dry run writes nothing")
	done := reprice("--reason", "the price was wrong")
	require.Equal(t, 3, done.Corrected)
	require.Equal(t, 2*done.After, done.Before)
	require.Equal(t, 3, b.count(t, `SELECT count(*) FROM weir.cost_corrections WHERE reason = 'the price was wrong'`))
	require.Equal(t, right, b.count(t, `SELECT sum(cost_pusd)::bigint FROM weir.attempt_costs`))
	require.Equal(t, booked, b.count(t, `SELECT sum(cost_pusd)::bigint FROM weir.attempts`), "what was booked stays")

	require.Zero(t, reprice().Corrected, "a second run corrects nothing")
}
