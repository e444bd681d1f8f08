package sim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

func TestMessages_Answer(t *testing.T) {
	t.Parallel()
	s := start(t, sim.Config{Seed: 1, Instant: true, Models: map[string]sim.ModelProfile{"m": perfect()}})
	g := post(t, s.URL()+"/any/prefix"+pathMessages, messagesBody(t, "m", "Sort.\n- red\n- blue: the colour of the sky", "hello world"), nil)
	require.Equal(t, http.StatusOK, g.status)
	require.Equal(t, "application/json", g.header.Get("Content-Type"))
	require.Regexp(t, `^req_[0-9a-f]{16}$`, g.header.Get("Request-Id"))
	var answer struct {
		ID         string            `json:"id"`
		Type       string            `json:"type"`
		Role       string            `json:"role"`
		Model      string            `json:"model"`
		Content    []json.RawMessage `json:"content"`
		StopReason string            `json:"stop_reason"`
	}
	g.json(t, &answer)
	require.Regexp(t, `^msg_[0-9a-f]{16}$`, answer.ID)
	require.Equal(t, "message", answer.Type)
	require.Equal(t, "assistant", answer.Role)
	require.Equal(t, "m", answer.Model)
	require.Equal(t, "end_turn", answer.StopReason)
	require.Len(t, answer.Content, 1)
	require.Contains(t, []string{`{"type":"text","text":"red"}`, `{"type":"text","text":"blue"}`}, string(answer.Content[0]))
	require.Equal(t, object{
		"input_tokens": 2.0 + 13 + 3 + 3, "cache_creation_input_tokens": 0.0, "cache_read_input_tokens": 0.0, "output_tokens": 1.0,
		"cache_creation": object{"ephemeral_5m_input_tokens": 0.0, "ephemeral_1h_input_tokens": 0.0}, "service_tier": "standard",
	}, usageOf(t, g))
}

func TestCompletions_Answer(t *testing.T) {
	t.Parallel()
	m := perfect()
	m.Snapshot = "m-2026-01-01"
	s := start(t, sim.Config{Seed: 1, Instant: true, Models: map[string]sim.ModelProfile{"m": m}, Now: newClock().Now})
	g := post(t, s.URL()+"/compat"+pathCompletions, completionsBody(t, "m", "Answer with exactly one of these words: red, blue.", "hello world"), nil)
	require.Equal(t, http.StatusOK, g.status)
	require.Regexp(t, `^req_[0-9a-f]{16}$`, g.header.Get("X-Request-Id"))
	var answer struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		Model   string `json:"model"`
		Tier    string `json:"service_tier"`
		Choices []struct {
			FinishReason string `json:"finish_reason"`
			Message      struct {
				Role    string  `json:"role"`
				Content string  `json:"content"`
				Refusal *string `json:"refusal"`
			} `json:"message"`
		} `json:"choices"`
	}
	g.json(t, &answer)
	require.Regexp(t, `^chatcmpl-[0-9a-f]{16}$`, answer.ID)
	require.Equal(t, "chat.completion", answer.Object)
	require.Equal(t, newClock().Now().Unix(), answer.Created)
	require.Equal(t, "m-2026-01-01", answer.Model)
	require.Equal(t, "default", answer.Tier)
	require.Len(t, answer.Choices, 1)
	require.Equal(t, "stop", answer.Choices[0].FinishReason)
	require.Contains(t, []string{"red", "blue"}, answer.Choices[0].Message.Content)
	require.Nil(t, answer.Choices[0].Message.Refusal)
	u := usageOf(t, g)
	require.Equal(t, number(t, u, "prompt_tokens")+number(t, u, "completion_tokens"), number(t, u, "total_tokens"))
	require.Equal(t, 2+12+3+3+3, number(t, u, "prompt_tokens"), "two words, twelve tokens of system prompt, three for each turn and the answer")
	for _, path := range []string{
		"prompt_tokens_details.cached_tokens", "prompt_tokens_details.cache_write_tokens", "completion_tokens_details.reasoning_tokens",
	} {
		require.Zero(t, number(t, u, path))
	}
}

func TestCompletions_Tier(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	for _, tc := range []struct{ name, asked, want string }{
		{"Flex", "flex", "flex"}, {"Priority", "priority", "priority"}, {"Auto", "auto", "default"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := post(t, s.URL()+pathCompletions, encode(t, object{
				"model": "gpt-6-luna", "service_tier": tc.asked, "messages": []object{{"role": "user", "content": "x"}},
			}), nil)
			var answer struct {
				Tier string `json:"service_tier"`
			}
			g.json(t, &answer)
			require.Equal(t, tc.want, answer.Tier)
		})
	}
}

