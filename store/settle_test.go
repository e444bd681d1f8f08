package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestSettle(t *testing.T) {
	t.Parallel()

	t.Run("AcceptedEndsTheTask", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		s := c.accepted(func(s *store.Settlement) { s.ToolCalls = []byte(`[{"name":"f"}]`) })

		settled := b.settle(s)

		require.Equal(t, map[uuid.UUID]store.Settled{
			c.attempt: {Finished: true, Attempts: 1, Cost: 400, CostHigh: 400},
		}, settled)
		mini := miniModel
		require.Equal(t, storedTask{
			State: "succeeded", Model: &mini, Calls: 1, Attempts: 1, ModelAttempts: 1, Cost: 400, CostHigh: 400, Finished: true,
		}, b.task(c.task))
		require.Equal(t, 1, b.count(`weir.results WHERE task_id = $1 AND id = $2 AND attempt_id = $3
			AND status = 'succeeded' AND published_at IS NULL`, c.task, s.Next.ResultID, c.attempt))
		require.Equal(t, 1, b.count(`weir.outputs WHERE task_id = $1 AND attempt_id = $2 AND output = 'answer'
			AND tool_calls = '[{"name":"f"}]'`, c.task, c.attempt))
		ledgertest.Check(t, b.pool)
	})

	t.Run("StoresWhatTheProviderSaid", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		b.settle(c.rejected(func(s *store.Settlement) {
			s.Usage = &task.Usage{
				Input: 1, CacheRead: 2, CacheWrite5m: 3, CacheWrite30m: 4, CacheWrite1h: 5, CacheWrite12h: 6, InputAudio: 7,
				InputImage: 8, Output: 9, Reasoning: 10, OutputAudio: 11, WebSearches: 12, Characters: 13,
			}
			s.ServiceTier, s.Speed, s.Geo = "flex", "fast", "eu"
		}))
		require.Equal(t, 1, b.count(`weir.attempts WHERE id = $1
			AND state = 'closed' AND counted AND NOT late AND verdict = 'rejected' AND validator = 'enum@1'
			AND reason = 'not one of them' AND failure = 'invalid' AND http_status = 200 AND stop_reason = 'end'
			AND model_answered = 'acme-mini-1-2026' AND input_tokens = 1 AND cache_read_tokens = 2
			AND cache_write_5m_tokens = 3 AND cache_write_30m_tokens = 4 AND cache_write_1h_tokens = 5
			AND cache_write_12h_tokens = 6 AND input_audio_tokens = 7 AND input_image_tokens = 8 AND output_tokens = 9
			AND reasoning_tokens = 10 AND output_audio_tokens = 11 AND web_searches = 12 AND characters = 13 AND raw_usage ->> 'in' = '100'
			AND service_tier = 'flex' AND speed = 'fast' AND geo = 'eu' AND cost_pusd = 300
			AND price_row = 'acme-mini@2026' AND price_book = 'book' AND latency_ms = 1500 AND request_id = 'req-1'
			AND finished_at IS NOT NULL`, c.attempt))
		ledgertest.Check(t, b.pool)
	})

	t.Run("RejectedGoesToTheNextStage", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		settled := b.settle(c.rejected(func(s *store.Settlement) { s.Next.Hint = "answer with one of them" }))

		require.Equal(t, store.Settled{Attempts: 1, Cost: 300, CostHigh: 300}, settled[c.attempt])
		mid, why, hint := midModel, "not one of them", "answer with one of them"
		require.Equal(t, storedTask{
			State: store.StateReady, Stage: 1, Model: &mid, Calls: 1, Attempts: 1, Cost: 300, CostHigh: 300,
			ExpectedCost: 70, Reason: &why, Hint: &hint,
		}, b.task(c.task))
		require.Zero(t, b.count("weir.results"))
		require.Equal(t, 1, b.count("weir.outputs"), "a rejected answer is kept too")

		next := b.again(c.task)
		b.settle(next.accepted(func(s *store.Settlement) { s.Next.Stage, s.Next.Model = 1, midModel }))
		got := b.task(c.task)
		require.Equal(t, []any{"succeeded", 2, 2, task.Pico(700)}, []any{got.State, got.Calls, got.Attempts, got.Cost})
		require.Nil(t, got.Hint, "a hint is for one attempt")
		ledgertest.Check(t, b.pool)
	})

	t.Run("AttemptsOnAModelAreCountedAnewForAFallback", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		b.settle(c.errored())
		c = b.again(c.task)
		b.settle(c.errored())
		require.Equal(t, 2, b.task(c.task).ModelAttempts)
		c = b.again(c.task)
		b.settle(c.errored(func(s *store.Settlement) { s.Next.Sideways, s.Next.Model = 1, fallbackModel }))
		got := b.task(c.task)
		require.Equal(t, []any{0, 3, 1, fallbackModel}, []any{got.ModelAttempts, got.Attempts, got.Sideways, *got.Model})
		ledgertest.Check(t, b.pool)
	})

	t.Run("AWaitParksByTheDatabasesClock", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		free := task.Pico(0)
		settled := b.settle(c.errored(func(s *store.Settlement) {
			s.Counted, s.Cost, s.Failure, s.HTTPStatus = false, &free, task.FailRateLimited, 429
			s.FinishedAt = time.Now().AddDate(1, 0, 0) // a worker whose clock is wrong
			s.Next.Wait = time.Minute
		}))
		require.Equal(t, store.Settled{}, settled[c.attempt], "nothing was spent and nothing counted")
		require.Contains(t, settled, c.attempt)
		got := b.task(c.task)
		require.Equal(t, []any{store.StateParked, 1, 0, true}, []any{got.State, got.Calls, got.Attempts, got.Parked})
		require.Equal(t, 1, b.count(`weir.tasks WHERE not_before BETWEEN now() + interval '50 s' AND now() + interval '61 s'`))
		require.Equal(t, 1, b.count("weir.attempts WHERE NOT counted AND http_status = 429 AND cost_pusd = 0"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("AFailureEndsWithoutAnAnswer", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		settled := b.settle(c.rejected(func(s *store.Settlement) {
			s.Next = store.Next{State: string(task.Failed), Model: miniModel, Reason: "all 8 attempts are used", ResultID: id()}
		}))
		require.True(t, settled[c.attempt].Finished)
		require.Equal(t, 1, b.count("weir.results WHERE status = 'failed' AND attempt_id IS NULL AND reason = 'all 8 attempts are used'"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("NothingIsNothing", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, setup(t).settle())
	})
}

func TestSettle_Repeated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.called(1)[0]
	s := c.accepted()
	require.Len(t, b.settle(s), 1)
	before := b.task(c.task)

	other := s
	other.Next.ResultID, other.Output = id(), []byte("another answer")
	require.Empty(t, b.settle(s, other), "the attempt is closed")
	require.Empty(t, b.settle(c.lost()), "and cannot be given up any more")

	require.Equal(t, before, b.task(c.task))
	require.Equal(t, 1, b.count("weir.results WHERE id = $1", s.Next.ResultID))
	require.Equal(t, 1, b.count("weir.outputs WHERE output = 'answer'"))
	ledgertest.Check(t, b.pool)

	stranger := call{task: c.task, bundle: c.bundle, attempt: id()}
	require.Empty(t, b.settle(stranger.accepted()), "an attempt that was never made has no settlement")
}

func TestSettle_Late(t *testing.T) {
	t.Parallel()

	t.Run("TheCostIsBookedAndTheStateUntouched", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		settled := b.settle(c.lost())
		require.Equal(t, store.Settled{Attempts: 1, CostHigh: bound}, settled[c.attempt])
		require.Equal(t, 1, b.task(c.task).Lost)
		waiting := b.task(c.task)

		settled = b.settle(c.accepted())

		require.Equal(t, store.Settled{Late: true, Fenced: true, Attempts: 1, Cost: 400, CostHigh: 400}, settled[c.attempt])
		waiting.Lost, waiting.Cost, waiting.CostHigh = 0, 400, 400
		require.Equal(t, waiting, b.task(c.task))
		require.Equal(t, 1, b.count("weir.attempts WHERE late AND state = 'closed' AND verdict = 'accepted' AND cost_pusd = 400"))
		require.Zero(t, b.count("weir.results"))
		ledgertest.Check(t, b.pool)
		require.Empty(t, b.settle(c.accepted()), "once")
	})

	t.Run("AParkedTaskKeepsItsTime", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		b.settle(c.lost(func(s *store.Settlement) { s.Next.Wait = time.Hour }))
		b.settle(c.accepted())
		require.Equal(t, 1, b.count("weir.tasks WHERE state = 'parked' AND not_before > now()"),
			"without a time nobody would make it ready again")
		ledgertest.Check(t, b.pool)
	})

	t.Run("WhetherItCountsWasDecidedBefore", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		b.settle(c.lost())
		free := task.Pico(0)
		b.settle(c.errored(func(s *store.Settlement) { s.Counted, s.Cost = false, &free }))
		require.Equal(t, 1, b.task(c.task).Attempts)
		require.Equal(t, 1, b.count("weir.attempts WHERE counted"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("StillNothingKnown", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		b.settle(c.lost())
		settled := b.settle(c.errored())
		require.Equal(t, store.Settled{Late: true, Fenced: true, Attempts: 1, CostHigh: bound}, settled[c.attempt])
		require.Equal(t, 1, b.task(c.task).Lost)
		ledgertest.Check(t, b.pool)
	})

	t.Run("ItsTaskIsBeingCalledAgain", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first := b.called(1)[0]
		b.settle(first.lost())
		second := b.again(first.task)

		// both answers come in one settlement: the late one first, and the other way round
		settled := b.settle(first.accepted(), second.rejected())
		require.True(t, settled[first.attempt].Late)
		require.False(t, settled[second.attempt].Fenced)
		got := b.task(first.task)
		require.Equal(t, []any{store.StateReady, 1, 2, 2, task.Pico(700), task.Pico(700)},
			[]any{got.State, got.Stage, got.Calls, got.Attempts, got.Cost, got.CostHigh})
		ledgertest.Check(t, b.pool)

		third := b.again(first.task)
		b.settle(third.lost())
		fourth := b.again(first.task)
		settled = b.settle(fourth.accepted(), third.errored())
		require.True(t, settled[fourth.attempt].Finished)
		require.True(t, settled[third.attempt].Late)
		ledgertest.Check(t, b.pool)
	})

	t.Run("AfterTheTextIsGoneTheAnswerIsNotKept", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		b.settle(c.lost(func(s *store.Settlement) {
			s.Next = store.Next{State: string(task.Failed), Model: miniModel, ResultID: id()}
		}))
		b.exec(`DELETE FROM weir.payloads`)
		settled := b.settle(c.accepted())
		require.EqualValues(t, 400, settled[c.attempt].Cost)
		require.Zero(t, b.count("weir.outputs"))
		ledgertest.Check(t, b.pool)
	})
}

