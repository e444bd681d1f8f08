package anthropic

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

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
		{"Plain", `{"input_tokens":5,"output_tokens":2}`, &task.Usage{Input: 5, Output: 2}},
		{"NothingGenerated", `{"input_tokens":5,"output_tokens":0}`, &task.Usage{Input: 5}},
		{"AllFromCache", `{"input_tokens":0,"cache_read_input_tokens":90,"output_tokens":2}`, &task.Usage{CacheRead: 90, Output: 2}},
		{"WritesWithoutSplit", `{"input_tokens":5,"cache_creation_input_tokens":70,"output_tokens":2}`, &task.Usage{Input: 5, CacheWrite5m: 70, Output: 2}},
		{"WritesWithSplit", `{"input_tokens":5,"cache_creation_input_tokens":70,"cache_creation":{"ephemeral_1h_input_tokens":70},"output_tokens":2}`, &task.Usage{Input: 5, CacheWrite1h: 70, Output: 2}},
		{"SplitWithoutTotal", `{"input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},"output_tokens":2}`, &task.Usage{Input: 5, CacheWrite5m: 3, CacheWrite1h: 4, Output: 2}},
		{"ThinkingCountedAnew", `{"input_tokens":5,"output_tokens":20,"output_tokens_details":{"thinking_tokens":22}}`, &task.Usage{Input: 5, Output: 20, Reasoning: 20}},
		{"Nulls", `{"input_tokens":5,"cache_creation":null,"server_tool_use":null,"service_tier":null,"output_tokens":2}`, &task.Usage{Input: 5, Output: 2}},
		{"OneIteration", `{"input_tokens":5,"output_tokens":2,"iterations":[{"type":"message"}]}`, &task.Usage{Input: 5, Output: 2}},
		{"SplitContradictsTotal", `{"input_tokens":5,"cache_creation_input_tokens":70,"cache_creation":{"ephemeral_5m_input_tokens":3},"output_tokens":2}`, nil},
		{"TokensOutsideTheTotals", `{"input_tokens":5,"output_tokens":2,"iterations":[{"type":"compaction"},{"type":"message"}]}`, nil},
		{"NoInput", `{"output_tokens":2}`, nil},
		{"NoOutput", `{"input_tokens":5}`, nil},
		{"NullInput", `{"input_tokens":null,"output_tokens":2}`, nil},
		{"EmptyPrompt", `{"input_tokens":0,"output_tokens":2}`, nil},
		{"NegativeOutput", `{"input_tokens":5,"output_tokens":-2}`, nil},
		{"NegativeRead", `{"input_tokens":5,"cache_read_input_tokens":-1,"output_tokens":2}`, nil},
		{"Absurd", `{"input_tokens":5000000000000,"output_tokens":2}`, nil},
		{"Overflow", `{"input_tokens":1e40,"output_tokens":2}`, nil},
		{"Fraction", `{"input_tokens":5.5,"output_tokens":2}`, nil},
		{"Text", `{"input_tokens":"5","output_tokens":2}`, nil},
		{"Empty", `{}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := readUsage([]byte(tc.raw))
			require.Equal(t, tc.want, u.normalized())
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample())
	f.Add([]byte(`{"content":[],"usage":{"input_tokens":-1}}`))
	f.Add([]byte(`{"type":"error","error":{"type":"overloaded_error","message":"x"}}`))
	f.Add([]byte(`{"content":[{"type":"tool_use","input":{}}],"usage":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		reply, fault := format{}.Decode(httpcall.Answer{Status: http.StatusOK, Body: body})
		require.NotEmpty(t, reply.Stop)
		if fault != nil {
			require.NotEmpty(t, fault.Class)
		}
		if u := reply.Usage; u != nil {
			require.NotNil(t, reply.RawUsage)
			require.Positive(t, u.Prompt())
			require.GreaterOrEqual(t, u.Output, u.Reasoning)
			require.GreaterOrEqual(t, min(u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.Reasoning, u.WebSearches), int64(0))
		}
		require.True(t, utf8.ValidString(reply.Output))
	})
}

func FuzzFault(f *testing.F) {
	f.Add(429, "20", []byte(`{"error":{"type":"rate_limit_error","message":"m"}}`))
	f.Add(400, "", []byte(`{"error":{"type":"invalid_request_error","message":"spend limit"}}`))
	f.Add(502, "", []byte(`<html>`))
	f.Add(500, "", []byte(`{"error":null}`))
	f.Fuzz(func(t *testing.T, status int, reset string, body []byte) {
		header := http.Header{}
		header.Set("Date", "Fri, 20 Nov 2026 08:00:00 GMT")
		header.Set("Anthropic-Ratelimit-Tokens-Remaining", "0")
		header.Set("Anthropic-Ratelimit-Tokens-Reset", reset)
		fault := format{}.Fault(httpcall.Answer{Status: status, Header: header, Body: body})
		require.NotEmpty(t, fault.Class)
		require.NotEmpty(t, fault.Message)
		require.GreaterOrEqual(t, fault.RetryAfter, time.Duration(0))
	})
}

func sample() []byte {
	return []byte(`{"id":"msg_01","type":"message","role":"assistant","model":"claude-haiku-5-5","content":[{"type":"text",` +
		`"text":"` + strings.Repeat("a line of an answer\\n", 20) + `"}],"stop_reason":"end_turn","stop_sequence":null,` +
		`"usage":{"input_tokens":812,"cache_creation_input_tokens":0,"cache_read_input_tokens":2048,` +
		`"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":121,"service_tier":"standard"}}`)
}

func BenchmarkDecode(b *testing.B) { providertest.BenchmarkDecode(b, format{}, sample()) }

func BenchmarkPrepare(b *testing.B) { providertest.BenchmarkPrepare(b, New) }
