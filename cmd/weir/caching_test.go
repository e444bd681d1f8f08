package main

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/providers/sim"
)

const cachingYAML = `
providers:
  marks: {api: anthropic, base_url: "%[1]s", allow_private: true, concurrency: 8, timeout: 10s}
  unasked: {api: openai-responses, base_url: "%[1]s", allow_private: true, concurrency: 8, timeout: 10s}
  untold: {api: openai, base_url: "%[1]s", allow_private: true, concurrency: 8, timeout: 10s}
models:
  sonnet: {provider: marks, id: claude-sonnet-5-5, tier: mini}
  luna: {provider: unasked, id: gpt-6-luna, tier: mini}
  sol: {provider: unasked, id: gpt-6.2-sol, tier: mini}
  chat: {provider: untold, id: gpt-6-luna, tier: mini}
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
    examples: EXAMPLES
    cache: POLICY
    class: L1
    max_output_tokens: 400
lanes:
  now: {bundle_tasks: 20, released_tasks: 60}
`

// TestCaching takes tasks through models whose providers cache prefixes, marked or unasked, and holds what weir says of
// reads and writes against the provider's own books.
func TestCaching(t *testing.T) {
	t.Parallel()
	const tasks = 20
	tests := []struct {
		name     string
		model    string
		policy   string
		words    int
		examples string
		scripts  []sim.Script
		column   string // of what is written; empty where nothing is to be cached
		grid     bool   // the provider caches on a grid, so that a later prompt may add a little
	}{
		{name: "Auto", model: "sonnet", policy: "auto", words: 3000, column: "cache_write_5m_tokens"},
		{name: "AnHour", model: "sonnet", policy: "1h", words: 3000, column: "cache_write_1h_tokens"},
		{
			name: "Examples", model: "sonnet", policy: "5m", words: 10, column: "cache_write_5m_tokens",
			examples: `[{input: "` + strings.Repeat("parcel ", 600) + `", output: delivery}, {input: "Pay me back.", output: refund}]`,
		},
		{
			name: "TheFirstCallFails", model: "sonnet", policy: "5m", words: 3000, column: "cache_write_5m_tokens",
			scripts: []sim.Script{{Fault: sim.FaultServer, Count: 1}},
		},
		{name: "None", model: "sonnet", policy: "none", words: 3000},
		{name: "Short", model: "sonnet", policy: "auto", words: 10},
		{name: "Unasked", model: "luna", policy: "auto", words: 3000, column: "cache_write_30m_tokens"},
		{
			name: "ExamplesUnasked", model: "luna", policy: "30m", words: 10, column: "cache_write_30m_tokens",
			examples: `[{input: "` + strings.Repeat("parcel ", 1200) + `", output: delivery}]`,
		},
		{name: "TwelveHours", model: "sol", policy: "12h", words: 3000, column: "cache_write_12h_tokens"},
		{name: "Forbidden", model: "luna", policy: "none", words: 3000},
		{name: "NotWorthIt", model: "luna", policy: "auto", words: 10},
		{name: "Untold", model: "chat", policy: "30m", words: 3000, column: "cache_write_30m_tokens", grid: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			yaml := strings.NewReplacer("CONTEXT", strings.Repeat("tariff ", tt.words), "POLICY", tt.policy,
				"EXAMPLES", cmp.Or(tt.examples, "[]"), "MODEL", tt.model).Replace(cachingYAML)
			b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml,
				sim.Config{Seed: 7, Speed: 20, Scripts: tt.scripts})
			b.publish(t, tasks)
			weir := b.start(t, "")
			require.Eventually(t, func() bool { return b.answered() == tasks }, 30*time.Second, 20*time.Millisecond)
			weir.stop(t)

			b.checkBills(t)
			writes := b.count(t, `SELECT count(*) FROM weir.attempts
				WHERE cache_write_5m_tokens + cache_write_30m_tokens + cache_write_1h_tokens + cache_write_12h_tokens > 0`)
			reads := b.count(t, `SELECT count(*) FROM weir.attempts WHERE cache_read_tokens > 0`)
			require.Equal(t, reads, b.count(t, `SELECT coalesce(sum(reads), 0)::bigint FROM weir.cache_usage`))
			require.Zero(t, b.count(t, `SELECT coalesce(sum(unpriced_calls), 0)::bigint FROM weir.cache_usage`))
			if tt.column == "" {
				require.Zero(t, writes+reads)
				return
			}
			require.Positive(t, b.count(t, `SELECT sum(`+tt.column+`)::bigint FROM weir.attempts`))
			require.Positive(t, b.count(t, `SELECT count(*) FROM weir.cache_usage WHERE saved_usd > premium_usd AND wasted_usd = 0`))
			if tt.grid {
				require.Equal(t, tasks-1, reads, "a call goes alone, and the others read what it wrote")
				return
			}
			require.Equal(t, 1, writes, "a call goes alone, and the others read what it wrote")
			if tt.policy != "auto" { // a bundle of one that comes first does not pay
				require.Equal(t, tasks, writes+reads)
			}
		})
	}
}
