package limiter

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// even is the part of a limit that is split evenly, so that a process that gets its first work can begin; the rest goes
// by demand.
const even = 0.05

// Peer is a process that has beaten lately, with its demand by key.
type Peer struct {
	ID     uuid.UUID
	Demand map[string]int
}

// split is a whole number that follows its target as a share does.
type split struct {
	now    int
	target int
}

// Beat is called after each successful beat with the other processes that live. Every process works out the same split
// from the same rows. A share shrinks at once and grows one beat later, when the others have seen what it grows by.
func (l *Limiter) Beat(now time.Time, self uuid.UUID, peers []Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.beaten.IsZero() && len(peers) == 0 // alone: nobody has to shrink before
	l.beaten = now
	for key, line := range l.lines {
		demands := make([]demand, 0, len(peers)+1)
		demands = append(demands, demand{id: self, n: line.demand()})
		for _, p := range peers {
			demands = append(demands, demand{id: p.ID, n: p.Demand[key]})
		}
		target := shares(demands)[0]
		calls := whole(demands, line.configured.Calls)
		if first {
			line.target, line.calls.target = target, calls
		}
		line.share, line.target = min(target, line.target), target
		line.calls.now, line.calls.target = min(calls, line.calls.target), calls
	}
}

type demand struct {
	id uuid.UUID
	n  int
}

// shares are the processes' parts, which add up to 1.
func shares(demands []demand) []float64 {
	total := 0
	for _, d := range demands {
		total += d.n
	}
	parts := make([]float64, len(demands))
	for i, d := range demands {
		evenly := 1 / float64(len(demands))
		if total == 0 {
			parts[i] = evenly
			continue
		}
		parts[i] = even*evenly + (1-even)*float64(d.n)/float64(total)
	}
	return parts
}

// whole is the first process's part of a number of calls, by largest remainder; ids decide between equals.
func whole(demands []demand, calls int) int {
	type rest struct {
		id    uuid.UUID
		first bool
		whole int
		part  float64
	}
	left := calls
	rests := make([]rest, len(demands))
	for i, part := range shares(demands) {
		exact := part * float64(calls)
		rests[i] = rest{id: demands[i].id, first: i == 0, whole: int(exact), part: exact - float64(int(exact))}
		left -= rests[i].whole
	}
	slices.SortFunc(rests, func(a, b rest) int {
		return cmp.Or(cmp.Compare(b.part, a.part), slices.Compare(a.id[:], b.id[:]))
	})
	for i, r := range rests {
		if !r.first {
			continue
		}
		if i < left {
			return r.whole + 1
		}
		return r.whole
	}
	return 0
}

// Fresh says whether the last beat is young enough for the shares to hold.
func (l *Limiter) Fresh(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.beaten.IsZero() && now.Sub(l.beaten) < MissedBeats*l.beat
}
