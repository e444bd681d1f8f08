package traps_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/task"
)

func cachedTokensCountOnce(t *testing.T) {
	t.Helper()
	want := &task.Usage{Input: 10, CacheRead: 90, Output: 5}
	require.Equal(t, want, anthropic.ReadUsage([]byte(`{"input_tokens":10,"cache_read_input_tokens":90,"output_tokens":5}`)))
	require.Equal(t, want, responses.ReadUsage([]byte(
		`{"input_tokens":100,"input_tokens_details":{"cached_tokens":90},"output_tokens":5,"total_tokens":105}`,
	)))
	require.Equal(t, want, openai.ReadUsage([]byte(
		`{"prompt_tokens":100,"prompt_tokens_details":{"cached_tokens":90},"completion_tokens":5,"total_tokens":105}`,
	)))
	require.Equal(t, want, gemini.ReadUsage([]byte(
		`{"promptTokenCount":100,"cachedContentTokenCount":90,"candidatesTokenCount":5,"totalTokenCount":105}`,
	)))
}

func writesByLifetime(t *testing.T) {
	t.Helper()
	short := anthropic.ReadUsage([]byte(
		`{"input_tokens":0,"cache_creation_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":1000},"output_tokens":0}`,
	))
	long := anthropic.ReadUsage([]byte(
		`{"input_tokens":0,"cache_creation_input_tokens":1000,"cache_creation":{"ephemeral_1h_input_tokens":1000},"output_tokens":0}`,
	))
	plain := bill(t, sonnet, &task.Usage{Input: 1000})
	require.Equal(t, plain*5/4, bill(t, sonnet, short))
	require.Equal(t, plain*2, bill(t, sonnet, long))
}

// readsByTheBook: were there one share for all, there would be one here.
func readsByTheBook(t *testing.T) {
	t.Helper()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	shares := map[float64]bool{}
	for _, m := range book.Models() {
		price, err := book.Price(pricing.Query{Provider: m.Provider, Model: m.ID, At: trapTime})
		if err != nil {
			continue
		}
		read, err := price.Cost(task.Usage{CacheRead: 1000})
		if err != nil { // it has no rate, and none is made up
			require.ErrorIs(t, err, pricing.ErrUnpriced)
			continue
		}
		input, err := price.Cost(task.Usage{Input: 1000})
		require.NoError(t, err)
		shares[float64(read.Total)/float64(max(1, input.Total))] = true
	}
	require.Greater(t, len(shares), 3)
}

func openAIWrites(t *testing.T) {
	t.Helper()
	u := responses.ReadUsage([]byte(
		`{"input_tokens":1000,"input_tokens_details":{"cache_write_tokens":1000},"output_tokens":0,"total_tokens":1000}`,
	))
	require.Equal(t, &task.Usage{CacheWrite30m: 1000}, u)
	require.Equal(t, u, openai.ReadUsage([]byte(
		`{"prompt_tokens":1000,"prompt_tokens_details":{"cache_write_tokens":1000},"completion_tokens":0,"total_tokens":1000}`,
	)))
	require.Greater(t, bill(t, gpt, u), bill(t, gpt, &task.Usage{Input: 1000}))
}

func openAIWritesByLifetime(t *testing.T) {
	t.Helper()
	u := responses.ReadUsage([]byte(`{"input_tokens":100,"input_tokens_details":{"cache_write_tokens":70,
		"cache_write_tokens_details":{"ttl_30m_tokens":30,"ttl_12h_tokens":40}},"output_tokens":1,"total_tokens":101}`))
	require.Equal(t, &task.Usage{Input: 30, CacheWrite30m: 30, CacheWrite12h: 40, Output: 1}, u)
}

func reasoningInsideOutput(t *testing.T) {
	t.Helper()
	with := responses.ReadUsage([]byte(
		`{"input_tokens":10,"output_tokens":500,"output_tokens_details":{"reasoning_tokens":400},"total_tokens":510}`,
	))
	require.Equal(t, bill(t, gpt, &task.Usage{Input: 10, Output: 500}), bill(t, gpt, with))
	require.Equal(t, with, openai.ReadUsage([]byte(
		`{"prompt_tokens":10,"completion_tokens":500,"completion_tokens_details":{"reasoning_tokens":400},"total_tokens":510}`,
	)))
}

