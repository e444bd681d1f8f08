package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const countsYAML = `
providers:
  asked: {api: anthropic, count_tokens: true}
  unasked: {api: anthropic}
models:
  haiku: {provider: asked, id: claude-haiku-5-5, tier: mini}
  other: {provider: unasked, id: claude-haiku-5-5, tier: mini}
cascades: {L1: [haiku], L2: [haiku, other], L3: [haiku]}
features:
  triage: {system: Sort it., max_output_tokens: 100}
`

// fakeCounter answers with what answer says, or with 700.
type fakeCounter struct {
	providers.Provider
	answer func(ctx context.Context) (int64, error)

	mu             sync.Mutex
	calls          []providers.Call
	inFlight, most int
}

func (f *fakeCounter) PrepareCount(call providers.Call) (providers.Request, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	return providers.Request{}, nil
}

func (f *fakeCounter) Count(ctx context.Context, _ providers.Request) (int64, error) {
	f.mu.Lock()
	f.inFlight++
	f.most = max(f.most, f.inFlight)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.inFlight--
	}()
	if f.answer == nil {
		return 700, nil
	}
	return f.answer(ctx)
}

// countsBundle is what asks, its clock and its provider.
type countsBundle struct {
	*counts
	fake  *fakeCounter
	clock time.Time
}

func setupCounts(t *testing.T) *countsBundle {
	t.Helper()
	c, err := catalog.Parse([]byte(countsYAML))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	rules, err := classifier.New(c.Classifier)
	require.NoError(t, err)
	models := planner.NewModels(c, book, time.Now)
	b := &countsBundle{fake: &fakeCounter{}, clock: time.Unix(1_800_000_000, 0)}
	config := Config{
		Catalog: c, Providers: map[string]providers.Provider{"asked": b.fake, "unasked": b.fake},
		Now: func() time.Time { return b.clock }, Logger: slog.New(slog.DiscardHandler),
	}
	b.counts = newCounts(config, &attempts{catalog: c, models: models, planner: planner.New(planner.Config{
		Catalog: c, Models: models, Classifier: rules, Logger: config.Logger,
	})})
	return b
}

// run asks about n tasks at models and returns how many questions were put and how many counts came.
func (b *countsBundle) run(ctx context.Context, n int, models ...string) (asked, came int) {
	doubts := make([]*doubt, n)
	for i := range doubts {
		doubts[i] = &doubt{
			queued:    &store.QueuedTask{ID: uuid.New(), Tenant: "acme", Feature: "triage"},
			task:      &task.Task{Feature: "triage", Input: fmt.Sprint("Message ", i)},
			estimated: planner.Planned{Doubts: models, Classified: store.Classified{MaxOutput: 77}},
		}
	}
	before := len(b.fake.calls)
	b.ask(ctx, doubts)
	for _, d := range doubts {
		came += len(d.counts)
	}
	return len(b.fake.calls) - before, came
}

func (b *countsBundle) requireRun(t *testing.T, n, asked, came int) {
	t.Helper()
	gotAsked, gotCame := b.run(t.Context(), n, "haiku")
	require.Equal(t, asked, gotAsked)
	require.Equal(t, came, gotCame)
}

func TestCounts_AsksAboutTheCall(t *testing.T) {
	t.Parallel()
	b := setupCounts(t)
	require.True(t, b.helps([]string{"other", "haiku"}))
	require.False(t, b.helps([]string{"other", "gone"}))
	asked, came := b.run(t.Context(), 1, "other", "haiku", "gone")
	require.Equal(t, 1, asked)
	require.Equal(t, 1, came)
	call := b.fake.calls[0]
	require.Equal(t, "claude-haiku-5-5", call.Model)
	require.Equal(t, "Sort it.", call.System)
	require.Equal(t, 77, call.MaxOutputTokens)
	require.Equal(t, []task.Message{{Role: task.RoleUser, Content: "Message 0"}}, call.Messages)
	require.NoError(t, call.Check())
}

