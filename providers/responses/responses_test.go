package responses_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/task"
)

const (
	model    = "gpt-6.2-sol-2026-11-17"
	rawUsage = `{"input_tokens":1000,"input_tokens_details":{"cached_tokens":600,"cache_write_tokens":300,` +
		`"cache_write_tokens_details":{"ttl_30m_tokens":100,"ttl_12h_tokens":200}},"output_tokens":50,` +
		`"output_tokens_details":{"reasoning_tokens":30},"total_tokens":1050}`
	plainUsage = `{"input_tokens":12,"output_tokens":3,"total_tokens":15}`
	completed  = `"completed","incomplete_details":null`
)

// body is a response; its state and its items are given as JSON.
func body(status, items, usage string) string {
	return `{"id":"resp_1","object":"response","status":` + status + `,"error":null,"model":"` + model + `","output":[` + items +
		`],"usage":` + usage + `,"service_tier":"default"}`
}

func message(part string) string {
	return `{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[` + part + `]}`
}

func text(s string) string {
	return message(`{"type":"output_text","text":"` + s + `","annotations":[]}`)
}

func incomplete(reason string) string {
	return `"incomplete","incomplete_details":{"reason":"` + reason + `"}`
}

func failed(code, message string) string {
	return `{"error":{"message":"` + message + `","type":"invalid_request_error","param":null,"code":` + code + `}}`
}

func reply(output string, stop providers.StopReason, raw string) providers.Reply {
	return providers.Reply{
		Output: output, Model: model, Stop: stop, RawStop: raw, ServiceTier: "default",
		Usage: &task.Usage{Input: 12, Output: 3}, RawUsage: json.RawMessage(plainUsage),
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Suite{
		New:       responses.New,
		KeyHeader: "Authorization",
		KeyPrefix: "Bearer ",
		Good:      body(completed, text("shipping"), rawUsage),
		Output:    "shipping",
		Usage:     task.Usage{Input: 100, CacheRead: 600, CacheWrite30m: 100, CacheWrite12h: 200, Output: 50, Reasoning: 30},
		Answers:   answers(),
		Refusals: []providertest.Refusal{
			{Name: "RateLimit", Status: 429, Header: map[string]string{"Retry-After": "20"}, Body: failed(`"rate_limit_exceeded"`, "Rate limit reached."), Class: task.FailRateLimited, RetryAfter: 20 * time.Second, Message: "Rate limit"},
			{Name: "NoQuota", Status: 429, Body: failed(`"insufficient_quota"`, "m"), Class: task.FailQuota},
			{Name: "FlexCapacity", Status: 429, Body: failed(`"resource_unavailable"`, "m"), Class: task.FailSlowDown},
			{Name: "TooLong", Status: 400, Body: failed(`"context_length_exceeded"`, "m"), Class: task.FailTooLong},
			{Name: "BadRequest", Status: 400, Body: failed("null", "m"), Class: task.FailBadRequest},
			{Name: "Auth", Status: 401, Body: failed(`"invalid_api_key"`, "m"), Class: task.FailAuth},
			{Name: "NotFound", Status: 404, Body: failed(`"model_not_found"`, "m"), Class: task.FailNotFound},
			{Name: "Server", Status: 500, Body: failed("null", "m"), Class: task.FailServer},
		},
	})
}

