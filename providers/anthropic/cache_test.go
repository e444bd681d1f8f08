package anthropic_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/task"
)

// TestPrepare_Marks looks for the one mark, at the end of what every call of a feature begins with.
func TestPrepare_Marks(t *testing.T) {
	t.Parallel()
	tools := []task.Tool{{Name: "one"}, {Name: "two", Parameters: json.RawMessage(`{"type":"object"}`)}}
	tests := []struct {
		name   string
		call   providers.Call
		where  string // the text or the tool's name that carries the mark; empty for none
		ttl    string
		blocks int
	}{
		{name: "Unasked", call: providers.Call{System: "s", Context: []string{"a"}, StableContext: 1}, blocks: 2},
		{
			name: "AfterTheFeaturesContext", where: "a", ttl: "5m", blocks: 3,
			call: providers.Call{System: "s", Context: []string{"a", "own"}, StableContext: 1, Cache: providers.Cache5m, Tools: tools},
		},
		{
			name: "AfterTheSystemPrompt", where: "s", ttl: "1h", blocks: 2,
			call: providers.Call{System: "s", Context: []string{"own"}, Cache: providers.Cache1h},
		},
		{
			name: "EmptyContext", where: "s", ttl: "5m", blocks: 2,
			call: providers.Call{System: "s", Context: []string{"", "own"}, StableContext: 1, Cache: providers.Cache5m},
		},
		{
			name: "AfterTheTools", where: "two", ttl: "5m", blocks: 1,
			call: providers.Call{Context: []string{"own"}, Cache: providers.Cache5m, Tools: tools},
		},
		{
			name: "AfterTheExamples", where: "out", ttl: "1h", blocks: 2,
			call: providers.Call{
				System: "s", Context: []string{"a"}, StableContext: 1, Cache: providers.Cache1h, Tools: tools,
				Examples: []task.Message{{Role: "user", Content: "in"}, {Role: "assistant", Content: "out"}},
			},
		},
		{
			name: "ALifetimeOfAnotherAPI", blocks: 1,
			call: providers.Call{System: "s", Cache: providers.Cache30m},
		},
		{name: "NothingStable", call: providers.Call{Cache: providers.Cache5m}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := anthropic.New(providers.Config{})
			require.NoError(t, err)
			tt.call.Model, tt.call.MaxOutputTokens = "m", 1
			tt.call.Messages = []task.Message{{Role: "user", Content: "hello"}}
			for range 2 { // the second time from memory
				request, err := p.Prepare(tt.call)
				require.NoError(t, err)
				where, ttl, blocks := marks(t, request.Body)
				require.Equal(t, tt.where, where)
				require.Equal(t, tt.ttl, ttl)
				require.Equal(t, tt.blocks, blocks)
			}
		})
	}
}

// marks finds the mark of a request and counts its system blocks.
func marks(t *testing.T, body []byte) (where, ttl string, blocks int) {
	t.Helper()
	type block struct {
		Name    string
		Text    string
		Control *struct{ Type, TTL string } `json:"cache_control"`
	}
	var request struct {
		Tools, System []block
		Messages      []struct{ Content json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(body, &request))
	all := append(request.Tools, request.System...)
	for _, m := range request.Messages {
		var content []block
		if json.Unmarshal(m.Content, &content) == nil { // else it is a text
			all = append(all, content...)
		}
	}
	for _, b := range all {
		if b.Control == nil {
			continue
		}
		require.Empty(t, where, "one mark covers everything before it")
		require.Equal(t, "ephemeral", b.Control.Type)
		where, ttl = b.Name+b.Text, b.Control.TTL
	}
	return where, ttl, len(request.System)
}

func TestPrepare_RefusesUnknownLifetimes(t *testing.T) {
	t.Parallel()
	p, err := anthropic.New(providers.Config{})
	require.NoError(t, err)
	call := providers.Call{Model: "m", MaxOutputTokens: 1, Messages: []task.Message{{Role: "user", Content: "hello"}}}
	call.Cache = "1 hour"
	_, err = p.Prepare(call)
	require.ErrorIs(t, err, providers.ErrCall)
	call.Cache, call.StableContext = providers.Cache1h, 1
	_, err = p.Prepare(call)
	require.ErrorIs(t, err, providers.ErrCall)
}
