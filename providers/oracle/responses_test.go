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