func TestSettle_Fenced(t *testing.T) {
	t.Parallel()

	t.Run("ACancelledTask", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		_, err := store.Finish(t.Context(), b.pool, time.Now(), []string{store.StateReleased},
			[]store.Ending{{TaskID: c.task, ResultID: id(), Status: task.Cancelled, Reason: "not needed"}})
		require.NoError(t, err)

		settled := b.settle(c.accepted())

		require.Equal(t, store.Settled{Fenced: true, Attempts: 1, Cost: 400, CostHigh: 400}, settled[c.attempt])
		require.Equal(t, "cancelled", b.task(c.task).State)
		require.Equal(t, 1, b.count("weir.results WHERE status = 'cancelled'"))
		require.Equal(t, 1, b.count("weir.results"))
		require.Equal(t, 1, b.count("weir.outputs"), "it was paid for")
		ledgertest.Check(t, b.pool)
	})

	t.Run("AStaleBundle", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.called(1)[0]
		// the task got into another bundle although its call is under way: only a bug can do this
		current := id()
		b.exec(`INSERT INTO weir.bundles SELECT $1, feature, provider, model, stage, lane, tasks, owner, created_at, started_at
			FROM weir.bundles WHERE id = $2`, current, c.bundle)
		b.exec(`UPDATE weir.tasks SET bundle_id = $1`, current)

		settled := b.settle(c.accepted())

		require.Equal(t, store.Settled{Fenced: true, Attempts: 1, Cost: 400, CostHigh: 400}, settled[c.attempt])
		got := b.task(c.task)
		require.Equal(t, store.StateReleased, got.State)
		require.Equal(t, &current, got.BundleID)
		require.Zero(t, b.count("weir.results"))
		ledgertest.Check(t, b.pool)

		wrong := call{task: c.task, bundle: current, attempt: c.attempt}
		require.Empty(t, b.settle(wrong.accepted()), "an attempt is of its own bundle alone")
	})
}