func TestMessages_Refusals(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	turn := []object{{"role": "user", "content": "x"}}
	marked := object{"type": "text", "text": "x", "cache_control": object{"type": "ephemeral"}}
	long := object{"type": "text", "text": "x", "cache_control": object{"type": "ephemeral", "ttl": "1h"}}
	for _, tc := range []struct {
		name    string
		body    any
		status  int
		kind    string
		message string
	}{
		{"NotJSON", "x", 400, "invalid_request_error", "not valid"},
		{"NoModel", object{"max_tokens": 1, "messages": turn}, 400, "invalid_request_error", "model"},
		{"NoLimit", object{"model": "claude-haiku-5-5", "messages": turn}, 400, "invalid_request_error", "max_tokens"},
		{"NoMessages", object{"model": "claude-haiku-5-5", "max_tokens": 1}, 400, "invalid_request_error", "messages"},
		{"ModelFirst", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": []object{{"role": "assistant", "content": "x"}}}, 400, "invalid_request_error", "role user"},
		{"Prefilled", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": append(turn[:1:1], object{"role": "assistant", "content": "x"})}, 400, "invalid_request_error", "assistant"},
		{"Sampled", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": turn, "temperature": 0.5}, 400, "invalid_request_error", "temperature"},
		{"Forced", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": turn, "tool_choice": object{"type": "any"}}, 400, "invalid_request_error", "tool_choice"},
		{"Streamed", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": turn, "stream": true}, 400, "invalid_request_error", "stream"},
		{"LimitTooHigh", object{"model": "claude-haiku-5-5", "max_tokens": 200_000, "messages": turn}, 400, "invalid_request_error", "128000"},
		{"TooManyMarks", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": turn, "system": []object{marked, marked, marked, marked, marked}}, 400, "invalid_request_error", "at most 4"},
		{"LongAfterShort", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": turn, "system": []object{marked, long}}, 400, "invalid_request_error", "1h"},
		{"UnknownModel", object{"model": "claude-1", "max_tokens": 1, "messages": turn}, 404, "not_found_error", "claude-1"},
		{"TooLong", object{"model": "claude-haiku-5-5", "max_tokens": 1, "messages": []object{{"role": "user", "content": strings.Repeat("word ", 900_000)}}}, 400, "invalid_request_error", "prompt is too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := post(t, s.URL()+pathMessages, encode(t, tc.body), nil)
			require.Equal(t, tc.status, g.status, string(g.body))
			var body struct {
				Type  string `json:"type"`
				Error struct {
					Type    string `json:"type"`
					Message string `json:"message"`
				} `json:"error"`
				RequestID string `json:"request_id"`
			}
			g.json(t, &body)
			require.Equal(t, "error", body.Type)
			require.Equal(t, tc.kind, body.Error.Type)
			require.Contains(t, body.Error.Message, tc.message)
			require.Equal(t, g.header.Get("Request-Id"), body.RequestID)
		})
	}
}

func TestMessages_VersionIsRequired(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	g := post(t, s.URL()+pathMessages, messagesBody(t, "claude-haiku-5-5", "", "x"), map[string]string{"Anthropic-Version": ""})
	require.Equal(t, http.StatusBadRequest, g.status)
	require.Contains(t, string(g.body), "anthropic-version")
}

func TestCompletions_Refusals(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	turn := []object{{"role": "user", "content": "x"}}
	for _, tc := range []struct {
		name    string
		body    any
		status  int
		code    any
		message string
	}{
		{"NotJSON", "x", 400, nil, "cannot be parsed"},
		{"NoModel", object{"messages": turn}, 400, nil, "model"},
		{"NoMessages", object{"model": "gpt-6-luna"}, 400, nil, "messages"},
		{"TwoChoices", object{"model": "gpt-6-luna", "messages": turn, "n": 2}, 400, nil, "n must be 1"},
		{"Streamed", object{"model": "gpt-6-luna", "messages": turn, "stream": true}, 400, nil, "stream"},
		{"LimitTooHigh", object{"model": "gpt-4o-mini", "messages": turn, "max_tokens": 20_000}, 400, nil, "16384"},
		{"UnknownModel", object{"model": "gpt-1", "messages": turn}, 404, "model_not_found", "gpt-1"},
		{"TooLong", object{"model": "gpt-4o-mini", "messages": []object{{"role": "user", "content": strings.Repeat("word ", 110_000)}}}, 400, "context_length_exceeded", "128000 maximum context length"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := post(t, s.URL()+pathCompletions, encode(t, tc.body), nil)
			require.Equal(t, tc.status, g.status, string(g.body))
			var body struct {
				Error object `json:"error"`
			}
			g.json(t, &body)
			require.Equal(t, tc.code, body.Error["code"])
			require.Equal(t, "invalid_request_error", body.Error["type"])
			require.Contains(t, body.Error["message"], tc.message)
			require.Contains(t, body.Error, "param")
		})
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Key = "sesame"
	s := start(t, cfg)
	a, o := messagesBody(t, "claude-haiku-5-5", "", "x"), completionsBody(t, "gpt-6-luna", "", "x")
	require.Equal(t, 401, post(t, s.URL()+pathMessages, a, nil).status)
	require.Equal(t, 401, post(t, s.URL()+pathCompletions, o, map[string]string{"Authorization": "Bearer guess"}).status)
	g := generateBody(t, "", "x")
	require.Equal(t, 400, post(t, s.URL()+pathGenerate("gemini-3.5-flash-lite"), g, nil).status, "as Google says it")
	require.Equal(t, 200, post(t, s.URL()+pathGenerate("gemini-3.5-flash-lite"), g, map[string]string{"X-Goog-Api-Key": "sesame"}).status)
	require.Equal(t, 200, post(t, s.URL()+pathMessages, a, map[string]string{"X-Api-Key": "sesame"}).status)
	require.Equal(t, 200, post(t, s.URL()+pathCompletions, o, map[string]string{"Authorization": "Bearer sesame"}).status)
}

func TestRouting(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.AnyModel = true
	s := start(t, cfg)
	require.Equal(t, 404, post(t, s.URL()+"/v1/moderations", []byte(`{}`), nil).status)
	require.Equal(t, 404, post(t, s.URL()+"/v1beta/models/m:streamGenerateContent", []byte(`{}`), nil).status)
	require.Equal(t, 404, post(t, s.URL()+"/v1beta/m:generateContent", []byte(`{}`), nil).status)
	require.Equal(t, 200, post(t, s.URL()+pathMessages, messagesBody(t, "any-model", "", "x"), nil).status)
	response, err := http.Get(s.URL() + pathMessages) //nolint:noctx // a method that is not allowed
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := newClock()
	cfg := fast(1)
	cfg.Now = now.Now
	cfg.RateLimits = map[string]sim.RateLimit{
		"claude-haiku-5-5": {RequestsPerMinute: 60, Burst: 2}, "gpt-6-luna": {RequestsPerMinute: 60, Burst: 2},
	}
	s := start(t, cfg)
	for _, tc := range []struct {
		name, path string
		body       []byte
		remaining  string
		limit      string
		kind       string
	}{
		{"Anthropic", pathMessages, messagesBody(t, "claude-haiku-5-5", "", "x"), "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Limit", "rate_limit_error"},
		{"OpenAI", pathCompletions, completionsBody(t, "gpt-6-luna", "", "x"), "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Limit-Requests", "rate_limit_exceeded"},
	} { // one after the other: they share the clock
		for _, want := range []string{"1", "0"} {
			g := post(t, s.URL()+tc.path, tc.body, nil)
			require.Equal(t, 200, g.status, tc.name)
			require.Equal(t, want, g.header.Get(tc.remaining))
			require.Equal(t, "60", g.header.Get(tc.limit))
			require.Empty(t, g.header.Get("Retry-After"))
		}
		g := post(t, s.URL()+tc.path, tc.body, nil)
		require.Equal(t, 429, g.status)
		require.Equal(t, "1", g.header.Get("Retry-After"))
		require.Equal(t, "0", g.header.Get(tc.remaining))
		require.Contains(t, string(g.body), tc.kind)
		now.add(1100 * 1_000_000)
		require.Equal(t, 200, post(t, s.URL()+tc.path, tc.body, nil).status)
		require.Equal(t, 429, post(t, s.URL()+tc.path, tc.body, nil).status)
	}
	require.Equal(t, 200, post(t, s.URL()+pathMessages, messagesBody(t, "claude-opus-5-5", "", "x"), nil).status, "other models have no limit")
	stats := s.Stats().Models["gpt-6-luna"]
	require.EqualValues(t, 2, stats.Outcomes[sim.OutcomeRateLimited])
	require.EqualValues(t, 3, stats.Billed)
}
