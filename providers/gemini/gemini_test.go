package gemini_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

const (
	model    = "gemini-3.8-flash"
	rawUsage = `{"promptTokenCount":1000,"candidatesTokenCount":20,"totalTokenCount":1135,"cachedContentTokenCount":600,` +
		`"promptTokensDetails":[{"modality":"TEXT","tokenCount":940},{"modality":"AUDIO","tokenCount":40},{"modality":"IMAGE","tokenCount":20}],` +
		`"cacheTokensDetails":[{"modality":"TEXT","tokenCount":590},{"modality":"AUDIO","tokenCount":10}],` +
		`"thoughtsTokenCount":100,"toolUsePromptTokenCount":15}`
	plainUsage = `{"promptTokenCount":12,"candidatesTokenCount":3,"totalTokenCount":15}`
)

// body is an answer with one candidate, whose parts are given as JSON.
func body(parts, finish, usage string) string {
	return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"},"finishReason":` + finish +
		`,"index":0}],"usageMetadata":` + usage + `,"modelVersion":"` + model + `","responseId":"r-1"}`
}

func text(s string) string { return `{"text":"` + s + `"}` }

func failed(code, status, message, details string) string {
	return `{"error":{"code":` + code + `,"message":"` + message + `","status":"` + status + `","details":[` + details + `]}}`
}

const (
	retryInfo = `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"45.837906927s"}`
	perMinute = `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{` +
		`"quotaMetric":"generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count",` +
		`"quotaId":"GenerateContentPaidTierInputTokensPerModelPerMinute","quotaValue":"4000000"}]}`
	perDay = `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{` +
		`"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests",` +
		`"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"20"}]}`
	overQuota = "You exceeded your current quota, please check your plan and billing details."
)

func reason(word string) string {
	return `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"` + word + `","domain":"googleapis.com"}`
}

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Suite{
		New:        gemini.New,
		KeyHeader:  "X-Goog-Api-Key",
		SchemaLast: true,
		Counts:     &providertest.Counts{Path: "/models/model-1:countTokens", Field: "totalTokens", Whole: true},
		Good:       body(text("shipping"), `"STOP"`, rawUsage),
		Output:     "shipping",
		Usage: task.Usage{
			Input: 365, CacheRead: 600, InputAudio: 30, InputImage: 20, Output: 120, Reasoning: 100,
		},
		Answers:  append(stops(), contents()...),
		Refusals: refusals(),
	})
}

func reply(text string, stop providers.StopReason, raw string) providers.Reply {
	return providers.Reply{
		Output: text, Model: model, Stop: stop, RawStop: raw, RequestID: "r-1",
		Usage: &task.Usage{Input: 12, Output: 3}, RawUsage: json.RawMessage(plainUsage),
	}
}

func stops() []providertest.Answer {
	var out []providertest.Answer
	for raw, stop := range map[string]providers.StopReason{
		"STOP": providers.StopEnd, "MAX_TOKENS": providers.StopMaxTokens, "SAFETY": providers.StopFilter,
		"RECITATION": providers.StopFilter, "PROHIBITED_CONTENT": providers.StopFilter, "SPII": providers.StopFilter,
		"BLOCKLIST": providers.StopFilter, "LANGUAGE": providers.StopOther, "OTHER": providers.StopOther,
		"MALFORMED_FUNCTION_CALL": providers.StopOther, "SOMETHING_NEW": providers.StopOther,
	} {
		out = append(out, providertest.Answer{
			Name: raw, Body: body(text("half a"), `"`+raw+`"`, plainUsage), Want: reply("half a", stop, raw),
		})
	}
	return out
}

// promptUsage is that of an answer without output: Google's JSON leaves out what is 0.
const promptUsage = `{"promptTokenCount":12,"totalTokenCount":12}`

