package openai_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

// Each file of testdata/dialects is an answer as one kind of server writes it.
func recorded(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "dialects", name+".json"))
	require.NoError(t, err)
	return string(body)
}

func dialectCall() providers.Call {
	return providers.Call{
		AttemptID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), Model: "model-1", MaxOutputTokens: 64,
		Messages: []task.Message{{Role: "user", Content: "Where is my parcel?"}},
		Tenant:   "acme", Feature: "triage", TaskID: uuid.MustParse("01900000-0000-7000-8000-0000000000aa"),
	}
}

// received is what a server of a dialect was sent.
type received struct {
	target string
	header http.Header
	body   string
}

// ask sends one call to a server that gives one answer.
func ask(t *testing.T, cfg providers.Config, status int, header map[string]string, body string) (
	providers.Reply, received, error,
) {
	t.Helper()
	got := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		got <- received{r.URL.RequestURI(), r.Header, string(sent)}
		w.Header().Set("Content-Type", "application/json")
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	cfg.BaseURL, cfg.AllowPrivate = server.URL+cfg.BaseURL, true
	p, err := openai.New(cfg)
	require.NoError(t, err)
	request, err := p.Prepare(dialectCall())
	require.NoError(t, err)
	reply, err := p.Do(t.Context(), request)
	return reply, <-got, err
}

func TestDialects_Answers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file, dialect string
		header        map[string]string
		usage         *task.Usage
		cost          *task.Pico
		requestID     string
		tier          string
	}{
		{
			file: "openrouter", dialect: "openrouter", requestID: "gen-1795000000-Zk3", cost: new(task.Pico(1_615_000_000)),
			usage: &task.Usage{Input: 100, CacheRead: 1000, CacheWrite30m: 100, Output: 40, Reasoning: 30},
		},
		{
			file: "openrouter_own_key", dialect: "openrouter", requestID: "gen-1795000001-Bq7", cost: new(task.Pico(23_100_000)),
			usage: &task.Usage{Input: 200, Output: 4},
		},
		{
			file: "litellm", dialect: "litellm", requestID: "call-1", cost: new(task.Pico(91_000_000)),
			header: map[string]string{"x-litellm-response-cost": "9.1e-05", "x-litellm-call-id": "call-1"},
			usage:  &task.Usage{Input: 100, CacheRead: 5000, CacheWrite5m: 200, Output: 12},
		},
		{file: "litellm", dialect: "litellm", usage: &task.Usage{Input: 100, CacheRead: 5000, CacheWrite5m: 200, Output: 12}},
		{
			file: "portkey", dialect: "portkey", requestID: "trace-1", header: map[string]string{"x-portkey-trace-id": "trace-1"},
			usage: &task.Usage{Input: 100, CacheRead: 5000, CacheWrite5m: 200, Output: 12},
		},
		{
			file: "helicone", dialect: "helicone", requestID: "h-1", header: map[string]string{"helicone-id": "h-1"}, tier: "default",
			usage: &task.Usage{Input: 476, CacheRead: 1024, Output: 20},
		},
		{file: "vllm", dialect: "vllm", usage: &task.Usage{Input: 16, CacheRead: 784, Output: 10}},
		{file: "ollama", dialect: "ollama", usage: &task.Usage{Input: 612, Output: 3}},
		{file: "ollama_cached", dialect: "ollama"}, // no tokens of a prompt is no count
		{file: "llamacpp", dialect: "llamacpp", usage: &task.Usage{Input: 50, CacheRead: 850, Output: 8}},
		{
			file: "azure", dialect: "azure", requestID: "apim-1", header: map[string]string{"apim-request-id": "apim-1"},
			usage: &task.Usage{Input: 52, CacheRead: 2048, Output: 9},
		},
		{file: "deepseek", dialect: "deepseek", usage: &task.Usage{Input: 60, CacheRead: 640, Output: 60, Reasoning: 55}},
		{file: "mistral", dialect: "mistral", usage: &task.Usage{Input: 44, CacheRead: 256, Output: 45}},
		{
			file: "groq", dialect: "groq", tier: "default",
			usage: &task.Usage{Input: 52, CacheRead: 128, Output: 20, Reasoning: 15},
		},
		{
			file: "xai", dialect: "xai", cost: new(task.Pico(714_600_000)),
			usage: &task.Usage{Input: 27, CacheRead: 98, Output: 102, Reasoning: 94},
		},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			reply, _, err := ask(t, providers.Config{Dialect: tc.dialect}, http.StatusOK, tc.header, recorded(t, tc.file))
			require.NoError(t, err)
			require.Contains(t, []string{"shipping", "billing"}, reply.Output)
			require.Equal(t, providers.StopEnd, reply.Stop)
			require.Equal(t, tc.usage, reply.Usage)
			require.NotEmpty(t, reply.RawUsage)
			require.Equal(t, tc.cost, reply.ReportedCost)
			require.Equal(t, tc.requestID, reply.RequestID)
			require.Equal(t, tc.tier, reply.ServiceTier)
		})
	}
}

