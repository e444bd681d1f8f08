package openai_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
)

// TestPrepare_Cache looks at what is said of the cache, at OpenAI and at a server that only speaks its API.
func TestPrepare_Cache(t *testing.T) {
	t.Parallel()
	const breakpoint = `"prompt_cache_breakpoint": {"mode": "explicit"}`
	examples := []task.Message{{Role: "user", Content: "in"}, {Role: "assistant", Content: "out"}}
	tests := []struct {
		name     string
		call     providers.Call
		messages string // before the task's own
		options  string
		key      string
	}{
		{name: "Unasked", call: providers.Call{System: "s", CacheKey: "k"}, messages: `{"role": "system", "content": "s"},`, key: "k"},
		{
			name: "None", call: providers.Call{System: "s", CacheKey: "k", Cache: providers.CacheNone},
			messages: `{"role": "system", "content": "s"},`, options: `{"mode": "explicit"}`,
		},
		{
			name:     "AfterTheFeaturesContext",
			call:     providers.Call{System: "s", Context: []string{"a", "own"}, StableContext: 1, Cache: providers.Cache30m, CacheKey: "k"},
			messages: `{"role": "system", "content": [{"type": "text", "text": "s\n\na", ` + breakpoint + `}, {"type": "text", "text": "own"}]},`,
			options:  `{"mode": "explicit", "ttl": "30m"}`, key: "k",
		},
		{
			name: "AfterTheExamples", call: providers.Call{System: "s", Examples: examples, Cache: providers.Cache30m},
			messages: `{"role": "system", "content": "s"}, {"role": "user", "content": "in"},
				{"role": "assistant", "content": [{"type": "text", "text": "out", ` + breakpoint + `}]},`,
			options: `{"mode": "explicit", "ttl": "30m"}`,
		},
		{
			name: "NoTextToMark", call: providers.Call{Context: []string{"own"}, Cache: providers.Cache30m},
			messages: `{"role": "system", "content": "own"},`, options: `{"ttl": "30m"}`,
		},
		{
			name: "ALifetimeOfAnotherAPI", call: providers.Call{System: "s", Cache: providers.Cache12h},
			messages: `{"role": "system", "content": "s"},`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.call.Model, tt.call.MaxOutputTokens = "m", 9
			tt.call.Messages = []task.Message{{Role: "user", Content: "hello"}}
			own := prepared(t, "", tt.call)
			require.JSONEq(t, `[`+tt.messages+`{"role": "user", "content": "hello"}]`, string(own["messages"]))
			require.Equal(t, tt.options == "", own["prompt_cache_options"] == nil)
			if tt.options != "" {
				require.JSONEq(t, tt.options, string(own["prompt_cache_options"]))
			}
			require.Equal(t, tt.key == "", own["prompt_cache_key"] == nil)

			other := prepared(t, "https://llm.example.com/v1", tt.call)
			require.Nil(t, other["prompt_cache_options"])
			require.Nil(t, other["prompt_cache_key"])
			require.NotContains(t, string(other["messages"]), "breakpoint")
		})
	}
}

func prepared(t *testing.T, url string, call providers.Call) map[string]json.RawMessage {
	t.Helper()
	p, err := openai.New(providers.Config{BaseURL: url})
	require.NoError(t, err)
	var body map[string]json.RawMessage
	for range 2 { // the second time from memory
		request, err := p.Prepare(call)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(request.Body, &body))
	}
	return body
}

func TestPrepare_Settings(t *testing.T) {
	t.Parallel()
	body := prepared(t, "", providers.Call{
		Model: "m", MaxOutputTokens: 9, Messages: []task.Message{{Role: "user", Content: "hello"}}, Effort: "minimal",
		Temperature: new(0.5), ServiceTier: "flex", ThinkingTokens: 100,
	})
	require.Equal(t, map[string]json.RawMessage{
		"model": []byte(`"m"`), "messages": []byte(`[{"role":"user","content":"hello"}]`), "max_completion_tokens": []byte(`9`),
		"reasoning_effort": []byte(`"minimal"`), "temperature": []byte(`0.5`), "service_tier": []byte(`"flex"`),
	}, body)
}
