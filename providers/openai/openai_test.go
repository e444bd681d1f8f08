package openai_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

const (
	model    = "gpt-6-luna-2026-09-29"
	rawUsage = `{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050,` +
		`"prompt_tokens_details":{"cached_tokens":600,"cache_write_tokens":300,` +
		`"cache_write_tokens_details":{"ttl_30m_tokens":100,"ttl_12h_tokens":200},"audio_tokens":10,"image_tokens":20},` +
		`"completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":5,"accepted_prediction_tokens":0}}`
	plainUsage = `{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}`
)

// body is a completion with one message, whose fields are given as JSON.
func body(message, finish, usage string) string {
	return `{"id":"chatcmpl-1","object":"chat.completion","model":"` + model + `","choices":[{"index":0,"message":{"role":"assistant",` +
		message + `},"finish_reason":` + finish + `}],"usage":` + usage + `,"service_tier":"default","system_fingerprint":null}`
}

func failed(code, message string) string {
	return `{"error":{"message":"` + message + `","type":"invalid_request_error","param":null,"code":` + code + `}}`
}

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Suite{
		New:       openai.New,
		KeyHeader: "Authorization",
		KeyPrefix: "Bearer ",
		Good:      body(`"content":"shipping","refusal":null`, `"stop"`, rawUsage),
		Output:    "shipping",
		Usage: task.Usage{
			Input: 70, CacheRead: 600, CacheWrite30m: 100, CacheWrite12h: 200, InputAudio: 10, InputImage: 20,
			Output: 45, Reasoning: 30, OutputAudio: 5,
		},
		Answers:  append(stops(), contents()...),
		Refusals: append(refusals(), compatible()...),
	})
}

func reply(text string, stop providers.StopReason, raw string) providers.Reply {
	return providers.Reply{
		Output: text, Model: model, Stop: stop, RawStop: raw, ServiceTier: "default",
		Usage: &task.Usage{Input: 12, Output: 3}, RawUsage: json.RawMessage(plainUsage),
	}
}

func stops() []providertest.Answer {
	var out []providertest.Answer
	for raw, stop := range map[string]providers.StopReason{
		"stop": providers.StopEnd, "length": providers.StopMaxTokens, "content_filter": providers.StopFilter,
		"tool_calls": providers.StopTools, "function_call": providers.StopTools, "abort": providers.StopOther,
	} {
		out = append(out, providertest.Answer{
			Name: raw, Body: body(`"content":"half a"`, `"`+raw+`"`, plainUsage), Want: reply("half a", stop, raw),
		})
	}
	return append(out, providertest.Answer{
		Name: "none", Body: body(`"content":"half a"`, "null", plainUsage), Want: reply("half a", providers.StopOther, ""),
	})
}

func contents() []providertest.Answer {
	unmetered := reply("billing", providers.StopEnd, "stop")
	unmetered.Usage, unmetered.RawUsage = nil, nil
	negative, zero, free := unmetered, unmetered, unmetered
	negative.RawUsage = json.RawMessage(`{"prompt_tokens":12,"completion_tokens":-3}`)
	zero.RawUsage = json.RawMessage(`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`)
	free.RawUsage = json.RawMessage(`{"prompt_tokens":12,"completion_tokens":0}`)
	tools := reply("", providers.StopTools, "stop")
	tools.ToolCalls = []task.ToolCall{{Name: "lookup", Arguments: `{"order":7}`}, {Name: "wait", Arguments: `{"days": 2}`}}
	bare := providers.Reply{Stop: providers.StopOther}
	noChoice := providers.Reply{
		Model: model, Stop: providers.StopOther,
		Usage: &task.Usage{Input: 12, Output: 3}, RawUsage: json.RawMessage(plainUsage),
	}
	broken := noChoice
	broken.RawStop = "error"
	return []providertest.Answer{
		{Name: "MissingUsage", Body: body(`"content":"billing"`, `"stop"`, "null"), Want: unmetered},
		{Name: "NegativeUsage", Body: body(`"content":"billing"`, `"stop"`, string(negative.RawUsage)), Want: negative},
		{Name: "ZeroUsage", Body: body(`"content":"billing"`, `"stop"`, string(zero.RawUsage)), Want: zero},
		{Name: "TextForNothing", Body: body(`"content":"billing"`, `"stop"`, string(free.RawUsage)), Want: free},
		{Name: "Refusal", Body: body(`"content":null,"refusal":"I cannot."`, `"stop"`, plainUsage), Want: reply("", providers.StopRefusal, "stop")},
		{Name: "Empty", Body: body(`"content":""`, `"stop"`, plainUsage), Want: reply("", providers.StopEnd, "stop")},
		{Name: "Parts", Body: body(`"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"a"},{"type":"text","text":"b"}]`, `"stop"`, plainUsage), Want: reply("ab", providers.StopEnd, "stop")},
		{
			Name: "Tools",
			Body: body(`"content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"lookup","arguments":"{\"order\":7}"}},`+
				`{"id":"2","type":"function","function":{"name":"wait","arguments":{"days": 2}}}]`, `"stop"`, plainUsage),
			Want: tools,
		},
		{Name: "NoChoice", Body: `{"model":"` + model + `","choices":[],"usage":` + plainUsage + `}`, Want: noChoice, Class: task.FailMalformed},
		{Name: "NoMessage", Body: `{"model":"` + model + `","choices":[{"finish_reason":null}],"usage":` + plainUsage + `}`, Want: noChoice, Class: task.FailMalformed},
		{
			Name: "ErrorInsideChoice",
			Body: `{"model":"` + model + `","choices":[{"message":{"content":"ha"},"finish_reason":"error",` +
				`"error":{"code":502,"message":"upstream"}}],"usage":` + plainUsage + `}`,
			Want:  withOutput(broken, "ha"),
			Class: task.FailServer,
		},
		{Name: "ErrorInside", Body: `{"error":{"code":429,"message":"upstream is busy"}}`, Want: bare, Class: task.FailRateLimited},
		{Name: "QuotaInside", Body: failed(`"insufficient_quota"`, "m"), Want: bare, Class: task.FailQuota},
		{Name: "UnknownErrorInside", Body: `{"error":"boom"}`, Want: bare, Class: task.FailServer},
	}
}

