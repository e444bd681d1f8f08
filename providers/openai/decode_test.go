package openai

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		raw  string
		want *task.Usage
	}{
		{"Plain", `{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}`, &task.Usage{Input: 9, Output: 4}},
		{"WithoutTotal", `{"prompt_tokens":9,"completion_tokens":4}`, &task.Usage{Input: 9, Output: 4}},
		{"NullDetails", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null,"completion_tokens_details":null}`, &task.Usage{Input: 9, Output: 4}},
		{"Cached", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":8}}`, &task.Usage{Input: 1, CacheRead: 8, Output: 4}},
		{"AllCached", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":9}}`, &task.Usage{CacheRead: 9, Output: 4}},
		{"DeepSeek", `{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":2}`, &task.Usage{Input: 2, CacheRead: 7, Output: 4}},
		{"DeepSeekContradicts", `{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":3}`, nil},
		{"AnthropicInside", `{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"cache_read_input_tokens":5,"cache_creation_input_tokens":3}`, &task.Usage{Input: 1, CacheRead: 5, CacheWrite5m: 3, Output: 4}},
		{"AnthropicBeside", `{"prompt_tokens":1,"completion_tokens":4,"total_tokens":13,"cache_read_input_tokens":5,"cache_creation_input_tokens":3}`, &task.Usage{Input: 1, CacheRead: 5, CacheWrite5m: 3, Output: 4}},
		{"AnthropicTwice", `{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":5,"cache_write_tokens":3},"cache_read_input_tokens":5,"cache_creation_input_tokens":3}`, &task.Usage{Input: 1, CacheRead: 5, CacheWrite5m: 3, Output: 4}},
		{"AnthropicWithoutTotal", `{"prompt_tokens":9,"completion_tokens":4,"cache_read_input_tokens":5}`, nil},
		{"AnthropicContradicts", `{"prompt_tokens":9,"completion_tokens":4,"total_tokens":14,"cache_read_input_tokens":5}`, nil},
		{"AnthropicUnused", `{"prompt_tokens":9,"completion_tokens":4,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}`, &task.Usage{Input: 9, Output: 4}},
		{"Written", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cache_write_tokens":6}}`, &task.Usage{Input: 3, CacheWrite30m: 6, Output: 4}},
		{"WrittenWithSplit", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cache_write_tokens":6,"cache_write_tokens_details":{"ttl_12h_tokens":6}}}`, &task.Usage{Input: 3, CacheWrite12h: 6, Output: 4}},
		{"SplitWithoutTotal", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cache_write_tokens_details":{"ttl_30m_tokens":1,"ttl_12h_tokens":2}}}`, &task.Usage{Input: 6, CacheWrite30m: 1, CacheWrite12h: 2, Output: 4}},
		{"ReasoningInside", `{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"completion_tokens_details":{"reasoning_tokens":3}}`, &task.Usage{Input: 9, Output: 4, Reasoning: 3}},
		{"ReasoningBeside", `{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}`, &task.Usage{Input: 32, Output: 103, Reasoning: 94}},
		{"Searches", `{"prompt_tokens":9,"completion_tokens":4,"server_tool_use":{"web_search_requests":2}}`, &task.Usage{Input: 9, Output: 4, WebSearches: 2}},
		{"UnknownFields", `{"prompt_tokens":9,"completion_tokens":4,"cost":0.0016150000000000001,"new":{"a":[1]}}`, &task.Usage{Input: 9, Output: 4}},
		{"SplitContradictsTotal", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cache_write_tokens":6,"cache_write_tokens_details":{"ttl_12h_tokens":5}}}`, nil},
		{"TotalContradicts", `{"prompt_tokens":9,"completion_tokens":4,"total_tokens":99}`, nil},
		{"MoreCachedThanPrompt", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":10}}`, nil},
		{"MoreReasoningThanOutput", `{"prompt_tokens":9,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":5}}`, nil},
		{"MoreAudioThanOutput", `{"prompt_tokens":9,"completion_tokens":4,"completion_tokens_details":{"audio_tokens":5}}`, nil},
		{"NoPrompt", `{"completion_tokens":4}`, nil},
		{"NoCompletion", `{"prompt_tokens":9}`, nil},
		{"ZeroPrompt", `{"prompt_tokens":0,"completion_tokens":4}`, nil},
		{"Negative", `{"prompt_tokens":-9,"completion_tokens":4}`, nil},
		{"NegativeCached", `{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":-1}}`, nil},
		{"Absurd", `{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}`, nil},
		{"Fraction", `{"prompt_tokens":9.0,"completion_tokens":4}`, nil},
		{"Empty", `{}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, ReadUsage([]byte(tc.raw)))
		})
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	const leaf = `{"type":"object","properties":{"b":{"type":"string","enum":["x"]}},"required":["b"],"additionalProperties":false}`
	root := func(property string) string {
		return `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"a":` + property +
			`},"required":["a"],"additionalProperties":false,"$defs":{"leaf":` + leaf + `}}`
	}
	for _, tc := range []struct {
		name   string
		schema string
		want   bool
	}{
		{"Simple", root(`{"type":["string","null"],"description":"d"}`), true},
		{"Nested", root(leaf), true},
		{"List", root(`{"type":"array","items":` + leaf + `,"minItems":1}`), true},
		{"Union", root(`{"anyOf":[{"$ref":"#/$defs/leaf"},{"type":"null"}]}`), true},
		{"NoProperties", `{"type":"object","properties":{},"additionalProperties":false}`, true},
		{"Open", `{"type":"object","properties":{},"required":[]}`, false},
		{"ExplicitlyOpen", `{"type":"object","properties":{},"additionalProperties":true}`, false},
		{"Optional", `{"type":"object","properties":{"a":{"type":"string"}},"required":[],"additionalProperties":false}`, false},
		{"OptionalInside", root(`{"type":"object","properties":{"b":{}},"additionalProperties":false}`), false},
		{"OpenInsideUnion", root(`{"anyOf":[{"type":"object","properties":{}}]}`), false},
		{"OpenInsideList", root(`{"type":"array","items":{"properties":{}}}`), false},
		{"Map", root(`{"type":"object","additionalProperties":{"type":"string"}}`), false},
		{"NullableOpenObject", root(`{"type":["object","null"]}`), false},
		{"OneOf", root(`{"oneOf":[{"type":"string"}]}`), false},
		{"Length", root(`{"type":"string","minLength":3}`), false},
		{"UnionAtTheRoot", `{"type":"object","anyOf":[` + leaf + `]}`, false},
		{"ListAtTheRoot", `{"type":"array","items":` + leaf + `}`, false},
		{"Boolean", `true`, false},
		{"Broken", `{"type":`, false},
		{"TooDeep", strings.Repeat(`{"type":"object","additionalProperties":false,"required":["a"],"properties":{"a":`, 40) + `{}` + strings.Repeat(`}}`, 40), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, Strict(json.RawMessage(tc.schema)))
		})
	}
}

func FuzzStrict(f *testing.F) {
	f.Add([]byte(`{"type":"object","properties":{"a":{"anyOf":[{"type":"null"}]}},"required":["a"],"additionalProperties":false}`))
	f.Add([]byte(`{"type":["object"],"items":[]}`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		if Strict(schema) {
			var root map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(schema, &root))
			require.Equal(t, `"object"`, string(root["type"]))
			require.Equal(t, `false`, string(root["additionalProperties"]))
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(sample())
	f.Add([]byte(`{"choices":[{"message":{"content":[{"type":"text","text":"a"}],"tool_calls":[{"function":{"arguments":{}}}]}}]}`))
	f.Add([]byte(`{"error":{"code":502,"message":"m"},"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":3}}`))
	f.Add([]byte(`{"choices":[{"error":"x","message":null}]}`))
	f.Add([]byte(`{"id":7,"choices":[],"timings":[1],"usage":{"cost":1e-6,"is_byok":true,"cost_details":{"upstream_inference_cost":"x"}}}`))
	files, err := filepath.Glob("testdata/dialects/*.json")
	require.NoError(f, err)
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzDialects(t, body)
		reply, fault := format{}.Decode(httpcall.Answer{Status: http.StatusOK, Body: body})
		require.NotEmpty(t, reply.Stop)
		if fault != nil {
			require.NotEmpty(t, fault.Class)
		}
		if u := reply.Usage; u != nil {
			require.NotNil(t, reply.RawUsage)
			require.Positive(t, u.Prompt())
			require.GreaterOrEqual(t, u.Output, u.Reasoning)
			require.GreaterOrEqual(t, min(u.Input, u.CacheRead, u.CacheWrite30m, u.CacheWrite12h, u.InputAudio,
				u.InputImage, u.Reasoning, u.OutputAudio, u.WebSearches), int64(0))
		}
		require.True(t, utf8.ValidString(reply.Output))
	})
}

// fuzzDialects: every dialect reads the same usage, and adds at most its id and its figure of the cost.
func fuzzDialects(t *testing.T, body []byte) {
	t.Helper()
	answer := httpcall.Answer{
		Status: http.StatusOK, Body: body, Header: http.Header{"X-Litellm-Response-Cost": {string(body[:min(len(body), 70)])}},
	}
	plain, _ := format{}.Decode(answer)
	for _, name := range []string{dialectOpenRouter, dialectLiteLLM, dialectXAI} {
		d, err := dialectOf(providers.Config{Dialect: name, BaseURL: "https://llm.example.com"})
		require.NoError(t, err)
		reply, _ := format{d}.Decode(answer)
		if reply.ReportedCost != nil {
			require.GreaterOrEqual(t, *reply.ReportedCost, task.Pico(0))
		}
		reply.ReportedCost, reply.RequestID = nil, ""
		require.Equal(t, plain, reply)
	}
}

func FuzzFault(f *testing.F) {
	f.Add(429, []byte(`{"error":{"type":"insufficient_quota","message":"m","code":"insufficient_quota"}}`))
	f.Add(400, []byte(`{"error":{"message":["a"],"code":7,"metadata":{"reasons":[1]}}}`))
	f.Add(500, []byte(`{"detail":null,"message":3}`))
	f.Add(503, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		fault := format{}.Fault(httpcall.Answer{Status: status, Body: body})
		require.NotEmpty(t, fault.Class)
		require.NotEmpty(t, fault.Message)
	})
}

func sample() []byte {
	return []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6-luna-2026-09-29","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"` + strings.Repeat("a line of an answer\\n", 20) + `","refusal":null,"annotations":[]},` +
		`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":2860,"completion_tokens":121,"total_tokens":2981,` +
		`"prompt_tokens_details":{"cached_tokens":2048,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":40,` +
		`"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default"}`)
}

func BenchmarkDecode(b *testing.B) { providertest.BenchmarkDecode(b, format{}, sample()) }

func BenchmarkPrepare(b *testing.B) { providertest.BenchmarkPrepare(b, New) }
