package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

const cachingYAML = `
providers:
  marks: {api: anthropic, base_url: "%[1]s", allow_private: true, concurrency: 8, timeout: 10s}
  unasked: {api: openai-responses, base_url: "%[1]s", allow_private: true, concurrency: 8, timeout: 10s}
models:
  sonnet: {provider: marks, id: claude-sonnet-5-5, tier: mini}
  luna: {provider: unasked, id: gpt-6-luna, tier: mini}
cascades:
  L1: [MODEL]
features:
  triage:
    system: |
      Sort the message. Answer with one of:
      - billing
      - refund
      - delivery
    context: ["CONTEXT"]
    cache: POLICY
    class: L1
    max_output_tokens: 400
lanes:
  now: {bundle_tasks: 20, released_tasks: 60}
`

// TestCaching takes tasks through a model whose provider caches marked prefixes, and holds what weir says of reads and
// writes against the provider's own books.
func TestCaching(t *testing.T) {
	t.Parallel()
	const tasks = 20
	tests := []struct {
		model   string
		policy  string
		words   int
		cached  bool
		unasked bool // the provider decides what it writes
	}{
		{model: "sonnet", policy: "auto", words: 3000, cached: true},
		{model: "sonnet", policy: "1h", words: 3000, cached: true},
		{model: "sonnet", policy: "none", words: 3000},
		{model: "sonnet", policy: "auto", words: 10},
		{model: "luna", policy: "auto", words: 3000, cached: true, unasked: true},
		{model: "luna", policy: "none", words: 3000},
	}
	for _, tt := range tests {
		t.Run(tt.model+"/"+tt.policy, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			yaml := strings.NewReplacer("CONTEXT", strings.Repeat("tariff ", tt.words), "POLICY", tt.policy,
				"MODEL", tt.model).Replace(cachingYAML)
			b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml, sim.Config{Seed: 7, Speed: 20})
			b.publish(t, tasks)
			weir := b.start(t, "")
			require.Eventually(t, func() bool { return b.answered() == tasks }, 30*time.Second, 20*time.Millisecond)
			weir.stop(t)

			book, err := pricing.Embedded()
			require.NoError(t, err)
			var billed task.Pico
			for _, entry := range b.sim.Ledger() {
				price, err := book.Price(pricing.Query{Provider: map[string]string{"sonnet": "anthropic", "luna": "openai"}[tt.model], Model: entry.Model, At: entry.Began})
				require.NoError(t, err)
				bill, err := price.Cost(entry.Usage)
				require.NoError(t, err)
				billed += bill.Total
			}
			require.Equal(t, int(billed), b.count(t, `SELECT sum(cost_pusd)::bigint FROM weir.attempts`))
			writes := b.count(t, `SELECT count(*) FROM weir.attempts
				WHERE cache_write_5m_tokens + cache_write_30m_tokens + cache_write_1h_tokens > 0`)
			reads := b.count(t, `SELECT count(*) FROM weir.attempts WHERE cache_read_tokens > 0`)
			if !tt.cached {
				require.Zero(t, writes+reads)
				return
			}
			if tt.unasked {
				require.Positive(t, writes)
				require.Positive(t, reads)
				return
			}
			require.Equal(t, tasks, writes+reads)
			require.Equal(t, 1, writes, "the first call goes alone, and the others read what it wrote")
		})
	}
}
