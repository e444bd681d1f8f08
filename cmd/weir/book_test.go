package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const ownPrices = `
schema: 1
provider: anthropic
currency: USD
models:
  - id: claude-haiku-5-5
    prices:
      - {from: 2026-11-01, status: in_force, checked: 2026-11-20, source: contract, bands: [{input: "0.09", output: "0.45"}]}
`

const ownModels = `
providers:
  house: {api: openai, base_url: "http://127.0.0.1:1", allow_private: true, prices: house}
  anthropic: {api: anthropic, key_env: KEY}
models:
  qwen: {provider: house, id: qwen3-32b, tier: mini}
  haiku: {provider: anthropic, id: claude-haiku-5-5, tier: mini}
cascades: {L1: [qwen, haiku], L2: [haiku], L3: [haiku]}
features: {triage: {}}
price_book:
  house:
    models:
      - id: qwen3-32b
        tokenizer: {o200k_factor: "1.1"}
        prices:
          - {from: always, status: in_force, checked: 2026-11-26, source: our own rack, bands: [{input: "0.20", output: "0.60"}]}
`

// ownBook is a directory of prices and a weir.yaml with more of them.
func ownBook(t *testing.T) (dir, config string) {
	t.Helper()
	root := t.TempDir()
	dir, config = filepath.Join(root, "prices"), filepath.Join(root, "weir.yaml")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "anthropic.yaml"), []byte(ownPrices), 0o600))
	require.NoError(t, os.WriteFile(config, []byte(ownModels), 0o600))
	return dir, config
}

// withEnv runs a command line in an environment.
func withEnv(t *testing.T, env map[string]string, args ...string) (output, error) {
	t.Helper()
	var out, errs strings.Builder
	err := run(t.Context(), args, func(name string) string { return env[name] }, strings.NewReader(""), &out, &errs)
	return output{stdout: out.String(), stderr: errs.String()}, err
}

// TestBook_IsOneForAll: the setup of a process and every command compose the same book.
func TestBook_IsOneForAll(t *testing.T) {
	t.Parallel()
	dir, config := ownBook(t)
	env := map[string]string{"WEIR_PRICING_DIR": dir, "WEIR_CONFIG": config}
	s, err := readSetup(config, dir)
	require.NoError(t, err)
	embedded, err := pricing.Embedded()
	require.NoError(t, err)
	require.NotEqual(t, embedded.Hash(), s.book.Hash())
	price, err := s.models.Price("haiku", time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, "anthropic/claude-haiku-5-5@2026-11-01", price.Row())

	for _, lines := range [][]string{
		{"prices", "list", "--at", "2026-11-26"},
		{"prices", "list", "--at", "2026-11-26", "--pricing-dir", dir, "--config", config},
	} {
		given := env
		if len(lines) > 4 {
			given = nil
		}
		out, err := withEnv(t, given, lines...)
		require.NoError(t, err, out.stderr)
		require.Contains(t, out.stdout, "book "+s.book.Hash()[:12])
		require.Regexp(t, `(?m)^anthropic/claude-haiku-5-5 +0\.09 +- +0\.45 +- +2026-11-20 +`+dir+`/anthropic\.yaml$`, out.stdout)
		require.Regexp(t, `(?m)^house/qwen3-32b +0\.2 +- +0\.6 +- +2026-11-26 +`+config+`$`, out.stdout)
		require.Regexp(t, `(?m)^openai/gpt-6-luna .* embedded$`, out.stdout)
	}
	out, err := withEnv(t, env, "prices", "show", "qwen3-32b", "--json")
	require.NoError(t, err, out.stderr)
	var rows []pricing.Row
	require.NoError(t, json.Unmarshal([]byte(out.stdout), &rows))
	require.Len(t, rows, 1)
	require.Equal(t, config, rows[0].Origin)
	out, err = withEnv(t, env, "prices", "show", "qwen3-32b")
	require.NoError(t, err)
	require.Contains(t, out.stdout, "source: our own rack, origin: "+config)

	usage := filepath.Join(t.TempDir(), "usage.json")
	require.NoError(t, os.WriteFile(usage, []byte(`{"input_tokens":1000000,"output_tokens":0}`), 0o600))
	out, err = withEnv(t, env, "prices", "cost", "claude-haiku-5-5", "--usage", usage, "--at", "2026-11-26")
	require.NoError(t, err)
	require.Contains(t, out.stdout, "cost 0.09 USD")
	out, err = withEnv(t, env, "config", "check")
	require.NoError(t, err, out.stderr)
	out, err = withEnv(t, map[string]string{"WEIR_CONFIG": config}, "prices", "list", "--at", "2026-11-26", "--json")
	require.NoError(t, err)
	require.Contains(t, out.stdout, "house")
	require.NotContains(t, out.stdout, "contract", "without the directory its prices do not count")
}

