package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// fillTriage makes a feature where a valid answer is a success, with a task for every way to end.
func fillTriage(l *ledger) {
	l.feature("triage", "validated", "0.5")
	l.task(taskRow{cost: "0.001"}) // useful: nobody says otherwise

	confirmed := l.task(taskRow{cost: "0.002"})
	l.outcome(confirmed, true, 1) // useful

	withdrawn := l.task(taskRow{cost: "0.003"})
	l.outcome(withdrawn, true, 1)
	l.outcome(withdrawn, false, 2) // failed

	outOfOrder := l.task(taskRow{cost: "0.004"})
	l.outcome(outOfOrder, false, 3)
	l.outcome(outOfOrder, true, 2) // came later, but is older: failed

	l.task(taskRow{state: "failed", cost: "0.005", high: "0.009", lost: 1, attempts: 2})
	l.task(taskRow{state: "expired"})
	l.task(taskRow{state: "cancelled", cost: "0.001"})
	l.task(taskRow{state: "ready", cost: "0.0005", unpriced: 1, attempts: 1})
	l.task(taskRow{state: "refused"})

	// a tie: the one that came last wins; and the last millisecond of the day still belongs to it
	tied := l.task(taskRow{cost: "0.0015", at: secondDay.Add(-time.Millisecond)})
	l.outcome(tied, false, 4)
	l.outcome(tied, true, 4)

	l.task(taskRow{state: "failed", cost: "0.0001", at: secondDay})
}

