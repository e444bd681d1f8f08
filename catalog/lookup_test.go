package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestCatalog_CascadeFor(t *testing.T) {
	t.Parallel()

	c := mustParse(t, `cascades: {L1: [haiku], L2: [sonnet, opus]}
features:
  own: {cascade: [opus]}
  fixed: {class: L2}
  cheap: {class: L1}
`)
	tests := []struct {
		name    string
		feature string
		class   task.Class
		want    []string
	}{
		{name: "OfTheClass", feature: "fixed", class: task.L2, want: []string{"sonnet", "opus"}},
		{name: "OfTheTasksOtherClass", feature: "fixed", class: task.L1, want: []string{"haiku"}},
		{name: "OfTheFeature", feature: "own", class: task.L1, want: []string{"opus"}},
		{name: "OfTheFeaturesClassWhenTheTasksHasNone", feature: "cheap", class: task.L3, want: []string{"haiku"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, tt.want, c.CascadeFor(c.Features[tt.feature], tt.class))
		})
	}
}

func TestCatalog_Used(t *testing.T) {
	t.Parallel()

	c := mustParse(t, `providers:
  acme: {api: openai}
  other: {api: anthropic}
  idle: {api: anthropic}
models:
  a: {provider: acme, id: a, tier: mini, sideways: [b]}
  b: {provider: acme, id: b, tier: mini, sideways: [c, a]}
  c: {provider: other, id: c, tier: mini}
  d: {provider: acme, id: d, tier: mid}
  e: {provider: idle, id: e, tier: mid, sideways: [d]}
cascades: {L1: [a]}
features:
  ticket-triage: {class: L1}
  own: {cascade: [d]}
`)
	require.Equal(t, []string{"a", "b", "c", "d"}, c.UsedModels())
	require.Equal(t, []string{"acme", "other"}, c.UsedProviders())
	require.Equal(t, []string{"models.e: no cascade names it, and no model that is used goes sideways to it"}, c.Warnings())
}

func TestCatalog_Warnings(t *testing.T) {
	t.Parallel()

	c := mustParse(t, `cascades: {L1: [sonnet, haiku], L2: [haiku, opus], L3: [opus]}
features:
  ticket-triage: {cascade: [haiku, opus, sonnet]}
`)
	require.Equal(t, []string{
		`cascades.L1: goes from "sonnet" (mid) on to "haiku" (mini), which is cheaper; a cascade begins with the cheapest`,
		`features.ticket-triage.cascade: goes from "opus" (flagship) on to "sonnet" (mid), which is cheaper; a cascade begins with the cheapest`,
	}, c.Warnings())
}