func withOutput(r providers.Reply, output string) providers.Reply {
	r.Output = output
	return r
}

func refusals() []providertest.Refusal {
	soon := map[string]string{"Retry-After": "20"}
	return []providertest.Refusal{
		{Name: "RateLimit", Status: 429, Header: soon, Body: failed(`"rate_limit_exceeded"`, "Rate limit reached."), Class: task.FailRateLimited, RetryAfter: 20 * time.Second, Message: "Rate limit"},
		{Name: "NoQuota", Status: 429, Body: failed(`"insufficient_quota"`, "m"), Class: task.FailQuota},
		{Name: "NoQuotaByType", Status: 429, Body: `{"error":{"type":"insufficient_quota","code":null,"message":"m"}}`, Class: task.FailQuota},
		{Name: "NoQuotaByWords", Status: 429, Body: failed("null", "You exceeded your current quota, please check your plan and billing details."), Class: task.FailQuota},
		{Name: "NoCredit", Status: 429, Body: failed(`"credit_balance_exhausted"`, "m"), Class: task.FailQuota},
		{Name: "SpendLimit", Status: 429, Body: failed(`"project_spend_limit_exceeded"`, "m"), Class: task.FailQuota},
		{Name: "SlowDown", Status: 429, Header: soon, Body: failed(`"slow_down"`, "m"), Class: task.FailSlowDown, RetryAfter: 20 * time.Second},
		{Name: "SlowDown503", Status: 503, Body: failed("null", "Slow down."), Class: task.FailSlowDown},
		{Name: "FlexCapacity", Status: 429, Body: failed(`"resource_unavailable"`, "m"), Class: task.FailSlowDown},
		{Name: "FlexCapacityInWords", Status: 429, Body: failed(`null`, "Resource unavailable"), Class: task.FailSlowDown},
		{Name: "LargerThanWindow", Status: 429, Body: failed(`"rate_limit_exceeded"`, "Request too large for gpt-6 on tokens per min (TPM): Limit 30000, Requested 40000."), Class: task.FailTooLong},
		{Name: "Overloaded", Status: 503, Body: failed(`"server_is_overloaded"`, "m"), Class: task.FailOverloaded},
		{Name: "TooLong", Status: 400, Body: failed(`"context_length_exceeded"`, "m"), Class: task.FailTooLong},
		{Name: "TooManyOutputTokens", Status: 400, Body: failed(`"invalid_value"`, "max_tokens is too large: 99999."), Class: task.FailBadRequest},
		{Name: "Schema", Status: 400, Body: failed("null", "Invalid schema for response_format."), Class: task.FailBadRequest, Message: "Invalid schema"},
		{Name: "Filtered", Status: 400, Body: failed(`"content_filter"`, "m"), Class: task.FailRefusal},
		{Name: "Key", Status: 401, Body: failed(`"invalid_api_key"`, "Incorrect API key provided: sk-proj-****abcd. Find yours."), Class: task.FailAuth, Message: "[redacted] Find"},
		{Name: "NoModel", Status: 404, Body: failed(`"model_not_found"`, "m"), Class: task.FailNotFound},
		{Name: "NoModelAs400", Status: 400, Body: failed(`"model_not_found"`, "m"), Class: task.FailNotFound},
		{Name: "Server", Status: 500, Body: failed("null", "m"), Class: task.FailServer},
	}
}

