package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// weirPrices runs weir prices with a usage on standard input.
func weirPrices(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	err = run(t.Context(), append([]string{"prices"}, args...), func(string) string { return "" },
		strings.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), err
}

func TestPrices_Cost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		model string
		mode  string
		usage string
		row   string
		lines int
		cost  string
	}{
		{
			// 20,000 at 0.50, 90,000 at 0.05, 10,000 at 0.625, 1,000 at 2.50 per million: the prompt's 120,000 tokens are over
			// the edge. A half of that.
			name: "AnthropicBatch", model: "claude-haiku-5-5", mode: "batch", row: "anthropic/claude-haiku-5-5@2026-10-07#2",
			usage: `{"input_tokens":20000,"cache_read_input_tokens":90000,"cache_creation_input_tokens":10000,
				"cache_creation":{"ephemeral_5m_input_tokens":10000,"ephemeral_1h_input_tokens":0},"output_tokens":1000}`,
			lines: 4, cost: "0.011625",
		},
		{
			name: "AnthropicAnswer", model: "anthropic/claude-opus-5-5", mode: "sync", lines: 2, cost: "0.000088",
			row:   "anthropic/claude-opus-5-5@2026-09-22#1",
			usage: `{"model":"x","usage":{"input_tokens":10,"output_tokens":2,"inference_geo":"us"}}`, // 80 micro-USD times 1.1
		},
		{
			name: "Completions", model: "gpt-6.2-sol", mode: "sync", row: "openai/gpt-6.2-sol@2026-11-17#1", lines: 4, cost: "0.0055232",
			usage: `{"prompt_tokens":3000,"completion_tokens":100,"total_tokens":3100,
				"prompt_tokens_details":{"cached_tokens":1032,"cache_write_tokens":968}}`,
		},
		{
			name: "Responses", model: "gpt-6.2-sol", mode: "flex", row: "openai/gpt-6.2-sol@2026-11-17#1", lines: 2, cost: "0.0015",
			usage: `{"input_tokens":1000,"output_tokens":100,"output_tokens_details":{"reasoning_tokens":90},"total_tokens":1100}`,
		},
		{
			name: "DeepLAnswer", model: "deepl/quality_optimized", mode: "sync", row: "deepl/quality_optimized@always#1", lines: 1,
			usage: `{"translations":[{"text":"Where?","billed_characters":1234}]}`, cost: "0.03085",
		},
		{
			name: "LibreTranslate", model: "libretranslate", mode: "sync", row: "libretranslate/libretranslate@always#1", lines: 1,
			usage: `{"characters":1234}`, cost: "0",
		},
		{
			name: "Voyage", model: "voyageai/voyage-4", mode: "sync", row: "voyageai/voyage-4@always#1", lines: 1,
			usage: `{"data":[],"model":"voyage-4","usage":{"total_tokens":1000}}`, cost: "0.00006",
		},
		{
			name: "OpenAIEmbeddings", model: "text-embedding-3-large", mode: "batch", lines: 1, cost: "0.000065",
			row: "openai/text-embedding-3-large@always#1", usage: `{"prompt_tokens":1000,"total_tokens":1000}`,
		},
		{
			name: "GeminiEmbeddings", model: "gemini-embedding-001", mode: "sync", lines: 1, cost: "0.00015",
			row: "google/gemini-embedding-001@always#1", usage: `{"usageMetadata":{"promptTokenCount":1000}}`,
		},
		{
			name: "Gemini", model: "gemini-3.8-flash", mode: "sync", row: "google/gemini-3.8-flash@2026-09-02#1", lines: 2,
			cost:  "0.0049875", // thoughts are output beside the candidates
			usage: `{"usageMetadata":{"promptTokenCount":1650,"candidatesTokenCount":100,"thoughtsTokenCount":900,"totalTokenCount":2650}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "usage.json")
			require.NoError(t, os.WriteFile(file, []byte(tt.usage), 0o600))
			stdout, stderr, err := weirPrices(t, "", "cost", tt.model, "--usage", file, "--at", "2026-11-25", "--mode", tt.mode, "--json")
			require.NoError(t, err, stderr)
			var got pricedUsage
			require.NoError(t, json.Unmarshal([]byte(stdout), &got))
			require.Equal(t, tt.row, got.Row)
			require.Len(t, got.Lines, tt.lines)
			require.Equal(t, tt.cost, got.Cost.String())

			stdout, _, err = weirPrices(t, tt.usage, "cost", tt.model, "--usage", "-", "--at", "2026-11-25T00:00:00Z", "--mode", tt.mode)
			require.NoError(t, err)
			require.Contains(t, stdout, "price row "+tt.row)
			require.Contains(t, stdout, "cost "+tt.cost+" USD")
		})
	}
}

func TestPrices_Characters(t *testing.T) {
	t.Parallel()
	stdout, _, err := weirPrices(t, `{"billed_characters":1234}`, "cost", "deepl/deepl", "--usage", "-", "--at", "2026-11-27", "--json")
	require.NoError(t, err)
	require.Contains(t, stdout, `"lines":[{"kind":"characters","count":1234,"unit":"character","rate_usd_per_mtok":"25","cost_usd":"0.03085"}]`)
	_, stderr, err := weirPrices(t, `{"translations":[{"text":"Where?"}]}`, "cost", "deepl/deepl", "--usage", "-")
	require.Error(t, err)
	require.Contains(t, stderr, "incomplete or contradicts itself")
	stdout, _, err = weirPrices(t, "", "show", "deepl/deepl")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^characters +25$`, stdout)
	stdout, _, err = weirPrices(t, "", "list")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^deepl/deepl +- +- +- +25 +2026-11-26 +embedded$`, stdout)
	require.Regexp(t, `(?m)^anthropic/claude-opus-5-5 +4 +0\.2 +20 +- +`, stdout)
	require.Contains(t, stdout, "USD per million tokens or characters")
}

func TestPrices_Refuses(t *testing.T) {
	t.Parallel()
	const usage = `{"input_tokens":1,"output_tokens":1}`
	tests := []struct {
		name  string
		usage string
		args  []string
		want  string
	}{
		{"Model", usage, []string{"cost", "gpt-17", "--usage", "-"}, `the price book has no model "gpt-17"`},
		{"Time", usage, []string{"cost", "claude-opus-5-5", "--usage", "-", "--at", "noon"}, `"noon" is no time; write 2026-11-25`},
		{"Before", usage, []string{"cost", "claude-opus-5-5", "--usage", "-", "--at", "2020-01-01"}, "no price in force"},
		{"NoJSON", "tokens", []string{"cost", "claude-opus-5-5", "--usage", "-"}, "is no JSON object"},
		{"Incomplete", `{"input_tokens":1}`, []string{"cost", "claude-opus-5-5", "--usage", "-"}, "incomplete or contradicts itself"},
		{"File", "", []string{"cost", "claude-opus-5-5", "--usage", "/does/not/exist"}, "read usage"},
		{"Unknown", "", []string{"breakeven", "gpt-17"}, `the price book has no model "gpt-17"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, stderr, err := weirPrices(t, tt.usage, tt.args...)
			require.Error(t, err)
			require.Contains(t, stderr, tt.want)
		})
	}
}

