package limiter_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/limiter"
	"github.com/weirhq/weir/providers"
)

var start = time.Unix(1_800_000_000, 0)

// calls makes calls for a time, each at once done, and counts them.
func calls(l *limiter.Limiter, from time.Time, d time.Duration, cost limiter.Cost, used limiter.Used) int {
	n := 0
	for now := from; now.Before(from.Add(d)); {
		l.Beat(now, uuid.UUID{}, nil)
		permit, wait := l.Try(now, cost, "m")
		if wait > 0 {
			now = now.Add(wait)
			continue
		}
		n++
		l.Done(now, permit, used)
		now = now.Add(time.Millisecond)
	}
	return n
}

func single(limit catalog.RateLimit) *limiter.Limiter {
	return limiter.New(beat, map[string]catalog.RateLimit{"m": limit})
}

func TestLimiter_EachKindOfLimit(t *testing.T) {
	t.Parallel()
	cost := limiter.Cost{Input: 100, Output: 1000}
	used := limiter.Used{Known: true, Input: 100, Output: 50}
	for _, tt := range []struct {
		name  string
		limit catalog.RateLimit
		want  int // in ten minutes
	}{
		{name: "Requests", limit: catalog.RateLimit{Requests: 60}, want: 582},
		{name: "InputTokens", limit: catalog.RateLimit{InputTokens: 6000}, want: 582},
		{name: "OutputTokens", limit: catalog.RateLimit{OutputTokens: 3000}, want: 582},
		{name: "BothTogether", limit: catalog.RateLimit{Tokens: 9000}, want: 582},
		{name: "TheLowestCounts", limit: catalog.RateLimit{Requests: 600, InputTokens: 60_000, OutputTokens: 3000}, want: 582},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := calls(single(tt.limit), start, 10*time.Minute, cost, used)
			require.InDelta(t, tt.want, n, 0.02*float64(tt.want))
		})
	}
}

// What is not metered is not given back: an unknown usage may have been the most.
func TestLimiter_UnknownUsageGivesNothingBack(t *testing.T) {
	t.Parallel()
	limit := catalog.RateLimit{OutputTokens: 60_000}
	cost := limiter.Cost{Input: 1, Output: 1000}
	known := calls(single(limit), start, 10*time.Minute, cost, limiter.Used{Known: true, Input: 1, Output: 100})
	unknown := calls(single(limit), start, 10*time.Minute, cost, limiter.Used{})
	free := calls(single(limit), start, time.Minute, cost, limiter.Used{Free: true})
	require.InDelta(t, 582, unknown, 12)
	require.InDelta(t, 5820, known, 120)
	require.Equal(t, 60_000, free, "what is turned away uses nothing: one every millisecond")
}

func TestLimiter_CallsInFlight(t *testing.T) {
	t.Parallel()
	l := single(catalog.RateLimit{Calls: 3})
	l.Beat(start, uuid.UUID{}, nil)
	var permits []limiter.Permit
	for range 3 {
		permit, wait := l.Try(start, limiter.Cost{}, "m")
		require.Zero(t, wait)
		permits = append(permits, permit)
	}
	_, wait := l.Try(start, limiter.Cost{}, "m")
	require.Positive(t, wait)
	l.Cancel(permits[0])
	_, wait = l.Try(start, limiter.Cost{}, "m")
	require.Zero(t, wait)
	require.Equal(t, map[string]int{"m": 3}, l.Demand())
}

// The parts of a whole number of calls add up to it, however the demand lies.
func TestLimiter_CallsInFlightAreSplitWhole(t *testing.T) {
	t.Parallel()
	for _, demands := range [][]int{{1, 1, 1, 1, 1}, {100, 1, 1, 1, 1}, {0, 0, 0, 0, 0}, {7, 0, 5, 0, 3}, {1, 2, 3, 4, 5}} {
		const most = 4
		total := 0
		for i := range demands {
			l := single(catalog.RateLimit{Calls: most})
			l.Hold(demands[i], "m")
			var peers []limiter.Peer
			for j, n := range demands {
				if j != i {
					peers = append(peers, limiter.Peer{ID: uuid.UUID{byte(j)}, Demand: map[string]int{"m": n}})
				}
			}
			l.Beat(start, uuid.UUID{byte(i)}, peers)
			l.Beat(start.Add(beat), uuid.UUID{byte(i)}, peers)
			for range most + 1 {
				if _, wait := l.Try(start.Add(beat), limiter.Cost{}, "m"); wait > 0 {
					break
				}
				total++
			}
		}
		require.Equal(t, most, total, demands)
	}
}

