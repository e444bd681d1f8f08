package limiter

import (
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
)

// line is one limit as a process keeps it.
type line struct {
	configured catalog.RateLimit
	learned    [kinds]int64 // what the provider says; 0 is nothing

	share  float64 // of the limits, in force
	target float64 // what the last beat came to
	calls  split   // of the calls in flight

	buckets [kinds]bucket
	pace    pace
	paused  time.Time

	held     int // calls that wait
	inFlight int
	input    float64 // expected length of a prompt, and of an answer; 0 before the first
	output   float64
}

func (l *line) demand() int { return max(l.held, 0) + l.inFlight }

// limit is the lower of what is configured and what the provider says, by the minute; 0 is none.
func (l *line) limit(kind int) int64 {
	c := l.configured
	configured := [kinds]int64{c.Requests, c.InputTokens, c.OutputTokens, c.Tokens}[kind]
	if learned := l.learned[kind]; learned > 0 && (configured == 0 || learned < configured) {
		return learned
	}
	return configured
}

func (l *line) limited() bool {
	for kind := range kinds {
		if l.limit(kind) > 0 {
			return true
		}
	}
	return l.configured.Calls > 0
}

// rate is the process's part of a limit, a second; 0 with no part or without a limit.
func (l *line) rate(kind int) float64 { return float64(l.limit(kind)) / 60 * Margin * l.share }

// shared is the process's part of the requests, a second; 0 where there is no limit for them.
func (l *line) shared() float64 { return l.rate(requests) }

// burst is what a share may save up: at least one call.
func burst(kind int, rate float64) float64 {
	if kind == requests {
		return max(1, rate*requestBurst.Seconds())
	}
	return max(1, rate*tokenBurst.Seconds())
}

// wait is how long no call may be made.
func (l *line) wait(now time.Time, cost Cost, fresh bool) time.Duration {
	if now.Before(l.paused) {
		return l.paused.Sub(now)
	}
	if !l.limited() {
		return l.pace.wait(now, 0)
	}
	if !fresh || l.share <= 0 {
		return MostWait
	}
	if l.configured.Calls > 0 && l.inFlight >= l.calls.now {
		return callWait
	}
	wait := l.pace.wait(now, l.shared())
	for kind, units := range l.units(cost) {
		if l.limit(kind) > 0 {
			rate := l.rate(kind)
			wait = max(wait, l.buckets[kind].wait(now, units, rate, burst(kind, rate)))
		}
	}
	return wait
}

// units is what a call is expected to use of each kind.
func (l *line) units(cost Cost) [kinds]float64 {
	output := l.borrowed(cost)
	return [kinds]float64{1, float64(cost.Input), output, float64(cost.Input) + output}
}

// borrowed is the expected length of the answer, and the most that it may be before any has come. The bucket goes into
// debt for those that come to more: over many calls the rate is that of what was used.
func (l *line) borrowed(cost Cost) float64 {
	if l.output == 0 {
		return float64(cost.Output)
	}
	return min(l.output, float64(cost.Output))
}

// take borrows a call that wait has let go.
func (l *line) take(cost Cost) (output float64) {
	for kind, units := range l.units(cost) {
		l.buckets[kind].level -= units
	}
	l.pace.take()
	l.inFlight++
	return l.borrowed(cost)
}

func (l *line) done(now time.Time, input, output float64, used Used) {
	l.inFlight--
	if used.Known {
		l.give(input-float64(used.Input), output-float64(used.Output))
		l.input = newer(l.input, used.Input)
		l.output = newer(l.output, used.Output)
	}
	if used.Free {
		l.give(input, output)
	}
	l.learn(used.Limits)
	if used.Refused {
		l.pace.refuse(now, l.shared())
		if until := now.Add(used.Wait); until.After(l.paused) {
			l.paused = until
		}
	}
}

// newer is an average that the newest value has moved.
func newer(average float64, value int64) float64 {
	if average == 0 {
		return float64(value)
	}
	return average + newest*(float64(value)-average)
}

// fleet is how many calls the limit lets all processes make together, a second; 0 without a limit.
func (l *line) fleet() float64 {
	lowest := 0.0
	for kind, units := range [kinds]float64{1, l.input, l.output, l.input + l.output} {
		if limit := l.limit(kind); limit > 0 && units > 0 {
			if rate := float64(limit) / 60 * Margin / units; lowest == 0 || rate < lowest {
				lowest = rate
			}
		}
	}
	return lowest
}

func (l *line) cancel(input, output float64) {
	l.inFlight--
	l.buckets[requests].level++
	l.pace.level++
	l.give(input, output)
}

// give returns tokens; what is negative is taken.
func (l *line) give(input, output float64) {
	l.buckets[inputTokens].level += input
	l.buckets[outputTokens].level += output
	l.buckets[allTokens].level += input + output
}

// learn takes over what the provider says: its limits, and what is left of them, which others may have used.
func (l *line) learn(said providers.RateLimits) {
	for kind, s := range [kinds]providers.RateLimit{said.Requests, said.InputTokens, said.OutputTokens, said.Tokens} {
		if s.PerMinute > 0 {
			l.learned[kind] = s.PerMinute
		}
		if s.Known && l.share > 0 {
			l.buckets[kind].level = min(l.buckets[kind].level, float64(s.Remaining)*l.share)
		}
	}
}
