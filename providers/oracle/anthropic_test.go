package oracle_test

import (
	"encoding/json"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/task"
)

func TestAnthropic(t *testing.T) {
	t.Parallel()
	oracle{
		folder: "anthropic", build: anthropic.New, read: readAnthropic, rewrite: again[sdk.MessageNewParams],
		spell: spellBlocks,
	}.test(t)
}

func TestAnthropic_Counts(t *testing.T) {
	t.Parallel()
	oracle{
		build: anthropic.New, question: again[sdk.MessageCountTokensParams], spell: spellBlocks,
		tokens: func(t *testing.T, body []byte) int64 {
			t.Helper()
			var count sdk.MessageTokensCount
			require.NoError(t, json.Unmarshal(body, &count))
			return count.InputTokens
		},
	}.testCounts(t, `{"input_tokens":2095}`)
}

// spellBlocks writes a message's text as the list of one text block that it is short for.
func spellBlocks(t *testing.T, body []byte) []byte {
	t.Helper()
	var request map[string]any
	require.NoError(t, json.Unmarshal(body, &request))
	messages, ok := request["messages"].([]any)
	require.True(t, ok)
	for _, m := range messages {
		message, ok := m.(map[string]any)
		require.True(t, ok)
		if text, ok := message["content"].(string); ok {
			message["content"] = []any{map[string]any{"type": "text", "text": text}}
		}
	}
	out, err := json.Marshal(request)
	require.NoError(t, err)
	return out
}

func readAnthropic(t *testing.T, body []byte) reading {
	t.Helper()
	var m sdk.Message
	require.NoError(t, json.Unmarshal(body, &m))
	u := m.Usage
	r := reading{
		Model: m.Model, Tier: string(u.ServiceTier), Speed: string(u.Speed), Geo: u.InferenceGeo,
		Usage: task.Usage{
			Input: u.InputTokens, CacheRead: u.CacheReadInputTokens,
			CacheWrite5m: u.CacheCreation.Ephemeral5mInputTokens, CacheWrite1h: u.CacheCreation.Ephemeral1hInputTokens,
			Output: u.OutputTokens, Reasoning: u.OutputTokensDetails.ThinkingTokens,
			WebSearches: u.ServerToolUse.WebSearchRequests,
		},
	}
	for _, block := range m.Content {
		switch block.Type {
		case "text":
			r.Text += block.Text
		case "tool_use":
			r.Tools = append(r.Tools, task.ToolCall{Name: block.Name, Arguments: string(block.Input)})
		}
	}
	return r
}
