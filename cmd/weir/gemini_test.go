package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/providers/sim"
)

// geminiYAML has a system prompt that is long enough for the implicit cache.
func geminiYAML() string {
	return `
providers:
  google: {api: gemini, base_url: "%s", allow_private: true, concurrency: 4}
models:
  lite: {provider: google, id: gemini-3.5-flash-lite, tier: mini}
  flash: {provider: google, id: gemini-3.5-flash, tier: mid}
cascades:
  L1: [lite, flash]
features:
  triage:
    system: |
      Sort the message. Answer with one of:
      - billing
      - refund
      - delivery
` + strings.Repeat("      Read every message twice before you sort it.\n", 30) + `
    class: L1
    max_output_tokens: 600
    validators: [{type: enum, values: [billing, refund, delivery]}]
`
}

// TestGemini takes tasks the whole way by Gemini models: from weir.yaml to results, each attempt at the cost that the
// provider's own books show, thoughts and cached tokens included.
func TestGemini(t *testing.T) {
	t.Parallel()
	lite, flash := sim.Mini(), sim.Mid()
	lite.Malformed, lite.Truncate = 500, 0 // every second answer escalates
	flash.Reasoning = 1000                 // it thinks before every answer
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), geminiYAML(), sim.Config{
		Seed: 9, Instant: true, MinCacheTokens: 128,
		Models: map[string]sim.ModelProfile{"gemini-3.5-flash-lite": lite, "gemini-3.5-flash": flash},
	})
	const tasks = 40
	weir := b.start(t, "")
	b.publish(t, tasks)
	require.Eventually(t, func() bool { return b.answered() == tasks }, time.Minute, 20*time.Millisecond)
	require.Eventually(t, func() bool {
		return b.count(t, `SELECT count(*) FROM weir.token_factors WHERE samples > 0 AND factor BETWEEN 0.5 AND 2`) >= 2
	}, time.Minute, 50*time.Millisecond, "what prompts come to is learnt and stored")
	weir.stop(t)

	b.checkBills(t)
	ledgertest.Check(t, b.pool)
	var billed, thought, read int64
	for _, entry := range b.sim.Ledger() {
		require.Equal(t, "gemini", entry.API)
		thought += entry.Usage.Reasoning
		read += entry.Usage.CacheRead
		billed++
	}
	require.Positive(t, thought)
	require.Positive(t, read)
	require.EqualValues(t, billed, b.count(t, `SELECT count(*) FROM weir.attempts WHERE cost_pusd > 0 AND price_row IS NOT NULL`))
	require.EqualValues(t, thought, b.count(t, `SELECT sum(reasoning_tokens) FROM weir.attempts`))
	require.EqualValues(t, read, b.count(t, `SELECT sum(cache_read_tokens) FROM weir.attempts`))
	require.Positive(t, b.count(t, `SELECT count(*) FROM weir.tasks WHERE stage > 0 AND state = 'succeeded'`))
}
