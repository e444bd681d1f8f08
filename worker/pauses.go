package worker

import (
	"sync"
	"time"
)

// pauses are the models that this process leaves alone for a while, because their provider asked for it.
type pauses struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newPauses() *pauses { return &pauses{until: map[string]time.Time{}} }

// set pauses a model; the later of two ends stands.
func (p *pauses) set(model string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until[model]) {
		p.until[model] = until
	}
}

// left is how long a model is still paused, 0 when it is not.
func (p *pauses) left(model string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.until[model]
	if !ok {
		return 0
	}
	if !now.Before(until) {
		delete(p.until, model)
		return 0
	}
	return until.Sub(now)
}
