package sim

import (
	"context"
	"sync"
	"sync/atomic"
)

// gate holds answers back until it is opened.
type gate struct {
	mu sync.Mutex
	// closed maps a model to the channel that its opening closes; the empty name stands for all models.
	closed  map[string]chan struct{}
	waiting atomic.Int64
}

// hold closes the gate for a model, for all models when it is empty.
func (g *gate) hold(model string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = map[string]chan struct{}{}
	}
	if g.closed[model] == nil {
		g.closed[model] = make(chan struct{})
	}
}

// release opens the gate for a model, for all models when it is empty.
func (g *gate) release(model string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, opened := range g.closed {
		if model == "" || name == model {
			close(opened)
			delete(g.closed, name)
		}
	}
}

func (g *gate) of(model string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if opened := g.closed[model]; opened != nil {
		return opened
	}
	return g.closed[""]
}

// pass waits until the gate is open for a model. It is false when ctx ended before.
func (g *gate) pass(ctx context.Context, model string) bool {
	for {
		opened := g.of(model)
		if opened == nil {
			return true
		}
		g.waiting.Add(1)
		select {
		case <-opened:
			g.waiting.Add(-1)
		case <-ctx.Done():
			g.waiting.Add(-1)
			return false
		}
	}
}
