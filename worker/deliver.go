package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// deliverBatch is the most results of one atomic batch: JetStream's own limit.
	deliverBatch = 1_000
	// deliverBytes is the most bytes of one atomic batch.
	deliverBytes = 4 << 20
	// deliverCrowd is from how many results on a batch waits for more, and deliverLinger for how long. JetStream makes a
	// store of its own for each atomic batch, which costs as much as some hundred messages do; fewer results than a crowd
	// are not kept waiting.
	deliverCrowd  = 50
	deliverLinger = 100 * time.Millisecond
	// deliverQueue is how many results wait in memory; beyond it the ledger keeps them and recovery publishes them.
	deliverQueue = 20_000
	// recoverAge is how old an unpublished result has to be before recovery takes it: younger ones are on their way.
	recoverAge = 10 * time.Second
	// recoverPage is how many results recovery reads at once.
	recoverPage = 500
	// resultBytes is the largest result; the stream's message limit is 8 MiB, headers included.
	resultBytes = 7 << 20
	// publishTimeout bounds the publishing of one batch.
	publishTimeout = 10 * time.Second
)

// deliverer publishes results: straight from memory after their commit, and from the ledger what a crash left behind.
type deliverer struct {
	pool    *pgxpool.Pool
	js      jetstream.JetStream
	now     func() time.Time
	logger  *slog.Logger
	queue   chan task.Result
	recover chan struct{}
	chaos   func(point string)
	age     time.Duration
}

// Add hands over a result whose commit is done. It does not wait: a result for which there is no room is recovered from
// the ledger.
func (d *deliverer) Add(r task.Result) {
	select {
	case d.queue <- r:
	default:
	}
}

// Recover asks for the results that ended in the ledger alone: expired, cancelled and refused tasks.
func (d *deliverer) Recover() {
	select {
	case d.recover <- struct{}{}:
	default:
	}
}

// run publishes until the context ends, then what is still queued.
func (d *deliverer) run(ctx context.Context) {
	var publishers sync.WaitGroup
	publishers.Go(func() { d.runRecovery(ctx) })
	for {
		select {
		case first := <-d.queue:
			d.publish(ctx, d.gather(ctx, first))
		case <-ctx.Done():
			publishers.Wait()
			d.flush(ctx)
			return
		}
	}
}

// flush publishes what the last settlements left. What does not get through is recovered by the next process.
func (d *deliverer) flush(ctx context.Context) {
	for {
		select {
		case first := <-d.queue:
			results, _ := d.collect(first)
			d.publish(ctx, results)
		default:
			return
		}
	}
}

// gather is collect with a wait for more where results come in crowds.
func (d *deliverer) gather(ctx context.Context, first task.Result) []task.Result {
	results, bytes := d.collect(first)
	if len(results) < deliverCrowd {
		return results
	}
	timer := time.NewTimer(deliverLinger)
	defer timer.Stop()
	for len(results) < deliverBatch && bytes < deliverBytes {
		select {
		case r := <-d.queue:
			results = append(results, r)
			bytes += len(r.Output)
		case <-timer.C:
			return results
		case <-ctx.Done():
			return results
		}
	}
	return results
}

// collect takes what is there already, up to the limits of a batch, and says how many bytes it has.
func (d *deliverer) collect(first task.Result) ([]task.Result, int) {
	results, bytes := []task.Result{first}, len(first.Output)
	for len(results) < deliverBatch && bytes < deliverBytes {
		select {
		case r := <-d.queue:
			results = append(results, r)
			bytes += len(r.Output)
		default:
			return results, bytes
		}
	}
	return results, bytes
}

// publish sends results and marks them. A failure leaves them to recovery, which finds them by the missing mark.
func (d *deliverer) publish(ctx context.Context, results []task.Result) bool {
	messages, ids := make([]*nats.Msg, len(results)), make([]uuid.UUID, len(results))
	for i, r := range results {
		message, err := resultMessage(r)
		if err != nil {
			d.logger.ErrorContext(ctx, "result cannot be encoded", slog.String("task_id", r.TaskID.String()), slog.Any("err", err))
			return false
		}
		messages[i], ids[i] = message, r.TaskID
	}
	// what has begun is finished also when the process stops: half of it would be published again
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	if err := publishAll(ctx, d.js, messages); err != nil {
		d.logger.WarnContext(ctx, "results were not published", slog.Int("results", len(results)), slog.Any("err", err))
		return false
	}
	d.chaos("after_publish")
	if err := store.MarkPublished(ctx, d.pool, d.now(), ids); err != nil {
		d.logger.WarnContext(ctx, "results were not marked", slog.Int("results", len(results)), slog.Any("err", err))
		return false
	}
	d.chaos("after_mark")
	return true
}

func resultMessage(r task.Result) (*nats.Msg, error) {
	body, err := json.Marshal(r)
	if err == nil && len(body) > resultBytes {
		r.Output, r.ToolCalls = "", nil
		r.Reason = fmt.Sprintf("the result has %d bytes, more than a message may have; its output is in weir.outputs", len(body))
		body, err = json.Marshal(r)
	}
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	message := nats.NewMsg(task.ResultSubject(r.Tenant, r.Feature))
	message.Header.Set(jetstream.MsgIDHeader, r.ResultID.String())
	message.Data = body
	return message, nil
}

// runRecovery publishes what the ledger holds unpublished, at the start, when asked to, and every recoverAge.
func (d *deliverer) runRecovery(ctx context.Context) {
	ticker := time.NewTicker(d.age)
	defer ticker.Stop()
	age := d.age
	for {
		d.recoverAll(ctx, age)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			age = d.age
		case <-d.recover:
			age = 0 // those who ask know of results that nobody else publishes
		}
	}
}

func (d *deliverer) recoverAll(ctx context.Context, age time.Duration) {
	for ctx.Err() == nil {
		rows, err := store.Unpublished(ctx, d.pool, age, recoverPage)
		if err != nil {
			if ctx.Err() == nil {
				d.logger.WarnContext(ctx, "unpublished results were not read", slog.Any("err", err))
			}
			return
		}
		if len(rows) == 0 {
			return
		}
		results := make([]task.Result, len(rows))
		for i := range rows {
			results[i] = rows[i].Result()
		}
		if !d.publish(ctx, results) || len(rows) < recoverPage {
			return
		}
	}
}
