package anthropic_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

const (
	model    = "claude-haiku-5-5"
	rawUsage = `{"input_tokens":12,"cache_creation_input_tokens":30,"cache_read_input_tokens":400,` +
		`"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":9,` +
		`"output_tokens_details":{"thinking_tokens":4},"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},` +
		`"service_tier":"standard","speed":"fast","inference_geo":"us"}`
	plainUsage = `{"input_tokens":12,"output_tokens":3}`
)

// body is a message with one text.
func body(text, stop, usage string) string {
	return `{"id":"msg_01","type":"message","role":"assistant","model":"` + model + `","content":[{"type":"text","text":"` + text +
		`"}],"stop_reason":"` + stop + `","stop_sequence":null,"usage":` + usage + `}`
}

func failed(kind, message string) string {
	return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"},"request_id":"req_01"}`
}

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Suite{
		New:       anthropic.New,
		KeyHeader: "X-Api-Key",
		Counts:    &providertest.Counts{Path: "/messages/count_tokens", Field: "input_tokens"},
		Good:      body("shipping", "end_turn", rawUsage),
		Output:    "shipping",
		Usage: task.Usage{
			Input: 12, CacheRead: 400, CacheWrite5m: 10, CacheWrite1h: 20, Output: 9, Reasoning: 4, WebSearches: 2,
		},
		Answers:  append(stops(), contents()...),
		Refusals: refusals(),
	})
}

func reply(text string, stop providers.StopReason, raw string) providers.Reply {
	return providers.Reply{
		Output: text, Model: model, Stop: stop, RawStop: raw,
		Usage: &task.Usage{Input: 12, Output: 3}, RawUsage: json.RawMessage(plainUsage),
	}
}

func stops() []providertest.Answer {
	var out []providertest.Answer
	for raw, stop := range map[string]providers.StopReason{
		"end_turn": providers.StopEnd, "stop_sequence": providers.StopEnd, "tool_use": providers.StopTools,
		"max_tokens": providers.StopMaxTokens, "refusal": providers.StopRefusal, "pause_turn": providers.StopOther,
		"model_context_window_exceeded": providers.StopContext, "new_reason": providers.StopOther,
	} {
		out = append(out, providertest.Answer{Name: raw, Body: body("half a", raw, plainUsage), Want: reply("half a", stop, raw)})
	}
	return out
}

func contents() []providertest.Answer {
	unmetered := reply("billing", providers.StopEnd, "end_turn")
	unmetered.Usage, unmetered.RawUsage = nil, nil
	negative := unmetered
	negative.RawUsage = json.RawMessage(`{"input_tokens":-1,"output_tokens":3}`)
	tools := reply("ab", providers.StopTools, "tool_use")
	tools.ToolCalls = []task.ToolCall{{Name: "lookup", Arguments: `{"order": 7}`}}
	empty := reply("", providers.StopEnd, "end_turn")
	garbled := reply("", providers.StopEnd, "end_turn")
	return []providertest.Answer{
		{Name: "MissingUsage", Body: body("billing", "end_turn", "null"), Want: unmetered},
		{Name: "NegativeUsage", Body: body("billing", "end_turn", `{"input_tokens":-1,"output_tokens":3}`), Want: negative},
		{Name: "EmptyContent", Body: `{"model":"` + model + `","content":[],"stop_reason":"end_turn","usage":` + plainUsage + `}`, Want: empty},
		{
			Name: "TextsAndTools",
			Body: `{"model":"` + model + `","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"},` +
				`{"type":"tool_use","id":"t1","name":"lookup","input":{"order": 7}},{"type":"text","text":"b"}],` +
				`"stop_reason":"tool_use","usage":` + plainUsage + `}`,
			Want: tools,
		},
		{
			Name:  "MeteredButUnusable",
			Body:  `{"model":"` + model + `","content":"text","stop_reason":"end_turn","usage":` + plainUsage + `}`,
			Want:  garbled,
			Class: task.FailMalformed,
		},
		{Name: "ErrorInside", Body: failed("overloaded_error", "Overloaded"), Want: providers.Reply{Stop: providers.StopOther}, Class: task.FailOverloaded},
		{Name: "UnknownErrorInside", Body: failed("new_error", "?"), Want: providers.Reply{Stop: providers.StopOther}, Class: task.FailServer},
	}
}

