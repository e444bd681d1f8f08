package embed_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/task"
)

// packed is a vector as providers send it in base64.
func packed(numbers ...float32) string {
	var raw []byte
	for _, n := range numbers {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(n))
	}
	return `"` + base64.StdEncoding.EncodeToString(raw) + `"`
}

// served answers every request with one answer and notes the last request.
type served struct {
	status int
	header map[string]string
	body   string

	request *http.Request
	sent    []byte
}

func (s *served) client(t *testing.T, api string, change func(*providers.Config)) *embed.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.request = r
		s.sent, _ = io.ReadAll(r.Body)
		for name, value := range s.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(max(s.status, http.StatusOK))
		_, _ = io.WriteString(w, s.body)
	}))
	t.Cleanup(server.Close)
	cfg := providers.Config{BaseURL: server.URL, AllowPrivate: true, Key: providers.NewSecret("sesame-key")}
	if change != nil {
		change(&cfg)
	}
	c, err := embed.New(api, cfg)
	require.NoError(t, err)
	return c
}

func ask(t *testing.T, c *embed.Client, r embed.Request) (embed.Reply, error) {
	t.Helper()
	p, err := c.Prepare(r)
	require.NoError(t, err)
	return c.Do(t.Context(), p)
}

func two() embed.Request {
	return embed.Request{CallID: uuid.Must(uuid.NewV7()), Model: "m-1", Texts: []string{"one", "two \"2\""}}
}

func dialect(name string) func(*providers.Config) {
	return func(c *providers.Config) { c.Dialect = name }
}