func TestPrices_Breakeven(t *testing.T) {
	t.Parallel()
	stdout, _, err := weirPrices(t, "", "breakeven", "claude-sonnet-5-5", "--at", "2026-11-25", "--json")
	require.NoError(t, err)
	require.JSONEq(t, `{"5m":2,"1h":3}`, stdout)
	stdout, _, err = weirPrices(t, "", "breakeven", "gpt-4o-mini", "--at", "2026-11-25")
	require.NoError(t, err)
	require.Contains(t, stdout, "no rate for cache writes")
}

func TestPrices_Show(t *testing.T) {
	t.Parallel()
	stdout, _, err := weirPrices(t, "", "show", "claude-haiku-5-5", "--at", "2026-11-25")
	require.NoError(t, err)
	require.Contains(t, stdout, "anthropic/claude-haiku-5-5@2026-10-07#1, checked 2026-10-24")
	require.Regexp(t, `(?m)^cache_write_1h +0\.2$`, stdout)
	require.Contains(t, stdout, "modes batch 1/2, regions global 1, not_available 1, us 11/10")
	require.Contains(t, stdout, "#2", "its other band")
	_, stderr, err := weirPrices(t, "", "show", "claude-haiku-5-5", "--at", "2026-01-01")
	require.Error(t, err)
	require.Contains(t, stderr, "anthropic/claude-haiku-5-5 has no price in force then")
}

func TestPrices_Retires(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{"2026-11-29": "2026-11-30", "2026-11-30": "2026-11-30, retired"} {
		stdout, _, err := weirPrices(t, "", "list", "--at", at)
		require.NoError(t, err)
		require.Regexp(t, `(?m)^anthropic/claude-sonnet-4-5 .* `+want+`( |$)`, stdout)
	}
	stdout, _, err := weirPrices(t, "", "show", "claude-sonnet-4-5", "--at", "2026-11-25")
	require.NoError(t, err)
	require.Contains(t, stdout, "anthropic/claude-sonnet-4-5 retires on 2026-11-30, checked 2026-11-23, source: ")
	stdout, _, err = weirPrices(t, "", "show", "claude-sonnet-4-5", "--at", "2026-11-25", "--json")
	require.NoError(t, err)
	require.Contains(t, stdout, `"retires":"2026-11-30T00:00:00Z"`)
}

func TestConfigCheck_WarnsOfWhatEnds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "weir.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
providers: {anthropic: {api: anthropic, key_env: KEY}}
models: {old: {provider: anthropic, id: claude-sonnet-4-5, tier: mid}}
cascades: {L1: [old], L2: [old], L3: [old]}
features: {triage: {}}
`), 0o600))
	var out, errs strings.Builder
	err := run(t.Context(), []string{"config", "check", file}, func(string) string { return "" }, strings.NewReader(""), &out, &errs)
	require.NoError(t, err)
	require.Regexp(t, `(?m)^warning: models\.old: anthropic/claude-sonnet-4-5 retire[sd] on 2026-11-30$`, errs.String())
}

func TestPrices_List(t *testing.T) {
	t.Parallel()
	stdout, _, err := weirPrices(t, "", "list", "--at", "2026-10-01")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^anthropic/claude-sonnet-5-5 +2 +0\.2 +10 +- +2026-09-29 +embedded$`, stdout)
	require.NotContains(t, stdout, "gpt-6.2-sol", "its price begins later")
	stdout, _, err = weirPrices(t, "", "list", "--at", "2027-06-01", "--json")
	require.NoError(t, err)
	require.NotContains(t, stdout, "announced", "what was only announced is not in force")
}
