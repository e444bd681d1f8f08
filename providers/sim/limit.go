package sim

import (
	"sync"
	"time"
)

// RateLimit bounds the requests to one model.
type RateLimit struct {
	// RequestsPerMinute is the rate at which the limit refills.
	RequestsPerMinute int
	// Burst is the most requests at once. Default: those of a minute.
	Burst int
}

// limitState is what a limit looks like after a request. A limit of 0 is none.
type limitState struct {
	limit     int
	remaining int
	// wait is how long it takes until all of the limit is free again, and reset is when that is.
	wait  time.Duration
	reset time.Time
}

// limiter is a bucket that refills evenly. What it stores is the time at which it will be full.
type limiter struct {
	mu       sync.Mutex
	perMin   int
	interval time.Duration
	burst    int
	full     time.Time
}

func newLimiter(l RateLimit) *limiter {
	return &limiter{
		perMin:   l.RequestsPerMinute,
		interval: time.Minute / time.Duration(l.RequestsPerMinute),
		burst:    orDefault(l.Burst, l.RequestsPerMinute),
	}
}

// take takes one request out of the bucket. When there is none it says after which wait there is.
func (l *limiter) take(now time.Time) (limitState, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full.Before(now) {
		l.full = now
	}
	missing := l.full.Sub(now)
	capacity := time.Duration(l.burst) * l.interval
	if missing+l.interval > capacity {
		return l.state(now), missing + l.interval - capacity
	}
	l.full = l.full.Add(l.interval)
	return l.state(now), 0
}

func (l *limiter) state(now time.Time) limitState {
	missing := l.full.Sub(now)
	free := time.Duration(l.burst)*l.interval - missing
	return limitState{limit: l.perMin, remaining: int(free / l.interval), wait: missing, reset: l.full}
}
