package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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
  expert:
    class: L3
    max_output_tokens: 100
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
			Content string `json:"content"`
		} `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.prompts = append(f.prompts, request.Messages[len(request.Messages)-1].Content)
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
	rules, err := classifier.NewRules(c.Classifier)
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
		Classifier: rules, Providers: map[string]providers.Provider{"fake": client}, Validators: chains, Stream: b.js,
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

func TestWorker_AcceptedAnswerCompletes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?","metadata":{"k":"v"},"batch":"night"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, "yes", r.Output)
	require.Equal(t, "luna", r.Model)
	require.Equal(t, task.L1, r.Class)
	require.Equal(t, 1, r.Attempts)
	require.Equal(t, map[string]string{"k": "v"}, r.Metadata)
	require.Equal(t, "night", r.Batch)
	require.Equal(t, task.ResultID("acme", "a", 1), r.ResultID)
	// 1,000 tokens at 0.10 and 10 at 0.50 USD per million
	require.Equal(t, "0.000105", r.CostUSD.String())
	require.Equal(t, r.CostUSD, r.CostHighUSD)
	got := b.attempts(t, "a")
	require.Len(t, got, 1)
	require.Equal(t, "closed", got[0].State)
	require.Equal(t, "accepted", *got[0].Verdict)
	require.Equal(t, int64(105_000_000), *got[0].Cost)
	require.GreaterOrEqual(t, *got[0].Bound, *got[0].Cost)
	require.Equal(t, int64(1000), *got[0].Input)
}

func TestWorker_RejectedOutputGoesToNextStage(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6-luna": {say("maybe")}, "gpt-6.2-sol": {say("perhaps")}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, "astra", r.Model)
	got := b.attempts(t, "a")
	require.Len(t, got, 3)
	for i, model := range []string{"luna", "sol", "astra"} {
		require.Equal(t, model, got[i].Model)
		require.Equal(t, i+1, got[i].N)
	}
	require.Equal(t, "rejected", *got[0].Verdict)
	require.Contains(t, *got[0].Validator, "enum@")
	require.Equal(t, "invalid", *got[0].Failure)
	// 0.000105 + 0.0021 + 0.0084
	require.Equal(t, "0.010605", r.CostUSD.String())
	b.fake.mu.Lock()
	defer b.fake.mu.Unlock()
	require.Contains(t, b.fake.prompts[1], "rejected by a check", "the next model is told what was wrong")
}

func TestWorker_LastStageFails(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6-luna": {say("?")}, "gpt-6.2-sol": {say("?")}, "gpt-6.2-astra": {say("?")}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "invalid")
	require.Empty(t, r.Output)
	require.Len(t, b.attempts(t, "a"), 3)
}

func TestWorker_RateLimitWaitsWithoutCountingAnAttempt(t *testing.T) {
	t.Parallel()
	limited := answer{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "1"}, body: "slow"}
	b := setup(t, map[string][]answer{"gpt-6-luna": {limited, say("yes")}})
	began := time.Now()
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, 1, r.Attempts)
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	got := b.attempts(t, "a")
	require.Len(t, got, 2)
	require.False(t, got[0].Counted)
	require.Equal(t, "rate_limited", *got[0].Failure)
	require.Zero(t, *got[0].Cost, "what was turned away cost nothing")
}

func TestWorker_OutageGoesSidewaysAndNeverUp(t *testing.T) {
	t.Parallel()
	down := answer{status: http.StatusServiceUnavailable, body: "overloaded"}
	b := setup(t, map[string][]answer{"gpt-6-luna": {down}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, "nano", r.Model)
	require.Zero(t, b.fake.count("gpt-6.2-sol"))
	require.Equal(t, 3, b.fake.count("gpt-6-luna"))
}

func TestWorker_TimeoutHasACostInterval(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6.2-astra": {{hold: make(chan struct{})}, say("done")}})
	b.publish(t, `{"id":"a","feature":"expert","input":"Think."}`)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Greater(t, r.CostHighUSD, r.CostUSD, "nobody knows what the first call cost")
	got := b.attempts(t, "a")
	require.Equal(t, "timeout", *got[0].Failure)
	require.Nil(t, got[0].Cost)
	require.Equal(t, int64(r.CostHighUSD-r.CostUSD), *got[0].Bound)
}

func TestWorker_BadRequestFailsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-6-luna": {{status: http.StatusBadRequest, body: "no such parameter"}}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "no such parameter")
	require.Equal(t, 1, b.fake.count("gpt-6-luna"))
}

func TestWorker_CostCeilingPreventsTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"expert","input":"Think.","max_cost_usd":"0.0001"}`)
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "ceiling")
	require.Zero(t, b.fake.count("gpt-6.2-astra"))
	require.Zero(t, r.CostHighUSD)
}

func TestWorker_DeadlineExpires(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?","deadline":"2020-01-01T00:00:00Z"}`)
	r := b.result(t)
	require.Equal(t, task.Expired, r.Status)
	require.Zero(t, b.fake.count("gpt-6-luna"))
}

func TestWorker_RefusedBodyGetsAResult(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","inputt":"typo"}`)
	r := b.result(t)
	require.Equal(t, task.Refused, r.Status)
	require.Contains(t, r.Reason, "inputt")
	require.Equal(t, "a", r.ID)
	b.publish(t, `{"id":"a","feature":"triage","input":"corrected"}`)
	require.Equal(t, task.Succeeded, b.result(t).Status, "the key of a refused body stays free")
}