func thoughtsBesideCandidates(t *testing.T) {
	t.Helper()
	u := gemini.ReadUsage([]byte(`{"promptTokenCount":10,"candidatesTokenCount":20,"thoughtsTokenCount":980,"totalTokenCount":1010}`))
	require.Equal(t, bill(t, flash, &task.Usage{Input: 10, Output: 1000}), bill(t, flash, u))
}

func geminiCachedOnce(t *testing.T) {
	t.Helper()
	u := gemini.ReadUsage([]byte(`{"promptTokenCount":5000,"cachedContentTokenCount":4096,"candidatesTokenCount":1,"totalTokenCount":5001}`))
	require.Equal(t, bill(t, flash, &task.Usage{Input: 904, CacheRead: 4096, Output: 1}), bill(t, flash, u))
	require.Less(t, bill(t, flash, u), bill(t, flash, &task.Usage{Input: 5000, Output: 1}))
}

// grok has its edge at 200,000 tokens, and every rate doubles there.
var grok = pricing.Query{Provider: "xai", Model: "grok-4.7"}

func bandByWholePrompt(t *testing.T) {
	t.Helper()
	below := bill(t, grok, &task.Usage{Input: 9_000, CacheRead: 190_000, Output: 100})
	past := bill(t, grok, &task.Usage{Input: 10_000, CacheRead: 190_000, Output: 100})
	require.Equal(t, below*2, past-bill(t, grok, &task.Usage{Input: 1_000})*2, "the cached part counts, and every class is dearer")
}

func bandsPerCall(t *testing.T) {
	t.Helper()
	one, two := &task.Usage{Input: 150_000, Output: 10}, &task.Usage{Input: 300_000, Output: 20}
	require.Equal(t, bill(t, grok, one)*4, bill(t, grok, two), "two calls are not one of twice the size")
}

func edgesAsDocumented(t *testing.T) {
	t.Helper()
	at := func(q pricing.Query, n int64) task.Pico { return bill(t, q, &task.Usage{Input: n}) }
	require.Greater(t, at(grok, 200_000), 2*at(grok, 199_999), "from the edge on")
	book, err := pricing.Embedded()
	require.NoError(t, err)
	inclusive, exclusive := 0, 0
	for _, row := range book.Rows() {
		if row.MaxPrompt == 0 || row.Status != pricing.InForce {
			continue
		}
		price, err := book.Price(pricing.Query{Provider: row.Provider, Model: row.Model, At: trapTime})
		if err != nil {
			continue
		}
		switch {
		case !price.SameBand(row.MaxPrompt-1, row.MaxPrompt):
			inclusive++
		case !price.SameBand(row.MaxPrompt, row.MaxPrompt+1):
			exclusive++
		}
	}
	require.Positive(t, inclusive)
	require.Positive(t, exclusive, "and past the edge where it is said so")
}

func batchesByTheBook(t *testing.T) {
	t.Helper()
	batch := gpt
	batch.Mode = pricing.ModeBatch
	require.Equal(t, bill(t, gpt, &task.Usage{Input: 1000, Output: 100}), 2*bill(t, batch, &task.Usage{Input: 1000, Output: 100}))
	none := grok
	none.At, none.Mode = trapTime, pricing.ModeBatch
	require.ErrorIs(t, priceError(t, none), pricing.ErrUnpriced)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	price, err := book.Price(pricing.Query{Provider: flash.Provider, Model: flash.Model, At: trapTime, Mode: pricing.ModeBatch})
	require.NoError(t, err)
	_, err = price.Cost(task.Usage{Input: 10, CacheRead: 90})
	require.ErrorIs(t, err, pricing.ErrUnpriced, "what a batch does to cached tokens is not documented")
}

