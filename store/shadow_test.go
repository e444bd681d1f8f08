package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// shadowed settles n tasks with success and a shadow call each.
func (b *testBundle) shadowed(n int) []uuid.UUID {
	b.tb.Helper()
	ids := make([]uuid.UUID, n)
	for i, c := range b.called(n) {
		ids[i] = id()
		b.settle(c.accepted(func(s *store.Settlement) {
			s.Shadow = &store.Shadow{ID: ids[i], Model: midModel, Accepted: miniModel, Vote: uuid.Max}
		}))
	}
	return ids
}

func (b *testBundle) claim(owner uuid.UUID, limit int) []store.ShadowCall {
	b.tb.Helper()
	calls, err := store.ClaimShadows(b.tb.Context(), b.pool, owner, []string{midModel}, limit)
	require.NoError(b.tb, err)
	return calls
}

func (b *testBundle) beginShadow(call, owner uuid.UUID) bool {
	b.tb.Helper()
	most := bound
	begun, err := store.BeginShadow(b.tb.Context(), b.pool, store.Intent{
		AttemptID: call, Owner: owner, Provider: "acme-ai", ModelAsked: "acme-mid-1", Mode: "sync", Bound: &most,
		ConfigHash: "hash", StartedAt: time.Now(),
	})
	require.NoError(b.tb, err)
	return begun
}

func (b *testBundle) shadowState(call uuid.UUID) string {
	return scalar[string](b, `SELECT state FROM weir.shadow_calls WHERE id = $1`, call)
}

// end is how a shadow call ends with a valid answer.
func (b *testBundle) end(call store.ShadowCall, cost task.Pico, agrees bool) {
	b.tb.Helper()
	s := store.Settlement{
		TaskID: call.TaskID, AttemptID: call.ID, State: store.AttemptClosed, Verdict: store.VerdictAccepted,
		Usage: &task.Usage{Input: 10, Output: 5}, Cost: &cost, Output: []byte("answer"), FinishedAt: time.Now(),
		RawUsage: []byte(`{"broken`),
	}
	require.NoError(b.tb, store.EndShadow(b.tb.Context(), b.pool, s, &agrees))
}

func TestShadowCalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.shadowed(3)
	others, err := store.ClaimShadows(t.Context(), b.pool, b.owner, []string{miniModel}, 10)
	require.NoError(t, err)
	require.Empty(t, others, "of another model")
	first := b.claim(b.owner, 2)
	require.Len(t, first, 2)
	require.NotEmpty(t, first[0].Body)
	require.Equal(t, uuid.Max, first[0].Vote)
	second := b.claim(b.owner, 10)
	require.Len(t, second, 1, "each is taken once")

	require.False(t, b.beginShadow(ids[0], id()), "another's")
	for _, call := range []uuid.UUID{ids[0], ids[1]} {
		require.True(t, b.beginShadow(call, b.owner))
		require.False(t, b.beginShadow(call, b.owner), "it is under way")
	}
	b.end(first[0], 300, true)
	b.end(first[0], 900, false) // changes nothing any more
	b.end(first[1], 400, false)
	require.NoError(t, store.ReturnShadow(t.Context(), b.pool, ids[2], b.owner))
	require.Equal(t, "waiting", b.shadowState(ids[2]))

	reports, err := store.ReportShadows(t.Context(), b.pool, store.ReportFilter{})
	require.NoError(t, err)
	require.Equal(t, []store.FalseAcceptance{{
		Feature: "triage", Class: "L1", AcceptedModel: miniModel, Model: midModel, Compared: 2, Disagreed: 1, Waiting: 1,
		CostUSD: 700, CostHighUSD: 700,
	}}, reports)
	require.Equal(t, 5, b.count("weir.outputs"), "the answers in shadow are kept as long as the tasks'")
	require.Zero(t, scalar[int64](b, `SELECT sum(cost_pusd)::bigint - 3 * (SELECT min(cost_pusd) FROM weir.tasks) FROM weir.tasks`))
}

// What cannot be made in time is given up, and so is what a dead process had.
func TestShadowCalls_GivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.shadowed(4)
	dead := id()
	calls := b.claim(dead, 2)
	require.True(t, b.beginShadow(calls[0].ID, dead))
	lost, err := store.LoseShadows(t.Context(), b.pool, time.Now(), b.owner)
	require.NoError(t, err)
	require.EqualValues(t, 1, lost)
	require.Equal(t, "lost", b.shadowState(calls[0].ID))
	require.Equal(t, "waiting", b.shadowState(calls[1].ID))
	require.False(t, b.beginShadow(calls[1].ID, dead), "it is no longer the dead process's")

	mine := b.claim(b.owner, 1)
	lost, err = store.LoseShadows(t.Context(), b.pool, time.Now(), id())
	require.NoError(t, err)
	require.Zero(t, lost, "a living process keeps its own")
	require.NoError(t, store.DropShadow(t.Context(), b.pool, time.Now(), mine[0].ID, b.owner, "no\x00file"))
	require.Equal(t, "dropped", b.shadowState(mine[0].ID))

	dropped, err := store.DropOldShadows(t.Context(), b.pool, time.Now(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 2, dropped)
	reports, err := store.ReportShadows(t.Context(), b.pool, store.ReportFilter{Feature: "triage"})
	require.NoError(t, err)
	require.Equal(t, []store.FalseAcceptance{{
		Feature: "triage", Class: "L1", AcceptedModel: miniModel, Model: midModel, Errored: 1, Dropped: 3, CostHighUSD: bound,
		UnknownBills: 1,
	}}, reports)

	b.end(calls[0], 300, true)
	require.Equal(t, "closed", b.shadowState(ids[0]), "a late answer still brings its cost")
	require.EqualValues(t, 300, scalar[int64](b, `SELECT sum(cost_pusd)::bigint FROM weir.shadow_calls`))
}

func TestBookInvariants_ShadowCost(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	savePrices(l)
	var key string
	var rate int64
	require.NoError(t, l.pool.QueryRow(t.Context(),
		`SELECT key, input_pusd FROM weir.prices WHERE input_pusd > 0 AND variant = '' LIMIT 1`).Scan(&key, &rate))
	call := id()
	_, err := l.pool.Exec(t.Context(), `
		INSERT INTO weir.shadow_calls (id, task_id, attempt_id, accepted_model, accepted_vote, model, state, verdict, created_at,
		                               finished_at, mode, input_tokens, output_tokens, cost_pusd, price_row)
		VALUES ($1, $1, $1, 'mini', $1, 'mid', 'closed', 'rejected', now(), now(), 'sync', 7, 0, $2, $3)`, call, 7*rate, key)
	require.NoError(t, err)
	broken := func() *store.Violation {
		for _, rule := range store.BookInvariants() {
			if rule.Name == "ShadowCost" {
				found, err := rule.Check(t.Context(), l.pool)
				require.NoError(t, err)
				return found
			}
		}
		require.Fail(t, "there is no such rule")
		return nil
	}
	require.Nil(t, broken())
	_, err = l.pool.Exec(t.Context(), `UPDATE weir.shadow_calls SET cost_pusd = cost_pusd + 1`)
	require.NoError(t, err)
	require.Equal(t, []string{call.String()}, broken().Rows)
}
