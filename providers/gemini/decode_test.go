package gemini

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
	const (
		spoken = `"promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":5}]`
		said   = `"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":1},{"modality":"AUDIO","tokenCount":3}]`
	)
	for _, tc := range []struct {
		name string
		raw  string
		want *task.Usage
	}{
		{"Plain", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13}`, &task.Usage{Input: 9, Output: 4}},
		{"Thoughts", `{"promptTokenCount":9,"candidatesTokenCount":4,"thoughtsTokenCount":94,"totalTokenCount":107}`, &task.Usage{Input: 9, Output: 98, Reasoning: 94}},
		{"OnlyThoughts", `{"promptTokenCount":9,"thoughtsTokenCount":94,"totalTokenCount":103}`, &task.Usage{Input: 9, Output: 94, Reasoning: 94}},
		{"NoOutput", `{"promptTokenCount":9,"totalTokenCount":9}`, &task.Usage{Input: 9}},
		{"Cached", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"cachedContentTokenCount":8}`, &task.Usage{Input: 1, CacheRead: 8, Output: 4}},
		{"AllCached", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"cachedContentTokenCount":9}`, &task.Usage{CacheRead: 9, Output: 4}},
		{"ToolUse", `{"promptTokenCount":9,"candidatesTokenCount":4,"toolUsePromptTokenCount":7,"totalTokenCount":20}`, &task.Usage{Input: 16, Output: 4}},
		{"Audio", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,` + spoken + `}`, &task.Usage{Input: 4, InputAudio: 5, Output: 4}},
		{"AudioAnswer", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,` + said + `}`, &task.Usage{Input: 9, Output: 1, OutputAudio: 3}},
		{"Documents", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"promptTokensDetails":[{"modality":"DOCUMENT","tokenCount":9}]}`, &task.Usage{Input: 9, Output: 4}},
		{"UnknownFields", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"trafficType":"ON_DEMAND","new":[{}]}`, &task.Usage{Input: 9, Output: 4}},
		{"ThoughtsInsideCandidates", `{"promptTokenCount":9,"candidatesTokenCount":98,"thoughtsTokenCount":94,"totalTokenCount":107}`, nil},
		{"TotalWithoutThoughts", `{"promptTokenCount":9,"candidatesTokenCount":4,"thoughtsTokenCount":94,"totalTokenCount":13}`, nil},
		{"NoTotal", `{"promptTokenCount":9,"candidatesTokenCount":4}`, nil},
		{"NoPrompt", `{"candidatesTokenCount":4,"totalTokenCount":4}`, nil},
		{"MoreCachedThanPrompt", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"cachedContentTokenCount":10}`, nil},
		{"CacheMayBeAudio", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"cachedContentTokenCount":3,` + spoken + `}`, nil},
		{"MoreAudioThanPrompt", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":10}]}`, nil},
		{"ImageAnswer", `{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":4}]}`, nil},
		{"Negative", `{"promptTokenCount":19,"candidatesTokenCount":-6,"totalTokenCount":13}`, nil},
		{"Absurd", `{"promptTokenCount":9223372036854775807,"candidatesTokenCount":9223372036854775807,"totalTokenCount":-2}`, nil},
		{"Fraction", `{"promptTokenCount":9.0,"candidatesTokenCount":4,"totalTokenCount":13}`, nil},
		{"Empty", `{}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, ReadUsage([]byte(tc.raw)))
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(), "standard")
	f.Add([]byte(`{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"functionCall":{"name":"f","args":[]}}]}}]}`), "")
	f.Add([]byte(`{"promptFeedback":{"blockReason":"OTHER"},"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}}`), "flex")
	f.Add([]byte(`{"error":{"code":503,"details":[{"retryDelay":"1.5s"},[]]},"usageMetadata":[]}`), "")
	f.Add([]byte(`{"candidates":[{"content":null}],"usageMetadata":{"promptTokenCount":1,"cachedContentTokenCount":2}}`), "")
	f.Fuzz(func(t *testing.T, body []byte, tier string) {
		header := http.Header{}
		header.Set(tierHeader, tier)
		reply, fault := format{}.Decode(httpcall.Answer{Status: http.StatusOK, Header: header, Body: body})
		if fault != nil {
			require.NotEmpty(t, fault.Class)
			require.GreaterOrEqual(t, fault.RetryAfter, time.Duration(0))
		}
		if u := reply.Usage; u != nil {
			require.NotNil(t, reply.RawUsage)
			require.Positive(t, u.Prompt())
			require.GreaterOrEqual(t, u.Output, u.Reasoning)
			require.GreaterOrEqual(t, min(u.Input, u.CacheRead, u.InputAudio, u.InputImage, u.Reasoning, u.OutputAudio), int64(0))
		}
		require.True(t, utf8.ValidString(reply.Output))
	})
}

func FuzzFault(f *testing.F) {
	f.Add(429, []byte(`{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"45.837906927s"}]}}`))
	f.Add(429, []byte(`{"error":{"details":[{"violations":[{"quotaId":"RequestsPerDay"}]}]}}`))
	f.Add(400, []byte(`{"error":{"code":"400","message":["a"],"details":{"reason":7}}}`))
	f.Add(503, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		fault := format{}.Fault(httpcall.Answer{Status: status, Body: body})
		require.NotEmpty(t, fault.Class)
		require.NotEmpty(t, fault.Message)
		require.GreaterOrEqual(t, fault.RetryAfter, time.Duration(0))
	})
}

func sample() []byte {
	return []byte(`{"candidates":[{"content":{"parts":[{"text":"` + strings.Repeat("a line of an answer\\n", 20) +
		`","thoughtSignature":"c2lnbmF0dXJl"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{` +
		`"promptTokenCount":2860,"candidatesTokenCount":121,"totalTokenCount":3045,"cachedContentTokenCount":2048,` +
		`"promptTokensDetails":[{"modality":"TEXT","tokenCount":2860}],"cacheTokensDetails":[{"modality":"TEXT","tokenCount":2048}],` +
		`"thoughtsTokenCount":64},"modelVersion":"gemini-3.8-flash","responseId":"r-1"}`)
}

func BenchmarkDecode(b *testing.B) { providertest.BenchmarkDecode(b, format{}, sample()) }

func BenchmarkPrepare(b *testing.B) { providertest.BenchmarkPrepare(b, New) }
