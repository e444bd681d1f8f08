package pricing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// TestEmbedded_XAI: a prompt of exactly the edge is in the dearer band, unlike everywhere else.
func TestEmbedded_XAI(t *testing.T) {
	t.Parallel()
	price, err := mustEmbedded(t).Price(pricing.Query{Provider: "xai", Model: "grok-4.7", At: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	for _, tc := range []struct {
		usage task.Usage
		want  task.Pico
		band  string
	}{
		{task.Usage{Input: 199_999}, 199_999 * 2_000_000, "#1"},
		{task.Usage{Input: 99_999, CacheRead: 100_000, Output: 10}, 99_999*2_000_000 + 100_000*500_000 + 10*6_000_000, "#1"},
		{task.Usage{Input: 100_000, CacheRead: 100_000, Output: 10}, 100_000*4_000_000 + 100_000*1_000_000 + 10*12_000_000, "#2"},
		{task.Usage{Input: 200_000, Output: 10}, 200_000*4_000_000 + 10*12_000_000, "#2"},
	} {
		cost, err := price.Cost(tc.usage)
		require.NoError(t, err)
		require.Equal(t, tc.want, cost.Total)
		require.Equal(t, "xai/grok-4.7@always"+tc.band, cost.Row)
	}
}

// TestEmbedded_DeepSeekHours: the same call costs twice as much in the provider's busy hours.
func TestEmbedded_DeepSeekHours(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	usage := task.Usage{Input: 1000, CacheRead: 1000, Output: 100}
	const quiet = 1000*220_000 + 1000*7_000 + 100*660_000
	for clock, want := range map[string]task.Pico{
		"00:59:59": quiet, "01:00:00": 2 * quiet, "03:59:59": 2 * quiet, "04:00:00": quiet, "05:59:59": quiet,
		"06:00:00": 2 * quiet, "09:59:59": 2 * quiet, "10:00:00": quiet, "23:00:00": quiet,
	} {
		at, err := time.Parse(time.RFC3339, "2026-11-26T"+clock+"Z")
		require.NoError(t, err)
		price, err := book.Price(pricing.Query{Provider: "deepseek", Model: "deepseek-v4-flash", At: at})
		require.NoError(t, err)
		cost, err := price.Cost(usage)
		require.NoError(t, err)
		require.Equal(t, want, cost.Total, clock)
	}
}
