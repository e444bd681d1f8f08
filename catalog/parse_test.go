package catalog_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

var update = flag.Bool("update", false, "write the golden files")

// base is a valid configuration in sections, each of which begins with its key at the left edge.
const base = `providers:
  acme: {api: openai}
models:
  haiku: {provider: acme, id: h-1, tier: mini}
  sonnet: {provider: acme, id: s-1, tier: mid}
  opus: {provider: acme, id: o-1, tier: flagship}
cascades:
  L1: [haiku, sonnet]
  L2: [sonnet]
  L3: [opus]
features:
  ticket-triage: {}
`

// complete adds the sections of base that a case does not have, below it, so that its own line numbers stay.
func complete(sections string) string {
	out := sections
	for _, section := range regexp.MustCompile(`(?m)^\w+:\n(?: .*\n)+`).FindAllString(base, -1) {
		key, _, _ := strings.Cut(section, ":")
		if !regexp.MustCompile(`(?m)^` + key + `:`).MatchString(sections) {
			out += section
		}
	}
	return out
}

func mustParse(tb testing.TB, sections string) *catalog.Catalog {
	tb.Helper()
	c, err := catalog.Parse([]byte(complete(sections)))
	require.NoError(tb, err)
	return c
}

// Each file of testdata/mistakes is the sections of a configuration in which something is wrong; what Parse says of it
// is in the file beside it. A first line "# whole file" keeps the case as it is.
func TestParse_Mistakes(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			data, err := os.ReadFile(file)
			require.NoError(t, err)
			config := string(data)
			if !strings.HasPrefix(config, "# whole file") {
				config = complete(config)
			}
			c, err := catalog.Parse([]byte(config))
			require.Error(t, err)
			require.Nil(t, c)

			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600))
			}
			want, readErr := os.ReadFile(golden)
			require.NoError(t, readErr)
			require.Equal(t, string(want), err.Error()+"\n")
		})
	}
}

