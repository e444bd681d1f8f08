package catalog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
)

func TestCallTimeout(t *testing.T) {
	t.Parallel()

	c := mustParse(t, `providers:
  acme: {api: openai, timeout: 20m}
  other: {api: openai, timeout: 10s}
models:
  haiku: {provider: other, id: h, tier: mini}
  sonnet: {provider: other, id: s, tier: mid, service_tier: flex}
  opus: {provider: acme, id: o, tier: flagship, service_tier: flex}
`)
	feature := c.Features["ticket-triage"]
	require.Zero(t, c.CallTimeout(feature, c.Models["haiku"]), "the provider's")
	require.Equal(t, 15*time.Minute, c.CallTimeout(feature, c.Models["sonnet"]))
	require.Equal(t, 20*time.Minute, c.CallTimeout(feature, c.Models["opus"]), "the provider's is longer")
	feature.CallTimeout = time.Second
	require.Equal(t, time.Second, c.CallTimeout(feature, c.Models["sonnet"]), "the feature's own")
}

func TestModelsOf(t *testing.T) {
	t.Parallel()

	c := mustParse(t, `models:
  haiku: {provider: acme, id: h, tier: mini, sideways: [other]}
  other: {provider: acme, id: h2, tier: mini}
  sonnet: {provider: acme, id: s, tier: mid}
  opus: {provider: acme, id: o, tier: flagship}
features:
  any: {}
  easy: {class: L1}
  own: {cascade: [opus, haiku]}
`)
	require.Equal(t, []string{"haiku", "opus", "other", "sonnet"}, c.ModelsOf(c.Features["any"]))
	require.Equal(t, []string{"haiku", "other", "sonnet"}, c.ModelsOf(c.Features["easy"]))
	require.Equal(t, []string{"haiku", "opus", "other"}, c.ModelsOf(c.Features["own"]))
}

func TestEffortOf(t *testing.T) {
	t.Parallel()

	model := catalog.Model{Effort: "low"}
	require.Equal(t, "low", catalog.Feature{}.EffortOf(model))
	require.Equal(t, "high", catalog.Feature{Effort: "high"}.EffortOf(model))
	require.Empty(t, catalog.Feature{}.EffortOf(catalog.Model{}))
}
