package anthropic_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/task"
)

func TestPrepare_Settings(t *testing.T) {
	t.Parallel()
	p, err := anthropic.New(providers.Config{})
	require.NoError(t, err)
	request, err := p.Prepare(providers.Call{
		Model: "m", MaxOutputTokens: 4000, Messages: []task.Message{{Role: "user", Content: "hello"}},
		JSONSchema: true, Schema: []byte(`{"type":"object"}`), Effort: "high", ThinkingTokens: 2000, ServiceTier: "standard_only",
		CacheKey: "weir-1",
	})
	require.NoError(t, err)
	require.JSONEq(t, `{
		"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4000,
		"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "high"},
		"thinking": {"type": "enabled", "budget_tokens": 2000}, "service_tier": "standard_only"}`, string(request.Body))
	request, err = p.Prepare(providers.Call{
		Model: "m", MaxOutputTokens: 1, Messages: []task.Message{{Role: "user", Content: "hello"}}, Effort: "low",
		Temperature: new(1e-7),
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1,
		"output_config": {"effort": "low"}, "temperature": 0.0000001}`, string(request.Body))
}
