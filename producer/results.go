package producer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/task"
)

// Filter chooses results. The zero value chooses all that the stream holds.
type Filter struct {
	// Feature limits the results to one feature. NATS does this: the others are not sent.
	Feature string
	// Since leaves out what was delivered before. NATS does this too.
	Since time.Time
	// IDs limits the results to these tasks.
	IDs []string
	// Batch limits the results to tasks with this label.
	Batch string
	// Follow waits for further results at the end of the stream. With IDs, it ends when each has had a result; otherwise
	// only the caller or ctx ends it.
	Follow bool
}

// readerIdle is how long the server keeps the position of a reader that has gone away.
const readerIdle = 30 * time.Second

// Results reads results in the order of their delivery. A result may come more than once: its ResultID is the same then.
// An error about one message is followed by further results; one about the stream or ctx is the last.
func (p *Producer) Results(ctx context.Context, f Filter) iter.Seq2[*task.Result, error] {
	return func(yield func(*task.Result, error) bool) {
		open := map[string]bool{}
		for _, id := range f.IDs {
			open[id] = true
		}
		err := p.read(ctx, f, func(r *task.Result, err error, _ bool) bool {
			if r != nil {
				delete(open, r.ID)
			}
			if (r != nil || err != nil) && !yield(r, err) {
				return false
			}
			return !f.Follow || len(f.IDs) == 0 || len(open) > 0
		})
		if err != nil {
			yield(nil, err)
		}
	}
}

// Wait returns the result of a task: the newest one that the stream holds, or the first to come. It reads all results of
// the tenant that the stream holds, so WaitFor with a Since or a Feature is lighter on a busy one, and Results serves
// many tasks at once. A task that failed has a result too, with its Status and Reason.
func (p *Producer) Wait(ctx context.Context, id string) (*task.Result, error) {
	return p.WaitFor(ctx, id, Filter{})
}

// WaitFor is Wait among the results that the filter's Feature and Since choose.
func (p *Producer) WaitFor(ctx context.Context, id string, f Filter) (*task.Result, error) {
	var newest *task.Result
	f.IDs, f.Follow, f.Batch = []string{id}, true, ""
	err := p.read(ctx, f, func(r *task.Result, _ error, atEnd bool) bool {
		if r != nil {
			newest = r
		}
		return newest == nil || !atEnd
	})
	if err != nil {
		return nil, fmt.Errorf("wait for the result of %q: %w", id, err)
	}
	return newest, nil
}

// read calls each for every message of the results' stream, until it returns false. The result is nil where the filter
// leaves it out, or where err says that it is no result; atEnd tells that no further message is there yet.
func (p *Producer) read(ctx context.Context, f Filter, each func(r *task.Result, err error, atEnd bool) bool) error {
	consumer, err := p.consumer(ctx, f)
	if err != nil {
		return err
	}
	if !f.Follow && consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read results: %w", classify(ctx, err))
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read results: %w", classify(ctx, err))
		}
		about, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read results: %w", err)
		}
		r, err := f.result(msg.Data())
		if err != nil {
			err = fmt.Errorf("read result %d of %s: %w", about.Sequence.Stream, task.StreamResults, err)
		}
		atEnd := about.NumPending == 0
		if !each(r, err, atEnd) || (atEnd && !f.Follow) {
			return nil
		}
	}
}

func (p *Producer) consumer(ctx context.Context, f Filter) (jetstream.Consumer, error) {
	feature := "*"
	if f.Feature != "" {
		feature = f.Feature
		if err := task.CheckAddress(p.config.Tenant, feature); err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
	}
	config := jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{task.ResultSubject(p.config.Tenant, feature)},
		InactiveThreshold: readerIdle,
	}
	if !f.Since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &f.Since
	}
	consumer, err := p.js.OrderedConsumer(ctx, task.StreamResults, config)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", classify(ctx, err))
	}
	return consumer, nil
}

// result decodes a body, nil when the filter leaves it out. Fields that this version does not know are let pass, so that
// weir may be newer than its producers.
func (f Filter) result(body []byte) (*task.Result, error) {
	r := &task.Result{}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, err
	}
	if r.ID == "" && r.Status == "" {
		return nil, errors.New("not a result")
	}
	if (f.Batch != "" && r.Batch != f.Batch) || (len(f.IDs) > 0 && !slices.Contains(f.IDs, r.ID)) {
		return nil, nil //nolint:nilnil // left out, and nothing wrong
	}
	return r, nil
}