func answers() []providertest.Answer {
	unmetered := reply("billing", providers.StopEnd, "completed")
	unmetered.Usage, unmetered.RawUsage = nil, nil
	wrong := unmetered
	wrong.RawUsage = json.RawMessage(`{"input_tokens":12,"output_tokens":3,"total_tokens":99}`)
	split := unmetered
	split.RawUsage = json.RawMessage(`{"input_tokens":12,"input_tokens_details":{"cache_write_tokens":5,` +
		`"cache_write_tokens_details":{"ttl_12h_tokens":4}},"output_tokens":3}`)
	tools := reply("I look. ", providers.StopTools, "completed")
	tools.ToolCalls = []task.ToolCall{{Name: "lookup", Arguments: `{"order":7}`}}
	return []providertest.Answer{
		{Name: "MissingUsage", Body: body(completed, text("billing"), "null"), Want: unmetered},
		{Name: "TotalContradicts", Body: body(completed, text("billing"), string(wrong.RawUsage)), Want: wrong},
		{Name: "SplitContradicts", Body: body(completed, text("billing"), string(split.RawUsage)), Want: split},
		{Name: "Incomplete", Body: body(incomplete("max_output_tokens"), text("half a"), plainUsage), Want: reply("half a", providers.StopMaxTokens, "max_output_tokens")},
		{Name: "Filtered", Body: body(incomplete("content_filter"), "", plainUsage), Want: reply("", providers.StopFilter, "content_filter")},
		{Name: "OtherwiseIncomplete", Body: body(incomplete("steered"), text("a"), plainUsage), Want: reply("a", providers.StopOther, "steered")},
		{Name: "Refusal", Body: body(completed, message(`{"type":"refusal","refusal":"I cannot."}`), plainUsage), Want: reply("", providers.StopRefusal, "completed")},
		{
			Name: "Reasoning", Want: reply("ab", providers.StopEnd, "completed"),
			Body: body(completed, `{"type":"reasoning","id":"rs_1","summary":[]},`+text("a")+","+text("b"), plainUsage),
		},
		{
			Name: "Tools", Want: tools,
			Body: body(completed, text("I look. ")+`,{"type":"function_call","id":"fc_1","call_id":"c","name":"lookup","arguments":"{\"order\":7}"}`, plainUsage),
		},
		{
			Name: "Failed", Class: task.FailServer, Want: reply("", providers.StopOther, "failed"),
			Body: `{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"m"},"model":"` + model +
				`","output":[],"usage":` + plainUsage + `,"service_tier":"default"}`,
		},
		{Name: "NotEnded", Class: task.FailMalformed, Body: body(`"in_progress"`, "", plainUsage), Want: reply("", providers.StopOther, "in_progress")},
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	p, err := responses.New(providers.Config{})
	require.NoError(t, err)
	call := providers.Call{
		Model: "gpt-6-luna", System: "Sort.", Context: []string{"", "Teams \"A\"."}, MaxOutputTokens: 5, JSONSchema: true,
		Tools:    []task.Tool{{Name: "a", Parameters: []byte(`{"type": "object"}`)}, {Name: "b", Description: "B"}},
		Messages: []task.Message{{Role: "user", Content: "x"}, {Role: "assistant", Content: "y"}, {Role: "user", Content: "z"}},
		Schema:   []byte(`{"type":"object","properties":{},"additionalProperties":false}`),
	}
	const rest = `"tools":[{"type":"function","name":"a","strict":false,"parameters":{"type": "object"}},` +
		`{"type":"function","name":"b","description":"B","strict":false,"parameters":{"type":"object","properties":{}}}],` +
		`"text":{"format":{"type":"json_schema","name":"answer","strict":true,"schema":{"type":"object","properties":{},"additionalProperties":false}}},` +
		`"instructions":"Sort.\n\nTeams \"A\".","input":[{"type":"message","role":"user","content":"x"},{"type":"message","role":"assistant","content":"y"},` +
		`{"type":"message","role":"user","content":"z"}],"max_output_tokens":5}`
	request, err := p.Prepare(call)
	require.NoError(t, err)
	stored := `{"model":"gpt-6-luna","store":false,` + rest
	require.Equal(t, stored, string(request.Body), "byte for byte")

	call.Cache = providers.CacheNone
	request, err = p.Prepare(call)
	require.NoError(t, err)
	uncached := `{"model":"gpt-6-luna","store":false,"prompt_cache_options":{"mode":"explicit"},` + rest
	require.Equal(t, uncached, string(request.Body))
}
