package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
)

func TestParse_Dialects(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ provider, dialect, prices string }{
		{`{api: openai}`, "openai", "openai"},
		{`{api: openai, base_url: "https://api.openai.com/v1"}`, "openai", "openai"},
		{`{api: openai, base_url: "https://notopenai.com/v1"}`, "compatible", "openai"},
		{`{api: openai, base_url: "https://openrouter.ai.example.com/v1"}`, "compatible", "openai"},
		{`{api: openai, base_url: "https://mine.openai.azure.com"}`, "azure", "openai"},
		{`{api: openai, base_url: "https://OpenRouter.AI/api/v1"}`, "openrouter", "openrouter"},
		{`{api: openai, base_url: "https://api.deepseek.com"}`, "deepseek", "deepseek"},
		{`{api: openai, base_url: "https://api.mistral.ai/v1"}`, "mistral", "mistral"},
		{`{api: openai, base_url: "https://api.groq.com/openai/v1"}`, "groq", "groq"},
		{`{api: openai, base_url: "https://api.x.ai/v1"}`, "xai", "xai"},
		{`{api: openai, base_url: "https://api.portkey.ai/v1"}`, "portkey", "openai"},
		{`{api: openai, base_url: "https://oai.helicone.ai/v1"}`, "helicone", "openai"},
		{`{api: openai, base_url: "https://ollama.com/v1"}`, "ollama", "openai"},
		{`{api: openai, base_url: "http://localhost:11434", allow_private: true}`, "compatible", "openai"},
		{`{api: openai, dialect: ollama, base_url: "http://localhost:11434", allow_private: true}`, "ollama", "openai"},
		{`{api: openai, dialect: compatible, base_url: "https://openrouter.ai/api/v1"}`, "compatible", "openai"},
		{`{api: openai, dialect: groq}`, "groq", "groq"},
		{`{api: openai, dialect: groq, prices: house}`, "groq", "house"},
		{`{api: openai, dialect: litellm, base_url: "https://llm.example.com"}`, "litellm", "openai"},
		{`{api: openai-responses}`, "", "openai"},
		{`{api: anthropic, base_url: "https://openrouter.ai/api"}`, "", "anthropic"},
	} {
		p := mustParse(t, "providers:\n  acme: "+tc.provider+"\n").Providers["acme"]
		require.Equal(t, tc.dialect, p.Dialect, tc.provider)
		require.Equal(t, tc.prices, p.Prices, tc.provider)
	}
	require.Len(t, catalog.Dialects(), 14)
}

func TestParse_PriceModel(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `models:
  haiku: {provider: acme, id: deployment-1, price_model: gpt-6-luna, tier: mini}
  sonnet: {provider: acme, id: s-1, tier: mid}
  opus: {provider: acme, id: o-1, tier: flagship}
`)
	require.Equal(t, "gpt-6-luna", c.Models["haiku"].PricedAs())
	require.Equal(t, "s-1", c.Models["sonnet"].PricedAs())
}

func TestHash_SeesDialects(t *testing.T) {
	t.Parallel()
	hash := func(provider string) string { return mustParse(t, "providers:\n  acme: "+provider+"\n").Hash }
	require.Equal(t, hash(`{api: openai}`), hash(`{api: openai, dialect: openai}`), "a default that is written out")
	require.Equal(t, hash(`{api: openai, headers_env: {x-a: A}}`), hash(`{api: openai, headers_env: {X-A: A}}`))
	seen := map[string]bool{}
	for _, provider := range []string{
		`{api: openai}`, `{api: openai, headers_env: {x-a: A}}`, `{api: openai, headers_env: {x-a: B}}`,
		`{api: openai, dialect: azure, base_url: "https://llm.example.com"}`,
		`{api: openai, dialect: azure, base_url: "https://llm.example.com", api_version: 2026-10-01}`,
		`{api: openai, dialect: vllm, base_url: "https://llm.example.com"}`,
	} {
		require.False(t, seen[hash(provider)], provider)
		seen[hash(provider)] = true
	}
}
