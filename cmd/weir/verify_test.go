package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
)

// TestVerify looks at the ledger of tasks that were really worked, and again after somebody has changed a cost.
func TestVerify(t *testing.T) {
	t.Parallel()
	const tasks = 20
	dsn := pgtest.DSN(t)
	b := setupCrash(t, dsn, pgtest.Open(t, dsn))
	b.publish(t, tasks)
	weir := b.start(t, "")
	require.Eventually(t, func() bool { return b.answered() == tasks }, 30*time.Second, 20*time.Millisecond)
	weir.stop(t)
	check := func(args ...string) (stdout string, err error) {
		var out, errs strings.Builder
		getenv := func(name string) string { return map[string]string{"DATABASE_URL": dsn}[name] }
		err = run(t.Context(), append([]string{"verify"}, args...), getenv, strings.NewReader(""), &out, &errs)
		return out.String(), err
	}

	stdout, err := check()
	require.NoError(t, err, stdout)
	require.Regexp(t, `^the ledger holds: [0-9]+ rules, no violation; [1-9][0-9]* costs worked out again by [1-9] rows of the price book\n$`, stdout)

	_, err = b.pool.Exec(t.Context(), `
		UPDATE weir.attempts SET cost_pusd = cost_pusd + 1
		WHERE id = (SELECT id FROM weir.attempts WHERE cost_pusd > 0 ORDER BY id LIMIT 1)`)
	require.NoError(t, err)
	stdout, err = check()
	require.ErrorIs(t, err, errViolated)
	require.Contains(t, stdout, "CostRecomputed: ")
	require.Contains(t, stdout, "broken by 1 rows, such as ")

	_, err = b.pool.Exec(t.Context(), `DELETE FROM weir.prices`)
	require.NoError(t, err)
	stdout, err = check()
	require.ErrorIs(t, err, errViolated)
	require.Contains(t, stdout, "PriceRow: ", "what cannot be worked out again does not pass")

	stdout, err = check("--json")
	require.ErrorIs(t, err, errViolated)
	var got verification
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Greater(t, got.Checks, len(got.Violations))
	require.NotEmpty(t, got.Violations)
}
