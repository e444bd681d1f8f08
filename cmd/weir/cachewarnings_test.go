package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCacheWarnings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		feature string
		want    []string
	}{
		{name: "Long", feature: `{class: L1, cache: 1h, system: "` + strings.Repeat("word ", 1000) + `"}`},
		{name: "ShortAndAuto", feature: `{class: L1, system: Sort it.}`},
		{
			name: "Short", feature: `{class: L1, cache: 5m, system: Sort it.}`,
			want: []string{`features.f.cache: the prefix has about 2 tokens, and model "sonnet" keeps none below 512`},
		},
		{
			name: "Variable", feature: `{class: L1, system: "Today is 2026-11-25.", context: [plain, "Dear {{ name }},"]}`,
			want: []string{`features.f.context[1]: holds "{{ name }}"`, `features.f.system: holds "2026-11-25"`},
		},
		{
			name: "VariableExample", feature: `{class: L1, examples: [{input: a, output: "Sent on 2026-11-25."}]}`,
			want: []string{`features.f.examples[0].output: holds "2026-11-25"`},
		},
		{
			name: "OtherLifetime", feature: `{class: L1, cache: 12h, system: "` + strings.Repeat("word ", 1000) + `"}`,
			want: []string{`features.f.cache: model "sonnet" takes 1h for 12h, which it does not have`},
		},
		{
			name: "NoLifetimes", feature: `{cascade: [flash, mini, sol], cache: 12h, system: "` + strings.Repeat("word ", 5000) + `"}`,
			want: []string{
				`features.f.cache: the cache of model "flash" takes no lifetime, so 12h changes nothing there`,
				`features.f.cache: the price of model "mini" has no rate for cache writes, so 12h changes nothing there`,
			},
		},
		{name: "VariableAndUncached", feature: `{class: L1, cache: none, system: "Today is 2026-11-25."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newSetup([]byte(`
providers:
  anthropic: {api: anthropic, key_env: KEY}
  openai: {api: openai-responses, key_env: KEY}
  google: {api: gemini, key_env: KEY}
models:
  sonnet: {provider: anthropic, id: claude-sonnet-5-5, tier: mid}
  sol: {provider: openai, id: gpt-6.2-sol, tier: mid}
  mini: {provider: openai, id: gpt-5.4-mini, tier: mini}
  flash: {provider: google, id: gemini-3.8-flash, tier: mini}
cascades: {L1: [sonnet], L2: [sonnet], L3: [sonnet]}
features: {f: ` + tt.feature + `}
`))
			require.NoError(t, err)
			got := s.cacheWarnings()
			require.Len(t, got, len(tt.want))
			for i, want := range tt.want {
				require.Contains(t, got[i], want)
			}
		})
	}
}
