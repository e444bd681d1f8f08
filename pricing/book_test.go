package pricing_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

func TestBook_NamesOfModels(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	for name, row := range map[string]string{
		"openai/gpt-6.1-sol":                  "openai/gpt-6.1-sol@2026-09-29",
		"openai/gpt-6.1-sol-2026-09-29":       "openai/gpt-6.1-sol@2026-09-29",
		"openai/gpt-4o-mini-2024-07-18":       "openai/gpt-4o-mini@2024-07-18",
		"anthropic/claude-haiku-5-5-20261007": "anthropic/claude-haiku-5-5@2026-10-07",
		"anthropic/claude-haiku-4-5-20251001": "anthropic/claude-haiku-4-5@always",
		"groq/openai/gpt-oss-120b":            "groq/openai/gpt-oss-120b@always",
		"deepseek/deepseek-v4-flash":          "deepseek/deepseek-v4-flash@2026-08-17",
	} {
		provider, model, _ := strings.Cut(name, "/")
		price := mustPrice(t, book, pricing.Query{Provider: provider, Model: model, At: november()})
		require.Equal(t, row, price.Row())
	}
	_, err := book.Price(pricing.Query{Provider: "openai", Model: "gpt-6x1-sol-2026-09-29", At: november()})
	require.ErrorIs(t, err, pricing.ErrUnpriced, "a dot in a pattern is a dot")
}

func TestBook_NameOfTwoModelsHasNoPrice(t *testing.T) {
	t.Parallel()
	twins := acme("") + strings.NewReplacer("id: small", "id: tiny", "small-[0-9]{8}", "small-[0-9]{7}1").Replace(modelOf(acme("")))
	q := small()
	q.Model = "small-00000001"
	_, err := mustBook(t, twins).Price(q)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	require.ErrorContains(t, err, "is both small and tiny")
}

func TestBook_Traits(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	tests := []struct {
		name     string
		provider string
		model    string
		want     pricing.Traits
	}{
		{"Haiku", "anthropic", "claude-haiku-5-5", pricing.Traits{
			Window: 1_000_000, MaxInput: 1_000_000, MaxOutput: 128_000, JSONSchema: true, Images: true, PDFs: true, TokenFactor: 1.7,
			OutputIncludesReasoning: true, Refused: []string{"temperature", "thinking_tokens"},
		}},
		{"OlderTokenizer", "anthropic", "claude-sonnet-4-6-20260217", pricing.Traits{
			Window: 1_000_000, MaxInput: 1_000_000, MaxOutput: 64_000, JSONSchema: true, Images: true, PDFs: true, TokenFactor: 1.25, MinCacheable: 1024,
			OutputIncludesReasoning: true,
		}},
		{"InputBelowTheWindow", "openai", "gpt-6.2-sol", pricing.Traits{
			Window: 1_050_000, MaxInput: 922_000, MaxOutput: 128_000, JSONSchema: true, Images: true, PDFs: true, TokenFactor: 1, MinCacheable: 1024,
			InputIncludesCached: true, OutputIncludesReasoning: true, ImagesAsInput: true, Refused: []string{"effort_none", "temperature"},
		}},
		{"ReasoningBesideTheOutput", "google", "gemini-2.5-flash", pricing.Traits{
			Window: 1_048_576, MaxInput: 1_048_576, MaxOutput: 65_535, JSONSchema: true, Images: true, PDFs: true, TokenFactor: 1.3, InputIncludesCached: true,
			ImagesAsInput: true, Refused: []string{"effort"},
		}},
		{"LittleKnown", "voyageai", "voyage-4", pricing.Traits{
			TokenFactor: 1.3, InputIncludesCached: true, OutputIncludesReasoning: true,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			traits, ok := book.Traits(tt.provider, tt.model)
			require.True(t, ok)
			require.Equal(t, tt.want, traits)
		})
	}
	_, ok := book.Traits("anthropic", "claude-haiku-6")
	require.False(t, ok)
}

func TestBook_Models(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	models := book.Models()
	require.Contains(t, models, pricing.Model{
		Provider: "groq", ID: "openai/gpt-oss-120b",
		Traits: pricing.Traits{
			Window: 131_072, MaxInput: 131_072, MaxOutput: 32_766, TokenFactor: 1.3, InputIncludesCached: true, OutputIncludesReasoning: true,
		},
	})
	seen := map[string]bool{}
	for _, m := range models {
		require.False(t, seen[m.Provider+"/"+m.ID])
		seen[m.Provider+"/"+m.ID] = true
		traits, ok := book.Traits(m.Provider, m.ID)
		require.True(t, ok)
		require.Equal(t, m.Traits, traits)
	}
}