// compatible are the forms of other servers.
func compatible() []providertest.Refusal {
	return []providertest.Refusal{
		{Name: "OpenRouterCredits", Status: 402, Body: `{"error":{"code":402,"message":"Insufficient credits"}}`, Class: task.FailQuota},
		{Name: "OpenRouterModeration", Status: 403, Body: `{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"],"flagged_input":"x"}}}`, Class: task.FailRefusal},
		{Name: "OpenRouterForbidden", Status: 403, Body: `{"error":{"code":403,"message":"no","metadata":{}}}`, Class: task.FailAuth},
		{Name: "VLLM", Status: 400, Body: `{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}`, Class: task.FailTooLong, Message: "4096"},
		{Name: "LlamaCpp", Status: 400, Body: `{"error":{"code":400,"message":"m","type":"exceed_context_size_error"}}`, Class: task.FailTooLong},
		{Name: "Ollama", Status: 404, Body: `{"error":{"message":"model not found","type":"api_error","param":null,"code":null}}`, Class: task.FailNotFound},
		{Name: "String", Status: 500, Body: `{"error":"out of memory"}`, Class: task.FailServer, Message: "out of memory"},
		{Name: "FastAPI", Status: 422, Body: `{"detail":[{"loc":["body"],"msg":"field required"}]}`, Class: task.FailBadRequest, Message: "field required"},
		{Name: "OddTypes", Status: 400, Body: `{"error":{"message":{"a":1},"type":7,"code":true,"metadata":"x"}}`, Class: task.FailBadRequest, Message: `{"a":1}`},
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	call := providers.Call{
		Model: "gpt-6-luna", System: "Sort.", Context: []string{"", "Teams \"A\"."}, MaxOutputTokens: 5,
		Tools:    []task.Tool{{Name: "a", Parameters: []byte(`{"type": "object"}`)}, {Name: "b", Description: "B"}},
		Messages: []task.Message{{Role: "user", Content: "x"}, {Role: "assistant", Content: "y"}, {Role: "user", Content: "z"}},
		Schema:   []byte(`{"type":"object","properties":{},"additionalProperties":false}`),
	}
	const stable = `{"model":"gpt-6-luna","tools":[{"type":"function","function":{"name":"a","parameters":{"type": "object"}}},` +
		`{"type":"function","function":{"name":"b","description":"B"}}],`
	const messages = `"messages":[{"role":"system","content":"Sort.\n\nTeams \"A\"."},{"role":"user","content":"x"},` +
		`{"role":"assistant","content":"y"},{"role":"user","content":"z"}],`
	for _, tc := range []struct {
		name    string
		dialect string
		url     string
		want    string
	}{
		{"OpenAI", "", "", stable + messages + `"max_completion_tokens":5}`},
		{"Azure", "azure", "https://mine.openai.azure.com/openai/v1", stable + messages + `"max_completion_tokens":5}`},
		{"OpenRouter", "openrouter", "", stable + messages + `"max_tokens":5,"provider":{"allow_fallbacks":false,"require_parameters":true}}`},
		{"LiteLLM", "litellm", "https://llm.example.com", stable + messages + `"max_tokens":5,"num_retries":0,"disable_fallbacks":true,"cache":{"no-cache":true}}`},
		{"Groq", "groq", "", stable + messages + `"max_completion_tokens":5}`},
		{"Mistral", "mistral", "", stable + messages + `"max_tokens":5}`},
		{"Compatible", "", "https://llm.example.com/v1", stable + messages + `"max_tokens":5}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, err := openai.New(providers.Config{Dialect: tc.dialect, BaseURL: tc.url})
			require.NoError(t, err)
			request, err := p.Prepare(call)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(request.Body))
		})
	}
}

func TestPrepare_CacheNone(t *testing.T) {
	t.Parallel()
	call := providers.Call{
		Model: "m", MaxOutputTokens: 1, Cache: providers.CacheNone, Messages: []task.Message{{Role: "user", Content: "x"}},
	}
	for dialect, want := range map[string]string{
		"openai":     `"max_completion_tokens":1,"prompt_cache_options":{"mode":"explicit"}}`,
		"azure":      `"max_completion_tokens":1}`,
		"compatible": `"max_tokens":1}`,
	} {
		p, err := openai.New(providers.Config{Dialect: dialect, BaseURL: "https://llm.example.com/v1"})
		require.NoError(t, err)
		request, err := p.Prepare(call)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(string(request.Body), "],"+want), string(request.Body))
	}
}

func TestPrepare_Schema(t *testing.T) {
	t.Parallel()
	p, err := openai.New(providers.Config{})
	require.NoError(t, err)
	call := providers.Call{
		Model: "m", MaxOutputTokens: 1, JSONSchema: true, Messages: []task.Message{{Role: "user", Content: "x"}},
		Schema: []byte(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`),
	}
	request, err := p.Prepare(call)
	require.NoError(t, err)
	require.Equal(t, `{"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":`+
		string(call.Schema)+`}},"messages":[{"role":"user","content":"x"}],"max_completion_tokens":1}`, string(request.Body))

	call.Schema = []byte(`{"type":"object","properties":{"a":{"type":"string"}}}`)
	request, err = p.Prepare(call)
	require.NoError(t, err)
	require.Contains(t, string(request.Body), `"strict":false,"schema":{"type":"object","properties":{"a":{"type":"string"}}}}}`)
}
