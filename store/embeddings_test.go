package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestEmbeddingCalls(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	sent := time.Date(2026, time.November, 3, 23, 59, 0, 0, time.UTC)
	begin := func(feature string, change func(*store.EmbeddingEnd)) {
		call := store.EmbeddingCall{
			ID: id(), SentAt: sent, Embedder: "faq", Provider: "voyage", Model: "voyage-4", Feature: feature, Inputs: 3,
			EstimatedTokens: 40, EstimatedCost: new(task.Pico(2_000_000)), Bound: new(task.Pico(5_000_000)), PriceBook: "book",
		}
		require.NoError(t, store.BeginEmbedding(t.Context(), l.pool, call))
		require.Error(t, store.BeginEmbedding(t.Context(), l.pool, call), "one row for one call")
		if change == nil {
			return
		}
		end := store.EmbeddingEnd{ID: call.ID, FinishedAt: sent.Add(time.Second), ModelAnswered: "voyage-4", Status: 200, RequestID: "r"}
		change(&end)
		require.NoError(t, store.EndEmbedding(t.Context(), l.pool, end))
		require.ErrorContains(t, store.EndEmbedding(t.Context(), l.pool, end), "has ended already")
	}
	metered := func(e *store.EmbeddingEnd) {
		e.Tokens, e.Cost, e.PriceRow, e.ReportedCost = new(int64(30)), new(task.Pico(1_800_000)), "row", new(task.Pico(1_800_000))
	}
	begin("answers", metered)
	begin("answers", metered)
	begin("answers", func(*store.EmbeddingEnd) {}) // an answer that tells no usage
	begin("answers", func(e *store.EmbeddingEnd) { e.Tokens = new(int64(30)) })
	begin("answers", nil) // under way
	begin("", func(e *store.EmbeddingEnd) {
		e.Fault, e.Status, e.Message, e.Tokens, e.Cost = task.FailRateLimited, 429, "slow", new(int64(0)), new(task.Pico(0))
	})
	begin("", func(e *store.EmbeddingEnd) { e.Fault, e.Status = task.FailTimeout, 0 })

	require.Equal(t, []map[string]string{
		{
			"day": "2026-11-03", "embedder": "faq", "provider": "voyage", "model": "voyage-4", "feature": "answers",
			"calls": "5", "failed_calls": "0", "inputs": "12", "tokens": "90", "cost_usd": "0.000003600000",
			"estimated_usd": "0.000009600000", "cost_high_usd": "0.000018600000", "unmetered_calls": "2", "unpriced_calls": "1",
			"reported_usd": "0.000003600000",
		},
		{
			"day": "2026-11-03", "embedder": "faq", "provider": "voyage", "model": "voyage-4", "feature": "NULL",
			"calls": "2", "failed_calls": "2", "inputs": "0", "tokens": "0", "cost_usd": "0.000000000000",
			"estimated_usd": "0.000002000000", "cost_high_usd": "0.000005000000", "unmetered_calls": "1", "unpriced_calls": "0",
			"reported_usd": "NULL",
		},
	}, l.rows(`SELECT * FROM weir.embedding_usage ORDER BY feature`))
}

func TestEndEmbedding_OfNoCall(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	require.ErrorContains(t, store.EndEmbedding(t.Context(), l.pool, store.EmbeddingEnd{ID: id(), FinishedAt: time.Now()}), "no such call")
}

func TestBookInvariants_EmbeddingCost(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	savePrices(l)
	var key string
	var rate int64
	require.NoError(t, l.pool.QueryRow(t.Context(), `SELECT key, input_pusd FROM weir.prices WHERE input_pusd > 0 LIMIT 1`).Scan(&key, &rate))
	broken := func() *store.Violation {
		for _, rule := range store.BookInvariants() {
			if rule.Name == "EmbeddingCost" {
				found, err := rule.Check(t.Context(), l.pool)
				require.NoError(t, err)
				return found
			}
		}
		require.Fail(t, "there is no such rule")
		return nil
	}
	call := id()
	require.NoError(t, store.BeginEmbedding(t.Context(), l.pool, store.EmbeddingCall{ID: call, SentAt: time.Now(), Inputs: 1}))
	require.NoError(t, store.EndEmbedding(t.Context(), l.pool, store.EmbeddingEnd{
		ID: call, FinishedAt: time.Now(), Tokens: new(int64(7)), Cost: new(task.Pico(7 * rate)), PriceRow: key,
	}))
	require.Nil(t, broken())
	_, err := l.pool.Exec(t.Context(), `UPDATE weir.embedding_calls SET cost_pusd = cost_pusd + 1`)
	require.NoError(t, err)
	require.Equal(t, []string{call.String()}, broken().Rows)
}
