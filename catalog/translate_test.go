package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
)

// translating is a configuration with both translation services beside those of base.
func translating(features string) string {
	return `providers:
  acme: {api: openai}
  deepl: {api: deepl, key_env: DEEPL_AUTH_KEY}
  own: {api: libretranslate}
models:
  haiku: {provider: acme, id: h-1, tier: mini}
  sonnet: {provider: acme, id: s-1, tier: mid}
  opus: {provider: acme, id: o-1, tier: flagship}
  deepl: {provider: deepl, id: deepl, tier: mini, sideways: [nllb]}
  nllb: {provider: own, id: nllb-200, tier: mini, max_input: 5000}
features:
` + features
}

func TestParse_Translate(t *testing.T) {
	t.Parallel()
	c := mustParse(t, translating("  letters: {translate: {target: fil}, cascade: [deepl, sonnet]}\n"))
	require.Equal(t, &catalog.Translate{Target: "fil"}, c.Features["letters"].Translate)
	require.Equal(t, "deepl", c.Providers["deepl"].Prices)
	require.Equal(t, "libretranslate", c.Providers["own"].Prices)
	require.True(t, c.Translates("deepl"))
	require.True(t, c.Translates("nllb"))
	require.False(t, c.Translates("sonnet"))
	require.False(t, c.Translates("nobody"))
	require.Empty(t, c.Warnings())
	other := mustParse(t, translating("  letters: {translate: {target: fi}, cascade: [deepl, sonnet]}\n"))
	require.NotEqual(t, c.Hash, other.Hash)
}

func TestWarnings_Translate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, feature string
		want          []string
	}{
		{
			"NobodyTranslates", "{translate: {target: de}, cascade: [haiku]}",
			[]string{"features.letters.translate: no model of its cascade is one of a translation service; models go by the system prompt"},
		},
		{
			"NoFormality", "{translate: {target: de, formality: less}, cascade: [deepl, nllb, sonnet]}",
			[]string{`features.letters.translate: model "nllb" takes no formality and no glossary`},
		},
		{"Plain", "{translate: {target: de}, cascade: [nllb, deepl, sonnet]}", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := mustParse(t, translating("  letters: "+tt.feature+"\n  others: {translate: {target: de}, cascade: [deepl]}\n"))
			var got []string
			for _, w := range c.Warnings() {
				if len(w) > 8 && w[:8] == "features" {
					got = append(got, w)
				}
			}
			require.Equal(t, tt.want, got)
		})
	}
}