func noBatches(t *testing.T) {
	t.Helper()
	for _, tier := range []string{"", "auto", "default", "standard", "standard_only", "flex", "priority", "batch"} {
		require.NotEqual(t, pricing.ModeBatch, planner.ModeOf(catalog.Model{ServiceTier: tier}))
	}
	for name, newProvider := range formats() {
		_, _, _ = ask(t, newProvider, func(w http.ResponseWriter, r *http.Request) {
			assertNo(t, name, strings.ToLower(r.URL.Path), "batch", "/files")
			w.WriteHeader(http.StatusTeapot)
		})
	}
}

// assertNo is for the goroutines of servers.
func assertNo(t *testing.T, name, where string, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(where, word) {
			t.Errorf("%s: %q in %s", name, word, where)
		}
	}
}

func oneRequestPerAttempt(t *testing.T) {
	t.Helper()
	for name, newProvider := range formats() {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable} {
			_, failed, requests := ask(t, newProvider, says(status, `{}`))
			require.NotNil(t, failed, name)
			require.EqualValues(t, 1, requests, "%s %d", name, status)
		}
	}
}

// hangUp closes the connection under a request that has arrived whole.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func unansweredMayBePaid(t *testing.T) {
	t.Helper()
	for name, newProvider := range formats() {
		_, failed, requests := ask(t, newProvider, hangUp)
		require.EqualValues(t, 1, requests, name)
		require.Equal(t, task.FailLostNet, failed.Class, name)
	}
	state := cascade.State{Stages: 1, MaxAttempts: 4, Now: trapTime, CostHigh: 90, MaxCost: 100}
	again := cascade.Decide(state, cascade.Event{Failure: task.FailLostNet})
	require.True(t, again.Counted, "it may be paid, so it is one of the task's attempts")
	state.CostHigh = 101 // with the bound of the call that went unanswered
	over := cascade.Decide(state, cascade.Event{Failure: task.FailLostNet})
	require.Equal(t, cascade.Fail, over.Action, over.Reason)
}

func wholeAnswerIsKept(t *testing.T) {
	t.Helper()
	const answer = `{"model":"m","content":[{"type":"text","text":"yes"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}`
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		says(http.StatusOK, answer)(w, r)
		_ = http.NewResponseController(w).Flush()
		<-written // the end of the body stays untold
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(cancel)
	p, err := anthropic.New(providers.Config{BaseURL: server.URL, AllowPrivate: true, IdleTimeout: 300 * time.Millisecond})
	require.NoError(t, err)
	request, err := p.Prepare(trapCall())
	require.NoError(t, err)
	reply, err := p.Do(ctx, request)
	close(written)
	require.NoError(t, err)
	require.Equal(t, "yes", reply.Output)
	require.NotNil(t, reply.Usage)
}

func noStreams(t *testing.T) {
	t.Helper()
	for name, newProvider := range formats() {
		p, err := newProvider(providers.Config{BaseURL: "https://api.example.com"})
		require.NoError(t, err)
		request, err := p.Prepare(trapCall())
		require.NoError(t, err)
		require.NotContains(t, string(request.Body), `"stream":true`, name)
		require.NotContains(t, strings.ToLower(request.Path), "stream", name)
	}
}

func incompleteIsPaid(t *testing.T) {
	t.Helper()
	reply, failed, _ := ask(t, responses.New, says(http.StatusOK, `{"status":"incomplete","model":"m","output":[],
		"incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}`))
	require.Nil(t, failed)
	require.Equal(t, providers.StopMaxTokens, reply.Stop)
	require.Equal(t, &task.Usage{Input: 5, Output: 9}, reply.Usage)
}