// TestBook_IsLoadedAndRecomputed: what a process loads into Postgres is the composed book, and SQL works costs out by it.
func TestBook_IsLoadedAndRecomputed(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	dir, config := ownBook(t)
	s, err := readSetup(config, dir)
	require.NoError(t, err)
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	require.NoError(t, store.SaveCatalog(t.Context(), b.pool, at, s.catalog, priceRows(s.book)))
	var source string
	var input task.Pico
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT source, input_pusd FROM weir.prices
		WHERE model = 'claude-haiku-5-5' AND valid_from <= $1 AND valid_until > $1`, at).Scan(&source, &input))
	require.Equal(t, "contract", source)
	require.EqualValues(t, 90_000, input)
	var until time.Time
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT valid_until FROM weir.prices WHERE key = 'anthropic/claude-haiku-5-5@2026-10-07#2'`).Scan(&until))
	require.Equal(t, "2026-11-01", until.UTC().Format(time.DateOnly), "attempts of before keep their row")
}

func TestBook_Mistakes(t *testing.T) {
	t.Parallel()
	dir, config := ownBook(t)
	broken := strings.NewReplacer(`"0.20"`, "0.20", "features: {triage: {}}",
		`features: {triage: {validators: [{type: enumm}]}}`).Replace(ownModels)
	require.NoError(t, os.WriteFile(config, []byte(broken), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "zz.yaml"), []byte("schema: 2\n"), 0o600))
	env := map[string]string{"WEIR_PRICING_DIR": dir, "WEIR_CONFIG": config}
	out, err := withEnv(t, env, "config", "check")
	require.Error(t, err)
	for _, want := range []string{
		config + `:16: qwen3-32b.prices[0].bands[0].input is a number; put it in quotes: "0.20"`,
		dir + `/zz.yaml:1: schema is "2"; this weir reads 1`, `features.triage`,
	} {
		require.Contains(t, out.stderr, want, "every mistake at once")
	}
	require.NotContains(t, out.stderr, "no price in force", "what follows from a mistake is none of its own")

	out, err = withEnv(t, map[string]string{"WEIR_PRICING_DIR": "/does/not/exist"}, "prices", "list")
	require.Error(t, err)
	require.Contains(t, out.stderr, "there is no directory /does/not/exist with prices")
	out, err = withEnv(t, nil, "prices", "list", "--config", "/does/not/exist")
	require.Error(t, err)
	require.Contains(t, out.stderr, "read the configuration's price_book")
	require.NoError(t, os.WriteFile(config, []byte("features: {triage: {}}\n"), 0o600))
	out, err = withEnv(t, nil, "prices", "list", "--config", config)
	require.Error(t, err)
	require.Contains(t, out.stderr, "has mistakes, so its price_book is not known")
}

// TestBook_TakesEveryDocumentedKey: what the catalog's complete example has under price_book, the price book reads.
func TestBook_TakesEveryDocumentedKey(t *testing.T) {
	t.Parallel()
	full, err := os.ReadFile("../../catalog/testdata/full.yaml")
	require.NoError(t, err)
	c, err := catalog.Parse(full)
	require.NoError(t, err)
	book, err := bookFiles{config: "weir.yaml"}.book(c)
	require.NoError(t, err)
	traits, ok := book.Traits("own", "a-1-2026")
	require.True(t, ok)
	require.Equal(t, pricing.Traits{
		Window: 64_000, MaxInput: 32_000, MaxOutput: 4_000, MinCacheable: 1024, MaxRequestBytes: 1_000_000, JSONSchema: true,
		TokenFactor: 1.1, InputIncludesCached: true, OutputIncludesReasoning: true, Refused: []string{"temperature"},
	}, traits)
}