// What an attempt cost is known, known to be nothing, metered without a price, or unknown: the task's totals tell them
// apart, and cost_high is the most that it can have been (I9).
func TestSettle_Costs(t *testing.T) {
	t.Parallel()
	free := task.Pico(0)
	tests := []struct {
		name     string
		settle   func(call) store.Settlement
		cost     task.Pico
		costHigh task.Pico
		lost     int
		unpriced int
		counted  int
	}{
		{"Known", func(c call) store.Settlement { return c.rejected() }, 300, 300, 0, 0, 1},
		{"Unknown", func(c call) store.Settlement { return c.errored() }, 0, bound, 1, 0, 1},
		{"MeteredWithoutAPrice", func(c call) store.Settlement {
			return c.rejected(func(s *store.Settlement) { s.Cost, s.PriceRow = nil, "" })
		}, 0, bound, 0, 1, 1},
		{"Free", func(c call) store.Settlement {
			return c.errored(func(s *store.Settlement) { s.Cost, s.Counted = &free, false })
		}, 0, 0, 0, 0, 0},
		{"NotSent", func(c call) store.Settlement {
			return c.errored(func(s *store.Settlement) {
				s.State, s.Failure, s.Cost, s.Counted = store.AttemptNotSent, task.FailNotSent, &free, false
			})
		}, 0, 0, 0, 0, 0},
		{"Lost", func(c call) store.Settlement { return c.lost() }, 0, bound, 1, 0, 1},
		{"LostAndThenKnown", func(c call) store.Settlement { return c.lost() }, 0, bound, 1, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c := b.called(1)[0]
			b.settle(tt.settle(c))
			got := b.task(c.task)
			require.Equal(t, []any{tt.cost, tt.costHigh, tt.lost, tt.unpriced, tt.counted},
				[]any{got.Cost, got.CostHigh, got.Lost, got.Unpriced, got.Attempts})

			c = b.again(c.task) // a second attempt adds to the first
			b.settle(c.accepted())
			got = b.task(c.task)
			require.Equal(t, []any{tt.cost + 400, tt.costHigh + 400, tt.lost, tt.unpriced, tt.counted + 1},
				[]any{got.Cost, got.CostHigh, got.Lost, got.Unpriced, got.Attempts})
			ledgertest.Check(t, b.pool)
		})
	}
}

