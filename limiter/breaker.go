package limiter

import (
	"fmt"
	"sync"
	"time"
)

// When a model's calls fail so often that it is left alone.
const (
	// BreakerWindow is the time whose calls are counted, in slots of a second.
	BreakerWindow = 30 * time.Second
	// BreakerCalls is how many calls it takes to judge by shares.
	BreakerCalls = 20
	// BreakerFailures and BreakerSlow are the shares of failed and of slow calls, in percent.
	BreakerFailures = 50
	BreakerSlow     = 80
	// BreakerRow is how many failures in a row are enough, whatever the shares.
	BreakerRow = 10

	slots = int(BreakerWindow / time.Second)
)

// Breaker watches the calls to one model from one process. It is safe for concurrent use.
type Breaker struct {
	mu    sync.Mutex
	slots [slots]slot
	row   int
}

// slot is the calls of a second.
type slot struct {
	second              int64
	calls, failed, slow int
}

// Outcome is what a call says of the model's health.
type Outcome struct {
	// Failed says that the model was away: not reached, or broken. A refused rate is no failure.
	Failed bool
	// Slow says that the call took far longer than calls do.
	Slow bool
}

// Record counts a call. It returns why the model is to be left alone, and begins anew then; empty as long as it is well.
func (b *Breaker) Record(now time.Time, o Outcome) (trip string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	second := now.Unix()
	s := &b.slots[int(second)%slots]
	if s.second != second {
		*s = slot{second: second}
	}
	s.calls++
	b.row++
	if o.Slow {
		s.slow++
	}
	if o.Failed {
		s.failed++
	} else {
		b.row = 0
	}
	if trip = b.judge(second, o); trip != "" {
		b.slots, b.row = [slots]slot{}, 0
	}
	return trip
}

func (b *Breaker) judge(second int64, last Outcome) string {
	if b.row >= BreakerRow {
		return fmt.Sprintf("%d calls in a row failed", b.row)
	}
	var sum slot
	for _, s := range b.slots {
		if s.second > second-int64(slots) {
			sum.calls, sum.failed, sum.slow = sum.calls+s.calls, sum.failed+s.failed, sum.slow+s.slow
		}
	}
	switch {
	case sum.calls < BreakerCalls:
		return ""
	case last.Failed && sum.failed*100 >= sum.calls*BreakerFailures:
		return fmt.Sprintf("%d of %d calls in %s failed", sum.failed, sum.calls, BreakerWindow)
	case last.Slow && sum.slow*100 >= sum.calls*BreakerSlow:
		return fmt.Sprintf("%d of %d calls in %s were slow", sum.slow, sum.calls, BreakerWindow)
	}
	return ""
}
