package worker_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// shadowRow is what the tests look at of a shadow call.
type shadowRow struct {
	Accepted, Model, State string
	Verdict                *string
	Agrees                 *bool
	Cost                   *int64
	Owner                  *uuid.UUID
}

func (b *testBundle) shadow(t *testing.T) (row shadowRow) {
	t.Helper()
	err := b.pool.QueryRow(t.Context(), `
		SELECT accepted_model, model, state, verdict, agrees, cost_pusd, owner FROM weir.shadow_calls`,
	).Scan(&row.Accepted, &row.Model, &row.State, &row.Verdict, &row.Agrees, &row.Cost, &row.Owner)
	require.NoError(t, err)
	return row
}

// shadowIn waits until the one shadow call is in a state.
func (b *testBundle) shadowIn(t *testing.T, state string) shadowRow {
	t.Helper()
	var row shadowRow
	require.Eventually(t, func() bool {
		row = b.shadow(t)
		return row.State == state
	}, 20*time.Second, 20*time.Millisecond)
	return row
}

// An accepted answer is asked for again of the next model, beside the task, whose result and cost are its own.
func TestShadow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		luna     []answer
		sol      answer
		accepted string
		asked    string
		verdict  string
		agrees   *bool
		attempts int
	}{
		{"Agrees", []answer{say("yes")}, say("yes"), "luna", "sol", "accepted", new(true), 1},
		{"Disagrees", []answer{say("yes")}, say("no"), "luna", "sol", "accepted", new(false), 1},
		{"Rejected", []answer{say("yes")}, say("perhaps"), "luna", "sol", "rejected", nil, 1},
		{"Errored", []answer{say("yes")}, answer{status: http.StatusBadRequest, body: "no"}, "luna", "sol", "errored", nil, 1},
		{"OfTheSecond", []answer{say("maybe")}, say("no"), "sol", "astra", "accepted", new(false), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, map[string][]answer{"gpt-6-luna": c.luna, "gpt-6.2-sol": {c.sol}})
			b.publish(t, `{"id":"a","feature":"checked","input":"Is it?"}`)
			r := b.result(t)
			require.Equal(t, task.Succeeded, r.Status, r.Reason)
			row := b.shadowIn(t, "closed")
			require.Equal(t, c.accepted, row.Accepted)
			require.Equal(t, c.asked, row.Model)
			require.Equal(t, c.verdict, *row.Verdict)
			require.Equal(t, c.agrees, row.Agrees)
			require.NotNil(t, row.Cost)
			attempts := b.attempts(t, "a")
			require.Len(t, attempts, c.attempts)
			var spent int64
			for _, a := range attempts {
				spent += *a.Cost
			}
			require.EqualValues(t, spent, r.CostUSD, "the task's cost is that of its attempts")
			b.stop()
			require.Empty(t, b.results, "nothing of it is delivered")
			b.sound(t)
		})
	}
}

// What has no next model, or no share, has no shadow.
func TestShadow_None(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6-luna": {say("maybe"), say("yes")}, "gpt-6.2-sol": {say("maybe")}})
	b.publish(t, `{"id":"last","feature":"checked","input":"Is it?"}`)
	require.Equal(t, "astra", b.result(t).Model)
	b.publish(t, `{"id":"other","feature":"triage","input":"Is it?"}`)
	require.Equal(t, task.Succeeded, b.result(t).Status)
	var calls int
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM weir.shadow_calls`).Scan(&calls))
	require.Zero(t, calls)
}

// A call whose process died has a bill that nobody knows, within its bound; one that had not left is made by another.
func TestShadow_ProcessDies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before string
		ends   string
		calls  int
	}{{"in_flight", "lost", 0}, {"claimed", "closed", 1}} {
		t.Run(c.before, func(t *testing.T) {
			t.Parallel()
			b := prepare(t, nil)
			b.sample(0) // the call is to be the dead process's
			b.start(t)
			b.publish(t, `{"id":"a","feature":"checked","input":"Is it?"}`)
			require.Equal(t, task.Succeeded, b.result(t).Status)
			b.stop()
			_, err := b.pool.Exec(t.Context(), `
				INSERT INTO weir.shadow_calls (id, task_id, attempt_id, accepted_model, accepted_vote, model, state, owner, created_at,
				                               started_at, bound_pusd)
				SELECT $1, t.id, r.attempt_id, 'luna', $1, 'sol', $2, $1, now(), now(), 1000
				FROM weir.tasks t JOIN weir.results r ON r.task_id = t.id`, uuid.Must(uuid.NewV7()), c.before)
			require.NoError(t, err)
			b.sample(1)
			b.start(t)
			row := b.shadowIn(t, c.ends)
			require.Equal(t, c.calls, b.fake.count("gpt-6.2-sol"))
			require.Equal(t, c.ends == "lost", row.Cost == nil)
			b.sound(t)
		})
	}
}

// sample sets the share of a feature's answers that is held against the next model's.
func (b *testBundle) sample(share float64) {
	f := b.config.Catalog.Features["checked"]
	f.ShadowShare = share
	b.config.Catalog.Features["checked"] = f
}

// sound checks the ledger's rules about shadow calls.
func (b *testBundle) sound(t *testing.T) {
	t.Helper()
	for _, rule := range store.Invariants() {
		broken, err := rule.Check(t.Context(), b.pool)
		require.NoError(t, err)
		require.Nil(t, broken)
	}
}