// TestDialects_OwnFigureOnly: a figure counts only where the dialect says what it means.
func TestDialects_OwnFigureOnly(t *testing.T) {
	t.Parallel()
	header := map[string]string{"x-litellm-response-cost": "0.5"}
	for _, dialect := range []string{"", "compatible", "openai", "azure", "vllm", "helicone", "xai"} {
		reply, _, err := ask(t, providers.Config{Dialect: dialect}, http.StatusOK, header, recorded(t, "openrouter"))
		require.NoError(t, err)
		require.Nil(t, reply.ReportedCost, dialect)
	}
}

func TestDialects_Stops(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]providers.StopReason{
		"model_length": providers.StopContext, "end_turn": providers.StopEnd, "max_tokens": providers.StopMaxTokens,
		"tool_use": providers.StopTools, "refusal": providers.StopRefusal, "SAFETY": providers.StopFilter,
	} {
		answer := body(`"content":"half a"`, `"`+raw+`"`, plainUsage)
		reply, _, err := ask(t, providers.Config{Dialect: "portkey"}, http.StatusOK, nil, answer)
		require.NoError(t, err)
		require.Equal(t, want, reply.Stop, raw)
	}
	broken := body(`"content":"half a"`, `"insufficient_system_resource"`, plainUsage)
	reply, _, err := ask(t, providers.Config{Dialect: "deepseek"}, http.StatusOK, nil, broken)
	var failed *providers.CallError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, task.FailOverloaded, failed.Class)
	require.NotNil(t, reply.Usage, "it was metered")
}

// TestDialects_Requests: where each dialect's requests go, and what stands beside the body.
func TestDialects_Requests(t *testing.T) {
	t.Parallel()
	const labels = `{"feature":"triage","tenant":"acme","task_id":"01900000-0000-7000-8000-0000000000aa"}`
	auth := func(value string) map[string]string { return map[string]string{"Authorization": value, "Api-Key": ""} }
	for _, tc := range []struct {
		name   string
		config providers.Config
		target string
		header map[string]string
	}{
		{"OpenRouter", providers.Config{Dialect: "openrouter"}, "/api/v1/chat/completions", auth("Bearer hush")},
		{"Groq", providers.Config{Dialect: "groq"}, "/openai/v1/chat/completions", auth("Bearer hush")},
		{"Ollama", providers.Config{Dialect: "ollama"}, "/v1/chat/completions", auth("Bearer hush")},
		{"Path", providers.Config{Dialect: "vllm", BaseURL: "/inner"}, "/inner/chat/completions", auth("Bearer hush")},
		{
			"Azure",
			providers.Config{Dialect: "azure"},
			"/openai/v1/chat/completions",
			map[string]string{"Authorization": "", "Api-Key": "hush"},
		},
		{
			"AzureVersion",
			providers.Config{Dialect: "azure", APIVersion: "2026-10-01-preview"},
			"/openai/deployments/model-1/chat/completions?api-version=2026-10-01-preview",
			map[string]string{"Api-Key": "hush"},
		},
		{
			"LiteLLM",
			providers.Config{Dialect: "litellm"},
			"/v1/chat/completions",
			map[string]string{"Authorization": "Bearer hush", "X-Litellm-Spend-Logs-Metadata": labels, "X-Litellm-Tags": ""},
		},
		{
			"Portkey",
			providers.Config{Dialect: "portkey", Headers: map[string]providers.Secret{"x-portkey-virtual-key": providers.NewSecret("vk-1")}},
			"/v1/chat/completions",
			map[string]string{
				"Authorization": "", "X-Portkey-Api-Key": "hush", "X-Portkey-Virtual-Key": "vk-1", "X-Portkey-Metadata": labels,
				"X-Portkey-Cache-Force-Refresh": "true",
			},
		},
		{
			"Helicone",
			providers.Config{Dialect: "helicone", Headers: map[string]providers.Secret{"Helicone-Auth": providers.NewSecret("Bearer h-1")}},
			"/v1/chat/completions",
			map[string]string{
				"Authorization": "Bearer hush", "Helicone-Auth": "Bearer h-1", "Helicone-Property-Feature": "triage",
				"Helicone-Property-Tenant": "acme", "Helicone-Property-Task-Id": "01900000-0000-7000-8000-0000000000aa",
				"Helicone-Request-Id": "01900000-0000-7000-8000-000000000001",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := tc.config
			cfg.Key = providers.NewSecret("hush")
			_, sent, err := ask(t, cfg, http.StatusOK, nil, recorded(t, "ollama"))
			require.NoError(t, err)
			require.Equal(t, tc.target, sent.target)
			for name, value := range tc.header {
				require.Equal(t, value, sent.header.Get(name), name)
			}
			for _, label := range []string{"acme", "triage", "0000000000aa"} {
				require.NotContains(t, sent.body, label, "a label is no part of the prompt")
			}
		})
	}
}

