package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/providers/sim"
)

const embedYAML = `
providers:
  anthropic: {api: anthropic, key_env: ANTHROPIC_API_KEY}
  openai: {api: openai, dialect: openai, base_url: "%[1]s", key_env: OPENAI_API_KEY, allow_private: true}
  voyage: {api: voyage, base_url: "%[1]s", allow_private: true}
  gemini: {api: gemini, base_url: "%[1]s", allow_private: true}
  local: {api: openai, dialect: ollama, base_url: "%[1]s", prices: self-hosted, allow_private: true}
models:
  haiku: {provider: anthropic, id: claude-haiku-5-5, tier: mini}
features:
  faq: {class: L1, cascade: [haiku]}
embedders:
  small: {provider: openai, id: text-embedding-3-small, dimensions: 8}
  faq: {provider: voyage, id: voyage-4, dimensions: 256, inputs_per_request: 2}
  google: {provider: gemini, id: gemini-embedding-001, dimensions: 8}
  local: {provider: local, id: bge-m3}
`

// embedBundle is a simulated provider, a ledger and a weir.yaml with embedders.
type embedBundle struct {
	*testBundle
	sim *sim.Server
	dir string
}

func newEmbedBundle(t *testing.T) *embedBundle {
	t.Helper()
	server, err := sim.New(sim.Config{Seed: 1, Instant: true, Tokens: sim.TokensBytes, AnyModel: true})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context(), "127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	b := &embedBundle{testBundle: newTestBundle(t), sim: server, dir: t.TempDir()}
	b.env["WEIR_CONFIG"] = filepath.Join(b.dir, "weir.yaml")
	b.env["OPENAI_API_KEY"] = "sesame"
	require.NoError(t, os.WriteFile(b.env["WEIR_CONFIG"], fmt.Appendf(nil, embedYAML, server.URL()), 0o600))
	return b
}

type embeddedLine struct {
	ID        any       `json:"id"`
	Embedding []float32 `json:"embedding"`
}

func embeddedLines(t *testing.T, output string) []embeddedLine {
	t.Helper()
	var lines []embeddedLine
	for line := range strings.Lines(output) {
		var l embeddedLine
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		lines = append(lines, l)
	}
	return lines
}

const threeLines = `{"id": "a", "text": "where is it"}

{"id": 7, "text": "Wo ist es? \"dort\"", "more": true}
{"id": "c", "text": "abcd"}
`

func TestEmbed(t *testing.T) {
	t.Parallel()
	b := newEmbedBundle(t)
	out, err := b.run(strings.NewReader(threeLines), "embed", "--embedder", "faq", "--feature", "answers")
	require.NoError(t, err, out.stderr)
	lines := embeddedLines(t, out.stdout)
	require.Len(t, lines, 3)
	require.Equal(t, []any{"a", 7.0, "c"}, []any{lines[0].ID, lines[1].ID, lines[2].ID})
	for _, l := range lines {
		require.Len(t, l.Embedding, 256)
	}
	require.Equal(t, "embedded 3 of 3 inputs in 2 calls: 9 tokens, 0.00000054 USD\n", out.stderr)

	// the same from a file to a file, as plain lines, with the vectors of queries
	in, to := filepath.Join(b.dir, "in.txt"), filepath.Join(b.dir, "out.jsonl")
	require.NoError(t, os.WriteFile(in, []byte("where is it\n\nabcd\n"), 0o600))
	out, err = b.run(nil, "embed", "--embedder", "faq", "--input", in, "--output", to, "--text", "--query", "--json")
	require.NoError(t, err, out.stderr)
	require.Empty(t, out.stdout)
	written, err := os.ReadFile(to)
	require.NoError(t, err)
	lines = embeddedLines(t, string(written))
	require.Len(t, lines, 2)
	require.InDelta(t, 1, lines[0].ID, 0)
	require.InDelta(t, 3, lines[1].ID, 0)
	require.JSONEq(t, `{"embedder":"faq","inputs":2,"embedded":2,"calls":1,"tokens":34,"cost_usd":"0.00000204",
		"estimated_cost_usd":"0.00000204","cost_high_usd":"0.00000204","unknown_calls":0,"recorded":true}`, out.stderr)
	_, err = b.run(nil, "embed", "--embedder", "faq", "--input", in, "--output", to, "--text")
	require.ErrorContains(t, err, "file exists")

	ledgertest.Check(t, b.pool)
	report := b.mustRun("report", "embeddings", "--since", "all").stdout
	require.Equal(t, `Embeddings, calls of all days

embedder  provider  model     feature  calls  failed  inputs  tokens  cost USD
faq       voyage    voyage-4               1       0       2      34  0.000002
faq       voyage    voyage-4  answers      2       0       3       9  0.000001
`, report)
	require.Contains(t, b.mustRun("report", "embeddings", "--feature", "none").stdout, "no calls sent since")
}

