package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
	"github.com/weirhq/weir/worker"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, pool *pgxpool.Pool) error {
		return migrations.Up(ctx, pool, slog.New(slog.DiscardHandler))
	})
}

const testYAML = `
providers:
  fake: {api: openai, base_url: "%s", allow_private: true, concurrency: 16, timeout: 2s}
models:
  luna: {provider: fake, id: gpt-6-luna, tier: mini, sideways: [nano]}
  nano: {provider: fake, id: gpt-5-nano, tier: mini}
  old: {provider: fake, id: gpt-4o-mini, tier: mini, service_tier: default}
  low: {provider: fake, id: gpt-6-sol, tier: mid, effort: low}
  sol: {provider: fake, id: gpt-6.2-sol, tier: mid}
  astra: {provider: fake, id: gpt-6.2-astra, tier: flagship}
cascades:
  L1: [luna, sol, astra]
  L2: [sol, astra]
  L3: [astra]
features:
  triage:
    system: "Answer yes or no."
    class: L1
    max_output_tokens: 20
    max_attempts: 4
    repair_hint: true
    validators: [{type: enum, values: ["yes", "no"]}]
  agreed:
    cascade: [luna, low, sol, astra]
    agree: 2
    repair_hint: true
    validators: [{type: enum, values: ["yes", "no", "Yes."]}]
  checked:
    cascade: [luna, sol, astra]
    shadow_share: 1
    validators: [{type: enum, values: ["yes", "no"]}]
  expert:
    class: L3
    max_output_tokens: 100
  shown:
    system: "Answer yes or no."
    examples: [{input: "Is one two?", output: "no"}]
    cascade: [old, low]
    temperature: 0.25
    validators: [{type: enum, values: ["yes", "no"]}]
`

// answer is what the fake provider does with one request.
type answer struct {
	status int
	header map[string]string
	body   string
	hold   chan struct{} // answered when it is closed
}

// fakeModel answers requests by the model's name, one scripted answer after the other; the last one stays.
type fakeModel struct {
	mu      sync.Mutex
	script  map[string][]answer
	calls   map[string]int
	prompts []string
	bodies  []string
	called  chan string // the model's name for each request that began
}

func say(text string) answer { return answer{status: http.StatusOK, body: text} }

func (f *fakeModel) next(model string) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[model]++
	answers := f.script[model]
	if len(answers) == 0 {
		return say("yes")
	}
	if len(answers) > 1 {
		f.script[model] = answers[1:]
	}
	return answers[0]
}

func (f *fakeModel) count(model string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[model]
}