func refusalsArePaid(t *testing.T) {
	t.Helper()
	for name, body := range map[string]string{
		"anthropic": `{"model":"m","content":[],"stop_reason":"refusal","usage":{"input_tokens":5,"output_tokens":2}}`,
		"openai": `{"model":"m","choices":[{"finish_reason":"content_filter","message":{"content":""}}],
			"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`,
		"gemini": `{"modelVersion":"m","candidates":[{"finishReason":"SAFETY"}],
			"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}}`,
	} {
		reply, failed, _ := ask(t, formats()[name], says(http.StatusOK, body))
		require.Nil(t, failed, name)
		require.Contains(t, []providers.StopReason{providers.StopRefusal, providers.StopFilter}, reply.Stop, name)
		require.Equal(t, &task.Usage{Input: 5, Output: 2}, reply.Usage, name)
	}
	next := cascade.Decide(cascade.State{Stages: 2, MaxAttempts: 8, Now: trapTime, Refusal: catalog.RefusalEscalate},
		cascade.Event{Failure: task.FailRefusal})
	require.Equal(t, cascade.Escalate, next.Action, "never the same model again")
	require.True(t, next.Counted)
}

func settingsAreNotSent(t *testing.T) {
	t.Helper()
	p, err := anthropic.New(providers.Config{})
	require.NoError(t, err)
	request, err := p.Prepare(trapCall())
	require.NoError(t, err)
	for _, word := range []string{"temperature", "top_p", "tool_choice", "thinking", "prefill"} {
		require.NotContains(t, string(request.Body), word)
	}
	book, err := pricing.Embedded()
	require.NoError(t, err)
	for _, m := range book.Models() {
		if m.Provider == sonnet.Provider && m.ID == sonnet.Model {
			require.True(t, m.Traits.Refuses("temperature"))
		}
		if m.Provider == "openai" && m.ID == "gpt-6.1-luna" {
			require.True(t, m.Traits.Refuses("effort_none"))
		}
	}
}

func tierOfTheReply(t *testing.T) {
	t.Helper()
	reply, failed, _ := ask(t, responses.New, says(http.StatusOK, `{"status":"completed","model":"gpt-6-luna","service_tier":"priority",
		"output":[],"usage":{"input_tokens":1000,"output_tokens":9,"total_tokens":1009}}`))
	require.Nil(t, failed)
	served := gpt
	served.ServiceTier = reply.ServiceTier
	require.Greater(t, bill(t, served, reply.Usage), bill(t, gpt, reply.Usage))
	reply, failed, _ = ask(t, anthropic.New, says(http.StatusOK, `{"model":"claude-sonnet-5-5","content":[],"stop_reason":"end_turn",
		"usage":{"input_tokens":1000,"output_tokens":9,"inference_geo":"us"}}`))
	require.Nil(t, failed)
	served = sonnet
	served.Geo = reply.Geo
	require.Equal(t, bill(t, sonnet, reply.Usage)*11/10, bill(t, served, reply.Usage))
}

