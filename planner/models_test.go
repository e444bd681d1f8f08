package planner_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

const gatewayYAML = `
providers:
  router: {api: openai, dialect: openrouter, key_env: KEY, prices: openai}
models:
  luna: {provider: router, id: openai/gpt-6-luna, price_model: gpt-6-luna, tier: mini}
  lost: {provider: router, id: openai/gpt-6-luna, tier: mini}
cascades: {L1: [luna], L2: [luna], L3: [lost]}
features: {triage: {}}
`

// TestModels_PriceModel: a gateway's own name of a model has the price that the catalog says, another model's its own.
func TestModels_PriceModel(t *testing.T) {
	t.Parallel()
	c, err := catalog.Parse([]byte(gatewayYAML))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	models := planner.NewModels(c, book, func() time.Time { return now })
	mistakes := models.Check()
	require.Len(t, mistakes, 1, "a model without a price")
	require.ErrorContains(t, mistakes[0], "models.lost: openai/openai/gpt-6-luna has no price in force")
	require.True(t, models.TakesSchema("luna"))

	usage := task.Usage{Input: 1000, Output: 10}
	for answered, want := range map[string]task.Pico{
		"": 105_000_000, "openai/gpt-6-luna": 105_000_000, "gpt-6-luna-2026-09-29": 105_000_000, "gpt-6.2-sol": 2_100_000_000,
	} {
		price, err := models.PriceOf(c.Models["luna"], pricing.Query{Model: answered, At: now})
		require.NoError(t, err)
		cost, err := price.Cost(usage)
		require.NoError(t, err)
		require.Equal(t, want, cost.Total, answered)
	}
	_, err = models.PriceOf(c.Models["luna"], pricing.Query{Model: "acme/other", At: now})
	require.ErrorIs(t, err, pricing.ErrUnpriced)
}