func TestEmbed_EveryAPI(t *testing.T) {
	t.Parallel()
	b := newEmbedBundle(t)
	for embedder, stderr := range map[string]string{
		"small":  "embedded 3 of 3 inputs in 1 call: 9 tokens, 0.00000018 USD\n",
		"local":  "embedded 3 of 3 inputs in 1 call: 9 tokens, 0 USD\n",
		"google": "embedded 3 of 3 inputs in 1 call: 0 tokens, 0 USD; the bill of 1 call is not known: all together about 0.00000255 USD, at most",
	} {
		out, err := b.run(strings.NewReader(threeLines), "embed", "--embedder", embedder)
		require.NoError(t, err, out.stderr)
		require.Contains(t, out.stderr, stderr)
		require.Len(t, embeddedLines(t, out.stdout), 3)
	}
	report := b.mustRun("report", "embeddings", "--since", "all").stdout
	require.Contains(t, report, "unmetered: calls whose bill nobody tells")
	out, err := b.run(strings.NewReader(threeLines), "embed", "--embedder", "google", "--json")
	require.NoError(t, err)
	require.Contains(t, out.stderr, `"tokens":null,"cost_usd":null`)
	require.Equal(t, "the ledger holds", b.mustRun("verify").stdout[:len("the ledger holds")])
}

func TestEmbed_Mistakes(t *testing.T) {
	t.Parallel()
	b := newEmbedBundle(t)
	for _, tt := range []struct {
		name, input, embedder string
		want                  string
	}{
		{"NoJSON", "where is it\n", "faq", `line 1 is no JSON object; write {"id": "...", "text": "..."}, or read plain lines with --text`},
		{"NoID", `{"text": "x"}`, "faq", "line 1 has no id that is a text or a number"},
		{"OddID", `{"id": {}, "text": "x"}`, "faq", "line 1 has no id that is a text or a number"},
		{"NoText", `{"id": "x"}`, "faq", "line 1 has no text"},
		{"EmptyText", "\n" + `{"id": "x", "text": ""}`, "faq", `line 2, id "x", is empty: leave it out`},
		{"LongText", `{"id": "x", "text": "` + strings.Repeat("long text ", 9000) + `"}`, "small", `line 1, id "x", has about`},
		{"NoEmbedder", "", "fax", `defines no embedder "fax"; it has ["faq" "google" "local" "small"]`},
	} {
		out, err := b.run(strings.NewReader(tt.input), "embed", "--embedder", tt.embedder)
		require.ErrorContains(t, err, tt.want, tt.name)
		require.Empty(t, out.stdout)
	}
	require.Empty(t, b.sim.Ledger(), "nothing was sent")

	delete(b.env, "OPENAI_API_KEY")
	_, err := b.run(strings.NewReader(threeLines), "embed", "--embedder", "small")
	require.ErrorContains(t, err, "providers.openai: the environment variable OPENAI_API_KEY is not set")

	delete(b.env, "DATABASE_URL")
	_, err = b.run(strings.NewReader(threeLines), "embed", "--embedder", "faq")
	require.ErrorContains(t, err, "no Postgres: set DATABASE_URL, or start 'weir up'")
	require.ErrorContains(t, err, "--no-record")
	out, err := b.run(strings.NewReader(threeLines), "embed", "--embedder", "faq", "--no-record")
	require.NoError(t, err)
	require.Len(t, embeddedLines(t, out.stdout), 3)
}

// TestEmbed_WritesWhatWasPaid: a failure on the way leaves what came before it in the output and in the summary.
func TestEmbed_WritesWhatWasPaid(t *testing.T) {
	t.Parallel()
	b := newEmbedBundle(t)
	require.NoError(t, b.sim.AddFault(sim.Script{Fault: sim.FaultUnauthorized, After: 1}))
	config := strings.Replace(fmt.Sprintf(embedYAML, b.sim.URL()), "inputs_per_request: 2}", "inputs_per_request: 2, concurrency: 1}", 1)
	require.NoError(t, os.WriteFile(b.env["WEIR_CONFIG"], []byte(config), 0o600))
	out, err := b.run(strings.NewReader(threeLines), "embed", "--embedder", "faq")
	require.ErrorContains(t, err, "embed inputs 2 to 2: auth (HTTP 401)")
	require.Len(t, embeddedLines(t, out.stdout), 2)
	require.Contains(t, out.stderr, "embedded 2 of 3 inputs in 2 calls: 8 tokens, 0.00000048 USD\n")
}

// TestConfigCheck_EmbeddersHavePrices: an embedder without a price would be a hole in the ledger.
func TestConfigCheck_EmbeddersHavePrices(t *testing.T) {
	t.Parallel()
	_, err := newSetup([]byte(strings.Replace(fmt.Sprintf(embedYAML, "http://127.0.0.1:1"), "id: voyage-4", "id: voyage-9", 1)))
	require.ErrorContains(t, err, "embedders.faq: voyageai/voyage-9 has no price in force")
}