func refusalsByWords(t *testing.T) {
	t.Helper()
	for _, tt := range []struct {
		format maker
		status int
		body   string
		want   task.FailureClass
	}{
		{openai.New, 429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`, task.FailQuota},
		{openai.New, 429, `{"error":{"message":"Rate limit reached for requests","type":"requests","code":"rate_limit_exceeded"}}`, task.FailRateLimited},
		{responses.New, 429, `{"error":{"message":"Resource unavailable","type":"resource_unavailable","code":"resource_unavailable"}}`, task.FailSlowDown},
		{anthropic.New, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}`, task.FailQuota},
		{anthropic.New, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits"}}`, task.FailQuota},
		{anthropic.New, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: field required"}}`, task.FailBadRequest},
	} {
		_, failed, _ := ask(t, tt.format, says(tt.status, tt.body))
		require.NotNil(t, failed)
		require.Equal(t, tt.want, failed.Class, tt.body)
	}
}

func geminiDelay(t *testing.T) {
	t.Helper()
	_, failed, _ := ask(t, gemini.New, says(http.StatusTooManyRequests, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED",
		"message":"Quota exceeded for requests per minute","details":[
		{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17.25s"}]}}`))
	require.NotNil(t, failed)
	require.Equal(t, 17250*time.Millisecond, failed.RetryAfter)
}

func unknownIsUnpriced(t *testing.T) {
	t.Helper()
	for _, model := range []string{"claude-sonnet-5-5-turbo", "claude", "claude-sonnet-99", ""} {
		require.ErrorIs(t, priceError(t, pricing.Query{Provider: "anthropic", Model: model, At: trapTime}), pricing.ErrUnpriced, model)
	}
	require.NoError(t, priceError(t, pricing.Query{Provider: "anthropic", Model: sonnet.Model, At: trapTime}))
}

func announcedIsUnused(t *testing.T) {
	t.Helper()
	later := flash
	later.At = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	require.ErrorIs(t, priceError(t, later), pricing.ErrUnpriced, "the promotion has ended, and what follows is not confirmed")
	const announced = `{schema: 1, provider: p, currency: USD, usage: {input_includes_cached: true, output_includes_reasoning: true},
		models: [{id: m, tokenizer: {o200k_factor: "1"}, prices: [
			{from: always, status: in_force, checked: 2026-01-01, source: s, bands: [{input: "1", output: "2"}]},
			{from: 2026-06-01, status: announced, checked: 2026-01-01, source: s, bands: [{input: "9", output: "9"}]}]}]}`
	book, err := pricing.Load(fstest.MapFS{"p.yaml": {Data: []byte(announced)}})
	require.NoError(t, err)
	price, err := book.Price(pricing.Query{Provider: "p", Model: "m", At: trapTime})
	require.NoError(t, err)
	cost, err := price.Cost(task.Usage{Input: 1_000_000})
	require.NoError(t, err)
	require.Equal(t, "1", strings.TrimRight(strings.TrimRight(cost.Total.String(), "0"), "."))
}

func newVocabulary(t *testing.T) {
	t.Helper()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	factor := 0.0
	for _, m := range book.Models() {
		if m.Provider == sonnet.Provider && m.ID == sonnet.Model {
			factor = m.Traits.TokenFactor
		}
	}
	require.Greater(t, factor, 1.3)
	model := cascade.Model{
		MaxInput: 1000, TokenFactor: factor,
		Expected: func(int64, int64) (task.Pico, error) { return 1, nil },
	}
	plan := func(tokens int64) cascade.Plan {
		return cascade.New(task.L1, map[string]cascade.Model{"m": model}, []string{"m"}, cascade.Prompt{Tokens: tokens, MaxOutput: 10})
	}
	require.Len(t, plan(500).Stages, 1)
	require.Empty(t, plan(900).Stages, "900 of the old tokens are more than 1,000 of the new")
}

func missingIsUnknown(t *testing.T) {
	t.Helper()
	for _, raw := range []string{`{}`, `null`, `{"prompt_tokens":5}`, `{"prompt_tokens":0,"completion_tokens":7}`, `{"completion_tokens":0}`} {
		require.Nil(t, openai.ReadUsage([]byte(raw)), raw)
	}
	require.Nil(t, anthropic.ReadUsage([]byte(`{"output_tokens":7}`)))
	require.Nil(t, responses.ReadUsage([]byte(`{"output_tokens":7}`)))
	require.Nil(t, gemini.ReadUsage([]byte(`{"candidatesTokenCount":7}`)))
	reply, failed, _ := ask(t, openai.New, says(http.StatusOK, `{"model":"m","choices":[{"finish_reason":"stop","message":{"content":"x"}}]}`))
	require.Nil(t, failed)
	require.Nil(t, reply.Usage)
}

func nothingChangesUnseen(t *testing.T) {
	t.Helper()
	p, err := openai.New(providers.Config{BaseURL: "https://openrouter.ai/api/v1", Dialect: "openrouter"})
	require.NoError(t, err)
	request, err := p.Prepare(trapCall())
	require.NoError(t, err)
	require.Contains(t, string(request.Body), `"allow_fallbacks":false`)
	reply, failed, requests := ask(t, openai.New, says(http.StatusOK, `{"model":"another","choices":[{"finish_reason":"stop",
		"message":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`))
	require.Nil(t, failed)
	require.Equal(t, "another", reply.Model, "the model that answered has the price")
	require.EqualValues(t, 1, requests, "at the configured endpoint, whatever TestMain has set")
}
