package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// What Settle adds up on the tasks is what the views add up over the attempts, for every kind of bill.
func TestViews_AgreeWithSettle(t *testing.T) {
	t.Parallel()
	const bound = task.Pico(100)
	usage := &task.Usage{Input: 10, Output: 1}
	closed := func(verdict string, cost *task.Pico, usage *task.Usage) store.Settlement {
		return store.Settlement{State: store.AttemptClosed, Verdict: verdict, Counted: true, Cost: cost, Usage: usage}
	}
	lost := store.Settlement{State: store.AttemptLost, Counted: true, Failure: task.FailLost}
	notSent := closed(store.VerdictErrored, new(task.Pico(0)), nil)
	notSent.State, notSent.Counted = store.AttemptNotSent, false
	tests := []struct {
		name        string
		settlements []store.Settlement // of one attempt, one after the other
		want        map[string]string
	}{
		{
			name:        "Priced",
			settlements: []store.Settlement{closed(store.VerdictAccepted, new(task.Pico(7)), usage)},
			want:        map[string]string{"cost": "7", "high": "7", "lost": "0", "unpriced": "0"},
		},
		{
			name:        "Unpriced",
			settlements: []store.Settlement{closed(store.VerdictRejected, nil, usage)},
			want:        map[string]string{"cost": "0", "high": "100", "lost": "0", "unpriced": "1"},
		},
		{
			name:        "AnswerWithoutUsage",
			settlements: []store.Settlement{closed(store.VerdictErrored, nil, nil)},
			want:        map[string]string{"cost": "0", "high": "100", "lost": "1", "unpriced": "0"},
		},
		{
			name:        "GivenUp",
			settlements: []store.Settlement{lost},
			want:        map[string]string{"cost": "0", "high": "100", "lost": "1", "unpriced": "0"},
		},
		{
			name:        "GivenUpAndAnsweredLate",
			settlements: []store.Settlement{lost, closed(store.VerdictAccepted, new(task.Pico(9)), usage)},
			want:        map[string]string{"cost": "9", "high": "9", "lost": "0", "unpriced": "0"},
		},
		{
			name:        "GivenUpAndUnpricedLate",
			settlements: []store.Settlement{lost, closed(store.VerdictAccepted, nil, usage)},
			want:        map[string]string{"cost": "0", "high": "100", "lost": "0", "unpriced": "1"},
		},
		{
			name:        "NotSent",
			settlements: []store.Settlement{notSent},
			want:        map[string]string{"cost": "0", "high": "0", "lost": "0", "unpriced": "0"},
		},
		{
			name: "InFlight",
			want: map[string]string{"cost": "0", "high": "0", "lost": "0", "unpriced": "0"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			it := l.released(bound)
			for _, s := range test.settlements {
				s.TaskID, s.BundleID, s.AttemptID, s.FinishedAt = it.TaskID, it.BundleID, it.AttemptID, firstDay
				s.Next = store.Next{State: store.StateReady, Model: "mini"}
				_, err := store.Settle(t.Context(), l.pool, []store.Settlement{s})
				require.NoError(t, err)
			}
			const sums = `
				SELECT trunc(coalesce(sum(cost_usd), 0) * 1e12) AS cost, trunc(coalesce(sum(cost_high_usd), 0) * 1e12) AS high,
				       coalesce(sum(lost_attempts), 0) AS lost, coalesce(sum(unpriced_attempts), 0) AS unpriced
				FROM weir.`
			for _, view := range []string{"cpuo", "feature_cost", "tasks_flat", "model_usage", "cascade_funnel"} {
				require.Equal(t, []map[string]string{test.want}, l.rows(sums+view), view)
			}
		})
	}
}

// released takes in a task, releases it in a bundle and writes the intent of its first attempt.
func (l *ledger) released(bound task.Pico) store.Intent {
	l.tb.Helper()
	ctx := l.tb.Context()
	id, bundle, plan := id7(firstDay), uuid.New(), l.plan(`[{"model": "mini"}]`)
	_, err := store.InsertTasks(ctx, l.pool, uuid.New(), firstDay, []store.NewTask{
		{ID: id, Tenant: "acme", Feature: "triage", Key: id.String(), Hash: []byte{1}, Lane: task.LaneNow, Body: []byte("{}")},
	})
	require.NoError(l.tb, err)
	require.NoError(l.tb, store.MarkReady(ctx, l.pool, []store.Classified{
		{TaskID: id, Class: task.L1, Source: "test", PlanID: plan, Model: "mini"},
	}))
	l.exec(`UPDATE weir.tasks SET state = 'released', bundle_id = @bundle WHERE id = @id`,
		pgx.NamedArgs{"bundle": bundle, "id": id})
	intent := store.Intent{
		TaskID: id, BundleID: bundle, AttemptID: uuid.New(), Owner: uuid.New(), Provider: "acme", Model: "mini",
		ModelAsked: "mini-1", Mode: "sync", Bound: &bound, ConfigHash: "hash", StartedAt: firstDay.Add(time.Second),
	}
	inserted, err := store.InsertIntents(ctx, l.pool, []store.Intent{intent})
	require.NoError(l.tb, err)
	require.True(l.tb, inserted[intent.AttemptID])
	return intent
}
