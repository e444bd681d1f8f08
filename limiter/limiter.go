// Package limiter decides when a process may call a model. The limits of an account are shared by all processes without
// a bottleneck: each tells the others its demand with its beat, each works out the same split, and inside its share it
// counts alone. What a provider refuses all the same slows the process that it refused. Nothing here does I/O or reads a
// clock.
package limiter

import (
	"sync"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
)

const (
	// Margin is the part of a limit that is used: clocks differ, and a provider counts a call when it arrives.
	Margin = 0.97
	// MissedBeats is how many beats a process may miss before the others share out its part, and it stops calling.
	MissedBeats = 3
	// MostWait is the longest wait that Try gives: shares and pauses change meanwhile.
	MostWait = 250 * time.Millisecond
	// callWait is the wait where calls in flight have to end first: one may end at any moment.
	callWait = 50 * time.Millisecond
	// requestBurst and tokenBurst are what a share may save up, as a time: providers cut minutes into seconds.
	requestBurst = time.Second
	tokenBurst   = 2 * time.Second
	// newest is the weight of the newest call in the expected length of the next one.
	newest = 0.1
)

// The kinds of limits by the minute.
const (
	requests = iota
	inputTokens
	outputTokens
	allTokens
	kinds
)

// Limiter is a process's part in the limits of all models and accounts. It is safe for concurrent use.
type Limiter struct {
	beat time.Duration

	mu     sync.Mutex
	lines  map[string]*line
	beaten time.Time // the last successful beat; zero before the first
}

// Cost is what a call is expected to use. Output is the most that it may.
type Cost struct {
	Input  int64
	Output int64
}

// Permit is the right to one call, given back by Done.
type Permit struct {
	keys   []string
	input  float64
	output []float64 // what was borrowed for the answer, by key
}

// New makes a limiter of processes that beat at the given pace. Limits are by key, which names the models that share
// one; what has none is only slowed down by refusals.
func New(beat time.Duration, limits map[string]catalog.RateLimit) *Limiter {
	l := &Limiter{beat: beat, lines: map[string]*line{}}
	for key, limit := range limits {
		l.line(key).configured = limit
	}
	return l
}

// line is the line of a key, made when it is asked for the first time: keys are the configuration's names.
func (l *Limiter) line(key string) *line {
	found := l.lines[key]
	if found == nil {
		found = &line{}
		l.lines[key] = found
	}
	return found
}

// Try takes the right to one call that counts under all of the keys. Without one it returns how long to wait before it
// is worth trying again, at most MostWait.
func (l *Limiter) Try(now time.Time, cost Cost, keys ...string) (Permit, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := !l.beaten.IsZero() && now.Sub(l.beaten) < MissedBeats*l.beat
	var wait time.Duration
	for _, key := range keys {
		wait = max(wait, l.line(key).wait(now, cost, fresh))
	}
	if wait > 0 {
		return Permit{}, min(wait, MostWait)
	}
	p := Permit{keys: keys, input: float64(cost.Input), output: make([]float64, len(keys))}
	for i, key := range keys {
		p.output[i] = l.line(key).take(cost)
	}
	return p, 0
}

// Used is what a call came to.
type Used struct {
	// Known says that the provider metered it, and Free that it did not and will not; else nothing is given back.
	Known, Free   bool
	Input, Output int64
	// Refused says that the provider turned it away for its rate.
	Refused bool
	// Wait is how long the provider asked to leave it alone; 0 when it did not.
	Wait time.Duration
	// Limits is what the provider says of its own limits. It is about the first key.
	Limits providers.RateLimits
}

// Done ends a call: what was borrowed too much is given back, and what the provider said counts from now on.
func (l *Limiter) Done(now time.Time, p Permit, used Used) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, key := range p.keys {
		l.line(key).done(now, p.input, p.output[i], used)
		used.Limits = providers.RateLimits{}
	}
}

// Cancel gives back the right to a call that was not made.
func (l *Limiter) Cancel(p Permit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, key := range p.keys {
		l.line(key).cancel(p.input, p.output[i])
	}
}

// Hold says that n more calls wait for a right under the keys; with a negative n, that so many wait no longer.
func (l *Limiter) Hold(n int, keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		l.line(key).held += n
	}
}

// Demand is what the process tells the others: by key, the calls that wait and those under way.
func (l *Limiter) Demand() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	demand := map[string]int{}
	for key, line := range l.lines {
		if n := line.demand(); n > 0 {
			demand[key] = n
		}
	}
	return demand
}

// Slowed says that a provider has refused calls under the key lately, and to which part of its share the process keeps.
func (l *Limiter) Slowed(now time.Time, key string) (part float64, slowed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line(key)
	line.pace.grow(now, line.shared())
	return line.pace.factor, line.pace.active
}

// Fleet is how many calls the limits let all processes make together, a second; 0 where no limit is known.
func (l *Limiter) Fleet(keys ...string) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	lowest := 0.0
	for _, key := range keys {
		if rate := l.line(key).fleet(); rate > 0 && (lowest == 0 || rate < lowest) {
			lowest = rate
		}
	}
	return lowest
}