func TestParse_MistakesThatAreNoText(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		give string
		want string
	}{
		{name: "Empty", give: "", want: "the file is empty"},
		{name: "OnlyComments", give: "# nothing\n", want: "the file is empty"},
		{name: "Null", give: "~", want: "the file is empty"},
		{name: "TooLarge", give: strings.Repeat("#", catalog.MaxConfigBytes+1), want: "the file has 1048577 bytes; at most 1048576 are read"},
		{
			name: "TooDeep", give: "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100),
			want: "line 1: mappings and lists are nested more than 64 deep",
		},
		{name: "FarTooDeep", give: strings.Repeat("[", 200_000), want: "line 1: this is not YAML: exceeded max depth of 10000 while increasing flow level"},
		{name: "NoUTF8", give: "a: \xff", want: "this is not YAML: invalid leading UTF-8 octet (value: 255)"},
		{name: "NUL", give: "a: \"\\0\"", want: "line 1: a text holds the character NUL, which cannot be stored"},
		{name: "LongKeyword", give: complete("classifier: {rules: [{name: r, class: L1, keywords: [" + strings.Repeat("a", 101) + "]}]}\n"), want: "line 1: classifier.rules[0].keywords[0]: is longer than 100 characters"},
		{name: "LongRegex", give: complete("classifier: {rules: [{name: r, class: L1, regex: " + strings.Repeat("a", 1001) + "}]}\n"), want: "line 1: classifier.rules[0].regex: is longer than 1000 characters"},
		{
			name: "ManyRules", give: complete("classifier: {rules: [" + strings.Repeat("{},", 201) + "]}\n"),
			want: "line 1: classifier.rules: has 201 rules; at most 200 are allowed",
		},
		{
			name: "ManyKeywords", give: complete("classifier: {rules: [{name: r, class: L1, keywords: [" + strings.Repeat("a,", 1001) + "]}]}\n"),
			want: "line 1: classifier.rules[0].keywords: has 1001 keywords; at most 1000 are allowed",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := catalog.Parse([]byte(tt.give))
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestParse_NamesAtMostSoManyMistakes(t *testing.T) {
	t.Parallel()

	_, err := catalog.Parse([]byte(complete("limits:\n" + manyKeys(251))))
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, catalog.MaxMistakes+1)
	require.Equal(t, "and 151 more mistakes", lines[catalog.MaxMistakes])
}

// The work on a file grows with its size, also when everything in it is wrong.
func TestParse_ReadsAnythingInTime(t *testing.T) {
	t.Parallel()

	const count = 20_000
	var names, wrong strings.Builder
	for i := range count {
		fmt.Fprintf(&names, "  m%d:\n", i)
		fmt.Fprintf(&wrong, "m%dx,", i)
	}
	tests := []struct {
		name string
		give string
	}{
		{name: "UnknownModels", give: "models:\n" + names.String() + "cascades: {L1: [" + wrong.String() + "]}\n"},
		{name: "UnknownKeys", give: "limits:\n" + names.String()},
		{name: "DeepLongKeys", give: "features: {a: {output_schema: " + strings.Repeat("{"+strings.Repeat("k", 190)+": ", 50) +
			"[" + strings.Repeat("0x1,", 100_000) + "]" + strings.Repeat("}", 50) + "}}\n"},
		{name: "WrongItems", give: "features: {a: {context: [" + strings.Repeat("1,", 400_000) + "]}}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			give := complete(tt.give)
			require.Less(t, len(give), catalog.MaxConfigBytes)
			start := time.Now()
			_, err := catalog.Parse([]byte(give))
			require.Error(t, err)
			require.Less(t, len(err.Error()), 200*catalog.MaxMistakes*10)
			require.Less(t, time.Since(start), time.Minute, "seconds are enough on any machine; quadratic work takes minutes")
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("  x" + strings.Repeat("x", i) + ": 1\n")
	}
	return b.String()
}

func TestParse_NeverRepeatsAKey(t *testing.T) {
	t.Parallel()

	for _, give := range []string{
		"providers: {acme: {api: openai, key_env: sk-SECRET-123}}\n",
		"providers: {acme: {api: openai, api_key: sk-SECRET-123}}\n",
		"providers: {acme: {api: openai, base_url: 'https://me:SECRET@example.com'}}\n",
		"providers: {acme: {api: openai, base_url: 'https://example.com?key=SECRET'}}\n",
		"providers: {acme: {api: openai, headers_env: {X-Auth: 'Bearer SECRET'}}}\n",
		"providers: {acme: {api: openai, headers_env: {'X-Auth: SECRET': A}}}\n",
	} {
		_, err := catalog.Parse([]byte(complete(give)))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "SECRET")
	}
}

// TestParse_PricesOfGemini: the price book goes by who sends the bill.
func TestParse_PricesOfGemini(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "providers:\n  acme: {api: gemini}\n  other: {api: gemini, prices: reseller}\n")
	require.Equal(t, catalog.APIGemini, c.Providers["acme"].API)
	require.Equal(t, "google", c.Providers["acme"].Prices)
	require.Equal(t, "reseller", c.Providers["other"].Prices)
}

func TestParse_Defaults(t *testing.T) {
	t.Parallel()

	c := mustParse(t, "")
	require.Equal(t, catalog.Provider{
		Name: "acme", API: catalog.APIOpenAI, Dialect: catalog.DialectOpenAI, Prices: "openai", ConnectTimeout: 10 * time.Second, Timeout: 120 * time.Second,
		IdleTimeout: 60 * time.Second, Concurrency: 32, MaxBodyBytes: 8 << 20, RateLimits: map[string]catalog.RateLimit{},
	}, c.Providers["acme"])
	require.Equal(t, catalog.Model{Name: "haiku", Provider: "acme", ID: "h-1", Tier: catalog.Mini}, c.Models["haiku"])
	require.Equal(t, catalog.Feature{
		Name: "ticket-triage", Lane: task.LaneNow, MaxOutputTokens: 1024, MaxAttempts: 8, Success: catalog.SuccessValidated, Cache: catalog.CacheAuto,
		Retention: 30 * 24 * time.Hour, Refusal: catalog.RefusalEscalate, WhenAway: catalog.AwaySideways, Weight: 1,
	}, c.Features["ticket-triage"])
	lane := catalog.Lane{BundleTasks: 200, BundleBytes: 16 << 20, BundleWindow: 5 * time.Minute}
	require.Equal(t, catalog.Lanes{Now: lane, Batch: lane}, c.Lanes)
	require.Equal(t, catalog.Limits{PayloadBytes: 1 << 20, EnvelopeTasks: 500, Depth: 32, NumberChars: 64}, c.Limits)
	require.Equal(t, catalog.Attachments{
		Buckets: []string{"weir-attachments"}, MaxBytes: 12 << 20, MaxCount: 8, Timeout: 30 * time.Second,
	}, c.Attachments)
	require.Equal(t, task.L2, c.Classifier.Default)
	require.Len(t, c.Hash, 64)
}

