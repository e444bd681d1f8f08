package planner_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

const settingsProviders = `
providers:
  claude: {api: anthropic, key_env: KEY}
  openai: {api: openai-responses, key_env: KEY}
  google: {api: gemini, key_env: KEY}
`

// settingsModels are models that refuse one thing or another.
func settingsModels(t *testing.T, models, features string) *planner.Models {
	t.Helper()
	c, err := catalog.Parse([]byte(settingsProviders + "models:\n" + models +
		"cascades: {L1: [m], L2: [m], L3: [m]}\nfeatures: {" + features + "}\n"))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	return planner.NewModels(c, book, func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) })
}

func TestModels_CheckSettings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		model    string
		feature  string
		mistakes []string
		warnings []string
	}{
		{name: "Good", model: `{provider: claude, id: claude-opus-5-5, tier: flagship, effort: xhigh}`, feature: `f: {effort: low}`},
		{
			name: "EffortNone", model: `{provider: openai, id: gpt-6.2-sol, tier: mid, effort: none}`, feature: `f: {}`,
			mistakes: []string{`models.m.effort: gpt-6.2-sol refuses effort "none"`},
		},
		{name: "EffortNoneIsTaken", model: `{provider: openai, id: gpt-6-luna, tier: mid, effort: none}`, feature: `f: {}`},
		{
			name: "FeaturesEffort", model: `{provider: openai, id: gpt-6.1-sol-2026-09-29, tier: mid}`, feature: `f: {effort: none}`,
			mistakes: []string{`features.f.effort: model "m" (gpt-6.1-sol-2026-09-29) refuses effort "none"; set effort at the models instead`},
		},
		{
			name: "NoEffortAtAll", model: `{provider: claude, id: claude-haiku-4-5, tier: mid, effort: low}`, feature: `f: {}`,
			mistakes: []string{`models.m.effort: claude-haiku-4-5 refuses effort "low"`},
		},
		{
			name: "Budget", model: `{provider: claude, id: claude-opus-5-5, tier: mid, thinking_tokens: 2000}`,
			feature:  `f: {max_output_tokens: 4000}`,
			mistakes: []string{`models.m.thinking_tokens: claude-opus-5-5 refuses a budget; set effort instead`},
		},
		{
			name: "Temperature", model: `{provider: claude, id: claude-sonnet-5-5, tier: mid}`, feature: `f: {temperature: 0}`,
			warnings: []string{`features.f.temperature: is not sent to model "m", which refuses one`},
		},
		{
			name: "TemperatureBesideABudget", model: `{provider: claude, id: claude-haiku-4-5, tier: mid, thinking_tokens: 2000}`,
			feature:  `f: {temperature: 0.5, max_output_tokens: 4000}`,
			warnings: []string{`features.f.temperature: is not sent to model "m", which refuses one beside its 2000 thinking_tokens`},
		},
		{name: "TemperatureIsTaken", model: `{provider: google, id: gemini-3.8-flash, tier: mid}`, feature: `f: {temperature: 2}`},
		{name: "Flex", model: `{provider: openai, id: gpt-6.2-sol, tier: mid, service_tier: flex}`, feature: `f: {}`},
		{
			name: "TierWithoutAPrice", model: `{provider: google, id: gemini-3.8-flash, tier: mid, service_tier: flex}`, feature: `f: {}`,
			mistakes: []string{`models.m: google/gemini-3.8-flash has no price in force: google/gemini-3.8-flash@`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			models := settingsModels(t, "  m: "+tt.model+"\n", tt.feature)
			var mistakes []string
			if err := errors.Join(models.Check()...); err != nil {
				mistakes = strings.Split(err.Error(), "\n")
			}
			require.Len(t, mistakes, len(tt.mistakes))
			for i, want := range tt.mistakes {
				require.Contains(t, mistakes[i], want)
			}
			require.Equal(t, tt.warnings, models.Warnings())
		})
	}
}

// A task may come to a model that its feature's settings were not written for.
func TestModels_WhatIsNotSaid(t *testing.T) {
	t.Parallel()
	models := settingsModels(t, `
  m: {provider: openai, id: gpt-6-luna, tier: mini}
  n: {provider: openai, id: gpt-6.2-sol, tier: mid}
  c: {provider: claude, id: claude-haiku-4-5, tier: mid, thinking_tokens: 2000}
`, `f: {effort: none, temperature: 0.5}`)
	f := catalog.Feature{Effort: "none", Temperature: new(0.5)}
	require.Equal(t, "none", models.EffortFor(f, "m"))
	require.Empty(t, models.EffortFor(f, "n"), "it refuses the word")
	require.Empty(t, models.EffortFor(f, "c"), "its API does not have the word")
	require.Nil(t, models.TemperatureFor(f, "m"))
	require.Equal(t, 2000, models.ThinkingFor("c", 2001))
	require.Zero(t, models.ThinkingFor("c", 2000), "nothing would be left for an answer")
}