// A process that joins waits a beat, until the others have seen it.
func TestLimiter_AShareGrowsABeatLater(t *testing.T) {
	t.Parallel()
	l := single(catalog.RateLimit{Requests: 600})
	peer := []limiter.Peer{{ID: uuid.UUID{1}, Demand: map[string]int{"m": 1}}}
	l.Hold(1, "m")
	_, wait := l.Try(start, limiter.Cost{}, "m")
	require.Positive(t, wait, "before the first beat")
	l.Beat(start, uuid.UUID{}, peer)
	_, wait = l.Try(start, limiter.Cost{}, "m")
	require.Positive(t, wait, "before the others know")
	l.Beat(start.Add(beat), uuid.UUID{}, peer)
	_, wait = l.Try(start.Add(beat), limiter.Cost{}, "m")
	require.Zero(t, wait)
}

// Who cannot beat has no share any more: the others have shared it out.
func TestLimiter_StopsWithoutBeats(t *testing.T) {
	t.Parallel()
	l := single(catalog.RateLimit{Requests: 600})
	l.Beat(start, uuid.UUID{}, nil)
	last := start.Add(limiter.MissedBeats*beat - time.Millisecond)
	_, wait := l.Try(last, limiter.Cost{}, "m")
	require.Zero(t, wait)
	_, wait = l.Try(last.Add(time.Millisecond), limiter.Cost{}, "m")
	require.Positive(t, wait)
	_, wait = l.Try(last.Add(time.Hour), limiter.Cost{}, "another")
	require.Zero(t, wait, "without a limit there is nothing to share")
}

func TestLimiter_ARetryAfterIsKept(t *testing.T) {
	t.Parallel()
	l := limiter.New(beat, nil)
	permit, wait := l.Try(start, limiter.Cost{}, "m")
	require.Zero(t, wait)
	l.Done(start, permit, limiter.Used{Refused: true, Wait: 3 * time.Second})
	_, wait = l.Try(start.Add(2900*time.Millisecond), limiter.Cost{}, "m")
	require.InDelta(t, 100*time.Millisecond, wait, float64(time.Millisecond))
	part, slowed := l.Slowed(start, "m")
	require.True(t, slowed)
	require.Less(t, part, 1.0)
}

func TestLimiter_LearnsWhatTheProviderSays(t *testing.T) {
	t.Parallel()
	l := single(catalog.RateLimit{Requests: 6000})
	l.Beat(start, uuid.UUID{}, nil)
	require.InDelta(t, 97, l.Fleet("m"), 0.1)
	permit, wait := l.Try(start, limiter.Cost{}, "m")
	require.Zero(t, wait)
	l.Done(start, permit, limiter.Used{Limits: providers.RateLimits{
		Requests: providers.RateLimit{PerMinute: 60, Remaining: 0, Known: true},
	}})
	require.InDelta(t, 0.97, l.Fleet("m"), 0.01)
	_, wait = l.Try(start, limiter.Cost{}, "m")
	require.Positive(t, wait, "nothing remains")
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	ok, failed, slow := limiter.Outcome{}, limiter.Outcome{Failed: true}, limiter.Outcome{Slow: true}
	record := func(b *limiter.Breaker, now time.Time, outcomes ...limiter.Outcome) (trips int) {
		for _, o := range outcomes {
			if b.Record(now, o) != "" {
				trips++
			}
		}
		return trips
	}
	many := func(n int, o limiter.Outcome) (list []limiter.Outcome) {
		for range n {
			list = append(list, o)
		}
		return list
	}
	t.Run("TenInARow", func(t *testing.T) {
		t.Parallel()
		b := &limiter.Breaker{}
		require.Zero(t, record(b, start, many(9, failed)...))
		require.Zero(t, record(b, start, ok))
		require.Zero(t, record(b, start.Add(time.Hour), many(9, failed)...))
		require.Equal(t, 1, record(b, start.Add(2*time.Hour), failed), "however long it takes")
		require.Zero(t, record(b, start.Add(2*time.Hour), many(9, failed)...), "and from the beginning again")
	})
	t.Run("HalfOfTwenty", func(t *testing.T) {
		t.Parallel()
		b := &limiter.Breaker{}
		for range 9 {
			require.Zero(t, record(b, start, failed, ok))
		}
		require.Zero(t, record(b, start, ok))
		require.Equal(t, 1, record(b, start, failed))
	})
	t.Run("OldCallsDoNotCount", func(t *testing.T) {
		t.Parallel()
		b := &limiter.Breaker{}
		for i := range 40 {
			o := ok
			if i%2 == 0 {
				o = failed
			}
			require.Zero(t, record(b, start.Add(time.Duration(i)*2*time.Second), o), "at most 15 in the window")
		}
	})
	t.Run("Slow", func(t *testing.T) {
		t.Parallel()
		b := &limiter.Breaker{}
		require.Zero(t, record(b, start, many(19, slow)...))
		require.Equal(t, 1, record(b, start, slow))
	})
}

func TestRetries(t *testing.T) {
	t.Parallel()
	r := limiter.NewRetries()
	for range 10 {
		require.True(t, r.Spend())
	}
	require.False(t, r.Spend())
	for range 11 {
		r.Earn()
	}
	require.True(t, r.Spend(), "a tenth for each call that went well")
	require.False(t, r.Spend())
}