func TestWorker_PromptAboveEveryModelFails(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *worker.Config) {
		astra := c.Catalog.Models["astra"]
		astra.MaxInput = 1000
		c.Catalog.Models["astra"] = astra
	})
	body, err := json.Marshal(task.Task{ID: "a", Feature: "expert", Input: strings.Repeat("word ", 10_000)})
	require.NoError(t, err)
	b.publish(t, string(body))
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "input limit of 1000")
}

func TestWorker_StopFinishesCallsAndHandsTheRestBack(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	b := setup(t, map[string][]answer{"gpt-6-luna": {{status: http.StatusOK, body: "yes", hold: hold}}})
	const n = 40 // above the provider's concurrency of 16
	for i := range n {
		b.publish(t, fmt.Sprintf(`{"id":"t%d","feature":"triage","input":"Is it?"}`, i))
	}
	for range 16 {
		<-b.fake.called
	}
	stopped := make(chan struct{})
	go func() {
		b.stop()
		close(stopped)
	}()
	// every call is under way and nothing else starts: let them go once the stop is known
	require.Eventually(t, func() bool { return b.fake.count("gpt-6-luna") == 16 }, 5*time.Second, 10*time.Millisecond)
	close(hold)
	<-stopped
	var finished, lost int
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE state = 'succeeded') FROM weir.tasks`).Scan(&finished))
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM weir.attempts WHERE state <> 'closed'`).Scan(&lost))
	require.GreaterOrEqual(t, finished, 16)
	require.Zero(t, lost, "a paid answer is never thrown away")
	b.start(t)
	seen := map[string]bool{}
	for len(seen) < n {
		r := b.result(t)
		require.Equal(t, task.Succeeded, r.Status)
		seen[r.ID] = true
	}
	require.Equal(t, n, b.fake.count("gpt-6-luna"), "nothing was called twice")
}

func TestWorker_CancelledWhileInFlightBooksTheCostOnly(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	b := setup(t, map[string][]answer{"gpt-6-luna": {{status: http.StatusOK, body: "yes", hold: hold}}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	<-b.fake.called
	_, err := b.pool.Exec(t.Context(), `
		UPDATE weir.tasks SET state = 'cancelled', bundle_id = NULL, finished_at = now() WHERE key = 'a'`)
	require.NoError(t, err)
	close(hold)
	require.Eventually(t, func() bool { return b.attempts(t, "a")[0].State == "closed" }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, "cancelled", b.state(t, "a"))
	var cost int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT cost_pusd FROM weir.tasks WHERE key = 'a'`).Scan(&cost))
	require.Equal(t, int64(105_000_000), cost)
}

func TestWorker_DeadProcessIsReaped(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	b := setup(t, map[string][]answer{"gpt-6-luna": {{status: http.StatusOK, body: "yes", hold: hold}}})
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?"}`)
	<-b.fake.called
	// the process seems dead to the others: its lease has run out while its call is under way
	_, err := b.pool.Exec(t.Context(), `
		UPDATE weir.processes SET id = gen_random_uuid(), beat_at = now() - interval '1 hour'`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.attempts SET owner = (SELECT id FROM weir.processes)`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.bundles SET owner = (SELECT id FROM weir.processes)`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `
		INSERT INTO weir.processes SELECT $1, host, roles, version, started_at, now() + interval '1 hour' FROM weir.processes`,
		b.config.Boot)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.attempts(t, "a")[0].State == "lost" }, 10*time.Second, 20*time.Millisecond)
	require.Nil(t, b.attempts(t, "a")[0].Cost)
	<-b.fake.called // the task runs again
	close(hold)
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status)
	require.Equal(t, 2, r.Attempts)
	// the late answer of the first call brings its cost and nothing else
	require.Eventually(t, func() bool { return b.attempts(t, "a")[0].Cost != nil }, 5*time.Second, 20*time.Millisecond)
	var cost, high int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT cost_pusd, cost_high_pusd FROM weir.tasks WHERE key = 'a'`).Scan(&cost, &high))
	require.Equal(t, int64(210_000_000), cost)
	require.Equal(t, cost, high)
	require.Empty(t, b.results, "there is one result")
}

func TestWorker_UnpublishedResultsAreRecovered(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.publish(t, `{"id":"a","feature":"triage","input":"Is it?","metadata":{"k":"v"}}`)
	first := b.result(t)
	require.Eventually(t, func() bool {
		tag, err := b.pool.Exec(t.Context(), `UPDATE weir.results SET published_at = NULL WHERE published_at IS NOT NULL`)
		return err == nil && tag.RowsAffected() == 1
	}, 5*time.Second, 10*time.Millisecond)
	again := b.result(t)
	require.Equal(t, first.FinishedAt.UnixMicro(), again.FinishedAt.UnixMicro())
	again.FinishedAt, again.AcceptedAt = first.FinishedAt, first.AcceptedAt
	require.Equal(t, first, again, "the ledger gives the same result as memory did")
}

func TestWorker_LoneTaskIsQuick(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var waits []time.Duration
	for i := range 7 {
		began := time.Now()
		b.publish(t, fmt.Sprintf(`{"id":"t%d","feature":"triage","input":"Is it?"}`, i))
		<-b.fake.called
		waits = append(waits, time.Since(began))
		b.result(t)
	}
	quick := 0
	for _, wait := range waits {
		if wait < 150*time.Millisecond {
			quick++
		}
	}
	t.Logf("publish to provider call: %v", waits)
	require.GreaterOrEqual(t, quick, 4, "the median is under 150 ms")
}
