package gemini_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/task"
)

func TestPrepare_Settings(t *testing.T) {
	t.Parallel()
	p, err := gemini.New(providers.Config{})
	require.NoError(t, err)
	tests := []struct {
		name   string
		call   providers.Call
		config string
		tier   string
	}{
		{name: "Nothing", config: `{"maxOutputTokens": 9}`},
		{
			name: "Level", call: providers.Call{Effort: "minimal", Temperature: new(0.0), ServiceTier: "priority"}, tier: `"priority"`,
			config: `{"maxOutputTokens": 9, "temperature": 0, "thinkingConfig": {"thinkingLevel": "MINIMAL"}}`,
		},
		{
			name: "Budget", call: providers.Call{ThinkingTokens: 512, JSONSchema: true, Schema: []byte(`{"type": "object"}`)},
			config: `{"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}, "maxOutputTokens": 9,
				"thinkingConfig": {"thinkingBudget": 512}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.call.Model, tt.call.MaxOutputTokens = "m", 9
			tt.call.Messages = []task.Message{{Role: "user", Content: "hello"}}
			request, err := p.Prepare(tt.call)
			require.NoError(t, err)
			var body map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(request.Body, &body))
			require.JSONEq(t, tt.config, string(body["generationConfig"]))
			require.Equal(t, tt.tier, string(body["serviceTier"]))
		})
	}
}