func TestSettle_LateCosts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.called(1)[0]
	b.settle(c.lost())
	b.settle(c.rejected(func(s *store.Settlement) { s.Cost = nil })) // metered, but no price is known
	got := b.task(c.task)
	require.Equal(t, []any{task.Pico(0), bound, 0, 1}, []any{got.Cost, got.CostHigh, got.Lost, got.Unpriced})
	ledgertest.Check(t, b.pool)
}

func TestSettle_WithoutAPriceInForce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bundle, ids := b.released(1)
	intent := b.intent(bundle, ids[0])
	intent.Bound = nil
	b.insertIntents(intent)
	b.settle(call{ids[0], bundle, intent.AttemptID}.errored())
	got := b.task(ids[0])
	require.Equal(t, []any{task.Pico(0), 1}, []any{got.CostHigh, got.Lost}, "no bound is known, and the count says so")
	ledgertest.Check(t, b.pool)
}

func TestSettle_OddTexts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tests := []struct {
		name  string
		usage string
	}{
		{"ANULEscape", `{"note":"\u0000"}`},
		{"HalfASurrogate", `{"note":"\ud800"}`},
		{"ADuplicateField", `{"in":1,"in":2}`},
		{"AHugeNumber", `{"in":1e1000000}`},
		{"AnArray", `[1,2]`},
		{"Null", `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := b.called(1)[0]
			b.settle(c.accepted(func(s *store.Settlement) {
				s.RawUsage, s.Output = []byte(tt.usage), []byte("\x00\xff")
				s.Reason, s.ModelAnswered, s.StopReason = "a\x00b", "m\xff", "\x00"
				s.Next.Reason = "c\x00d\xfe"
			}))
			require.Equal(t, tt.usage, scalar[string](b, `SELECT raw_usage::text FROM weir.attempts WHERE id = $1`, c.attempt))
			require.Equal(t, []byte("\x00\xff"), scalar[[]byte](b, `SELECT output FROM weir.outputs WHERE task_id = $1`, c.task))
			require.Equal(t, "a\uFFFDb m\uFFFD \uFFFD", scalar[string](b,
				`SELECT reason || ' ' || model_answered || ' ' || stop_reason FROM weir.attempts WHERE id = $1`, c.attempt))
			require.Equal(t, "c\uFFFDd\uFFFD", *b.task(c.task).Reason)
		})
	}
}

func TestSettle_ManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	calls := b.called(500)
	settlements := make([]store.Settlement, len(calls))
	for i, c := range calls {
		switch i % 3 {
		case 0:
			settlements[len(calls)-1-i] = c.accepted()
		case 1:
			settlements[len(calls)-1-i] = c.rejected()
		default:
			settlements[len(calls)-1-i] = c.errored()
		}
	}
	require.Len(t, b.settle(settlements...), 500)
	require.Equal(t, 167, b.count("weir.results"))
	require.Equal(t, 167, b.count("weir.tasks WHERE stage = 1"))
	ledgertest.Check(t, b.pool)
}