func TestCounts_Pauses(t *testing.T) {
	t.Parallel()
	fail := func(class task.FailureClass, after time.Duration) func(context.Context) (int64, error) {
		return func(context.Context) (int64, error) {
			return 0, &providers.CallError{Class: class, Message: "no", RetryAfter: after}
		}
	}
	for _, tt := range []struct {
		name   string
		answer func(context.Context) (int64, error)
		pause  time.Duration
	}{
		{"Server", fail(task.FailServer, 0), countPause},
		{"RateLimit", fail(task.FailRateLimited, time.Second), countPause},
		{"LongRateLimit", fail(task.FailRateLimited, time.Hour), time.Hour},
		{"Auth", fail(task.FailAuth, 0), countPause},
		{"Lost", fail(task.FailLostNet, 0), countPause},
		{"ThisPromptTooLong", fail(task.FailTooLong, 0), 0},
		{"ThisPromptRefused", fail(task.FailBadRequest, 0), 0},
		{"Panic", func(context.Context) (int64, error) { panic("a bug") }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setupCounts(t)
			b.fake.answer = tt.answer
			b.requireRun(t, 1, 1, 0)
			b.fake.answer = nil
			if tt.pause > 0 {
				b.clock = b.clock.Add(tt.pause - 1)
				require.False(t, b.helps([]string{"haiku"}))
				b.requireRun(t, 1, 0, 0)
				b.clock = b.clock.Add(1)
			}
			require.True(t, b.helps([]string{"haiku"}))
			b.requireRun(t, 1, 1, 1)
		})
	}
}

func TestCounts_AStopIsNoOutage(t *testing.T) {
	t.Parallel()
	b := setupCounts(t)
	ctx, stop := context.WithCancel(t.Context())
	b.fake.answer = func(ctx context.Context) (int64, error) {
		stop()
		<-ctx.Done()
		return 0, &providers.CallError{Class: task.FailTimeout, Message: "stopped"}
	}
	_, came := b.run(ctx, 1, "haiku")
	require.Zero(t, came)
	require.True(t, b.helps([]string{"haiku"}))
}

func TestCounts_LateQuestionsAreNotPut(t *testing.T) {
	t.Parallel()
	b := setupCounts(t)
	ctx, cancel := context.WithTimeout(t.Context(), countTime/2-time.Second/10)
	defer cancel()
	asked, _ := b.run(ctx, 1, "haiku")
	require.Zero(t, asked)
	require.True(t, b.helps([]string{"haiku"}))
}

// TestCounts_WaitNoLongerThanTheyMay has a provider that never answers: all tasks together wait once, and then it is left
// alone.
func TestCounts_WaitNoLongerThanTheyMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupCounts(t)
		b.fake.answer = func(ctx context.Context) (int64, error) {
			<-ctx.Done()
			return 0, &providers.CallError{Class: task.FailTimeout, Message: "late"}
		}
		started := time.Now()
		b.requireRun(t, 20, countsInFlight, 0)
		require.Equal(t, countTime, time.Since(started))
		require.False(t, b.helps([]string{"haiku"}))
		b.requireRun(t, 20, 0, 0)
		require.Equal(t, countTime, time.Since(started))
	})
}

func TestCounts_AreFew(t *testing.T) {
	t.Parallel()
	b := setupCounts(t)
	b.requireRun(t, countsPerMinute+40, countsPerMinute, countsPerMinute)
	require.LessOrEqual(t, b.fake.most, countsInFlight)
	b.requireRun(t, 1, 0, 0)
	b.clock = b.clock.Add(time.Minute)
	asked, came := b.run(t.Context(), 1, "haiku", "haiku", "haiku", "haiku", "haiku")
	require.Equal(t, countsPerTask, asked)
	require.Equal(t, 1, came)
}