func TestDialects_LabelsAreSafe(t *testing.T) {
	t.Parallel()
	p, err := openai.New(providers.Config{Dialect: "portkey"})
	require.NoError(t, err)
	call := dialectCall()
	call.Tenant, call.Feature, call.TaskID = "a\"\r\nX: y\u00fc", strings.Repeat("f", 300), uuid.Nil
	request, err := p.Prepare(call)
	require.NoError(t, err)
	require.Equal(t, `{"feature":"`+strings.Repeat("f", 128)+`","tenant":"a\"??X: y?"}`, request.Header["X-Portkey-Metadata"])
}

func TestDialects_Configuration(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]providers.Config{
		"unknown":     {Dialect: "cohere"},
		"base URL":    {Dialect: "vllm"},
		"API version": {Dialect: "groq", APIVersion: "2026-10-01"},
		"the key's":   {Dialect: "openrouter", Key: providers.NewSecret("k"), Headers: map[string]providers.Secret{"authorization": providers.NewSecret("x")}},
	} {
		_, err := openai.New(cfg)
		require.ErrorContains(t, err, name)
	}
	p, err := openai.New(providers.Config{Dialect: "azure", APIVersion: "2026-10-01", BaseURL: "https://mine.openai.azure.com"})
	require.NoError(t, err)
	for _, model := range []string{"a/b", "a?b", "..", "a%2fb", "ü"} {
		call := dialectCall()
		call.Model = model
		_, err := p.Prepare(call)
		require.ErrorIs(t, err, providers.ErrCall, model)
	}
}