// Flex is reckoned at its own price and bounded by the standard one; priority is dearer from the start.
func TestModels_PriceOfATier(t *testing.T) {
	t.Parallel()
	models := settingsModels(t, `
  m: {provider: openai, id: gpt-6.2-sol, tier: mid}
  flex: {provider: openai, id: gpt-6.2-sol, tier: mid, service_tier: flex}
  fast: {provider: openai, id: gpt-6.2-sol, tier: mid, service_tier: priority}
`, `f: {}`)
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	cost := func(name string) (expected, bound task.Pico) {
		price, err := models.Price(name, at)
		require.NoError(t, err)
		expected, err = price.Expected(1000, 100)
		require.NoError(t, err)
		bound, err = price.Bound(1000, 100)
		require.NoError(t, err)
		return expected, bound
	}
	usual, most := cost("m")
	flex, flexMost := cost("flex")
	fast, fastMost := cost("fast")
	require.Equal(t, usual, 2*flex)
	require.Equal(t, most, flexMost)
	require.Equal(t, 2*usual, fast)
	require.Equal(t, 2*most, fastMost)
}

func TestPlan_Prefix(t *testing.T) {
	t.Parallel()
	p := newCliffPlanner(t)
	plan := func(given *task.Task) planner.Planned {
		planned, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), given, 0)
		require.NoError(t, err)
		return planned
	}
	first := plan(&task.Task{Feature: "full", Input: "one"})
	second := plan(&task.Task{Feature: "full", Input: "another", Context: []string{"its own"}})
	require.Equal(t, first.PrefixHash, second.PrefixHash)
	require.EqualValues(t, 3+5+5+3*framing, first.PrefixTokens, "Sort it., the manual and the schema")
	require.Equal(t, first.PrefixTokens, second.PrefixTokens)
	require.Less(t, first.PrefixTokens, first.PromptTokens)
	require.Equal(t, p.PrefixHash("full", nil), first.PrefixHash)

	tools := []task.Tool{{Name: "lookup", Parameters: []byte(`{"type":"object"}`)}}
	equipped := plan(&task.Task{Feature: "full", Input: "one", Tools: tools})
	require.NotEqual(t, first.PrefixHash, equipped.PrefixHash)
	require.Greater(t, equipped.PrefixTokens, first.PrefixTokens)
	require.Equal(t, equipped.PrefixTokens, plan(&task.Task{Feature: "full", Input: "two", Tools: tools}).PrefixTokens, "from memory")
	require.NotEqual(t, plan(&task.Task{Feature: "bare", Input: "one"}).PrefixHash, first.PrefixHash)
	require.Zero(t, plan(&task.Task{Feature: "bare", Input: "one"}).PrefixTokens)
}

// Texts that read alike when they are put together are other prefixes all the same.
func TestPrefixHash_PartsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	example := func(in, out string) []catalog.Example { return []catalog.Example{{Input: in, Output: out}} }
	features := []catalog.Feature{
		{},
		{System: "ab"},
		{System: "a"},
		{System: "a", Context: []string{"b"}},
		{Context: []string{"ab"}},
		{Context: []string{"a", "b"}},
		{Examples: example("a", "b")},
		{Examples: example("ab", "")},
		{OutputSchema: []byte("ab")},
	}
	c := &catalog.Catalog{Features: map[string]catalog.Feature{}}
	for i, f := range features {
		c.Features[string(rune('a'+i))] = f
	}
	book, err := pricing.Embedded()
	require.NoError(t, err)
	p := planner.New(planner.Config{Catalog: c, Models: planner.NewModels(c, book, time.Now)})
	seen := map[uuid.UUID]bool{}
	for name := range c.Features {
		for _, tools := range [][]task.Tool{nil, {{Name: "ab"}}, {{Name: "a", Description: "b"}}, {{Name: "a"}, {Name: "b"}}} {
			seen[p.PrefixHash(name, tools)] = true
		}
	}
	require.Len(t, seen, 4*len(features))
}