func TestViews_CPUO(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	fillTriage(l)

	want := []map[string]string{
		{
			"feature": "triage", "day": "2026-03-10",
			"tasks": "9", "finished": "8", "useful": "3", "failed": "4",
			"success_rate":      "0.375000",       // 3 / 8
			"cost_usd":          "0.018000000000", // 1+2+3+4+5+0+1+0.5+1.5 thousandths
			"cost_high_usd":     "0.022000000000", // and 4 more of the lost attempt
			"lost_attempts":     "1",
			"unpriced_attempts": "1",
			"cpuo_usd":          "0.006000000000", // 0.018 / 3
			"cpuo_high_usd":     "0.007333333333", // 0.022 / 3
			"failure_cost_usd":  "2.000000000000", // 4 * 0.5

			"fully_loaded_cpuo_usd": "0.672666666667", // 2.018 / 3
			"without_outcome":       "5",
			"without_outcome_share": "0.555556", // 5 / 9
		},
		{
			"feature": "triage", "day": "2026-03-11",
			"tasks": "1", "finished": "1", "useful": "0", "failed": "1", "success_rate": "0.000000",
			"cost_usd": "0.000100000000", "cost_high_usd": "0.000100000000", "lost_attempts": "0", "unpriced_attempts": "0",
			"cpuo_usd": "NULL", "cpuo_high_usd": "NULL", "failure_cost_usd": "0.500000000000",
			"fully_loaded_cpuo_usd": "NULL", "without_outcome": "1", "without_outcome_share": "1.000000",
		},
	}
	require.Equal(t, want, l.rows(`SELECT * FROM weir.cpuo ORDER BY day`))

	t.Run("DaysAreUTCWhateverTheSession", func(t *testing.T) {
		t.Parallel()
		var days []string
		err := pgx.BeginFunc(t.Context(), l.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL TimeZone = 'Asia/Tokyo'`); err != nil {
				return err
			}
			rows, err := tx.Query(t.Context(), `SELECT day || ': ' || tasks FROM weir.cpuo ORDER BY day`)
			if err != nil {
				return err
			}
			days, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		require.NoError(t, err)
		require.Equal(t, []string{"2026-03-10: 9", "2026-03-11: 1"}, days)
	})

	t.Run("ReportPutsDaysTogether", func(t *testing.T) {
		t.Parallel()
		report, err := store.ReportCPUO(t.Context(), l.pool, store.ReportFilter{})
		require.NoError(t, err)
		require.Equal(t, []store.CPUO{{
			Feature: "triage", Tasks: 10, Finished: 9, Useful: 3, Failed: 5, SuccessRate: new(0.333333),
			Costs: store.Costs{
				CostUSD: 18_100_000_000, CostHighUSD: 22_100_000_000, LostAttempts: 1, UnpricedAttempts: 1,
			},
			CPUOUSD: new(task.Pico(6_033_333_333)), CPUOHighUSD: new(task.Pico(7_366_666_667)),
			FullyLoadedCPUOUSD: new(task.Pico(839_366_666_667)), // (0.0181 + 5 * 0.5) / 3
			FailureCostUSD:     5 * task.USD / 2, WithoutOutcome: 6,
		}}, report)
	})

	t.Run("ReportSinceADay", func(t *testing.T) {
		t.Parallel()
		report, err := store.ReportCPUO(t.Context(), l.pool, store.ReportFilter{Since: secondDay})
		require.NoError(t, err)
		require.Len(t, report, 1)
		require.EqualValues(t, 1, report[0].Tasks)
		require.Nil(t, report[0].CPUOUSD)
	})

	t.Run("ReportOfAnotherFeature", func(t *testing.T) {
		t.Parallel()
		report, err := store.ReportCPUO(t.Context(), l.pool, store.ReportFilter{Feature: "other"})
		require.NoError(t, err)
		require.Empty(t, report)
	})
}

// The costs and success rates of the table that CPUO was introduced with: 100 calls each.
func TestViews_CPUOOfThreeSetups(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cost   string
		useful int
		exact  string
		shown  string
	}{
		{name: "mini", cost: "0.002", useful: 71, exact: "0.002816901408", shown: "0.0028"},
		{name: "flagship", cost: "0.040", useful: 96, exact: "0.041666666667", shown: "0.0417"},
		{name: "cascade", cost: "0.008", useful: 96, exact: "0.008333333333", shown: "0.0083"},
	}
	l := newLedger(t)
	for _, test := range tests {
		l.feature(test.name, "validated", "")
		for i := range 100 {
			state := "succeeded"
			if i >= test.useful {
				state = "failed"
			}
			l.task(taskRow{feature: test.name, state: state, cost: test.cost})
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := l.rows(fmt.Sprintf(
				`SELECT cpuo_usd, round(cpuo_usd, 4) AS shown FROM weir.cpuo WHERE feature = '%s'`, test.name,
			))
			require.Equal(t, []map[string]string{{"cpuo_usd": test.exact, "shown": test.shown}}, rows)
		})
	}
}

func TestViews_OutcomeDecides(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.feature("review", "outcome", "40")
	l.task(taskRow{feature: "review", cost: "1"}) // nobody has said anything: neither useful nor failed
	l.outcome(l.task(taskRow{feature: "review", cost: "1"}), true, 1)
	l.outcome(l.task(taskRow{feature: "review", cost: "1"}), false, 1)
	l.outcome(l.task(taskRow{feature: "review", state: "failed", cost: "1"}), true, 1) // without an answer there is no use
	// a feature that weir.yaml never named counts valid answers and costs nothing when it fails
	l.task(taskRow{feature: "unknown", cost: "2"})
	l.task(taskRow{feature: "unknown", state: "failed", cost: "2"})

	require.Equal(t, []map[string]string{
		{
			"feature": "review", "tasks": "4", "useful": "1", "failed": "2", "cpuo_usd": "4.000000000000",
			"fully_loaded_cpuo_usd": "84.000000000000", "without_outcome_share": "0.250000",
		},
		{
			"feature": "unknown", "tasks": "2", "useful": "1", "failed": "1", "cpuo_usd": "4.000000000000",
			"fully_loaded_cpuo_usd": "4.000000000000", "without_outcome_share": "1.000000",
		},
	}, l.rows(`
		SELECT feature, tasks, useful, failed, cpuo_usd, fully_loaded_cpuo_usd, without_outcome_share
		FROM weir.cpuo ORDER BY feature`))
}

func TestViews_RerunIsOneTask(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.feature("triage", "validated", "1")
	l.task(taskRow{key: "a", state: "failed", cost: "0.01", attempts: 3})
	second := l.task(taskRow{key: "a", run: 2, cost: "0.02", attempts: 1, at: secondDay})
	l.exec(`INSERT INTO weir.task_keys (tenant, key, task_id, request_hash, run) VALUES ('acme', 'a', @id, '', 2)`,
		pgx.NamedArgs{"id": second})
	// the same key of another tenant is another task
	l.task(taskRow{tenant: "umbrella", key: "a", state: "failed", cost: "0.04"})

	require.Equal(t, []map[string]string{
		{"day": "2026-03-10", "tasks": "1", "finished": "1", "failed": "1", "useful": "0", "cost_usd": "0.050000000000"},
		{"day": "2026-03-11", "tasks": "1", "finished": "1", "failed": "0", "useful": "1", "cost_usd": "0.020000000000"},
	}, l.rows(`SELECT day, tasks, finished, failed, useful, cost_usd FROM weir.cpuo ORDER BY day`),
		"the first run's cost stays, the task is the second")
	require.Equal(t, []map[string]string{
		{"tenant": "acme", "run": "1", "superseded": "true"},
		{"tenant": "acme", "run": "2", "superseded": "false"},
		{"tenant": "umbrella", "run": "1", "superseded": "false"},
	}, l.rows(`SELECT tenant, run, superseded FROM weir.tasks_flat ORDER BY tenant, run`))
}

func TestViews_LatestOutcomes(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	id := l.task(taskRow{cost: "1"})
	l.outcome(id, true, 1)
	l.outcome(id, false, 2)
	l.exec(`
		INSERT INTO weir.outcomes (id, tenant, feature, key, success, at, received_at, stream_seq, stored_at)
		VALUES (gen_random_uuid(), 'acme', 'triage', 'not yet known', true, @at, @at, 99, @at)`,
		pgx.NamedArgs{"at": firstDay})

	require.Equal(t, []map[string]string{{
		"task_id": id.String(), "tenant": "acme", "feature": "triage", "success": "false", "value_usd": "1.500000000000",
		"reason": "checked", "at": "2026-03-10T11:00:00+00:00", "received_at": "2026-03-10T11:00:00+00:00",
	}}, l.rows(`SELECT * FROM weir.latest_outcomes`))
}

func TestViews_FeatureCost(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.task(taskRow{callPath: "mail", cost: "0.1", attempts: 1})
	l.task(taskRow{callPath: "mail", cost: "0.2", high: "0.5", attempts: 3, lost: 2, unpriced: 1})
	l.task(taskRow{callPath: "mail", state: "queued"})
	l.task(taskRow{callPath: "mail", class: "L2", cost: "0.4", attempts: 1})
	l.task(taskRow{callPath: "mail", tenant: "umbrella", cost: "0.8", attempts: 1})
	l.task(taskRow{callPath: "chat", cost: "1.6", attempts: 1, at: secondDay})
	l.task(taskRow{callPath: "mail", state: "refused"})

	line := func(tenant, path, class, day, tasks, finished, attempts, cost, high, lost, unpriced string) map[string]string {
		return map[string]string{
			"tenant": tenant, "feature": "triage", "call_path": path, "class": class, "day": day, "tasks": tasks,
			"finished": finished, "attempts": attempts, "cost_usd": cost, "cost_high_usd": high, "lost_attempts": lost,
			"unpriced_attempts": unpriced,
		}
	}
	require.Equal(t, []map[string]string{
		line("acme", "chat", "L1", "2026-03-11", "1", "1", "1", "1.600000000000", "1.600000000000", "0", "0"),
		line("acme", "mail", "L1", "2026-03-10", "3", "2", "4", "0.300000000000", "0.600000000000", "2", "1"),
		line("acme", "mail", "L2", "2026-03-10", "1", "1", "1", "0.400000000000", "0.400000000000", "0", "0"),
		line("umbrella", "mail", "L1", "2026-03-10", "1", "1", "1", "0.800000000000", "0.800000000000", "0", "0"),
	}, l.rows(`SELECT * FROM weir.feature_cost ORDER BY tenant, call_path, class`))
}