func (f *fakeModel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Model    string `json:"model"`
		Messages []struct {
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	last := request.Messages[len(request.Messages)-1].Content
	var text string
	if json.Unmarshal(last, &text) != nil { // parts, which tests look at as they are
		text = string(last)
	}
	f.bodies = append(f.bodies, string(body))
	f.prompts = append(f.prompts, text)
	f.mu.Unlock()
	a := f.next(request.Model)
	select {
	case f.called <- request.Model:
	default:
	}
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	if a.status != http.StatusOK {
		_, _ = fmt.Fprintf(w, `{"error":{"message":%q,"type":"test"}}`, a.body)
		return
	}
	_, _ = fmt.Fprintf(w, `{"id":"r","object":"chat.completion","model":%q,"choices":[{"index":0,"message":`+
		`{"role":"assistant","content":%q},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}`, request.Model, a.body)
}

// testBundle is a running weir with a fake provider.
type testBundle struct {
	pool    *pgxpool.Pool
	js      jetstream.JetStream
	fake    *fakeModel
	results chan task.Result
	config  worker.Config
	stop    func()
}

func setup(t *testing.T, script map[string][]answer, changes ...func(*worker.Config)) *testBundle {
	t.Helper()
	b := prepare(t, script, changes...)
	b.start(t)
	return b
}

// prepare builds everything but starts nothing.
func prepare(t *testing.T, script map[string][]answer, changes ...func(*worker.Config)) *testBundle {
	t.Helper()
	fake := &fakeModel{script: script, calls: map[string]int{}, called: make(chan string, 1000)}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	dsn := pgtest.DSN(t)
	b := &testBundle{pool: pgtest.Open(t, dsn), js: natstest.Start(t).JetStream(t), fake: fake}
	require.NoError(t, ingest.EnsureStreams(t.Context(), b.js, ingest.StreamConfig{MaxBytes: 64 << 20}))
	c, err := catalog.Parse(fmt.Appendf(nil, testYAML, server.URL))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	rules, err := classifier.New(c.Classifier)
	require.NoError(t, err)
	client, err := openai.New(providers.Config{BaseURL: server.URL, AllowPrivate: true, Timeout: 2 * time.Second})
	require.NoError(t, err)
	chains := map[string]*validators.Chain{}
	for name, f := range c.Features {
		chains[name], err = validators.Compile(f.Validators, f.OutputSchema)
		require.NoError(t, err)
	}
	timing := worker.DefaultTiming()
	timing.Beat, timing.Silence, timing.Lease, timing.Reap = 100*time.Millisecond, 2*time.Second, 3*time.Second, 200*time.Millisecond
	timing.Maintain, timing.Recover, timing.Stale, timing.Orphan = 200*time.Millisecond, 300*time.Millisecond, time.Second, 3*time.Second
	b.config = worker.Config{
		Pool: b.pool, RiverPool: pgtest.Open(t, dsn), BeatPool: pgtest.Open(t, dsn), Catalog: c, Book: book,
		Planner: planner.New(planner.Config{
			Catalog: c, Models: planner.NewModels(c, book, time.Now), Classifier: rules, Logger: slog.New(slog.DiscardHandler),
		}),
		Providers: map[string]providers.Provider{"fake": client}, Validators: chains, Stream: b.js,
		SpoolDir: t.TempDir(), Roles: []string{"worker"}, Timing: timing, SoftStop: 5 * time.Second,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, change := range changes {
		change(&b.config)
	}
	b.listen(t)
	return b
}

// listen collects the published results.
func (b *testBundle) listen(t *testing.T) {
	t.Helper()
	b.results = make(chan task.Result, 10_000)
	consumer, err := b.js.OrderedConsumer(t.Context(), task.StreamResults, jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		var r task.Result
		if json.Unmarshal(m.Data(), &r) == nil {
			b.results <- r
		}
	})
	require.NoError(t, err)
	t.Cleanup(consuming.Stop)
}

// start runs a worker and an ingester until the test ends or stop is called.
func (b *testBundle) start(t *testing.T) {
	t.Helper()
	b.config.Boot = uuid.Must(uuid.NewV7())
	w, err := worker.New(b.config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("worker: %v", err)
		}
	})
	running.Go(func() {
		err := ingest.Run(ctx, ingest.Config{
			Pool: b.pool, Stream: b.js, Catalog: b.config.Catalog, Logger: b.config.Logger,
			Streams: ingest.StreamConfig{MaxBytes: 64 << 20},
		})
		if err != nil && ctx.Err() == nil {
			t.Errorf("ingest: %v", err)
		}
	})
	b.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(b.stop)
}

func (b *testBundle) publish(t *testing.T, body string) {
	t.Helper()
	var subject struct {
		Feature string `json:"feature"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &subject))
	_, err := b.js.PublishMsg(t.Context(), &nats.Msg{Subject: task.Subject("acme", subject.Feature), Data: []byte(body)})
	require.NoError(t, err)
}

func (b *testBundle) result(t *testing.T) task.Result {
	t.Helper()
	select {
	case r := <-b.results:
		return r
	case <-time.After(20 * time.Second):
		require.Fail(t, "no result came")
		return task.Result{}
	}
}

// attemptRow is what tests look at of an attempt.
type attemptRow struct {
	Model, State          string
	Counted               bool
	Verdict, Failure      *string
	Validator             *string
	Cost, Bound           *int64
	Input, Output         *int64
	N                     int
	PriceRow, RequestHash *string
}

func (b *testBundle) attempts(t *testing.T, id string) []attemptRow {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `
		SELECT a.model, a.state, a.counted, a.verdict, a.failure, a.validator, a.cost_pusd, a.bound_pusd, a.input_tokens,
		       a.output_tokens, a.n, a.price_row
		FROM weir.attempts a JOIN weir.tasks t ON t.id = a.task_id WHERE t.key = $1 ORDER BY a.n`, id)
	require.NoError(t, err)
	defer rows.Close()
	var found []attemptRow
	for rows.Next() {
		var r attemptRow
		require.NoError(t, rows.Scan(&r.Model, &r.State, &r.Counted, &r.Verdict, &r.Failure, &r.Validator, &r.Cost, &r.Bound,
			&r.Input, &r.Output, &r.N, &r.PriceRow))
		found = append(found, r)
	}
	require.NoError(t, rows.Err())
	return found
}

func (b *testBundle) state(t *testing.T, id string) string {
	t.Helper()
	var state string
	err := b.pool.QueryRow(t.Context(), `SELECT state FROM weir.tasks WHERE key = $1 ORDER BY run DESC LIMIT 1`, id).Scan(&state)
	if err != nil {
		return ""
	}
	return state
}
