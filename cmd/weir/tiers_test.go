package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/providers/sim"
)

const tiersYAML = `
providers:
  openai: {api: openai-responses, base_url: "%s", allow_private: true, concurrency: 4}
models:
  sol: {provider: openai, id: gpt-6.2-sol, tier: mid, service_tier: flex, effort: high}
cascades:
  L1: [sol]
features:
  triage:
    system: |
      Sort the message. Answer with one of:
      - billing
      - refund
      - delivery
    class: L1
    max_output_tokens: 1500
    temperature: 0.2
`

// TestFlex takes tasks through a model that is asked for flex. Where there is no room a task waits, and where the provider
// serves the standard tier in its place, the call costs the standard price.
func TestFlex(t *testing.T) {
	t.Parallel()
	const tasks, refused, standard = 20, 2, 5
	thinks := sim.Mid()
	thinks.Reasoning, thinks.CacheWrites, thinks.AlwaysThinks, thinks.Strict = 1000, true, true, true
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), tiersYAML, sim.Config{
		Seed: 3, Instant: true, Models: map[string]sim.ModelProfile{"gpt-6.2-sol": thinks},
		Scripts: []sim.Script{
			{Fault: sim.FaultNoRoom, Count: refused},
			{Fault: sim.FaultStandard, Count: standard},
		},
	})
	b.publish(t, tasks)
	weir := b.start(t, "")
	require.Eventually(t, func() bool { return b.answered() == tasks }, time.Minute, 20*time.Millisecond)
	weir.stop(t)

	b.checkBills(t)
	ledgertest.Check(t, b.pool)
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.attempts WHERE mode <> 'flex'`))
	require.Equal(t, standard, b.count(t, `SELECT count(*) FROM weir.attempts WHERE service_tier = 'default'`))
	require.Equal(t, refused, b.count(t, `
		SELECT count(*) FROM weir.attempts WHERE failure = 'slow_down' AND NOT counted AND cost_pusd = 0`))
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.attempt_costs WHERE booked_pusd IS DISTINCT FROM recomputed_pusd
		AND booked_pusd > 0`), "SQL sees the tiers too")
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.attempts WHERE cost_pusd > bound_pusd`),
		"the bound allows for the standard price")
	require.Positive(t, b.count(t, `SELECT sum(reasoning_tokens)::bigint FROM weir.attempts`))
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.tasks WHERE state <> 'succeeded'`))
}
