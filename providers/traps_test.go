package providers_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
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

// TestMain sets what the official SDKs take their endpoints from: nothing listens there, so a client that looked would fail.
func TestMain(m *testing.M) {
	for _, name := range []string{"OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// The ways in which the cost of a call is known to have been got wrong, each with the code that makes it impossible here
// and a check of that code. The numbers are those of the table in docs/prices.md.
func TestTraps(t *testing.T) {
	t.Parallel()
	for _, trap := range []struct {
		n     string
		name  string
		code  string // what makes it impossible
		check func(*testing.T)
	}{
		{"01", "cached tokens inside or outside of the prompt's total", "ReadUsage of each format: classes that do not overlap", cachedTokensCountOnce},
		{"02", "every cache write at the price of five minutes", "anthropic.ReadUsage splits by lifetime; pricing.Price.Cost", writesByLifetime},
		{"03", "cache reads at a tenth everywhere and for ever", "pricing/book: a rate for each model and date", readsByTheBook},
		{"04", "cache writes at OpenAI as input, or not at all", "responses.ReadUsage, openai.ReadUsage; pricing/book/openai.yaml", openAIWrites},
		{"05", "OpenAI's writes by lifetime lost", "responses.ReadUsage reads cache_write_tokens_details", openAIWritesByLifetime},
		{"06", "reasoning billed a second time", "responses.ReadUsage, openai.ReadUsage: output contains it", reasoningInsideOutput},
		{"07", "Gemini's thoughts not billed", "gemini.ReadUsage adds them to the output", thoughtsBesideCandidates},
		{"08", "Gemini's cached tokens billed twice", "gemini.ReadUsage takes them out of the prompt", geminiCachedOnce},
		{"09", "the band chosen without the cached part", "pricing.Price.Cost: task.Usage.Prompt chooses it, for all classes", bandByWholePrompt},
		{"10", "bands applied to sums of calls", "worker prices every attempt; views add up costs, never tokens", bandsPerCall},
		{"11", "the edge itself on the wrong side", "pricing/book: boundary gt or gte", edgesAsDocumented},
		{"12", "a batch without its discount, or with one that nobody promised", "pricing: a mode without rates is ErrUnpriced", batchesByTheBook},
		{"13", "results of a batch joined by their order", "planner.ModeOf: weir calls one by one", noBatches},
		{"14", "a batch that ended taken for one that succeeded", "planner.ModeOf: weir calls one by one", noBatches},
		{"15", "finished lines of an expired batch lost", "planner.ModeOf: weir calls one by one", noBatches},
		{"16", "a completed batch without a file", "planner.ModeOf: weir calls one by one", noBatches},
		{"17", "a batch that fails after it was taken", "planner.ModeOf: weir calls one by one", noBatches},
		{"18", "cache marks inside of a batch", "planner.ModeOf: weir calls one by one", noBatches},
		{"19", "old batches that have vanished", "planner.ModeOf: weir calls one by one", noBatches},
		{"20", "jobs that expire for days", "planner.ModeOf: weir calls one by one", noBatches},
		{"21", "retries inside of a client, each of them paid", "httpcall.Client: one request is one attempt", oneRequestPerAttempt},
		{"22", "a call paid twice because the first went unanswered", "task.FailLostNet keeps the call's bound; cascade.Decide counts it", unansweredMayBePaid},
		{"23", "an answer thrown away with its cancelled context", "httpcall.Client keeps a whole body; worker calls without the job's context", wholeAnswerIsKept},
		{"24", "a stream without its last event, so without usage", "no format streams", noStreams},
		{"25", "usage of a stream's first event", "no format streams", noStreams},
		{"26", "an incomplete response taken for unpaid", "responses: usage is read in every end state", incompleteIsPaid},
		{"27", "refused and cut answers taken for unpaid, or asked again", "providers.StopReason beside the usage; cascade.Decide escalates", refusalsArePaid},
		{"28", "settings that current models refuse", "nothing is set unasked; caps.refuses in pricing/book", settingsAreNotSent},
		{"29", "the price of the tier that was asked for", "providers.Reply.ServiceTier, Speed, Geo; pricing.Query", tierOfTheReply},
		{"30", "every 429 a rate limit, and no 400 a spent budget", "the formats' faults: task.FailQuota, FailSlowDown", refusalsByWords},
		{"31", "Gemini's wait missed or cut to whole seconds", "gemini reads RetryInfo", geminiDelay},
		{"32", "an unknown model for nothing, or by its prefix", "pricing.Book.Price: ErrUnpriced", unknownIsUnpriced},
		{"33", "announced prices used, promotions that never end", "pricing: status announced is never used; until", announcedIsUnused},
		{"34", "a new vocabulary's tokens counted as the old one's", "pricing.Traits.TokenFactor; cascade.Model.High", newVocabulary},
		{"35", "a usage that is missing as one of nothing", "ReadUsage: nil; the attempt's cost is NULL", missingIsUnknown},
		{"36", "another model behind the router, another endpoint from the environment", "openai dialect openrouter; Reply.Model; base_url alone", nothingChangesUnseen},
	} {
		t.Run(trap.n, func(t *testing.T) {
			t.Parallel()
			t.Log(trap.name + ": " + trap.code)
			trap.check(t)
		})
	}
}

var trapTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// bill is what a usage costs by the embedded book.
func bill(t *testing.T, q pricing.Query, u *task.Usage) task.Pico {
	t.Helper()
	require.NotNil(t, u)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	if q.At.IsZero() {
		q.At = trapTime
	}
	price, err := book.Price(q)
	require.NoError(t, err)
	cost, err := price.Cost(*u)
	require.NoError(t, err)
	return cost.Total
}

func priceError(t *testing.T, q pricing.Query) error {
	t.Helper()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	_, err = book.Price(q)
	return err
}

var (
	sonnet = pricing.Query{Provider: "anthropic", Model: "claude-sonnet-5-5"}
	gpt    = pricing.Query{Provider: "openai", Model: "gpt-6-luna"}
	flash  = pricing.Query{Provider: "google", Model: "gemini-3.8-flash"}
)

type maker func(providers.Config) (providers.Provider, error)

func formats() map[string]maker {
	return map[string]maker{
		"anthropic": anthropic.New, "openai": openai.New, "responses": responses.New, "gemini": gemini.New,
	}
}

func trapCall() providers.Call {
	return providers.Call{
		Model: "m", System: "s", Messages: []task.Message{{Role: task.RoleUser, Content: "x"}}, MaxOutputTokens: 9,
		Tools: []task.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"object"}`)}},
	}
}

// ask makes one call of a server that the handler is, and says how many requests that took.
func ask(t *testing.T, newProvider maker, handler http.HandlerFunc) (providers.Reply, *providers.CallError, int64) {
	t.Helper()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	p, err := newProvider(providers.Config{BaseURL: server.URL, AllowPrivate: true, Timeout: 10 * time.Second})
	require.NoError(t, err)
	request, err := p.Prepare(trapCall())
	require.NoError(t, err)
	reply, err := p.Do(t.Context(), request)
	if err == nil {
		return reply, nil, requests.Load()
	}
	failed, ok := errors.AsType[*providers.CallError](err)
	require.True(t, ok, "%v", err)
	return reply, failed, requests.Load()
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a client that has gone is the test's to see
	}
}

func cachedTokensCountOnce(t *testing.T) {
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
	u := responses.ReadUsage([]byte(`{"input_tokens":100,"input_tokens_details":{"cache_write_tokens":70,
		"cache_write_tokens_details":{"ttl_30m_tokens":30,"ttl_12h_tokens":40}},"output_tokens":1,"total_tokens":101}`))
	require.Equal(t, &task.Usage{Input: 30, CacheWrite30m: 30, CacheWrite12h: 40, Output: 1}, u)
}

func reasoningInsideOutput(t *testing.T) {
	with := responses.ReadUsage([]byte(
		`{"input_tokens":10,"output_tokens":500,"output_tokens_details":{"reasoning_tokens":400},"total_tokens":510}`,
	))
	require.Equal(t, bill(t, gpt, &task.Usage{Input: 10, Output: 500}), bill(t, gpt, with))
	require.Equal(t, with, openai.ReadUsage([]byte(
		`{"prompt_tokens":10,"completion_tokens":500,"completion_tokens_details":{"reasoning_tokens":400},"total_tokens":510}`,
	)))
}

func thoughtsBesideCandidates(t *testing.T) {
	u := gemini.ReadUsage([]byte(`{"promptTokenCount":10,"candidatesTokenCount":20,"thoughtsTokenCount":980,"totalTokenCount":1010}`))
	require.Equal(t, bill(t, flash, &task.Usage{Input: 10, Output: 1000}), bill(t, flash, u))
}

func geminiCachedOnce(t *testing.T) {
	u := gemini.ReadUsage([]byte(`{"promptTokenCount":5000,"cachedContentTokenCount":4096,"candidatesTokenCount":1,"totalTokenCount":5001}`))
	require.Equal(t, bill(t, flash, &task.Usage{Input: 904, CacheRead: 4096, Output: 1}), bill(t, flash, u))
	require.Less(t, bill(t, flash, u), bill(t, flash, &task.Usage{Input: 5000, Output: 1}))
}

// grok has its edge at 200,000 tokens, and every rate doubles there.
var grok = pricing.Query{Provider: "xai", Model: "grok-4.7"}

func bandByWholePrompt(t *testing.T) {
	below := bill(t, grok, &task.Usage{Input: 9_000, CacheRead: 190_000, Output: 100})
	past := bill(t, grok, &task.Usage{Input: 10_000, CacheRead: 190_000, Output: 100})
	require.Equal(t, below*2, past-bill(t, grok, &task.Usage{Input: 1_000})*2, "the cached part counts, and every class is dearer")
}

func bandsPerCall(t *testing.T) {
	one, two := &task.Usage{Input: 150_000, Output: 10}, &task.Usage{Input: 300_000, Output: 20}
	require.Equal(t, bill(t, grok, one)*4, bill(t, grok, two), "two calls are not one of twice the size")
}

func edgesAsDocumented(t *testing.T) {
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
	reply, failed, _ := ask(t, responses.New, says(http.StatusOK, `{"status":"incomplete","model":"m","output":[],
		"incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}`))
	require.Nil(t, failed)
	require.Equal(t, providers.StopMaxTokens, reply.Stop)
	require.Equal(t, &task.Usage{Input: 5, Output: 9}, reply.Usage)
}

func refusalsArePaid(t *testing.T) {
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
	_, failed, _ := ask(t, gemini.New, says(http.StatusTooManyRequests, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED",
		"message":"Quota exceeded for requests per minute","details":[
		{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17.25s"}]}}`))
	require.NotNil(t, failed)
	require.Equal(t, 17250*time.Millisecond, failed.RetryAfter)
}

func unknownIsUnpriced(t *testing.T) {
	for _, model := range []string{"claude-sonnet-5-5-turbo", "claude", "claude-sonnet-99", ""} {
		require.ErrorIs(t, priceError(t, pricing.Query{Provider: "anthropic", Model: model, At: trapTime}), pricing.ErrUnpriced, model)
	}
	require.NoError(t, priceError(t, pricing.Query{Provider: "anthropic", Model: sonnet.Model, At: trapTime}))
}

func announcedIsUnused(t *testing.T) {
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
