package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

const dialectYAML = `
providers:
  gate: {api: openai, dialect: DIALECT, base_url: "%s", allow_private: true, prices: openai, concurrency: 4}
models:
  luna: {provider: gate, id: MODEL, price_model: gpt-6-luna, tier: mini}
cascades:
  L1: [luna]
features:
  triage:
    system: |
      Sort the message. Answer with one of:
      - billing
      - refund
      - delivery
    class: L1
    max_output_tokens: 400
`

// TestDialects takes tasks the whole way through gateways, and holds what they say that they billed beside what weir
// worked out.
func TestDialects(t *testing.T) {
	t.Parallel()
	const tasks = 12
	book, err := pricing.Embedded()
	require.NoError(t, err)
	bill := billBy(book)
	dearer := func(model string, usage task.Usage, at time.Time) (task.Pico, bool) {
		cost, ok := bill(model, usage, at)
		return cost + 1_000_000, ok // the gateway takes a fee
	}
	tests := []struct {
		name     string
		dialect  string
		model    string // as it is asked for
		snapshot string // as it answers
		extra    string
		bill     func(string, task.Usage, time.Time) (task.Pico, bool)
		check    func(t *testing.T, b *crashBundle)
	}{
		{
			name: "OpenRouter", dialect: "openrouter", model: "openai/gpt-6-luna", snapshot: "openai/gpt-6-luna", bill: bill,
			check: func(t *testing.T, b *crashBundle) {
				t.Helper()
				require.Equal(t, tasks, b.count(t, `SELECT count(*) FROM weir.attempts
					WHERE cost_pusd > 0 AND cost_pusd = reported_cost_pusd AND request_id LIKE 'chatcmpl-%'`))
				require.Equal(t, tasks, b.count(t, `SELECT sum(compared)::int FROM weir.reported_costs WHERE difference_usd = 0`))
			},
		},
		{
			name: "RoutedElsewhere", dialect: "openrouter", model: "openai/gpt-6-luna", snapshot: "acme/other", bill: bill,
			check: func(t *testing.T, b *crashBundle) {
				t.Helper()
				require.Equal(t, tasks, b.count(t, `SELECT count(*) FROM weir.attempts
					WHERE cost_pusd IS NULL AND reported_cost_pusd > 0 AND model_answered = 'acme/other'`))
				require.Zero(t, b.count(t, `SELECT sum(cost_pusd)::int FROM weir.tasks`), "the reported figure is nobody's cost")
				require.Equal(t, tasks, b.count(t, `SELECT sum(unpriced_attempts)::int FROM weir.reported_costs`))
			},
		},
		{
			name: "LiteLLM", dialect: "litellm", model: "gpt-6-luna", bill: dearer,
			check: func(t *testing.T, b *crashBundle) {
				t.Helper()
				require.Equal(t, tasks, b.count(t, `SELECT count(*) FROM weir.attempts WHERE reported_cost_pusd = cost_pusd + 1000000`))
				require.Equal(t, tasks, b.count(t, `SELECT (sum(difference_usd) * 1000000)::int FROM weir.reported_costs`))
				for _, entry := range b.sim.Ledger() {
					require.Equal(t, "triage", entry.Labels["feature"])
					require.Equal(t, "acme", entry.Labels["tenant"])
					require.Equal(t, 1, b.count(t, `SELECT count(*) FROM weir.attempts WHERE task_id = '`+entry.Labels["task_id"]+
						`' AND id = '`+entry.AttemptID+`'`))
				}
			},
		},
		{
			name: "Azure", dialect: "azure", model: "my-deployment", snapshot: "gpt-6-luna-2026-09-22",
			extra: ", api_version: 2026-10-01-preview", bill: bill,
			check: func(t *testing.T, b *crashBundle) {
				t.Helper()
				require.Equal(t, tasks, b.count(t, `SELECT count(*) FROM weir.attempts
					WHERE cost_pusd > 0 AND reported_cost_pusd IS NULL AND price_row LIKE 'openai/gpt-6-luna@%'`))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			profile := sim.Mini()
			profile.Snapshot = tt.snapshot
			dsn := pgtest.DSN(t)
			yaml := strings.NewReplacer("DIALECT", tt.dialect+tt.extra, "MODEL", tt.model).Replace(dialectYAML)
			b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml, sim.Config{
				Seed: 11, Instant: true, Dialect: sim.Dialect(tt.dialect), Bill: tt.bill,
				Models: map[string]sim.ModelProfile{tt.model: profile},
			})
			b.publish(t, tasks)
			weir := b.start(t, "")
			require.Eventually(t, func() bool { return b.answered() == tasks }, time.Minute, 20*time.Millisecond)
			weir.stop(t)
			ledgertest.Check(t, b.pool)
			require.Len(t, b.sim.Ledger(), tasks)
			tt.check(t, b)

			// the price that was booked is the one that is found again
			var out, errs strings.Builder
			getenv := func(name string) string { return map[string]string{"DATABASE_URL": dsn}[name] }
			args := []string{"prices", "reprice", "--since", "2026-01-01", "--dry-run", "--json"}
			require.NoError(t, run(t.Context(), args, getenv, strings.NewReader(""), &out, &errs), errs.String())
			require.Contains(t, out.String(), `"corrected":0`)
		})
	}
}