func contents() []providertest.Answer {
	unmetered := reply("billing", providers.StopEnd, "STOP")
	unmetered.Usage, unmetered.RawUsage = nil, nil
	contradicting := unmetered
	contradicting.RawUsage = json.RawMessage(`{"promptTokenCount":12,"candidatesTokenCount":3,"totalTokenCount":99}`)
	free := unmetered
	free.RawUsage = json.RawMessage(promptUsage)
	tools := reply("", providers.StopTools, "STOP")
	tools.ToolCalls = []task.ToolCall{{Name: "lookup", Arguments: `{"order": 7}`}, {Name: "wait", Arguments: "{}"}}
	blocked := reply("", providers.StopFilter, "PROHIBITED_CONTENT")
	blocked.Usage, blocked.RawUsage = &task.Usage{Input: 12}, json.RawMessage(promptUsage)
	silent := blocked
	silent.Stop, silent.RawStop = providers.StopFilter, "SAFETY"
	nothing := blocked
	nothing.Stop, nothing.RawStop = providers.StopOther, ""
	bare := providers.Reply{Stop: providers.StopOther}
	frame := func(inner string) string {
		return `{` + inner + `"usageMetadata":` + promptUsage + `,"modelVersion":"` + model + `","responseId":"r-1"}`
	}
	return []providertest.Answer{
		{Name: "MissingUsage", Body: body(text("billing"), `"STOP"`, "null"), Want: unmetered},
		{Name: "ContradictingUsage", Body: body(text("billing"), `"STOP"`, string(contradicting.RawUsage)), Want: contradicting},
		{Name: "TextForNothing", Body: body(text("billing"), `"STOP"`, promptUsage), Want: free},
		{
			Name: "ThoughtsAreNoOutput",
			Body: body(`{"text":"let me see","thought":true},{"text":"a","thoughtSignature":"c2ln"},{"text":"b"}`, `"STOP"`, plainUsage),
			Want: reply("ab", providers.StopEnd, "STOP"),
		},
		{
			Name: "Tools",
			Body: body(`{"functionCall":{"name":"lookup","args":{"order": 7}},"thoughtSignature":"c2ln"},{"functionCall":{"name":"wait"}}`, `"STOP"`, plainUsage),
			Want: tools,
		},
		{Name: "EmptyContent", Body: body("", `"STOP"`, plainUsage), Want: reply("", providers.StopEnd, "STOP")},
		{Name: "NoFinishReason", Body: body(text("half a"), "null", plainUsage), Want: reply("half a", providers.StopOther, "")},
		{Name: "PromptBlocked", Body: frame(`"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},`), Want: blocked},
		{Name: "CandidateWithoutContent", Body: frame(`"candidates":[{"finishReason":"SAFETY","index":0}],`), Want: silent},
		{Name: "NoCandidate", Body: frame(`"candidates":[],`), Want: nothing, Class: task.FailMalformed},
		{Name: "EmptyCandidate", Body: frame(`"candidates":[{}],`), Want: nothing, Class: task.FailMalformed},
		{Name: "ErrorInside", Body: failed("503", "UNAVAILABLE", "m", ""), Want: bare, Class: task.FailOverloaded},
		{Name: "UnknownErrorInside", Body: `{"error":{}}`, Want: bare, Class: task.FailServer},
	}
}

