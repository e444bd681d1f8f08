package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// What SQL makes of an attempt's tokens is what the book itself says, to the pico-USD: over every model of the book, at
// all hours, in every mode, tier, speed and region, and on both sides of every band's edge.
func TestAttemptCosts_AgreeWithTheBook(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	require.NoError(t, store.SaveCatalog(t.Context(), b.pool, at, &catalog.Catalog{}, priceRows(book)))
	_, err = b.pool.Exec(t.Context(), `SELECT weir.ensure_partitions($1)`, at)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(11, 36))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	names := map[string]bool{}
	var priced int64
	for _, model := range book.Models() {
		for range 40 {
			q := pricing.Query{
				Provider: model.Provider, Model: model.ID, At: at.Add(time.Duration(random.IntN(24*60)) * time.Minute),
				Mode:        pricing.Mode(pick("sync", "flex", "batch")),
				ServiceTier: pick("", "", "standard", "default", "flex", "priority", "batch"),
				Speed:       pick("", "", "standard", "fast"), Geo: pick("", "", "us", "global"),
			}
			price, err := book.Price(q)
			if err != nil {
				continue
			}
			u := task.Usage{
				Input: random.Int64N(150_000), CacheRead: random.Int64N(200_000), CacheWrite5m: random.Int64N(2) * random.Int64N(9_999),
				CacheWrite30m: random.Int64N(2) * random.Int64N(9_999), CacheWrite1h: random.Int64N(2) * random.Int64N(9_999),
				Output: random.Int64N(9_999), WebSearches: random.Int64N(3),
			}
			cost, err := price.Cost(u)
			if err != nil { // a class without a rate: only what every model has
				u = task.Usage{Input: u.Input, Output: u.Output}
				if price.ByCharacter() {
					u = task.Usage{Characters: u.Input}
				}
				cost, err = price.Cost(u)
			}
			require.NoError(t, err)
			_, err = b.pool.Exec(t.Context(), `
				INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state,
				                           service_tier, speed, geo, input_tokens, cache_read_tokens, cache_write_5m_tokens,
				                           cache_write_30m_tokens, cache_write_1h_tokens, output_tokens, web_searches,
				                           characters, cost_pusd, price_row, config_hash, started_at)
				VALUES (weir.uuid7_at($1), $2, $2, 1, $2, 0, $3, $4, $4, $5, 'lost', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
				        $16, $17, $18, 'hash', $1)`,
				q.At, uuid.New(), q.Provider, q.Model, string(q.Mode), q.ServiceTier, q.Speed, q.Geo, u.Input, u.CacheRead,
				u.CacheWrite5m, u.CacheWrite30m, u.CacheWrite1h, u.Output, u.WebSearches, u.Characters, int64(cost.Total), cost.Row)
			require.NoError(t, err)
			names[string(q.Mode)+"/"+q.ServiceTier+"/"+q.Speed+"/"+q.Geo] = true
			priced++
		}
	}
	require.Greater(t, priced, int64(400))
	require.Greater(t, len(names), 40)

	var same, addUp int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT count(*) FILTER (WHERE cost_pusd = recomputed_pusd AND row_applies) FROM weir.attempt_costs`).Scan(&same))
	require.Equal(t, priced, same)
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT count(*)
		FROM (SELECT attempt_id,
		             weir.half_even(sum(cost_pusd * multiplier_num) FILTER (WHERE kind <> 'web_search'),
		                            max(multiplier_den) FILTER (WHERE kind <> 'web_search'))
		                 + coalesce(sum(cost_pusd) FILTER (WHERE kind = 'web_search'), 0) AS pusd
		      FROM weir.attempt_cost_lines GROUP BY attempt_id) l
		JOIN weir.attempt_costs c USING (attempt_id)
		WHERE l.pusd = c.cost_pusd`).Scan(&addUp))
	require.Equal(t, priced, addUp, "the lines add up")
}

func TestHalfEven(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	for _, tt := range []struct{ num, den, want int64 }{
		{1, 2, 0}, {3, 2, 2}, {5, 2, 2}, {7, 4, 2}, {5, 4, 1}, {0, 3, 0}, {9_223_372_036_854_775_807, 1, 9_223_372_036_854_775_807},
	} {
		var got int64
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT weir.half_even($1, $2)::bigint`, tt.num, tt.den).Scan(&got))
		require.Equal(t, tt.want, got, "%d/%d", tt.num, tt.den)
	}
}
