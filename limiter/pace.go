package limiter

import (
	"math"
	"time"
)

// pace slows a process down that was refused although it kept to its share: the limit is lower than it was thought, or
// others use it too. It is additive increase and multiplicative decrease (Chiu and Jain, 1989) with a memory, as TCP
// CUBIC has it (RFC 9438): halved at a refusal, at most once in a second, it comes back fast to just below where it was
// refused, and goes on from there slowly. Plain steps of a fixed size spend most of the time far below the limit.
type pace struct {
	active bool
	// base is the rate of which factor is a part: the share, or without one what was called when the first refusal came.
	base    float64
	factor  float64
	refused float64 // the factor at the last refusal
	last    time.Time
	at      time.Time
	level   float64 // calls that may be made at once

	// measured is the rate of calls, a second, averaged over measuredOver.
	measured   float64
	measuredAt time.Time
	now        time.Time // of the last look
}

const (
	halve        = 0.5
	refusalPause = time.Second
	// nearly is where the fast way back ends, as a part of the refused rate, and halfway the time for half of that way.
	nearly  = 0.9
	halfway = time.Second
	// slowly is the growth a second up to beyond, as parts of the refused rate; above it the limit has risen and the growth
	// is quickly.
	slowly  = 0.01
	beyond  = 1.05
	quickly = 0.05
	// forgotten is the factor at which a pace without a share ends.
	forgotten = 4
	// slowest is the lowest rate, a second.
	slowest      = 1.0 / 60
	measuredOver = 2 * time.Second
)

// wait is how long the pace lets no call go; shared is the process's part of the limit, 0 without one.
func (p *pace) wait(now time.Time, shared float64) time.Duration {
	p.now = now
	p.grow(now, shared)
	if !p.active {
		return 0
	}
	rate := p.rate()
	if p.level >= 1 {
		return 0
	}
	return seconds((1 - p.level) / rate)
}

func (p *pace) rate() float64 { return max(slowest, p.factor*p.base) }

// take counts a call.
func (p *pace) take() {
	p.level--
	p.measure(p.now)
	p.measured += 1 / measuredOver.Seconds()
}

// measure lets the rate of calls fade up to now.
func (p *pace) measure(now time.Time) {
	if !p.measuredAt.IsZero() {
		if passed := now.Sub(p.measuredAt); passed > 0 {
			p.measured *= math.Exp(-passed.Seconds() / measuredOver.Seconds())
		}
	}
	p.measuredAt = now
}

// refuse slows down.
func (p *pace) refuse(now time.Time, shared float64) {
	if p.active && now.Sub(p.last) < refusalPause {
		return
	}
	p.grow(now, shared)
	p.measure(now)
	current := max(p.measured, slowest)
	if !p.active {
		p.active, p.factor, p.base = true, 1, max(shared, current)
		if shared > 0 {
			p.base = shared
		}
	}
	p.refused = min(p.factor, max(current, slowest)/p.base)
	p.factor = p.refused * halve
	p.level = min(p.level, 0)
	p.last, p.at = now, now
}

// grow brings the factor up to now, and fills what may be called at once.
func (p *pace) grow(now time.Time, shared float64) {
	if !p.active {
		return
	}
	passed := now.Sub(p.at).Seconds()
	if passed <= 0 {
		return
	}
	p.at = now
	if shared > 0 {
		p.base = shared
	}
	switch near := nearly * p.refused; {
	case p.factor < near*0.99:
		p.factor = near - (near-p.factor)*math.Exp2(-passed/halfway.Seconds())
	case p.factor < beyond*p.refused:
		p.factor += slowly * p.refused * passed
	default:
		p.factor += quickly * p.refused * passed
	}
	if (shared > 0 && p.factor >= 1) || p.factor >= forgotten {
		p.active = false
		return
	}
	rate := p.rate()
	p.level = min(max(1, rate*requestBurst.Seconds()), p.level+rate*passed)
}