func TestDo_Requests(t *testing.T) {
	t.Parallel()
	full := two()
	full.Dimensions, full.InputType, full.Feature = 2, embed.Query, "faq"
	document := two()
	document.InputType = embed.Document
	openAI := `{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[0,1]}],"model":"m-1"}`
	gemini := `{"embeddings":[{"values":[1,0]},{"values":[0,1]}]}`
	azure := func(c *providers.Config) { c.Dialect, c.APIVersion = catalog.DialectAzure, "2026-10-01" }
	for _, tt := range []struct {
		name, api string
		change    func(*providers.Config)
		give      embed.Request
		answer    string
		path      string
		key       string // header
		want      string
	}{
		{"OpenAI", catalog.APIOpenAI, dialect(catalog.DialectOpenAI), full, openAI, "/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""],"dimensions":2,"encoding_format":"base64"}`},
		{"OpenAIByResponses", catalog.APIResponses, nil, two(), openAI, "/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""]}`},
		{"Unknown", catalog.APIOpenAI, nil, two(), openAI, "/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""]}`},
		{"Mistral", catalog.APIOpenAI, dialect(catalog.DialectMistral), full, openAI, "/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""],"output_dimension":2,"encoding_format":"base64"}`},
		{"Azure", catalog.APIOpenAI, azure, two(), openAI, "/openai/deployments/m-1/embeddings?api-version=2026-10-01", "Api-Key", `{"model":"m-1","input":["one","two \"2\""],"encoding_format":"base64"}`},
		{"LiteLLM", catalog.APIOpenAI, dialect(catalog.DialectLiteLLM), full, openAI, "/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""],"dimensions":2,"num_retries":0,"disable_fallbacks":true,"cache":{"no-cache":true}}`},
		{"OpenRouter", catalog.APIOpenAI, dialect(catalog.DialectOpenRouter), two(), openAI, "/api/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""],"provider":{"allow_fallbacks":false}}`},
		{"Voyage", catalog.APIVoyage, nil, full, openAI, "/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""],"input_type":"query","truncation":false,"output_dimension":2,"encoding_format":"base64"}`},
		{"VoyageUnsaid", catalog.APIVoyage, nil, two(), openAI, "/v1/embeddings", "Authorization", `{"model":"m-1","input":["one","two \"2\""],"truncation":false,"encoding_format":"base64"}`},
		{"Gemini", catalog.APIGemini, nil, full, gemini, "/v1beta/models/m-1:batchEmbedContents", "X-Goog-Api-Key", `{"requests":[
			{"model":"models/m-1","content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2},
			{"model":"models/m-1","content":{"parts":[{"text":"two \"2\""}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2}]}`},
		{"GeminiDocument", catalog.APIGemini, nil, document, gemini, "/v1beta/models/m-1:batchEmbedContents", "X-Goog-Api-Key", `{"requests":[
			{"model":"models/m-1","content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_DOCUMENT"},
			{"model":"models/m-1","content":{"parts":[{"text":"two \"2\""}]},"taskType":"RETRIEVAL_DOCUMENT"}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := served{body: tt.answer}
			reply, err := ask(t, s.client(t, tt.api, tt.change), tt.give)
			require.NoError(t, err)
			require.Equal(t, [][]float32{{1, 0}, {0, 1}}, reply.Vectors)
			require.Equal(t, tt.path, s.request.RequestURI)
			require.Contains(t, s.request.Header.Get(tt.key), "sesame-key")
			require.Equal(t, tt.give.CallID.String(), s.request.Header.Get(providers.AttemptHeader))
			require.JSONEq(t, tt.want, string(s.sent))
		})
	}
}

func TestDo_GatewaysGetLabels(t *testing.T) {
	t.Parallel()
	s := served{
		header: map[string]string{"X-Litellm-Response-Cost": "9.1e-05"},
		body:   `{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`,
	}
	reply, err := ask(t, s.client(t, catalog.APIOpenAI, dialect(catalog.DialectLiteLLM)), embed.Request{
		Model: "m", Texts: []string{"x"}, Feature: "faq",
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"feature":"faq"}`, s.request.Header.Get("X-Litellm-Spend-Logs-Metadata"))
	require.Equal(t, new(91*task.USD/1_000_000), reply.ReportedCost)
}

func TestPrepare_Mistakes(t *testing.T) {
	t.Parallel()
	for _, api := range []string{catalog.APIOpenAI, catalog.APIVoyage, catalog.APIGemini} {
		c, err := embed.New(api, providers.Config{})
		require.NoError(t, err)
		for name, r := range map[string]embed.Request{
			"NoModel":   {Texts: []string{"x"}},
			"NoText":    {Model: "m"},
			"EmptyText": {Model: "m", Texts: []string{"x", ""}},
			"Negative":  {Model: "m", Texts: []string{"x"}, Dimensions: -1},
			"InputType": {Model: "m", Texts: []string{"x"}, InputType: "passage"},
		} {
			_, err := c.Prepare(r)
			require.ErrorIs(t, err, providers.ErrCall, "%s: %s", api, name)
		}
	}
	c, err := embed.New(catalog.APIGemini, providers.Config{})
	require.NoError(t, err)
	for _, model := range []string{"a/b", "..", "a:b", "a?b"} {
		_, err := c.Prepare(embed.Request{Model: model, Texts: []string{"x"}})
		require.ErrorIs(t, err, providers.ErrCall, model)
	}
	for _, api := range []string{catalog.APIAnthropic, catalog.APIDeepL, "other"} {
		_, err := embed.New(api, providers.Config{})
		require.ErrorContains(t, err, "has no embeddings")
	}
}

// TestDo_Answers holds what comes of answers of status 200 against what was asked: two texts.
func TestDo_Answers(t *testing.T) {
	t.Parallel()
	const metered = `"model":"m-1","usage":{"prompt_tokens":7,"total_tokens":7}`
	openAI := func(data string) string { return `{"object":"list","data":[` + data + `],` + metered + `}` }
	seven := &task.Usage{Input: 7}
	vectors := [][]float32{{0.1, -2e-7}, {3, 0.25}}
	for _, tt := range []struct {
		name, api, body string
		dimensions      int
		want            [][]float32
		usage           *task.Usage
		class           task.FailureClass
		message         string
	}{
		{name: "Packed", body: openAI(`{"index":0,"embedding":` + packed(0.1, -2e-7) + `},{"index":1,"embedding":` + packed(3, 0.25) + `}`), want: vectors, usage: seven},
		{name: "Decimals", body: openAI(`{"index":0,"embedding":[0.1,-2e-7]},{"index":1,"embedding":[3.0,0.25]}`), want: vectors, usage: seven},
		{name: "OutOfOrder", body: openAI(`{"index":1,"embedding":[3,0.25]},{"index":0,"embedding":[0.1,-2e-7]}`), want: vectors, usage: seven},
		{name: "WithoutIndexes", body: openAI(`{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}`), want: vectors, usage: seven},
		{name: "NewFields", body: openAI(`{"embedding":[0.1,-2e-7],"new":{}},{"embedding":[3,0.25]}`), want: vectors, usage: seven},
		{name: "AsShortAsAsked", body: openAI(`{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}`), dimensions: 2, want: vectors, usage: seven},
		{name: "NotMetered", body: `{"data":[{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}]}`, want: vectors},
		{name: "NullUsage", body: `{"data":[{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}],"usage":null}`, want: vectors},
		{name: "ContradictsItself", body: `{"data":[{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}],"usage":{"prompt_tokens":7,"total_tokens":8}}`, want: vectors},
		{name: "OnlyATotal", body: `{"data":[{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}],"usage":{"total_tokens":7}}`, want: vectors, usage: seven},
		{name: "CountsNothing", body: `{"data":[{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}],"usage":{"prompt_tokens":0,"total_tokens":0}}`, want: vectors},

		{name: "TooFew", body: openAI(`{"index":0,"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "1 for 2 texts"},
		{name: "TooMany", body: openAI(`{"embedding":[1]},{"embedding":[1]},{"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "3 for 2 texts"},
		{name: "SameIndex", body: openAI(`{"index":1,"embedding":[1]},{"index":1,"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "two are of text 1"},
		{name: "IndexBeyond", body: openAI(`{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "of text 2 of 2"},
		{name: "IndexBelow", body: openAI(`{"index":-1,"embedding":[1]},{"index":0,"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "of text -1"},
		{name: "UnequalLengths", body: openAI(`{"embedding":[1,2]},{"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "text 1 has 1 dimensions, the first has 2"},
		{name: "Empty", body: openAI(`{"embedding":[]},{"embedding":[]}`), usage: seven, class: task.FailMalformed, message: "text 0 is empty"},
		{name: "NoVector", body: openAI(`{"index":0},{"index":1}`), usage: seven, class: task.FailMalformed, message: "text 0 is empty"},
		{name: "NotANumber", body: openAI(`{"embedding":` + packed(float32(math.NaN())) + `},{"embedding":` + packed(1) + `}`), usage: seven, class: task.FailMalformed, message: "text 0 has a number that is not finite"},
		{name: "Infinite", body: openAI(`{"embedding":` + packed(1) + `},{"embedding":` + packed(float32(math.Inf(-1))) + `}`), usage: seven, class: task.FailMalformed, message: "text 1 has a number that is not finite"},
		{name: "BeyondFloat32", body: openAI(`{"embedding":[1e39]},{"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "text 0 is neither a list of numbers"},
		{name: "Nulls", body: openAI(`{"embedding":[1,null]},{"embedding":[1,1]}`), usage: seven, class: task.FailMalformed, message: "neither a list of numbers"},
		{name: "NoBase64", body: openAI(`{"embedding":"?"},{"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "neither a list of numbers"},
		{name: "HalfANumber", body: openAI(`{"embedding":"AAA="},{"embedding":[1]}`), usage: seven, class: task.FailMalformed, message: "neither a list of numbers"},
		{name: "LongerThanAsked", body: openAI(`{"embedding":[1,2,3]},{"embedding":[1,2,3]}`), dimensions: 2, usage: seven, class: task.FailInvalid, message: "asked for 2 dimensions, got 3"},
		{name: "ErrorInside", body: `{"error":{"message":"no such thing","code":"model_not_found"}}`, class: task.FailNotFound, message: "no such thing"},
		{name: "Page", body: `<html>`, class: task.FailMalformed, message: "<html>"},

		{name: "Voyage", api: catalog.APIVoyage, body: `{"object":"list","data":[{"object":"embedding","embedding":` + packed(0.1, -2e-7) + `,"index":0},{"embedding":` + packed(3, 0.25) + `,"index":1}],"model":"m-1","usage":{"total_tokens":7}}`, want: vectors, usage: seven},
		{name: "VoyageCountsNothing", api: catalog.APIVoyage, body: `{"data":[{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}],"usage":{"total_tokens":0}}`, want: vectors},
		{name: "VoyageOtherUsage", api: catalog.APIVoyage, body: `{"data":[{"embedding":[0.1,-2e-7]},{"embedding":[3,0.25]}],"usage":{"prompt_tokens":7}}`, want: vectors},
		{name: "VoyageTooFew", api: catalog.APIVoyage, body: `{"data":[{"embedding":[1]}],"usage":{"total_tokens":7}}`, usage: seven, class: task.FailMalformed, message: "1 for 2"},

		{name: "Gemini", api: catalog.APIGemini, body: `{"embeddings":[{"values":[0.1,-2e-07]},{"values":[3,0.25]}]}`, want: vectors},
		{name: "GeminiMetered", api: catalog.APIGemini, body: `{"embeddings":[{"values":[0.1,-2e-07]},{"values":[3,0.25]}],"usageMetadata":{"promptTokenCount":7,"promptTokenDetails":[{"modality":"TEXT","tokenCount":7}]}}`, want: vectors, usage: seven},
		{name: "GeminiCountsImages", api: catalog.APIGemini, body: `{"embeddings":[{"values":[0.1,-2e-07]},{"values":[3,0.25]}],"usageMetadata":{"promptTokenCount":7,"promptTokenDetails":[{"modality":"IMAGE","tokenCount":7}]}}`, want: vectors},
		{name: "GeminiOneForAll", api: catalog.APIGemini, body: `{"embeddings":[{"values":[1]}]}`, class: task.FailMalformed, message: "1 for 2 texts"},
		{name: "GeminiNothing", api: catalog.APIGemini, body: `{}`, class: task.FailMalformed, message: "0 for 2 texts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.api == "" {
				tt.api = catalog.APIOpenAI
			}
			s := served{body: tt.body}
			r := two()
			r.Dimensions = tt.dimensions
			reply, err := ask(t, s.client(t, tt.api, nil), r)
			require.Equal(t, tt.usage, reply.Usage, "what is metered is known whatever the answer is worth")
			require.Equal(t, tt.want, reply.Vectors)
			if tt.class == "" {
				require.NoError(t, err)
				return
			}
			var failed *providers.CallError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, tt.class, failed.Class)
			require.Contains(t, failed.Message, tt.message)
		})
	}
}

// TestDo_AnyBase64: base64 may spell anything, null too.
func TestDo_AnyBase64(t *testing.T) {
	t.Parallel()
	s := served{body: `{"data":[{"embedding":"nullAAAAnullAAAA"}]}`}
	reply, err := ask(t, s.client(t, catalog.APIVoyage, nil), embed.Request{Model: "m", Texts: []string{"x"}})
	require.NoError(t, err)
	require.Equal(t, `"nullAAAAnullAAAA"`, packed(reply.Vectors[0]...))
}

func TestDo_Refusals(t *testing.T) {
	t.Parallel()
	openAI := func(message, kind, code string) string {
		raw, _ := json.Marshal(map[string]any{"error": map[string]any{"message": message, "type": kind, "code": code}})
		return string(raw)
	}
	for _, tt := range []struct {
		name, api, body string
		status          int
		header          map[string]string
		class           task.FailureClass
		wait            time.Duration
	}{
		{name: "TooManyTokens", status: 400, body: openAI("Requested 453357 tokens, max 300000 tokens per request", "max_tokens_per_request", "max_tokens_per_request"), class: task.FailTooLong},
		{name: "InputTooLong", status: 400, body: openAI("Invalid 'input[3]': maximum input length is 8192 tokens.", "invalid_request_error", ""), class: task.FailTooLong},
		{name: "ContextTooLong", status: 400, body: openAI("This model's maximum context length is 8192 tokens, however you requested 9001 tokens", "invalid_request_error", ""), class: task.FailTooLong},
		{name: "InferenceServer", status: 413, body: `{"error":"Input validation error: inputs must have less than 512 tokens. Given: 534","error_type":"Validation"}`, class: task.FailTooLong},
		{name: "NoChatModel", status: 400, body: openAI("'input' is a required property", "invalid_request_error", ""), class: task.FailBadRequest},
		{name: "Quota", status: 429, body: openAI("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), class: task.FailQuota},
		{name: "Limited", status: 429, header: map[string]string{"Retry-After-Ms": "1500"}, body: openAI("Rate limit reached", "tokens", "rate_limit_exceeded"), class: task.FailRateLimited, wait: 1500 * time.Millisecond},
		{name: "Key", status: 401, body: openAI("Incorrect API key provided: sesame-key", "invalid_request_error", "invalid_api_key"), class: task.FailAuth},
		{name: "Server", status: 500, body: "", class: task.FailServer},

		{name: "VoyageBatch", api: catalog.APIVoyage, status: 400, body: `{"detail":"Request to model 'voyage-4-large' failed. The max allowed tokens per submitted batch is 120000. Your batch has 124302 tokens after truncation."}`, class: task.FailTooLong},
		{name: "VoyageInput", api: catalog.APIVoyage, status: 400, body: `{"detail":"Request failed. The example at index 0 in your batch has too many tokens and does not fit into the model's context window of 32000 tokens."}`, class: task.FailTooLong},
		{name: "VoyageModel", api: catalog.APIVoyage, status: 400, body: `{"detail":"Model voyage-9 is not supported."}`, class: task.FailBadRequest},
		{name: "VoyageKey", api: catalog.APIVoyage, status: 401, body: `{"detail":"Provided API key sesame-key is invalid."}`, class: task.FailAuth},
		{name: "VoyageLimited", api: catalog.APIVoyage, status: 429, header: map[string]string{"Retry-After": "20"}, body: `{"detail":"You have exceeded your rate limit."}`, class: task.FailRateLimited, wait: 20 * time.Second},
		{name: "VoyageOverloaded", api: catalog.APIVoyage, status: 503, body: ``, class: task.FailOverloaded},

		{name: "GeminiBatch", api: catalog.APIGemini, status: 400, body: `{"error":{"code":400,"message":"* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n","status":"INVALID_ARGUMENT"}}`, class: task.FailBadRequest},
		{name: "GeminiLimited", api: catalog.APIGemini, status: 429, body: `{"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"45.5s"}]}}`, class: task.FailRateLimited, wait: 45500 * time.Millisecond},
		{name: "GeminiKey", api: catalog.APIGemini, status: 400, body: `{"error":{"code":400,"message":"API key not valid: sesame-key","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, class: task.FailAuth},
		{name: "GeminiModel", api: catalog.APIGemini, status: 404, body: `{"error":{"code":404,"message":"models/m-1 is not found","status":"NOT_FOUND"}}`, class: task.FailNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.api == "" {
				tt.api = catalog.APIOpenAI
			}
			s := served{status: tt.status, header: tt.header, body: tt.body}
			reply, err := ask(t, s.client(t, tt.api, nil), two())
			var failed *providers.CallError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, tt.class, failed.Class, failed.Message)
			require.Equal(t, tt.status, failed.Status)
			require.Equal(t, tt.wait, failed.RetryAfter)
			require.NotContains(t, err.Error(), "sesame-key")
			require.Empty(t, reply)
		})
	}
}

func TestMostInputs(t *testing.T) {
	t.Parallel()
	most := func(api string, dimensions int, cfg providers.Config) int {
		c, err := embed.New(api, cfg)
		require.NoError(t, err)
		return c.MostInputs(dimensions)
	}
	// the answer of the largest request that OpenAI takes does not fit into the bytes that are read by default
	require.Less(t, most(catalog.APIOpenAI, 3072, providers.Config{}), 2048)
	require.Greater(t, most(catalog.APIOpenAI, 256, providers.Config{}), 2048)
	require.Less(t, most(catalog.APIGemini, 3072, providers.Config{}), 100)
	require.Equal(t, 1, most(catalog.APIGemini, 0, providers.Config{MaxBodyBytes: 1024}))

	// as many as are promised do fit, in the longest form that the numbers have
	const dimensions = 64
	s := served{}
	c := s.client(t, catalog.APIGemini, func(cfg *providers.Config) { cfg.MaxBodyBytes = 64 << 10 })
	inputs := c.MostInputs(dimensions)
	number := "        -1.2345678901234567e-33,\n"
	values := strings.TrimSuffix(strings.Repeat(number, dimensions), ",\n")
	one := "    {\n      \"values\": [\n" + values + "\n      ]\n    }"
	s.body = "{\n  \"embeddings\": [\n" + strings.TrimSuffix(strings.Repeat(one+",\n", inputs), ",\n") + "\n  ]\n}\n"
	r := embed.Request{Model: "m", Texts: make([]string, inputs)}
	for i := range r.Texts {
		r.Texts[i] = "x"
	}
	_, err := ask(t, c, r)
	require.NoError(t, err)
}

func TestDo_NobodyListens(t *testing.T) {
	t.Parallel()
	s := served{}
	c := s.client(t, catalog.APIVoyage, func(cfg *providers.Config) { cfg.BaseURL = "http://127.0.0.1:1" })
	_, err := ask(t, c, two())
	var failed *providers.CallError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, task.FailNotSent, failed.Class)
}
