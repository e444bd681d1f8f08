package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/providers/sim"
)

// limitedPerMinute is the provider's limit, which it states in no header: Gemini's answers have none.
const limitedPerMinute = 3000

func limitedYAML(perMinute int) string {
	return fmt.Sprintf(`
providers:
  google:
    api: gemini
    base_url: "%%s"
    allow_private: true
    concurrency: 32
    rate_limits: {lite: {models: [lite], requests_per_minute: %d}}
models:
  lite: {provider: google, id: gemini-3.5-flash-lite, tier: mini}
cascades:
  L1: [lite]
features:
  triage:
    system: |
      Sort the message. Answer with one of:
      - billing
      - refund
      - delivery
    class: L1
    max_output_tokens: 100
    validators: [{type: enum, values: [billing, refund, delivery]}]
`, perMinute)
}

// Eight processes share a limit: they use it, and the provider turns away next to nothing. With twice the limit in
// weir.yaml, and a provider that does not state its own, they find it within half a minute.
//
// The two run one after the other: each needs the machine for itself.
func TestRateLimit_EightProcesses(t *testing.T) { //nolint:paralleltest,tparallel // timed
	t.Run("RightLimit", func(t *testing.T) { //nolint:paralleltest // timed
		runLimited(t, limitedPerMinute, 0, 20*time.Second, 0.005)
	})
	t.Run("TwiceTooHigh", func(t *testing.T) { //nolint:paralleltest // timed
		runLimited(t, 2*limitedPerMinute, 30*time.Second, 20*time.Second, 0.03)
	})
}

// runLimited works through a backlog with a limit in weir.yaml, and looks at what the provider saw after the given time.
func runLimited(t *testing.T, perMinute int, after, during time.Duration, mostRefused float64) {
	t.Helper()
	lite := sim.Mini()
	lite.Malformed, lite.Truncate = 0, 0
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), limitedYAML(perMinute), sim.Config{
		Seed: 3, Tokens: sim.TokensBytes, Models: map[string]sim.ModelProfile{"gemini-3.5-flash-lite": lite},
		RateLimits: map[string]sim.RateLimit{
			"gemini-3.5-flash-lite": {RequestsPerMinute: limitedPerMinute, Burst: limitedPerMinute / 30},
		},
	})
	tasks := int((after + during + 10*time.Second).Seconds()) * limitedPerMinute / 60 * 2
	b.publish(t, tasks)
	processes := make([]*child, 8)
	for i := range processes {
		processes[i] = b.startWith(t, t.TempDir(), "")
	}
	require.Eventually(t, func() bool { return len(b.sim.Ledger()) > 0 }, 30*time.Second, 20*time.Millisecond)
	began := b.sim.Ledger()[0].At
	if after == 0 { // the first seconds are the processes' start
		after = 5 * time.Second
	}
	end := time.NewTimer(time.Until(began.Add(after + during)))
	defer end.Stop()
	<-end.C
	served, refused := 0, 0
	for _, entry := range b.sim.Ledger() {
		if at := entry.At.Sub(began); at < after || at >= after+during {
			continue
		}
		if entry.Outcome == sim.OutcomeRateLimited {
			refused++
			continue
		}
		served++
	}
	share := float64(refused) / float64(served+refused)
	utilisation := float64(served) / (during.Minutes() * limitedPerMinute)
	t.Logf("utilisation %.3f, refused %.4f of %d calls; most and least of one process: %s", utilisation, share,
		served+refused, b.spread(t))
	require.GreaterOrEqual(t, utilisation, 0.85)
	require.LessOrEqual(t, share, mostRefused)
	for _, p := range processes {
		p.stop(t)
	}
	require.Zero(t, b.count(t, `
		SELECT count(*) FROM weir.tasks t
		WHERE t.state = 'failed'
		  AND NOT EXISTS (SELECT FROM weir.attempts a WHERE a.task_id = t.id AND a.verdict = 'rejected')`), "by the limit")
	ledgertest.Check(t, b.pool)
}

// spread tells how many attempts the busiest and the idlest process made.
func (b *crashBundle) spread(t *testing.T) string {
	t.Helper()
	var most, least int
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT max(n), min(n) FROM (SELECT count(*) AS n FROM weir.attempts GROUP BY owner) AS byOwner`).Scan(&most, &least))
	return fmt.Sprintf("%d and %d", most, least)
}