func TestBook_Hash(t *testing.T) {
	t.Parallel()
	hash := func(content string) string { return mustBook(t, content).Hash() }
	want := hash(acme(""))
	require.Regexp(t, "^[0-9a-f]{64}$", want)
	require.Equal(t, want, hash("# a comment\n"+strings.Replace(acme(""), `"0.1"`, `'0.100'`, 1)), "form does not count")
	for _, change := range [][2]string{
		{`"0.1"`, `"0.2"`},
		{"max_prompt: 1000", "max_prompt: 1001"},
		{"window: 5000", "window: 5001"},
		{"price list", "another list"},
		{"2026-01-01", "2026-01-02"},
		{"[0-9]{8}", "[0-9]{6}"},
		{"in_force", "announced"},
		{`o200k_factor: "1.5"`, `o200k_factor: "1.6"`},
		{"    limits:", "    retires: {on: 2027-01-01, checked: 2026-01-01, source: a}\n    limits:"},
	} {
		require.NotEqual(t, want, hash(strings.Replace(acme(""), change[0], change[1], 1)), "%s", change[0])
	}
	two := strings.ReplaceAll(acme(""), "small", "tiny")
	require.Equal(t, hash(acme("")+modelOf(two)), hash(two+modelOf(acme(""))), "the order of models does not count")
	first, again := mustEmbedded(t), mustEmbedded(t)
	require.Equal(t, first.Hash(), again.Hash())
}

func TestBook_Rows(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	search := task.USD / 100
	rows := mustBook(t, acme(`
        until: 2027-01-01
        boundary: gte
        modes: {batch: "2/4"}
        geo: {us: "11/10"}
        per_unit: {web_search_1k: "10"}
        windows: [{from: "01:00", to: "04:00", bands: [{input: "3", output: "5"}]}]
`)).Rows()
	until := from.AddDate(1, 0, 0)
	base := pricing.Row{
		Provider: "acme", Model: "small", Match: []string{"small-[0-9]{8}"}, From: &from, Until: &until, Status: pricing.InForce,
		Source: "price list", Origin: "acme.yaml", Checked: from.AddDate(0, 0, 1), Boundary: "gte", WebSearch: &search,
		Modes: map[string]string{"batch": "1/2"}, Geo: map[string]string{"us": "11/10"},
	}
	first, second, window := base, base, base
	first.Key, first.Band, first.MaxPrompt = "acme/small@2026-01-01#1", 1, 1000
	first.Rates = map[string]task.Pico{"input": 1_000_000, "cache_read": 100_000, "cache_write_5m": 1_250_000, "output": 4_000_000}
	second.Key, second.Band = "acme/small@2026-01-01#2", 2
	second.Rates = map[string]task.Pico{"input": 2_000_000, "cache_read": 200_000, "cache_write_5m": 2_500_000, "output": 6_000_000}
	window.Key, window.Variant, window.Band = "acme/small@2026-01-01/01:00-04:00#1", "01:00-04:00", 1
	window.Rates = map[string]task.Pico{"input": 3_000_000, "output": 5_000_000}
	require.Equal(t, []pricing.Row{first, second, window}, rows)
}

func TestBook_RowKeysAreUniqueAndKnown(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	keys := map[string]pricing.Row{}
	for _, row := range book.Rows() {
		require.NotContains(t, keys, row.Key)
		keys[row.Key] = row
	}
	for _, row := range keys {
		if row.Status == pricing.Announced || row.Variant != "" {
			continue
		}
		at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		if row.From != nil {
			at = row.From.Add(12 * time.Hour)
		}
		prompt := max(row.MaxPrompt, 1)
		if row.Boundary == "gte" && row.MaxPrompt > 0 {
			prompt-- // the edge itself is in the next band
		}
		if row.Band == 2 {
			prompt = 500_000
		}
		usage, rate := task.Usage{Input: prompt}, row.Rates["input"]
		if perCharacter, ok := row.Rates["characters"]; ok {
			usage, rate = task.Usage{Characters: prompt}, perCharacter
		}
		cost, err := mustPrice(t, book, pricing.Query{Provider: row.Provider, Model: row.Model, At: at}).Cost(usage)
		require.NoError(t, err)
		require.Equal(t, row.Key, cost.Row)
		require.Equal(t, task.Pico(prompt)*rate, cost.Total)
	}
}

func TestBook_KeyOfARowWithATime(t *testing.T) {
	t.Parallel()
	book := mustBook(t, strings.Replace(acme(""), "2026-01-01", "2026-01-01T12:30:00Z", 1))
	require.Equal(t, "acme/small@2026-01-01T12:30:00Z", mustPrice(t, book, small()).Row())
}

func TestBook_RowWithoutFromIsForAlways(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"from: always", "boundary: gt"} {
		book, err := pricing.Load(fstest.MapFS{"a.yaml": {Data: []byte(strings.Replace(acme(""), "from: 2026-01-01", from, 1))}})
		require.NoError(t, err)
		q := small()
		q.At = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		require.Equal(t, "acme/small@always", mustPrice(t, book, q).Row())
	}
}
