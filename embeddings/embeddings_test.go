package embeddings_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/embeddings"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// testBundle is a simulated provider, a ledger, and what an embedder is made of.
type testBundle struct {
	sim  *sim.Server
	pool *pgxpool.Pool
	cfg  embeddings.Config

	mu    sync.Mutex
	slept []time.Duration
}

func setup(t *testing.T, provider catalog.Provider, e catalog.Embedder, cfg sim.Config) *testBundle {
	t.Helper()
	cfg.Seed, cfg.Instant, cfg.Tokens = 1, true, sim.TokensBytes
	server, err := sim.New(cfg)
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context(), "127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	client, err := embed.New(provider.API, providers.Config{
		BaseURL: server.URL(), Dialect: provider.Dialect, AllowPrivate: true, Timeout: 10 * time.Second, MaxBodyBytes: 64 << 20,
	})
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	e.Name, e.Provider = "faq", "acme"
	b := &testBundle{sim: server, pool: pgtest.NewPool(t)}
	b.cfg = embeddings.Config{
		Embedder: e, Provider: provider, Client: client, Book: book, DB: b.pool,
		Jitter: func() float64 { return 0.5 },
		Sleep: func(ctx context.Context, d time.Duration) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.slept = append(b.slept, d)
			return ctx.Err()
		},
	}
	return b
}

func (b *testBundle) embedder(t *testing.T) *embeddings.Embedder {
	t.Helper()
	e, err := embeddings.New(b.cfg)
	require.NoError(t, err)
	return e
}

var (
	openAI = catalog.Provider{API: catalog.APIOpenAI, Dialect: catalog.DialectOpenAI, Prices: "openai"}
	voyage = catalog.Provider{API: catalog.APIVoyage, Prices: "voyageai"}
	google = catalog.Provider{API: catalog.APIGemini, Prices: "google"}
)

// billed is what the provider's own books say.
func (b *testBundle) billed() (tokens int64, calls int) {
	for _, e := range b.sim.Ledger() {
		tokens += e.Usage.Input
		calls++
	}
	return tokens, calls
}