func refusals() []providertest.Refusal {
	soon := map[string]string{"Retry-After": "20"}
	reset := map[string]string{
		"Date":                                   "Fri, 20 Nov 2026 08:00:00 GMT",
		"Anthropic-Ratelimit-Tokens-Remaining":   "0",
		"Anthropic-Ratelimit-Tokens-Reset":       "2026-11-20T08:00:42Z",
		"Anthropic-Ratelimit-Requests-Reset":     "2026-11-20T09:00:00Z",
		"Anthropic-Ratelimit-Requests-Remaining": "17",
	}
	spent := `{"type":"error","error":{"type":"rate_limit_error","message":"Monthly limit.","details":{"error_code":"enforced_spend_limit_reached"}}}`
	return []providertest.Refusal{
		{Name: "RateLimit", Status: 429, Header: soon, Body: failed("rate_limit_error", "Slow."), Class: task.FailRateLimited, RetryAfter: 20 * time.Second, Message: "Slow."},
		{Name: "RateLimitWithReset", Status: 429, Header: reset, Body: failed("rate_limit_error", "Slow."), Class: task.FailRateLimited, RetryAfter: 42 * time.Second},
		{Name: "RateLimitByWords", Status: 429, Body: failed("rate_limit_error", "This would exceed your rate limit of 50,000 input tokens per minute."), Class: task.FailRateLimited},
		{Name: "Acceleration", Status: 429, Header: soon, Body: failed("rate_limit_error", "You hit the acceleration limit."), Class: task.FailSlowDown, RetryAfter: 20 * time.Second},
		{Name: "TierLimit", Status: 429, Body: failed("rate_limit_error", "Usage reached the monthly cap."), Class: task.FailQuota},
		{Name: "TierLimitByCode", Status: 429, Header: soon, Body: spent, Class: task.FailQuota, RetryAfter: 20 * time.Second},
		{Name: "SpendLimit", Status: 400, Body: failed("invalid_request_error", "You have reached your specified API usage limits."), Class: task.FailQuota},
		{Name: "NoCredit", Status: 400, Body: failed("invalid_request_error", "Your credit balance is too low."), Class: task.FailQuota},
		{Name: "Billing", Status: 402, Body: failed("billing_error", "Payment."), Class: task.FailQuota},
		{Name: "TooLong", Status: 400, Body: failed("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"), Class: task.FailTooLong},
		{Name: "TooLongWithOutput", Status: 400, Body: failed("invalid_request_error", "input length and `max_tokens` exceed context limit"), Class: task.FailTooLong},
		{Name: "TooLarge", Status: 413, Body: failed("request_too_large", "Too large."), Class: task.FailTooLong},
		{Name: "Invalid", Status: 400, Body: failed("invalid_request_error", "max_tokens: must be above 0"), Class: task.FailBadRequest, Message: "max_tokens"},
		{Name: "Authentication", Status: 401, Body: failed("authentication_error", "invalid x-api-key sk-ant-api03-abc"), Class: task.FailAuth, Message: "[redacted]"},
		{Name: "Permission", Status: 403, Body: failed("permission_error", "No."), Class: task.FailAuth},
		{Name: "NotFound", Status: 404, Body: failed("not_found_error", "model: claude-1"), Class: task.FailNotFound},
		{Name: "Conflict", Status: 409, Body: failed("conflict_error", "Again."), Class: task.FailServer},
		{Name: "Server", Status: 500, Body: failed("api_error", "Internal."), Class: task.FailServer},
		{Name: "Timeout", Status: 504, Body: failed("timeout_error", "Late."), Class: task.FailServer},
		{Name: "Overloaded", Status: 529, Header: soon, Body: failed("overloaded_error", "Overloaded"), Class: task.FailOverloaded, RetryAfter: 20 * time.Second},
		{Name: "TypeOverStatus", Status: 500, Body: failed("overloaded_error", "Overloaded"), Class: task.FailOverloaded},
		{Name: "UnknownType", Status: http.StatusTeapot, Body: failed("tea_error", "Tea."), Class: task.FailBadRequest, Message: "Tea."},
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	p, err := anthropic.New(providers.Config{})
	require.NoError(t, err)
	call := providers.Call{
		Model: model, System: "Sort.", Context: []string{"", "Teams \"A\"."}, MaxOutputTokens: 5,
		Tools:    []task.Tool{{Name: "a", Parameters: []byte(`{"type": "object"}`)}, {Name: "b", Description: "B"}},
		Messages: []task.Message{{Role: "user", Content: "x"}, {Role: "assistant", Content: "y"}, {Role: "user", Content: "z"}},
		Schema:   []byte(`{"type":"object"}`),
	}
	request, err := p.Prepare(call)
	require.NoError(t, err)
	want := `{"model":"claude-haiku-5-5","tools":[{"name":"a","input_schema":{"type": "object"}},` +
		`{"name":"b","description":"B","input_schema":{"type":"object"}}],` +
		`"system":[{"type":"text","text":"Sort."},{"type":"text","text":"Teams \"A\"."}],` +
		`"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"user","content":"z"}],` +
		`"max_tokens":5}`
	require.Equal(t, want, string(request.Body))

	call.JSONSchema = true
	request, err = p.Prepare(call)
	require.NoError(t, err)
	require.Contains(t, string(request.Body), `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},"messages":[`)

	request, err = p.Prepare(providers.Call{Model: "m", MaxOutputTokens: 1, Messages: call.Messages[:1]})
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":1}`, string(request.Body))
}
