package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// prepareTime is how long the tasks of a job wait for embeddings, all of them together.
	prepareTime = 20 * time.Second
	// preparePause is how long nobody asks after that failed, so that an outage delays one job a minute. Meanwhile tasks are
	// classified without.
	preparePause = time.Minute
)

// pending is a task whose class hangs on an embedding.
type pending struct {
	queued *store.QueuedTask
	task   *task.Task
}

// preparer has the classifier fetch embeddings, for all tasks of a job at once.
type preparer struct {
	planner *planner.Planner
	now     func() time.Time
	logger  *slog.Logger

	mu     sync.Mutex
	paused time.Time // until when
}

func (p *preparer) prepare(ctx context.Context, waiting []pending) {
	if p.pausing() {
		return
	}
	tasks := make([]*task.Task, len(waiting))
	for i := range waiting {
		tasks[i] = waiting[i].task
	}
	within, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	err := p.ask(within, tasks)
	if err == nil || ctx.Err() != nil { // a process that ends says nothing about the provider
		return
	}
	p.mu.Lock()
	p.paused = p.now().Add(preparePause)
	p.mu.Unlock()
	p.logger.WarnContext(ctx, "tasks are classified without the trained model", slog.Any("err", err),
		slog.Int("tasks", len(tasks)), slog.Duration("asked_again_after", preparePause))
}

// ask turns a panic into an error: the tasks are then classified without.
func (p *preparer) ask(ctx context.Context, tasks []*task.Task) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("preparing panicked: %v", v)
		}
	}()
	return p.planner.Prepare(ctx, tasks)
}

func (p *preparer) pausing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now().Before(p.paused)
}
