package oracle_test

import (
	"encoding/json"
	"testing"

	sdk "github.com/openai/openai-go/v3/responses"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/task"
)

func TestResponses(t *testing.T) {
	t.Parallel()
	oracle{
		folder: "responses", build: responses.New, read: readResponse, rewrite: again[sdk.ResponseNewParams],
	}.test(t)
}

func TestResponses_Counts(t *testing.T) {
	t.Parallel()
	oracle{
		build: responses.New, question: again[sdk.InputTokenCountParams],
		tokens: func(t *testing.T, body []byte) int64 {
			t.Helper()
			var count sdk.InputTokenCountResponse
			require.NoError(t, json.Unmarshal(body, &count))
			return count.InputTokens
		},
	}.testCounts(t, `{"object":"response.input_tokens","input_tokens":110}`)
}

func readResponse(t *testing.T, body []byte) reading {
	t.Helper()
	var response sdk.Response
	require.NoError(t, json.Unmarshal(body, &response))
	u := response.Usage
	in := u.InputTokensDetails
	r := reading{
		Model: response.Model, Text: response.OutputText(), Tier: string(response.ServiceTier),
		Usage: task.Usage{
			Input:     u.InputTokens - in.CachedTokens - in.CacheWriteTokens,
			CacheRead: in.CachedTokens, CacheWrite30m: in.CacheWriteTokensDetails.Ttl30mTokens,
			CacheWrite12h: in.CacheWriteTokensDetails.Ttl12hTokens,
			Output:        u.OutputTokens, Reasoning: u.OutputTokensDetails.ReasoningTokens,
		},
	}
	for _, item := range response.Output {
		if item.Type == "function_call" {
			call := item.AsFunctionCall()
			r.Tools = append(r.Tools, task.ToolCall{Name: call.Name, Arguments: call.Arguments})
		}
	}
	return r
}
