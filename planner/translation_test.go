package planner_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

const translating = `
providers:
  openai: {api: openai, key_env: KEY}
  deepl: {api: deepl, key_env: DEEPL_AUTH_KEY}
  own: {api: libretranslate, base_url: "https://translate.example.com"}
models:
  deepl: {provider: deepl, id: deepl, tier: mini, sideways: [nllb]}
  nllb: {provider: own, id: nllb-200, tier: mini, max_input: 5000}
  sol: {provider: openai, id: gpt-6.2-sol, tier: mid}
features:
  letters: {translate: {target: en}, system: Translate it., class: L1, cascade: [deepl, sol], max_output_tokens: 100000}
`

func newTranslator(t *testing.T, yaml string) (*planner.Planner, []error) {
	t.Helper()
	parsed, err := catalog.Parse([]byte(yaml))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	models := planner.NewModels(parsed, book, func() time.Time { return time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) })
	return planner.New(planner.Config{
		Catalog: parsed, Models: models, Classifier: decide(sure), Logger: slog.New(slog.DiscardHandler),
	}), models.Check()
}

// planned are the stages and the reasons of a plan.
func planned(t *testing.T, p *planner.Planner, give task.Task) (got planner.Planned, stages []cascade.Stage, excluded map[string]string) {
	t.Helper()
	give.Feature = "letters"
	got, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), &give, 0)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(got.Plan.Stages, &stages))
	var list []cascade.Exclusion
	require.NoError(t, json.Unmarshal(got.Plan.Excluded, &list))
	excluded = map[string]string{}
	for _, e := range list {
		excluded[e.Model] = e.Reason
	}
	return got, stages, excluded
}

func TestPlan_Translation(t *testing.T) {
	t.Parallel()
	p, mistakes := newTranslator(t, translating)
	require.Empty(t, mistakes)

	got, stages, excluded := planned(t, p, task.Task{Input: "Übermut"})
	require.Equal(t, []cascade.Stage{{Model: "deepl", Sideways: []string{"nllb"}}, {Model: "sol"}}, stages)
	require.Empty(t, excluded)
	require.Equal(t, task.Pico(7*25_000_000), got.ExpectedCost, "by code points, whatever the answer's limit")
	require.Equal(t, got.ExpectedCost, p.Models.ExpectedTask("deepl", &task.Task{Input: "Übermut"}, 1, 1))
	require.Equal(t, task.Pico(12*25_000_000), p.Models.ExpectedNeutral("deepl", 3, 1), "a guess where the text is not at hand")
	require.Zero(t, p.Models.ExpectedTask("nllb", &task.Task{Input: "Übermut"}, 1, 1))

	const only = "translates a task's input and nothing else: the task brings messages, context, tools or attachments, or no input"
	for name, give := range map[string]task.Task{
		"Messages": {Input: "a", Messages: []task.Message{{Role: "user", Content: "b"}, {Role: "assistant", Content: "c"}}},
		"NoInput":  {Messages: []task.Message{{Role: "user", Content: "b"}}},
		"Context":  {Input: "a", Context: []string{"b"}},
		"Tools":    {Input: "a", Tools: []task.Tool{{Name: "b"}}},
	} {
		got, stages, excluded = planned(t, p, give)
		require.Equal(t, []cascade.Stage{{Model: "sol"}}, stages, name)
		require.Equal(t, map[string]string{"deepl": only}, excluded, name)
		require.Equal(t, "sol", got.Model, name)
	}
}

func TestPlan_TranslationsHaveASize(t *testing.T) {
	t.Parallel()
	p, _ := newTranslator(t, translating)
	const room = 128<<10 - 1024 - 2 // what the rest of the request and the quotes leave
	for _, tt := range []struct {
		name, text string
		fits       bool
	}{
		{"Full", strings.Repeat("a", room), true},
		{"OneMore", strings.Repeat("a", room+1), false},
		{"Escaped", strings.Repeat("\n", room/2+1), false},
		{"Wide", strings.Repeat("深", room/3), true},
		{"TooWide", strings.Repeat("深", room/3+1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, stages, excluded := planned(t, p, task.Task{Input: tt.text})
			if tt.fits {
				require.Equal(t, "deepl", stages[0].Model)
				require.Equal(t, "the text is longer than the service's limit of 5000 characters", excluded["nllb"])
				return
			}
			require.Equal(t, []cascade.Stage{{Model: "sol"}}, stages)
			require.Equal(t, "the text is larger than the 130048 bytes that a request to the service has room for", excluded["deepl"])
		})
	}
	_, stages, _ := planned(t, p, task.Task{Input: strings.Repeat("深", 5000)})
	require.Equal(t, []string{"nllb"}, stages[0].Sideways, "characters, not bytes")
}

// TestPlan_TranslationsAreSizedAsTheyAreSent holds the size to what the wire formats make of a text.
func TestPlan_TranslationsAreSizedAsTheyAreSent(t *testing.T) {
	t.Parallel()
	p, _ := newTranslator(t, strings.Replace(translating, "id: nllb-200", "id: nllb-200, max_output: 0", 1))
	for _, unit := range []string{"a", "\"", "\\", "\n", "\t", "\x00", "\x7f", "é", "深", "\U0001F4E6", "\xff", "\u2028", "<"} {
		n := (130048 - 2) / (len(httpcall.AppendString(nil, unit)) - 2)
		_, stages, _ := planned(t, p, task.Task{Input: strings.Repeat(unit, n)})
		require.Equal(t, "deepl", stages[0].Model, "%q", unit)
		_, stages, _ = planned(t, p, task.Task{Input: strings.Repeat(unit, n+1)})
		require.Equal(t, "sol", stages[0].Model, "%q", unit)
	}
}

func TestModels_CheckUnits(t *testing.T) {
	t.Parallel()
	_, mistakes := newTranslator(t, strings.NewReplacer("{api: deepl,", "{api: deepl, prices: openai,", "id: deepl", "id: gpt-6-luna").
		Replace(translating))
	require.Len(t, mistakes, 1)
	require.EqualError(t, mistakes[0], `models.deepl: the price openai/gpt-6-luna@2026-09-22 is by tokens, which api "deepl" does not bill`)
	_, mistakes = newTranslator(t, strings.NewReplacer("{api: openai,", "{api: openai, prices: deepl,", "id: gpt-6.2-sol", "id: deepl").
		Replace(translating))
	require.Len(t, mistakes, 1)
	require.EqualError(t, mistakes[0], `models.sol: the price deepl/deepl@always is by characters, which api "openai" does not bill`)
}
