package sim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

func pathGenerate(model string) string { return "/v1beta/models/" + model + ":generateContent" }

func generateBody(tb testing.TB, system, input string) []byte {
	tb.Helper()
	body := object{
		"contents":         []object{{"parts": []object{{"text": input}}, "role": "user"}},
		"generationConfig": object{"maxOutputTokens": 500},
	}
	if system != "" {
		body["systemInstruction"] = object{"parts": []object{{"text": system}}}
	}
	return encode(tb, body)
}

// generated is an answer of generateContent.
type generated struct {
	Candidates []struct {
		Content *struct {
			Role  string   `json:"role"`
			Parts []object `json:"parts"`
		} `json:"content"`
		FinishReason string `json:"finishReason"`
	} `json:"candidates"`
	Usage        map[string]any `json:"usageMetadata"`
	ModelVersion string         `json:"modelVersion"`
	ResponseID   string         `json:"responseId"`
}

func generatedBy(tb testing.TB, g got) generated {
	tb.Helper()
	require.Equal(tb, http.StatusOK, g.status, string(g.body))
	var answer generated
	g.json(tb, &answer)
	require.Len(tb, answer.Candidates, 1)
	return answer
}

func TestGenerate_Answer(t *testing.T) {
	t.Parallel()
	thinker := perfect()
	thinker.Reasoning = 1000
	refuser := perfect()
	refuser.Refuse = 1000
	s := start(t, sim.Config{Seed: 1, Instant: true, Models: map[string]sim.ModelProfile{"m": perfect(), "t": thinker, "r": refuser}})
	ask := func(model string) generated {
		return generatedBy(t, post(t, s.URL()+"/any/prefix"+pathGenerate(model),
			generateBody(t, "Answer with exactly one of these words: red, blue.", "hello world"), nil))
	}
	plain := ask("m")
	require.Equal(t, "STOP", plain.Candidates[0].FinishReason)
	require.Equal(t, "model", plain.Candidates[0].Content.Role)
	require.Contains(t, []any{"red", "blue"}, plain.Candidates[0].Content.Parts[0]["text"])
	require.Equal(t, "m", plain.ModelVersion)
	require.Regexp(t, `^[0-9a-f]{16}$`, plain.ResponseID)
	require.Equal(t, 2+12+3+3+3, number(t, plain.Usage, "promptTokenCount"))
	require.Equal(t, 1, number(t, plain.Usage, "candidatesTokenCount"))
	require.NotContains(t, plain.Usage, "thoughtsTokenCount", "what is 0 is left out")
	require.NotContains(t, plain.Usage, "cachedContentTokenCount")

	thought := ask("t").Usage
	require.Equal(t, 1, number(t, thought, "candidatesTokenCount"), "without the thoughts")
	require.Positive(t, number(t, thought, "thoughtsTokenCount"))
	require.Equal(t, number(t, thought, "promptTokenCount")+1+number(t, thought, "thoughtsTokenCount"), number(t, thought, "totalTokenCount"))

	refused := ask("r")
	require.Equal(t, "SAFETY", refused.Candidates[0].FinishReason)
	require.Nil(t, refused.Candidates[0].Content)
	require.Positive(t, number(t, refused.Usage, "candidatesTokenCount"), "billed all the same")
}

// TestGenerate_ByTheClient asks with weir's own client for what a call can hold.
func TestGenerate_ByTheClient(t *testing.T) {
	t.Parallel()
	s := start(t, sim.Config{Seed: 1, Instant: true, Models: map[string]sim.ModelProfile{"m": perfect()}})
	p, err := gemini.New(providers.Config{BaseURL: s.URL(), AllowPrivate: true})
	require.NoError(t, err)
	call := question("m")
	call.Tools = []task.Tool{{Name: "lookup", Parameters: []byte(`{"type":"object","properties":{"order":{"type":"integer"}},"required":["order"]}`)}}
	reply, failure := do(t.Context(), t, p, call)
	require.Nil(t, failure)
	require.Equal(t, providers.StopTools, reply.Stop)
	require.Len(t, reply.ToolCalls, 1)
	require.Equal(t, "lookup", reply.ToolCalls[0].Name)
	require.Contains(t, reply.ToolCalls[0].Arguments, `"order"`)
	require.Equal(t, "standard", reply.ServiceTier)

	call = question("m")
	call.JSONSchema, call.Schema = true, []byte(`{"type":"object","properties":{"team":{"enum":["x"]}},"required":["team"]}`)
	reply, failure = do(t.Context(), t, p, call)
	require.Nil(t, failure)
	require.JSONEq(t, `{"team":"x"}`, reply.Output)

	call.MaxOutputTokens = 2
	reply, failure = do(t.Context(), t, p, call)
	require.Nil(t, failure)
	require.Equal(t, providers.StopMaxTokens, reply.Stop)
	require.Equal(t, s.Ledger()[2].Usage, *reply.Usage)
}