// dialectRefusals are errors in the words of one kind of server.
func dialectRefusals() []providertest.Refusal {
	soon := map[string]string{"Retry-After": "20"}
	return []providertest.Refusal{
		{Name: "OpenRouterInFlightBudget", Status: 402, Header: soon, Body: `{"error":{"code":402,"message":"m","metadata":{"limit_source":"openrouter_in_flight_budget"}}}`, Class: task.FailRateLimited, RetryAfter: 20 * time.Second},
		{Name: "OpenRouterDay", Status: 429, Header: map[string]string{"Date": "Thu, 26 Nov 2026 20:00:00 GMT"}, Body: `{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day","metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795737600000"},"provider_name":null}}}`, Class: task.FailRateLimited, RetryAfter: 4 * time.Hour},
		{Name: "OpenRouterHeaderFirst", Status: 429, Header: map[string]string{"Date": "Thu, 26 Nov 2026 20:00:00 GMT", "Retry-After": "20"}, Body: `{"error":{"code":429,"message":"m","metadata":{"headers":{"X-RateLimit-Reset":1795737600000}}}}`, Class: task.FailRateLimited, RetryAfter: 20 * time.Second},
		{Name: "OpenRouterNoHost", Status: 404, Body: `{"error":{"code":404,"message":"No endpoints found that support the requested parameters."}}`, Class: task.FailNotFound},
		{Name: "OpenRouterDown", Status: 502, Body: `{"error":{"code":502,"message":"Provider returned error","metadata":{"provider_name":"Acme","raw":"x"}}}`, Class: task.FailServer},
		{Name: "OpenRouterUnroutable", Status: 503, Body: `{"error":{"code":503,"message":"No available model provider meets your routing requirements"}}`, Class: task.FailOverloaded},
		{Name: "LiteLLMRate", Status: 429, Header: soon, Body: `{"error":{"message":"litellm.RateLimitError: m","type":"throttling_error","param":null,"code":"429"}}`, Class: task.FailRateLimited, RetryAfter: 20 * time.Second},
		{Name: "LiteLLMBudget", Status: 400, Body: `{"error":{"message":"Budget has been exceeded! Current cost: 10, Max budget: 5","type":"budget_exceeded","param":null,"code":"400"}}`, Class: task.FailQuota},
		{Name: "LiteLLMTooLong", Status: 400, Body: `{"error":{"message":"litellm.ContextWindowExceededError: m","type":null,"param":null,"code":"400"}}`, Class: task.FailTooLong},
		{Name: "LiteLLMPolicy", Status: 400, Body: `{"error":{"message":"litellm.ContentPolicyViolationError: m","type":null,"param":null,"code":"400"}}`, Class: task.FailRefusal},
		{Name: "LiteLLMKey", Status: 401, Body: `{"error":{"message":"Authentication Error, Invalid proxy server token passed","type":"auth_error","param":"None","code":"401"}}`, Class: task.FailAuth},
		{Name: "PortkeyKey", Status: 401, Body: `{"status":"failure","message":"Unauthorized"}`, Class: task.FailAuth, Message: "Unauthorized"},
		{Name: "PortkeyUpstream", Status: 529, Body: `{"error":{"message":"anthropic error: Overloaded","type":"overloaded_error","param":null,"code":null},"provider":"anthropic"}`, Class: task.FailOverloaded},
		{Name: "HeliconeLimit", Status: 429, Body: `{"message":"Rate limit reached. Please wait before making more requests."}`, Class: task.FailRateLimited},
		{Name: "VLLMTooLong", Status: 400, Body: `{"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","param":null,"code":400}}`, Class: task.FailTooLong},
		{Name: "VLLMNoModel", Status: 404, Body: `{"error":{"message":"The model m does not exist.","type":"NotFoundError","param":null,"code":404}}`, Class: task.FailNotFound},
		{Name: "OllamaNoModel", Status: 404, Body: `{"error":{"message":"model \"m\" not found","type":"not_found_error","param":null,"code":null}}`, Class: task.FailNotFound},
		{Name: "LlamaCppLoading", Status: 503, Body: `{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}`, Class: task.FailOverloaded},
		{Name: "LlamaCppTooLong", Status: 400, Body: `{"error":{"code":400,"message":"the request exceeds the available context size. try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}`, Class: task.FailTooLong},
		{Name: "AzureFilter", Status: 400, Body: `{"error":{"message":"The response was filtered due to the prompt triggering content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"violence":{"filtered":true,"severity":"high"}}}}}`, Class: task.FailRefusal},
		{Name: "AzureNoDeployment", Status: 404, Body: `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`, Class: task.FailNotFound},
		{Name: "AzureRate", Status: 429, Header: map[string]string{"Retry-After": "6", "Retry-After-Ms": "5500"}, Body: `{"error":{"code":"429","message":"Requests to the operation have exceeded the call rate limit."}}`, Class: task.FailRateLimited, RetryAfter: 5500 * time.Millisecond},
		{Name: "AzureKey", Status: 401, Body: `{"error":{"code":"401","message":"Access denied due to invalid subscription key."}}`, Class: task.FailAuth},
		{Name: "DeepSeekBalance", Status: 402, Body: `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, Class: task.FailQuota},
		{Name: "DeepSeekBusy", Status: 503, Body: `{"error":{"message":"Service is too busy.","type":"service_unavailable_error","param":null,"code":"service_unavailable_error"}}`, Class: task.FailOverloaded},
		{Name: "MistralTooLong", Status: 400, Body: `{"object":"error","message":"Prompt contains 66385 tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","param":null,"code":"3051"}`, Class: task.FailTooLong},
		{Name: "MistralInvalid", Status: 422, Body: `{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"]}]},"type":"invalid_request_error"}`, Class: task.FailBadRequest, Message: "extra_forbidden"},
		{Name: "MistralRate", Status: 429, Body: `{"message":"Requests rate limit exceeded"}`, Class: task.FailRateLimited},
		{Name: "GroqTool", Status: 400, Body: `{"error":{"message":"Failed to call a function. Please adjust your prompt.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function=x>"}}`, Class: task.FailInvalid},
		{Name: "GroqJSON", Status: 400, Body: `{"error":{"message":"Generated JSON does not match the expected schema.","type":"invalid_request_error","code":"json_validate_failed","failed_generation":"{"}}`, Class: task.FailInvalid},
		{Name: "GroqFlex", Status: 498, Body: `{"error":{"message":"Flex tier capacity exceeded","type":"invalid_request_error","code":"capacity_exceeded"}}`, Class: task.FailOverloaded},
		{Name: "GroqTooLarge", Status: 413, Body: `{"error":{"message":"Request too large for model on tokens per minute","type":"tokens","code":"rate_limit_exceeded"}}`, Class: task.FailTooLong},
		{Name: "XAICredits", Status: 403, Body: `{"code":"The caller does not have permission to execute the specified operation","error":"Your newly created team doesn't have any credits yet."}`, Class: task.FailQuota},
		{Name: "XAISpent", Status: 429, Body: `{"code":"Some resource has been exhausted","error":"Your team has either used all available credits or reached its monthly spending limit."}`, Class: task.FailQuota},
		{Name: "XAIKey", Status: 400, Body: `{"code":"Client specified an invalid argument","error":"Incorrect API key provided"}`, Class: task.FailAuth},
	}
}

func TestDialects_InFlightBudgetInside(t *testing.T) {
	t.Parallel()
	answer := `{"error":{"code":402,"message":"in flight"}}`
	for wait, class := range map[string]task.FailureClass{"": task.FailQuota, "3": task.FailRateLimited} {
		header := map[string]string{}
		if wait != "" {
			header["Retry-After"] = wait
		}
		_, _, err := ask(t, providers.Config{Dialect: "openrouter"}, http.StatusOK, header, answer)
		var failed *providers.CallError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, class, failed.Class)
	}
}

// TestConformance_Dialects runs the whole suite over the dialects that change the wire.
func TestConformance_Dialects(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		dialect, version, keyHeader, keyPrefix, file string
		usage                                        task.Usage
	}{
		{"azure", "2026-10-01", "Api-Key", "", "azure", task.Usage{Input: 52, CacheRead: 2048, Output: 9}},
		{"portkey", "", "X-Portkey-Api-Key", "", "portkey", task.Usage{Input: 100, CacheRead: 5000, CacheWrite5m: 200, Output: 12}},
		{
			"openrouter", "", "Authorization", "Bearer ", "openrouter",
			task.Usage{Input: 100, CacheRead: 1000, CacheWrite30m: 100, Output: 40, Reasoning: 30},
		},
		{"litellm", "", "Authorization", "Bearer ", "litellm", task.Usage{Input: 100, CacheRead: 5000, CacheWrite5m: 200, Output: 12}},
	} {
		t.Run(tc.dialect, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Suite{
				New: func(cfg providers.Config) (providers.Provider, error) {
					cfg.Dialect, cfg.APIVersion = tc.dialect, tc.version
					if cfg.BaseURL == "" {
						cfg.BaseURL = "https://llm.example.com"
					}
					return openai.New(cfg)
				},
				KeyHeader: tc.keyHeader, KeyPrefix: tc.keyPrefix,
				Good: recorded(t, tc.file), Output: "shipping", Usage: tc.usage, Refusals: dialectRefusals(),
			})
		})
	}
}
