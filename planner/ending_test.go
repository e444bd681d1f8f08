package planner_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
)

const endingYAML = `
providers:
  anthropic: {api: anthropic, key_env: KEY}
  google: {api: gemini, key_env: KEY}
models:
  old: {provider: anthropic, id: claude-sonnet-4-5-20250929, tier: mid}
  promoted: {provider: google, id: gemini-3.8-flash, tier: mini}
  lasting: {provider: google, id: gemini-3.5-flash, tier: mid}
  spare: {provider: anthropic, id: claude-sonnet-4-5, tier: mid}
cascades: {L1: [promoted, old], L2: [old], L3: [lasting]}
features: {triage: {}}
`

// TestModels_Ending: what the cascades use and what ends within 60 days, the other names of a model included.
func TestModels_Ending(t *testing.T) {
	t.Parallel()
	c, err := catalog.Parse([]byte(endingYAML))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	const promotion = "models.promoted: the price google/gemini-3.8-flash@2026-09-02 ends on 2027-01-01, and no price in force " +
		"follows: google/gemini-3.8-flash@2027-01-01 is only announced"
	for _, tt := range []struct {
		name string
		now  time.Time
		want []string
	}{
		{"TooEarly", time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC), nil},
		{"Model", time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), []string{
			"models.old: anthropic/claude-sonnet-4-5 retires on 2026-11-30",
		}},
		{"Both", time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), []string{
			"models.old: anthropic/claude-sonnet-4-5 retires on 2026-11-30", promotion,
		}},
		{"Retired", time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), []string{
			"models.old: anthropic/claude-sonnet-4-5 retired on 2026-11-30", promotion,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			models := planner.NewModels(c, book, func() time.Time { return tt.now })
			require.Equal(t, tt.want, models.Ending())
		})
	}
}
