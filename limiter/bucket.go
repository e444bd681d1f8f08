package limiter

import "time"

// bucket holds what may be used at once. It may go into debt: a call that is larger than the bucket goes when the bucket
// is full.
type bucket struct {
	level float64
	at    time.Time
}

// wait fills the bucket up to now and is how long it takes until the units are in it.
func (b *bucket) wait(now time.Time, units, rate, capacity float64) time.Duration {
	if b.at.IsZero() {
		b.level = capacity
	} else if passed := now.Sub(b.at); passed > 0 {
		b.level = min(capacity, b.level+rate*passed.Seconds())
	}
	b.at = now
	missing := min(units, capacity) - b.level
	if missing <= 1e-9 { // what rounding leaves
		return 0
	}
	if rate <= 0 {
		return MostWait
	}
	return seconds(missing / rate)
}

// seconds is a wait, at least a millisecond and at most MostWait.
func seconds(s float64) time.Duration {
	if s >= MostWait.Seconds() {
		return MostWait
	}
	return max(time.Millisecond, time.Duration(s*float64(time.Second)))
}