func refusals() []providertest.Refusal {
	const wait = 45_837_906_927 * time.Nanosecond
	soon := map[string]string{"Retry-After": "20"}
	return []providertest.Refusal{
		{Name: "RateLimit", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", overQuota, perMinute+","+retryInfo), Class: task.FailRateLimited, RetryAfter: wait, Message: "current quota"},
		{Name: "RateLimitWithoutDetails", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", ""), Class: task.FailRateLimited},
		{Name: "HeaderGoesFirst", Status: 429, Header: soon, Body: failed("429", "RESOURCE_EXHAUSTED", "m", retryInfo), Class: task.FailRateLimited, RetryAfter: 20 * time.Second},
		{Name: "OddDetailIsLeftOut", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", "m", `7,{"violations":"x"},{"retryDelay":5},`+retryInfo), Class: task.FailRateLimited, RetryAfter: wait},
		{Name: "OddDelay", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", "m", `{"retryDelay":"-5s"},{"retryDelay":"1h3s"},{"retryDelay":"soon"}`), Class: task.FailRateLimited},
		{Name: "AbsurdDelay", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", "m", `{"retryDelay":"9000000000s"}`), Class: task.FailRateLimited, RetryAfter: 31 * 24 * time.Hour},
		{Name: "DayIsUsedUp", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", overQuota, perDay+","+retryInfo), Class: task.FailQuota},
		{Name: "SpendingCap", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap.", ""), Class: task.FailQuota},
		{Name: "NoCapacity", Status: 429, Body: failed("429", "RESOURCE_EXHAUSTED", "No capacity available.", reason("MODEL_CAPACITY_EXHAUSTED")), Class: task.FailOverloaded},
		{Name: "Key", Status: 400, Body: failed("400", "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason("API_KEY_INVALID")), Class: task.FailAuth},
		{Name: "KeyByWords", Status: 400, Body: failed("400", "INVALID_ARGUMENT", "API key expired. Please renew the API key.", ""), Class: task.FailAuth},
		{Name: "Country", Status: 400, Body: failed("400", "FAILED_PRECONDITION", "User location is not supported for the API use.", ""), Class: task.FailAuth},
		{Name: "Permission", Status: 403, Body: failed("403", "PERMISSION_DENIED", "m", reason("SERVICE_DISABLED")), Class: task.FailAuth},
		{Name: "NoBilling", Status: 403, Body: failed("403", "PERMISSION_DENIED", "m", reason("BILLING_DISABLED")), Class: task.FailQuota},
		{Name: "TooLong", Status: 400, Body: failed("400", "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", ""), Class: task.FailTooLong},
		{Name: "TooLarge", Status: 400, Body: failed("400", "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes.", ""), Class: task.FailTooLong},
		{Name: "BadRequest", Status: 400, Body: failed("400", "INVALID_ARGUMENT", "Invalid value at 'contents'.", ""), Class: task.FailBadRequest, Message: "contents"},
		{Name: "NoModel", Status: 404, Body: failed("404", "NOT_FOUND", "models/gemini-9 is not found for API version v1beta.", ""), Class: task.FailNotFound},
		{Name: "Overloaded", Status: 503, Body: failed("503", "UNAVAILABLE", "The model is overloaded. Please try again later.", ""), Class: task.FailOverloaded},
		{Name: "Internal", Status: 500, Body: failed("500", "INTERNAL", "m", ""), Class: task.FailServer},
		{Name: "Deadline", Status: 504, Body: failed("504", "DEADLINE_EXCEEDED", "m", ""), Class: task.FailServer},
		{Name: "Cancelled", Status: 499, Body: failed("499", "CANCELLED", "m", ""), Class: task.FailServer},
		{Name: "NoMessage", Status: 500, Body: `{"error":{"code":500}}`, Class: task.FailServer},
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	p, err := gemini.New(providers.Config{})
	require.NoError(t, err)
	call := providers.Call{
		Model: model, System: "Sort.", Context: []string{"", "Teams \"A\"."}, MaxOutputTokens: 5,
		Tools:    []task.Tool{{Name: "a", Parameters: []byte(`{"type": "object"}`)}, {Name: "b", Description: "B"}},
		Messages: []task.Message{{Role: "user", Content: "x"}, {Role: "assistant", Content: "y"}, {Role: "user", Content: "z"}},
		Schema:   []byte(`{"type": "object"}`),
	}
	const stable = `{"tools":[{"functionDeclarations":[{"name":"a","parametersJsonSchema":{"type": "object"}},` +
		`{"name":"b","description":"B"}]}],"systemInstruction":{"parts":[{"text":"Sort."},{"text":"Teams \"A\"."}]},` +
		`"contents":[{"role":"user","parts":[{"text":"x"}]},{"role":"model","parts":[{"text":"y"}]},` +
		`{"role":"user","parts":[{"text":"z"}]}],"generationConfig":{`
	request, err := p.Prepare(call)
	require.NoError(t, err)
	require.Equal(t, "/models/gemini-3.8-flash:generateContent", request.Path)
	requireBody(t, stable+`"maxOutputTokens":5}}`, request)

	call.JSONSchema = true
	request, err = p.Prepare(call)
	require.NoError(t, err)
	requireBody(t, stable+`"responseMimeType":"application/json","responseJsonSchema":{"type": "object"},"maxOutputTokens":5}}`, request)

	request, err = p.Prepare(providers.Call{
		Model: model, MaxOutputTokens: 5, Messages: []task.Message{{Role: "user", Content: "x"}},
	})
	require.NoError(t, err)
	requireBody(t, `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5}}`, request)
}

// requireBody compares byte for byte: a prompt cache does.
func requireBody(t *testing.T, want string, r providers.Request) {
	t.Helper()
	require.Equal(t, want, string(r.Body))
}

func TestPrepare_RefusesNamesThatAreNoSegment(t *testing.T) {
	t.Parallel()
	p, err := gemini.New(providers.Config{})
	require.NoError(t, err)
	for _, name := range []string{
		".", "..", "a/b", "models/a", "../files/x", "a:streamGenerateContent", "a?key=b", "a#b", "a%2Fb", "a b", "a\\b", "ä", "a\n",
	} {
		_, err := p.Prepare(providers.Call{
			Model: name, MaxOutputTokens: 5, Messages: []task.Message{{Role: "user", Content: "x"}},
		})
		require.ErrorIs(t, err, providers.ErrCall, name)
	}
}

func TestDo_URLAndTier(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.RequestURI
		w.Header().Set("X-Gemini-Service-Tier", "PRIORITY")
		_, _ = io.WriteString(w, body(text("a"), `"STOP"`, plainUsage))
	}))
	t.Cleanup(server.Close)
	for base, want := range map[string]string{
		"":        "/v1beta/models/gemini-3.8-flash:generateContent",
		"/proxy/": "/proxy/v1beta/models/gemini-3.8-flash:generateContent",
	} {
		p, err := gemini.New(providers.Config{BaseURL: server.URL + base, AllowPrivate: true})
		require.NoError(t, err)
		request, err := p.Prepare(providers.Call{
			Model: model, MaxOutputTokens: 5, Messages: []task.Message{{Role: "user", Content: "x"}},
		})
		require.NoError(t, err)
		reply, err := p.Do(t.Context(), request)
		require.NoError(t, err)
		require.Equal(t, want, <-got)
		require.Equal(t, "priority", reply.ServiceTier)
	}
}
