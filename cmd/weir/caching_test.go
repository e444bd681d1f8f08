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
		name    string
		biller  string
		model   string
		policy  string
		words   int
		scripts []sim.Script
		cached  bool
		unasked bool // the provider decides what it writes
	}{
		{name: "Auto", biller: "anthropic", model: "sonnet", policy: "auto", words: 3000, cached: true},
		{name: "AnHour", biller: "anthropic", model: "sonnet", policy: "1h", words: 3000, cached: true},
		{
			name: "TheFirstCallFails", biller: "anthropic", model: "sonnet", policy: "5m", words: 3000, cached: true,
			scripts: []sim.Script{{Fault: sim.FaultServer, Count: 1}},
		},
		{name: "None", biller: "anthropic", model: "sonnet", policy: "none", words: 3000},
		{name: "Short", biller: "anthropic", model: "sonnet", policy: "auto", words: 10},
		{name: "Unasked", biller: "openai", model: "luna", policy: "auto", words: 3000, cached: true, unasked: true},
		{name: "Forbidden", biller: "openai", model: "luna", policy: "none", words: 3000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			yaml := strings.NewReplacer("CONTEXT", strings.Repeat("tariff ", tt.words), "POLICY", tt.policy,
				"MODEL", tt.model).Replace(cachingYAML)
			b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml,
				sim.Config{Seed: 7, Speed: 20, Scripts: tt.scripts})
			b.publish(t, tasks)
			weir := b.start(t, "")
			require.Eventually(t, func() bool { return b.answered() == tasks }, 30*time.Second, 20*time.Millisecond)
			weir.stop(t)

			book, err := pricing.Embedded()
			require.NoError(t, err)
			var billed task.Pico
			for _, entry := range b.sim.Ledger() {
				if entry.Began.IsZero() {
					continue // it billed nothing
				}
				price, err := book.Price(pricing.Query{Provider: tt.biller, Model: entry.Model, At: entry.Began})
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
			require.Equal(t, 1, writes, "a call goes alone, and the others read what it wrote")
			if tt.policy != "auto" { // a bundle of one that comes first does not pay
				require.Equal(t, tasks, writes+reads)
			}
		})
	}
}
