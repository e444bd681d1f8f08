package traps_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