func TestGenerate_ImplicitCache(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.MinCacheTokens = 1024
	s := start(t, cfg)
	ask := func(input string) map[string]any {
		return generatedBy(t, post(t, s.URL()+pathGenerate("gemini-3.5-flash-lite"), generateBody(t, stable(2000), input), nil)).Usage
	}
	require.NotContains(t, ask("a"), "cachedContentTokenCount")
	second := ask("b")
	require.Equal(t, 1920, number(t, second, "cachedContentTokenCount"))
	require.Equal(t, 2000+3*perTurn+1, number(t, second, "promptTokenCount"), "the cached tokens are a part of the prompt")
	for _, e := range s.Ledger() {
		require.Zero(t, e.Usage.CacheWrite5m+e.Usage.CacheWrite30m+e.Usage.CacheWrite1h, "writing is free")
	}
}

func TestGenerate_Refusals(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	turn := []object{{"parts": []object{{"text": "x"}}}}
	for _, tc := range []struct {
		name, model string
		body        any
		status      int
		kind        string
		message     string
	}{
		{"NotJSON", "gemini-3.8-flash", "x", 400, "INVALID_ARGUMENT", "Invalid JSON"},
		{"NoContents", "gemini-3.8-flash", object{}, 400, "INVALID_ARGUMENT", "contents"},
		{"LimitTooHigh", "gemini-3.8-flash", object{"contents": turn, "generationConfig": object{"maxOutputTokens": 70_000}}, 400, "INVALID_ARGUMENT", "65536"},
		{"NegativeLimit", "gemini-3.8-flash", object{"contents": turn, "generationConfig": object{"maxOutputTokens": -1}}, 400, "INVALID_ARGUMENT", "positive"},
		{"UnknownModel", "gemini-1", object{"contents": turn}, 404, "NOT_FOUND", "gemini-1"},
		{"TooLong", "gemini-3.8-flash", object{"contents": []object{{"parts": []object{{"text": strings.Repeat("word ", 900_000)}}}}}, 400, "INVALID_ARGUMENT", "exceeds the maximum number of tokens"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := post(t, s.URL()+pathGenerate(tc.model), encode(t, tc.body), nil)
			require.Equal(t, tc.status, g.status, string(g.body))
			var body struct {
				Error struct {
					Code    int    `json:"code"`
					Message string `json:"message"`
					Status  string `json:"status"`
				} `json:"error"`
			}
			g.json(t, &body)
			require.Equal(t, tc.status, body.Error.Code)
			require.Equal(t, tc.kind, body.Error.Status)
			require.Contains(t, body.Error.Message, tc.message)
		})
	}
}

func TestGenerate_RateLimit(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Now = newClock().Now
	cfg.RateLimits = map[string]sim.RateLimit{"gemini-3.8-flash": {RequestsPerMinute: 7, Burst: 1}}
	s := start(t, cfg)
	p, err := gemini.New(providers.Config{BaseURL: s.URL(), AllowPrivate: true})
	require.NoError(t, err)
	_, failure := do(t.Context(), t, p, question("gemini-3.8-flash"))
	require.Nil(t, failure)
	_, failure = do(t.Context(), t, p, question("gemini-3.8-flash"))
	require.NotNil(t, failure)
	require.Equal(t, task.FailRateLimited, failure.Class)
	require.EqualValues(t, 60_000_000_000/7, failure.RetryAfter, "to the nanosecond")
	g := post(t, s.URL()+pathGenerate("gemini-3.8-flash"), generateBody(t, "", "x"), nil)
	require.Equal(t, http.StatusTooManyRequests, g.status)
	require.Empty(t, g.header.Get("Retry-After"), "the wait stands in the body")
}