// usage reads a column of the view.
func (b *testBundle) usage(t *testing.T, column string) string {
	t.Helper()
	var value string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT sum(`+column+`)::text FROM weir.embedding_usage`).Scan(&value))
	return value
}

func numbered(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("question number %d about parcels", i)
	}
	return texts
}

// vectors are those that the provider gives to texts one by one.
func (b *testBundle) vectors(t *testing.T, texts []string) [][]float32 {
	t.Helper()
	var want [][]float32
	for _, text := range texts {
		p, err := b.cfg.Client.Prepare(embed.Request{Model: b.cfg.Embedder.ID, Texts: []string{text}, Dimensions: b.cfg.Embedder.Dimensions})
		require.NoError(t, err)
		reply, err := b.cfg.Client.Do(t.Context(), p)
		require.NoError(t, err)
		want = append(want, reply.Vectors...)
	}
	return want
}

// TestEmbed takes texts through each API in requests of its limits, and holds bill, ledger and view against the provider's
// own books, to the pico-USD.
func TestEmbed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		provider catalog.Provider
		embedder catalog.Embedder
		texts    int
		calls    int
		rate     task.Pico // per token
	}{
		{"OpenAI", openAI, catalog.Embedder{ID: "text-embedding-3-small", Dimensions: 64}, 2049, 2, 20_000},
		{"OpenAILarge", openAI, catalog.Embedder{ID: "text-embedding-3-large", Dimensions: 64, Inputs: 10}, 25, 3, 130_000},
		{"Voyage", voyage, catalog.Embedder{ID: "voyage-4", Dimensions: 256}, 1001, 2, 60_000},
		{"VoyageOneAtATime", voyage, catalog.Embedder{ID: "voyage-4-lite", Dimensions: 256, Inputs: 1, Concurrency: 3}, 7, 7, 20_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tt.provider, tt.embedder, sim.Config{})
			texts := numbered(tt.texts)
			got, err := b.embedder(t).Embed(t.Context(), texts, embeddings.Options{Feature: "answers"})
			require.NoError(t, err)
			tokens, calls := b.billed()
			cost := task.Pico(tokens) * tt.rate
			require.Equal(t, tt.calls, calls)
			require.Equal(t, embeddings.Bill{Calls: calls, Tokens: tokens, Cost: cost, EstimatedCost: cost, CostHigh: cost}, got.Bill)
			knownTokens, knownCost := got.Known()
			require.Equal(t, tokens, *knownTokens)
			require.Equal(t, cost, *knownCost)

			require.Equal(t, fmt.Sprint(tt.calls), b.usage(t, "calls"))
			require.Equal(t, fmt.Sprint(tt.texts), b.usage(t, "inputs"))
			require.Equal(t, fmt.Sprint(tokens), b.usage(t, "tokens"))
			require.Equal(t, fmt.Sprintf("0.%012d", int64(cost)), b.usage(t, "cost_usd"))
			var wrong int
			require.NoError(t, b.pool.QueryRow(t.Context(), `
				SELECT count(*) FROM weir.embedding_calls
				WHERE embedder <> 'faq' OR provider <> 'acme' OR model <> $1 OR model_answered <> $1 OR feature <> 'answers'
				   OR price_book <> $2 OR price_row IS NULL OR http_status <> 200 OR fault IS NOT NULL OR bound_pusd < cost_pusd`,
				tt.embedder.ID, b.cfg.Book.Hash()).Scan(&wrong))
			require.Zero(t, wrong)

			some := []int{0, len(texts) / 2, len(texts) - 1}
			for _, i := range some {
				require.Equal(t, b.vectors(t, texts[i:i+1])[0], got.Vectors[i], "vectors are in the order of the texts")
			}
		})
	}
}

// TestEmbed_GeminiTellsNoUsage: the bill is an interval and an estimate, never 0.
func TestEmbed_GeminiTellsNoUsage(t *testing.T) {
	t.Parallel()
	b := setup(t, google, catalog.Embedder{ID: "gemini-embedding-001", Dimensions: 64}, sim.Config{})
	got, err := b.embedder(t).Embed(t.Context(), numbered(101), embeddings.Options{})
	require.NoError(t, err)
	tokens, calls := b.billed()
	require.Equal(t, 2, calls)
	require.Equal(t, 2, got.Unknown)
	require.Zero(t, got.Cost)
	knownTokens, knownCost := got.Known()
	require.Nil(t, knownTokens)
	require.Nil(t, knownCost)
	truth := task.Pico(tokens) * 150_000
	require.Greater(t, got.CostHigh, truth)
	require.Positive(t, got.EstimatedCost)
	require.Less(t, got.EstimatedCost, got.CostHigh)
	require.Equal(t, "2", b.usage(t, "unmetered_calls"))
	require.Equal(t, fmt.Sprintf("0.%012d", int64(got.CostHigh)), b.usage(t, "cost_high_usd"))
	require.Equal(t, fmt.Sprintf("0.%012d", int64(got.EstimatedCost)), b.usage(t, "estimated_usd"))
}

func TestEmbed_RefusesBeforeSending(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4", InputTokens: 100}, sim.Config{})
	e := b.embedder(t)
	for _, tt := range []struct {
		texts []string
		index int
		words string
	}{
		{[]string{"a", "", "c"}, 1, "input 1 is empty: leave it out"},
		{[]string{"a", "b", strings.Repeat("many words ", 200)}, 2, "input 2 has about 401 tokens by weir's count, and voyage-4 takes 100: split it, or set tokens_per_input of the embedder \"faq\" where weir is mistaken"},
	} {
		got, err := e.Embed(t.Context(), tt.texts, embeddings.Options{})
		var input *embeddings.InputError
		require.ErrorAs(t, err, &input)
		require.Equal(t, tt.index, input.Index)
		require.EqualError(t, err, tt.words)
		require.Equal(t, embeddings.Result{Vectors: make([][]float32, len(tt.texts))}, got)
	}
	got, err := e.Embed(t.Context(), nil, embeddings.Options{})
	require.NoError(t, err)
	require.Empty(t, got.Vectors)
	require.Empty(t, b.sim.Ledger())
}

// TestEmbed_NothingIsCut: by the plain count the text fits. Voyage, which refuses what does not fit, is asked; Gemini, which
// would cut it, is not.
func TestEmbed_NothingIsCut(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("many words ", 45) // of about 91 tokens, or 119 on the safe side
	b := setup(t, google, catalog.Embedder{ID: "gemini-embedding-001", InputTokens: 100}, sim.Config{})
	_, err := b.embedder(t).Embed(t.Context(), []string{text}, embeddings.Options{})
	require.ErrorContains(t, err, "input 0 has about 119 tokens by weir's count, and gemini-embedding-001 takes 100")
	require.Empty(t, b.sim.Ledger())
	b = setup(t, voyage, catalog.Embedder{ID: "voyage-4", InputTokens: 100}, sim.Config{})
	_, err = b.embedder(t).Embed(t.Context(), []string{text}, embeddings.Options{})
	require.NoError(t, err)
}

// TestEmbed_HalvesWhatIsTooLarge: weir's count is not the provider's. What the provider refuses is not paid and is sent in
// halves; a text that it refuses by itself is named.
func TestEmbed_HalvesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	models := sim.Profiles()
	small := models["text-embedding-3-small"]
	small.Embeds.InputTokens, small.Embeds.RequestTokens = 50, 100
	models["text-embedding-3-small"] = small
	b := setup(t, openAI, catalog.Embedder{ID: "text-embedding-3-small", Dimensions: 8, Concurrency: 1}, sim.Config{Models: models})
	texts := numbered(40) // of nine tokens by the simulator's count
	got, err := b.embedder(t).Embed(t.Context(), texts, embeddings.Options{})
	require.NoError(t, err)
	require.Equal(t, b.vectors(t, texts), got.Vectors)
	require.Zero(t, got.Unknown)
	require.Equal(t, 7, got.Calls, "40 and 20 are too many, 10 are not")
	require.Equal(t, "3", b.usage(t, "failed_calls"))

	texts[17] = strings.Repeat("abcd", 51)
	got, err = b.embedder(t).Embed(t.Context(), texts, embeddings.Options{})
	var input *embeddings.InputError
	require.ErrorAs(t, err, &input)
	require.Equal(t, 17, input.Index)
	require.ErrorContains(t, err, "input 17 was refused as too long (Invalid 'input[0]': maximum input length is 50 tokens.), and text-embedding-3-small takes 8191: split it")
	for i, v := range got.Vectors {
		require.Equal(t, i < 17, v != nil, "what was paid before is there: %d", i)
	}
	require.Positive(t, got.Cost)
}

// TestEmbed_TriesAgain goes by the retry table, and each try is a call in the ledger.
func TestEmbed_TriesAgain(t *testing.T) {
	t.Parallel()
	type wait = time.Duration
	for _, tt := range []struct {
		name  string
		fault sim.Fault
		count int
		tries int
		calls int
		slept []wait
		class task.FailureClass // of the error
		known bool
	}{
		{"RateLimitedOnce", sim.FaultRateLimit, 1, 0, 2, []wait{time.Second + 50*time.Millisecond}, "", true},
		{"Overloaded", sim.FaultOverloaded, 3, 0, 4, []wait{550 * time.Millisecond, 1100 * time.Millisecond, 2200 * time.Millisecond}, "", true},
		{"ServerErrorOnce", sim.FaultServer, 1, 0, 2, []wait{550 * time.Millisecond}, "", false},
		{"ServerErrors", sim.FaultServer, 9, 0, 3, []wait{550 * time.Millisecond, 1100 * time.Millisecond}, task.FailServer, false},
		{"Broken", sim.FaultReset, 1, 0, 2, []wait{550 * time.Millisecond}, "", false},
		{"BrokenAgain", sim.FaultReset, 9, 0, 2, []wait{550 * time.Millisecond}, task.FailLostNet, false},
		{"AsOftenAsTold", sim.FaultOverloaded, 9, 2, 2, []wait{550 * time.Millisecond}, task.FailOverloaded, true},
		{"QuotaIsNotWaitedFor", sim.FaultQuota, 1, 0, 1, nil, task.FailQuota, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, voyage, catalog.Embedder{ID: "voyage-4-lite"}, sim.Config{
				Scripts: []sim.Script{{Fault: tt.fault, Count: tt.count}},
			})
			b.cfg.Tries = tt.tries
			got, err := b.embedder(t).Embed(t.Context(), []string{"x"}, embeddings.Options{})
			require.Equal(t, tt.slept, b.slept)
			require.Equal(t, tt.calls, got.Calls)
			require.Equal(t, fmt.Sprint(tt.calls), b.usage(t, "calls"))
			require.Equal(t, tt.known, got.Unknown == 0)
			if tt.class == "" {
				require.NoError(t, err)
				require.NotNil(t, got.Vectors[0])
				return
			}
			var failed *providers.CallError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, tt.class, failed.Class)
			require.Nil(t, got.Vectors[0])
		})
	}
}

func TestEmbed_GivesUpOnLongWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4-lite"}, sim.Config{
		RateLimits: map[string]sim.RateLimit{"voyage-4-lite": {RequestsPerMinute: 1, Burst: 1}},
	})
	b.cfg.Patience = 30 * time.Second
	e := b.embedder(t)
	_, err := e.Embed(t.Context(), []string{"x"}, embeddings.Options{})
	require.NoError(t, err)
	_, err = e.Embed(t.Context(), []string{"x"}, embeddings.Options{})
	require.ErrorContains(t, err, "a wait of 1m")
	require.Empty(t, b.slept)
}

// TestEmbed_LosesNothingPaid: a later request that fails leaves what came before, its vectors and its cost.
func TestEmbed_LosesNothingPaid(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4", Inputs: 2, Concurrency: 1}, sim.Config{})
	b.cfg.Tries = 1
	e := b.embedder(t)
	texts := numbered(7)
	want := b.vectors(t, texts[:4])
	before, _ := b.billed()
	require.NoError(t, b.sim.AddFault(sim.Script{Fault: sim.FaultOverloaded, After: 2}))
	got, err := e.Embed(t.Context(), texts, embeddings.Options{})
	require.ErrorContains(t, err, "embed inputs 4 to 5: overloaded (HTTP 503)")
	require.Equal(t, append(want, nil, nil, nil), got.Vectors)
	tokens, _ := b.billed()
	require.Equal(t, tokens-before, got.Tokens)
	require.Equal(t, task.Pico(tokens-before)*60_000, got.Cost)
	require.Equal(t, 3, got.Calls, "after a failure no further call is begun")
	require.Zero(t, got.Unknown)
}

// TestEmbed_CancelledMeanwhile: a call that was sent is waited for and booked.
func TestEmbed_CancelledMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4", Inputs: 1, Concurrency: 1}, sim.Config{})
	e := b.embedder(t)
	b.sim.Hold("")
	ctx, cancel := context.WithCancel(t.Context())
	type ended struct {
		result embeddings.Result
		err    error
	}
	done := make(chan ended)
	go func() {
		r, err := e.Embed(ctx, numbered(2), embeddings.Options{})
		done <- ended{r, err}
	}()
	require.Eventually(t, func() bool { return b.sim.Held() == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	b.sim.Release("")
	got := <-done
	require.ErrorIs(t, got.err, context.Canceled)
	require.NotNil(t, got.result.Vectors[0])
	require.Nil(t, got.result.Vectors[1])
	require.Equal(t, 1, got.result.Calls)
	require.Equal(t, "0", b.usage(t, "unmetered_calls"))
}

// TestEmbed_RecordsBeforeItSends: while a call is under way its row is there; without a row nothing is sent.
func TestEmbed_RecordsBeforeItSends(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4"}, sim.Config{})
	e := b.embedder(t)
	b.sim.Hold("")
	done := make(chan error)
	go func() {
		_, err := e.Embed(t.Context(), []string{"x"}, embeddings.Options{})
		done <- err
	}()
	require.Eventually(t, func() bool { return b.sim.Held() == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, "1", b.usage(t, "unmetered_calls"))
	b.sim.Release("")
	require.NoError(t, <-done)
	require.Equal(t, "0", b.usage(t, "unmetered_calls"))

	_, calls := b.billed()
	b.pool.Close()
	_, err := e.Embed(t.Context(), []string{"x"}, embeddings.Options{})
	require.ErrorContains(t, err, "record call for embeddings")
	_, after := b.billed()
	require.Equal(t, calls, after)
}

func TestEmbed_KeepsVectorsWhenTheEndIsNotRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4", Inputs: 1, Concurrency: 1}, sim.Config{})
	e := b.embedder(t)
	b.sim.Hold("")
	type ended struct {
		result embeddings.Result
		err    error
	}
	done := make(chan ended)
	go func() {
		r, err := e.Embed(t.Context(), numbered(2), embeddings.Options{})
		done <- ended{r, err}
	}()
	require.Eventually(t, func() bool { return b.sim.Held() == 1 }, 10*time.Second, time.Millisecond)
	_, err := b.pool.Exec(t.Context(), `DELETE FROM weir.embedding_calls`)
	require.NoError(t, err)
	b.sim.Release("")
	got := <-done
	require.ErrorContains(t, got.err, "record end of call for embeddings")
	require.NotNil(t, got.result.Vectors[0])
	require.Nil(t, got.result.Vectors[1], "no more is spent while the ledger is broken")
	require.Positive(t, got.result.Cost)
}

// TestEmbed_AnotherModelAnswers: the price is that of the model that answered; without one it is not known.
func TestEmbed_AnotherModelAnswers(t *testing.T) {
	t.Parallel()
	models := sim.Profiles()
	other, none := models["voyage-4"], models["voyage-4-lite"]
	other.Snapshot, none.Snapshot = "voyage-4-lite", "voyage-9"
	models["voyage-4"], models["voyage-4-lite"] = other, none
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4"}, sim.Config{Models: models})
	got, err := b.embedder(t).Embed(t.Context(), []string{"abcd"}, embeddings.Options{})
	require.NoError(t, err)
	require.EqualValues(t, 20_000, got.Cost)

	b.cfg.Embedder.ID = "voyage-4-lite"
	got, err = b.embedder(t).Embed(t.Context(), []string{"abcd"}, embeddings.Options{})
	require.NoError(t, err)
	require.Equal(t, 1, got.Unknown)
	require.Zero(t, got.Cost)
	require.Equal(t, "1", b.usage(t, "unpriced_calls"))
}

func TestEmbed_InputTypes(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-4", InputType: catalog.InputDocument}, sim.Config{})
	b.cfg.DB = nil
	tokens := func(o embeddings.Options) int64 {
		got, err := b.embedder(t).Embed(t.Context(), []string{"abcd"}, o)
		require.NoError(t, err)
		return got.Tokens
	}
	require.EqualValues(t, 1+10, tokens(embeddings.Options{}), "the embedder's own")
	require.EqualValues(t, 1+15, tokens(embeddings.Options{InputType: embed.Query}))
}

func TestNew_Unpriced(t *testing.T) {
	t.Parallel()
	b := setup(t, voyage, catalog.Embedder{ID: "voyage-9"}, sim.Config{})
	_, err := embeddings.New(b.cfg)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	require.ErrorContains(t, err, "embedders.faq: voyageai/voyage-9 has no price in force")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	local := catalog.Provider{API: catalog.APIOpenAI, Dialect: catalog.DialectOllama, Prices: "self-hosted"}
	for _, tt := range []struct {
		name     string
		provider catalog.Provider
		embedder catalog.Embedder
		want     embeddings.Limits
	}{
		{"OpenAI", openAI, catalog.Embedder{ID: "text-embedding-3-small", Dimensions: 256}, embeddings.Limits{Inputs: 2048, InputTokens: 8191, RequestTokens: 300_000}},
		{"VoyageLite", voyage, catalog.Embedder{ID: "voyage-4-lite"}, embeddings.Limits{Inputs: 1000, InputTokens: 32_000, RequestTokens: 1_000_000}},
		{"VoyageMiddle", voyage, catalog.Embedder{ID: "voyage-4"}, embeddings.Limits{Inputs: 1000, InputTokens: 32_000, RequestTokens: 320_000}},
		{"Gemini", google, catalog.Embedder{ID: "gemini-embedding-001"}, embeddings.Limits{Inputs: 100, InputTokens: 2048, RequestTokens: 204_800}},
		{"Local", local, catalog.Embedder{ID: "bge-m3"}, embeddings.Limits{Inputs: 256, InputTokens: 8192, RequestTokens: 100_000}},
		{"Configured", voyage, catalog.Embedder{ID: "voyage-4", Inputs: 5, InputTokens: 10, RequestTokens: 20}, embeddings.Limits{Inputs: 5, InputTokens: 10, RequestTokens: 20}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			book, err := pricing.Embedded()
			require.NoError(t, err)
			client, err := embed.New(tt.provider.API, providers.Config{
				BaseURL: "http://127.0.0.1:1", AllowPrivate: true, Dialect: tt.provider.Dialect, MaxBodyBytes: 256 << 20,
			})
			require.NoError(t, err)
			e, err := embeddings.New(embeddings.Config{Embedder: tt.embedder, Provider: tt.provider, Client: client, Book: book})
			require.NoError(t, err)
			require.Equal(t, tt.want, e.Limits())
		})
	}
}