func TestParse_EveryKey(t *testing.T) {
	t.Parallel()

	data, err := os.ReadFile("testdata/full.yaml")
	require.NoError(t, err)
	c, err := catalog.Parse(data)
	require.NoError(t, err)

	yes, no := true, false
	cost, temperature := task.USD/4, 0.5
	require.Equal(t, map[string]catalog.Provider{
		"local": {
			Name: "local", API: "openai", BaseURL: "http://127.0.0.1:8080/v1", KeyEnv: "LOCAL_KEY", Prices: "house", ConnectTimeout: time.Second,
			Timeout: 90 * time.Second, IdleTimeout: 500 * time.Millisecond, Concurrency: 4, MaxBodyBytes: 2 << 20, AllowPrivate: true,
			RateLimits: map[string]catalog.RateLimit{
				"family": {Name: "family", Models: []string{"a"}, Requests: 60, InputTokens: 1000, OutputTokens: 2000, Tokens: 3000},
				"all":    {Name: "all", Calls: 9},
			},
			Dialect: catalog.DialectAzure, APIVersion: "2026-10-01-preview", HeadersEnv: map[string]string{"X-Team": "TEAM_TOKEN"},
		},
		"gem": {
			Name: "gem", API: "gemini", Prices: "google", ConnectTimeout: 10 * time.Second, Timeout: 120 * time.Second,
			IdleTimeout: 60 * time.Second, Concurrency: 32, MaxBodyBytes: 8 << 20, CountTokens: true, RateLimits: map[string]catalog.RateLimit{},
		},
	}, c.Providers)
	require.Equal(t, map[string]catalog.Model{
		"a": {Name: "a", Provider: "local", ID: "vendor/a:1", PriceModel: "a-1", Tier: catalog.Mini, MaxInput: 32_000, MaxOutput: 4000, Sideways: []string{"b"}, JSONSchema: &no, Input: []catalog.Input{"text", "pdf"}},
		"b": {Name: "b", Provider: "local", ID: "2024-01-01", Tier: catalog.Mini, JSONSchema: &yes, Effort: "low", ServiceTier: catalog.TierFlex},
		"c": {Name: "c", Provider: "gem", ID: "c", Tier: catalog.Mid, ThinkingTokens: 128},
		"d": {Name: "d", Provider: "local", ID: "d", Tier: catalog.Mini},
	}, c.Models)
	require.Equal(t, map[task.Class][]string{task.L1: {"a"}, task.L3: {"b"}}, c.Cascades)
	require.Equal(t, map[string]catalog.Feature{
		"f_1": {
			Name: "f_1", System: "Be brief.", Context: []string{"one", "two"}, Class: task.L3, Cascade: []string{"a", "d", "b"}, Lane: task.LaneBatch,
			Examples: []catalog.Example{{Input: "in", Output: "out"}}, Effort: "high", Temperature: &temperature,
			OutputSchema: json.RawMessage(`{"a":{"pattern":"<b>"},"b":[1,2.5,10000000000000000000000,0,true,null,"x"]}`),
			Validators: []catalog.Validator{
				{Type: "enum", Params: json.RawMessage(`{"case_fold":true,"values":["x","yes"]}`)},
				{Type: "not_empty", Params: json.RawMessage(`{}`)},
			},
			MaxOutputTokens: 77, MaxAttempts: 3, MaxCost: &cost, Success: catalog.SuccessOutcome, FailureCost: 3 * task.USD,
			Retention: 7 * 24 * time.Hour, RepairHint: true, Refusal: catalog.RefusalSideways, WhenAway: catalog.AwayEscalate, MinSuccess: new(0.95), Agree: 2, ShadowShare: 0.25, Cache: catalog.Cache12h, Weight: 5, CallTimeout: 90 * time.Minute / 3,
			Translate: &catalog.Translate{Source: "de", Target: "en-GB", Formality: "prefer_more", Glossary: "def3a26b"},
		},
	}, c.Features)
	require.Equal(t, catalog.Classifier{Default: task.L1, InJobs: true, Order: []string{catalog.WayModel, catalog.WayRules}, Rules: []catalog.Rule{{
		Name: "all", Class: task.L3, Confidence: 0.25, Features: []string{"f_1"}, CallPaths: []string{"a/b"}, Validators: []string{"enum"},
		Keywords: []string{"one", "two words"}, Regex: "^x", MinChars: 1, MaxChars: 2, MinTools: 3, MinMessages: 4, HasSchema: &yes, HasAttachments: &no,
	}}}, c.Classifier)
	require.Equal(t, map[string]catalog.Embedder{"faq": {
		Name: "faq", Provider: "gem", ID: "gemini-embedding-001", PriceModel: "e-1", Dimensions: 768, InputType: "document",
		Inputs: 50, InputTokens: 1000, RequestTokens: 20_000, Concurrency: 2,
	}}, c.Embedders)
	require.Equal(t, catalog.Lanes{
		Now:   catalog.Lane{BundleTasks: 10, BundleBytes: 1 << 20, BundleWindow: time.Second, ReleasedTasks: 50},
		Batch: catalog.Lane{BundleTasks: 1000, BundleBytes: 256 << 20, BundleWindow: time.Hour},
	}, c.Lanes)
	require.Equal(t, catalog.Limits{PayloadBytes: 512 << 10, EnvelopeTasks: 100, Depth: 16, NumberChars: 32}, c.Limits)
	require.Equal(t, catalog.Attachments{
		Hosts: []string{"files.example.com", "*.example.com:8443", "10.0.0.7"}, Buckets: []string{"invoices", "weir-attachments"},
		MaxBytes: 1 << 20, MaxCount: 2, Timeout: 5 * time.Second, AllowPrivate: true,
	}, c.Attachments)
	require.Len(t, c.PriceBook, 1)
	own := c.PriceBook["own"]
	require.Equal(t, 91, own.Node.Line, "the price book names lines")
	require.JSONEq(t, `{"usage": {"input_includes_cached": true, "output_includes_reasoning": true}, "models": [{
		"id": "a-1", "match": ["a-1-[0-9]{4}"], "retires": {"on": "2027-06-30", "source": "a letter", "checked": "2026-11-26"},
		"limits": {"window": 64000, "max_input": 32000, "max_output": 4000, "min_cacheable": 1024, "max_request_bytes": 1000000},
		"caps": {"json_schema": true, "refuses": ["temperature"]}, "tokenizer": {"o200k_factor": "1.1"},
		"prices": [{"from": "2026-01-01", "until": "2027-07-01", "status": "in_force", "source": "a contract",
			"checked": "2026-11-26", "boundary": "gte", "modes": {"batch": "1/2"}, "geo": {"us": "11/10"},
			"per_unit": {"web_search_1k": "10"},
			"bands": [{"max_prompt": 16000, "input": "0.10", "output": "0.20"}, {"input": "0.20", "output": "0.40"}]}]}]}`,
		string(own.Content))
}

