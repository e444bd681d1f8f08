package responses_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/task"
)

func TestPrepare_Cache(t *testing.T) {
	t.Parallel()
	const breakpoint = `"prompt_cache_breakpoint": {"mode": "explicit"}`
	examples := []task.Message{
		{Role: "user", Content: "in"},
		{Role: "assistant", Content: "out"},
		{Role: "user", Content: "in again"},
		{Role: "assistant", Content: "out again"},
	}
	tests := []struct {
		name         string
		call         providers.Call
		instructions string
		input        string // before the task's own
		options      string
	}{
		{name: "Unasked", call: providers.Call{System: "s"}, instructions: `"s"`},
		{name: "None", call: providers.Call{System: "s", Cache: providers.CacheNone}, instructions: `"s"`, options: `{"mode": "explicit"}`},
		{
			name: "AfterTheFeaturesContext",
			call: providers.Call{System: "s", Context: []string{"a", "own"}, StableContext: 1, Cache: providers.Cache12h},
			input: `{"type": "message", "role": "system", "content": [
				{"type": "input_text", "text": "s\n\na", ` + breakpoint + `}, {"type": "input_text", "text": "own"}]},`,
			options: `{"mode": "explicit", "ttl": "12h"}`,
		},
		{
			name: "InTheLastExample", call: providers.Call{System: "s", Examples: examples, Cache: providers.Cache30m},
			instructions: `"s"`,
			input: `{"type": "message", "role": "user", "content": "in"}, {"type": "message", "role": "assistant", "content": "out"},
				{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "in again", ` + breakpoint + `}]},
				{"type": "message", "role": "assistant", "content": "out again"},`,
			options: `{"mode": "explicit", "ttl": "30m"}`,
		},
		{name: "NoTextToMark", call: providers.Call{Cache: providers.Cache12h}, options: `{"ttl": "12h"}`},
		{name: "ALifetimeOfAnotherAPI", call: providers.Call{System: "s", Cache: providers.Cache1h}, instructions: `"s"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.call.Model, tt.call.MaxOutputTokens, tt.call.CacheKey = "m", 9, "k"
			tt.call.Messages = []task.Message{{Role: "user", Content: "hello"}}
			body := prepared(t, tt.call)
			require.Equal(t, tt.instructions, string(body["instructions"]))
			require.JSONEq(t, `[`+tt.input+`{"type": "message", "role": "user", "content": "hello"}]`, string(body["input"]))
			require.Equal(t, tt.options == "", body["prompt_cache_options"] == nil)
			if tt.options != "" {
				require.JSONEq(t, tt.options, string(body["prompt_cache_options"]))
			}
			require.Equal(t, tt.call.Cache == providers.CacheNone, body["prompt_cache_key"] == nil)
		})
	}
}

func prepared(t *testing.T, call providers.Call) map[string]json.RawMessage {
	t.Helper()
	p, err := responses.New(providers.Config{})
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
	body := prepared(t, providers.Call{
		Model: "m", MaxOutputTokens: 9, Messages: []task.Message{{Role: "user", Content: "hello"}}, Effort: "xhigh",
		Temperature: new(2.0), ServiceTier: "priority",
	})
	require.JSONEq(t, `{"effort": "xhigh"}`, string(body["reasoning"]))
	require.Equal(t, "2", string(body["temperature"]))
	require.Equal(t, `"priority"`, string(body["service_tier"]))
}
