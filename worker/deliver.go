package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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
	// resultBytes is the largest result where neither the server nor the stream sets a lower limit.
	resultBytes = 7 << 20
	// headerBytes is what a message's headers may take of such a limit: its id and those of an atomic batch.
	headerBytes = 512
	// publishTimeout bounds each answer of the server, markTimeout the marking of one batch.
	publishTimeout = 10 * time.Second
	markTimeout    = 10 * time.Second
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
	largest atomic.Int64 // bytes of the stream's largest message; 0 while it is unknown or unlimited
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
	d.measure(ctx)
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
			if !d.publish(ctx, results) {
				return
			}
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

// measure asks for the stream's largest message. Without an answer the last one stands.
func (d *deliverer) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	stream, err := d.js.Stream(ctx, task.StreamResults)
	if err != nil {
		d.logger.DebugContext(ctx, "stream was not measured", slog.Any("err", err))
		return
	}
	d.largest.Store(max(0, int64(stream.CachedInfo().Config.MaxMsgSize)))
}

// limit is the most bytes of a result that the server and the stream take.
func (d *deliverer) limit() int {
	limit := resultBytes
	for _, largest := range []int64{d.largest.Load(), d.js.Conn().MaxPayload()} {
		if largest > 0 {
			limit = min(limit, int(largest)-headerBytes)
		}
	}
	return limit
}

// publish sends results and marks those that are in the stream; the others are left to recovery, which finds them by the
// missing mark. It returns false when there is no point in going on with others: NATS or Postgres is away.
func (d *deliverer) publish(ctx context.Context, results []task.Result) bool {
	// what has begun is finished also when the process stops: half of it would be published again
	ctx = context.WithoutCancel(ctx)
	messages, ids := d.encode(ctx, results)
	if len(messages) == 0 {
		return true
	}
	stored, away := d.send(ctx, messages, ids)
	if len(stored) == 0 {
		return !away
	}
	d.chaos("after_publish")
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	if err := store.MarkPublished(ctx, d.pool, d.now(), stored); err != nil {
		d.logger.WarnContext(ctx, "results were not marked", slog.Int("results", len(stored)), slog.Any("err", err))
		return false
	}
	d.chaos("after_mark")
	return !away
}

// encode makes the messages, and the task ids that go with them. A result that cannot be encoded is left out.
func (d *deliverer) encode(ctx context.Context, results []task.Result) ([]*nats.Msg, []uuid.UUID) {
	limit := d.limit()
	messages, ids := make([]*nats.Msg, 0, len(results)), make([]uuid.UUID, 0, len(results))
	for _, r := range results {
		message, err := resultMessage(r, limit)
		if err != nil {
			d.logger.ErrorContext(ctx, "result cannot be encoded", slog.String("task_id", r.TaskID.String()), slog.Any("err", err))
			continue
		}
		messages, ids = append(messages, message), append(ids, r.TaskID)
	}
	return messages, ids
}

// send publishes messages and returns the ids of those in the stream, and whether the server was away for others.
func (d *deliverer) send(ctx context.Context, messages []*nats.Msg, ids []uuid.UUID) (stored []uuid.UUID, away bool) {
	stored = make([]uuid.UUID, 0, len(ids))
	var failed error
	for i, err := range publishAll(ctx, d.js, messages) {
		switch {
		case err == nil:
			stored = append(stored, ids[i])
		case errors.Is(err, errRefused):
			d.logger.ErrorContext(ctx, "result was refused by the stream; it stays in weir.results and is tried again",
				slog.String("task_id", ids[i].String()), slog.Int("bytes", len(messages[i].Data)), slog.Any("err", err))
		default:
			failed = err
		}
	}
	if failed != nil {
		d.logger.WarnContext(ctx, "results were not published", slog.Int("results", len(ids)-len(stored)), slog.Any("err", failed))
	}
	return stored, failed != nil
}

// resultMessage makes a result's message. One of more bytes than the limit goes without its output.
func resultMessage(r task.Result, limit int) (*nats.Msg, error) {
	body, err := json.Marshal(r)
	if err == nil && len(body) > limit {
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
			d.measure(ctx) // it can be changed while weir runs
		case <-d.recover:
			age = 0 // those who ask know of results that nobody else publishes
		}
	}
}

// recoverAll goes once through all that is unpublished, past what the stream refuses.
func (d *deliverer) recoverAll(ctx context.Context, age time.Duration) {
	var behind store.ResultPosition
	for ctx.Err() == nil {
		rows, err := store.Unpublished(ctx, d.pool, age, behind, recoverPage)
		if err != nil {
			if ctx.Err() == nil {
				d.logger.WarnContext(ctx, "unpublished results were not read", slog.Any("err", err))
			}
			return
		}
		if len(rows) == 0 {
			return
		}
		d.chaos("recover_read")
		if !d.publishRows(ctx, rows) || len(rows) < recoverPage {
			return
		}
		behind = rows[len(rows)-1].Position()
	}
}

// publishRows publishes rows of the ledger in batches of bounded size.
func (d *deliverer) publishRows(ctx context.Context, rows []store.ResultRow) bool {
	for start := 0; start < len(rows); {
		var results []task.Result
		for bytes := 0; start < len(rows) && bytes < deliverBytes; start++ {
			results = append(results, rows[start].Result())
			bytes += len(rows[start].Output)
		}
		if !d.publish(ctx, results) {
			return false
		}
	}
	return true
}