func TestParse_Rules(t *testing.T) {
	t.Parallel()

	starter, err := catalog.Parse(catalog.Default())
	require.NoError(t, err)
	require.NotEmpty(t, starter.Classifier.Rules)
	require.Equal(t, starter.Classifier, mustParse(t, "").Classifier, "without rules those of the starter file apply")
	require.Equal(t, starter.Classifier.Rules, mustParse(t, "classifier: {default: L3}\n").Classifier.Rules)
	require.Empty(t, mustParse(t, "classifier: {rules: []}\n").Classifier.Rules)
}

func TestDefault(t *testing.T) {
	t.Parallel()

	c, err := catalog.Parse(catalog.Default())
	require.NoError(t, err)
	require.Empty(t, c.Warnings())
	require.Equal(t, []string{"astra", "haiku", "luna", "opus", "sol", "sonnet"}, c.UsedModels())
	require.Equal(t, []string{"anthropic", "openai"}, c.UsedProviders())

	changed := catalog.Default()
	clear(changed)
	require.NotEqual(t, changed, catalog.Default(), "the caller's copy is its own")
}

func FuzzParse(f *testing.F) {
	f.Add(string(catalog.Default()))
	f.Add(base)
	for _, pattern := range []string{"testdata/*.yaml", "testdata/mistakes/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(complete(string(data)))
		}
	}
	f.Fuzz(func(t *testing.T, data string) {
		c, err := catalog.Parse([]byte(data))
		if err != nil {
			require.Nil(t, c)
			require.NotEmpty(t, err.Error())
			return
		}
		same, err := catalog.Parse([]byte(data))
		require.NoError(t, err)
		require.Equal(t, c, same)
		for _, feature := range c.Features {
			for _, class := range []task.Class{task.L1, task.L2, task.L3} {
				require.NotEmpty(t, c.CascadeFor(feature, class))
			}
		}
	})
}