// TestBuildProvider_Dialects: every dialect that a weir.yaml may name is one that can be built.
func TestBuildProvider_Dialects(t *testing.T) {
	t.Parallel()
	for _, dialect := range catalog.Dialects() {
		c, err := catalog.Parse(fmtDialect(dialect))
		require.NoError(t, err)
		p := c.Providers["gate"]
		require.Equal(t, dialect, p.Dialect)
		_, err = buildProvider(p, providers.NewSecret("key"), map[string]providers.Secret{"X-Team": providers.NewSecret("blue")})
		require.NoError(t, err, dialect)
		p.BaseURL = ""
		withoutURL := strings.Replace(string(fmtDialect(dialect)), `, base_url: "https://llm.example.com"`, "", 1)
		_, parsing := catalog.Parse([]byte(withoutURL))
		_, building := buildProvider(p, providers.Secret{}, nil)
		require.Equal(t, parsing == nil, building == nil, "both know whether %s has an endpoint of its own", dialect)
	}
}

func fmtDialect(dialect string) []byte {
	return []byte(strings.NewReplacer("DIALECT", dialect, `"%s", allow_private: true`, `"https://llm.example.com"`, "MODEL", "m").
		Replace(dialectYAML))
}

// TestHeaders_SameRule: what a weir.yaml may name, a client takes, and the other way round.
func TestHeaders_SameRule(t *testing.T) {
	t.Parallel()
	for name, allowed := range map[string]bool{
		"Helicone-Auth": true, "x-portkey-config": true, "X-Team": true, "Authorization": true, "Anthropic-Beta": true,
		"accept": false, "Accept-Encoding": false, "connection": false, "Content-Encoding": false, "content-length": false,
		"Content-Type": false, "Expect": false, "host": false, "Idempotency-Key": false, "Keep-Alive": false,
		"Proxy-Authorization": false, "Proxy-Connection": false, "TE": false, "Trailer": false, "transfer-encoding": false,
		"Upgrade": false, "User-Agent": false, "X-Idempotency-Key": false, "a b": false, "a:b": false,
		strings.ToLower(providers.AttemptHeader): false,
	} {
		yaml := strings.Replace(string(fmtDialect("compatible")), ", prices: openai", `, headers_env: {"`+name+`": A}`, 1)
		_, parsing := catalog.Parse([]byte(yaml))
		require.Equal(t, allowed, parsing == nil, "%s: %v", name, parsing)
		checking := providers.Config{Headers: map[string]providers.Secret{name: providers.NewSecret("v")}}.Check()
		require.Equal(t, allowed, checking == nil, name)
	}
}

func TestHeadersOf(t *testing.T) {
	t.Parallel()
	p := catalog.Provider{HeadersEnv: map[string]string{"Helicone-Auth": "HELICONE", "X-Team": "TEAM"}}
	headers, err := headersOf(p, func(name string) string { return map[string]string{"HELICONE": " Bearer h-1\n", "TEAM": "blue"}[name] })
	require.NoError(t, err)
	require.Equal(t, "Bearer h-1", headers["Helicone-Auth"].Reveal())
	require.Equal(t, "blue", headers["X-Team"].Reveal())

	_, err = headersOf(p, func(string) string { return "" })
	require.ErrorContains(t, err, "the environment variable HELICONE for the header Helicone-Auth is not set")
	require.ErrorContains(t, err, "the environment variable TEAM for the header X-Team is not set")
}
