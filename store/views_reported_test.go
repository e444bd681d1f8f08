package store_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestViews_ReportedCosts(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	usage := &task.Usage{Input: 10, Output: 1}
	var first store.Intent
	for i, s := range []store.Settlement{
		{ModelAnswered: "mini-1", Cost: new(task.Pico(70)), ReportedCost: new(task.Pico(70)), Usage: usage},
		{ModelAnswered: "mini-1", Cost: new(task.Pico(70)), ReportedCost: new(task.Pico(75)), Usage: usage},
		{ModelAnswered: "mini-1", Cost: new(task.Pico(70)), Usage: usage},           // the provider does not say
		{ModelAnswered: "mini-1", ReportedCost: new(task.Pico(9))},                  // nothing was metered
		{ModelAnswered: "other-1", ReportedCost: new(task.Pico(400)), Usage: usage}, // no price is known for it
		{ModelAnswered: "free-1", Cost: new(task.Pico(5)), ReportedCost: new(task.Pico(0)), Usage: usage},
	} {
		it := l.released(100)
		if i == 0 {
			first = it
		}
		s.TaskID, s.BundleID, s.AttemptID, s.FinishedAt = it.TaskID, it.BundleID, it.AttemptID, firstDay
		s.State, s.Verdict, s.Counted = store.AttemptClosed, store.VerdictAccepted, true
		s.Next = store.Next{State: store.StateReady, Model: "mini"}
		_, err := store.Settle(t.Context(), l.pool, []store.Settlement{s})
		require.NoError(t, err)
	}
	row := func(answered string, rest map[string]string) map[string]string {
		rest["day"], rest["provider"], rest["model"], rest["model_answered"] = "2026-03-10", "acme", "mini", answered
		return rest
	}
	want := []map[string]string{
		row("free-1", map[string]string{
			"attempts": "1", "reported_usd": "0.000000000000", "compared": "1", "cost_usd": "0.000000000005",
			"compared_reported_usd": "0.000000000000", "difference_usd": "-0.000000000005", "differing": "1", "unpriced_attempts": "0",
		}),
		row("mini-1", map[string]string{
			"attempts": "3", "reported_usd": "0.000000000154", "compared": "2", "cost_usd": "0.000000000140",
			"compared_reported_usd": "0.000000000145", "difference_usd": "0.000000000005", "differing": "1", "unpriced_attempts": "1",
		}),
		row("other-1", map[string]string{
			"attempts": "1", "reported_usd": "0.000000000400", "compared": "0", "cost_usd": "0.000000000000",
			"compared_reported_usd": "0.000000000000", "difference_usd": "0.000000000000", "differing": "0", "unpriced_attempts": "1",
		}),
	}
	require.Equal(t, want, l.rows(`SELECT * FROM weir.reported_costs ORDER BY model_answered`))

	// the reported figure is nobody's cost: neither the task's nor the attempt's
	require.Equal(t, []map[string]string{{"cost": "215", "unpriced": "1", "lost": "1"}}, l.rows(`
		SELECT sum(cost_pusd) AS cost, sum(unpriced_attempts) AS unpriced, sum(lost_attempts) AS lost FROM weir.tasks`))
	require.Equal(t, []map[string]string{{"unknown": "2"}}, l.rows(`
		SELECT count(*) AS unknown FROM weir.attempts WHERE cost_pusd IS NULL AND reported_cost_pusd IS NOT NULL`))

	// a correction is weir's cost
	require.NoError(t, store.InsertCorrections(t.Context(), l.pool, []store.Correction{{
		ID: uuid.Must(uuid.NewV7()), TaskID: first.TaskID, AttemptID: first.AttemptID, OldCost: new(int64(70)), Cost: 65,
		PriceBook: "book", PriceRow: "row", Reason: "a wrong row", At: firstDay,
	}}))
	require.Equal(t, []map[string]string{{"cost_usd": "0.000000000135", "difference_usd": "0.000000000010", "differing": "2"}}, l.rows(`
		SELECT cost_usd, difference_usd, differing FROM weir.reported_costs WHERE model_answered = 'mini-1'`))
}
