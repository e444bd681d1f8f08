package oracle_test

import (
	"encoding/json"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
)

func TestOpenAI(t *testing.T) {
	t.Parallel()
	oracle{
		folder: "openai", build: openai.New, read: readCompletion, rewrite: again[sdk.ChatCompletionNewParams],
	}.test(t)
}

func readCompletion(t *testing.T, body []byte) reading {
	t.Helper()
	var c sdk.ChatCompletion
	require.NoError(t, json.Unmarshal(body, &c))
	u := c.Usage
	in, out := u.PromptTokensDetails, u.CompletionTokensDetails
	r := reading{
		Model: c.Model, Text: c.Choices[0].Message.Content, Tier: string(c.ServiceTier),
		Usage: task.Usage{
			Input:     u.PromptTokens - in.CachedTokens - in.CacheWriteTokens - in.AudioTokens - in.ImageTokens,
			CacheRead: in.CachedTokens, CacheWrite30m: in.CacheWriteTokens,
			InputAudio: in.AudioTokens, InputImage: in.ImageTokens,
			Output: u.CompletionTokens - out.AudioTokens, Reasoning: out.ReasoningTokens, OutputAudio: out.AudioTokens,
		},
	}
	for _, call := range c.Choices[0].Message.ToolCalls {
		r.Tools = append(r.Tools, task.ToolCall{Name: call.Function.Name, Arguments: call.Function.Arguments})
	}
	return r
}
