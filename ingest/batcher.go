package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// batchMessages is the most messages that are looked at together.
	batchMessages = 500
	// batchBytes is the most bytes of message bodies that are looked at together.
	batchBytes = 4 << 20
	// batchers is how many batches are on their way at once: one commits while the next is decoded.
	batchers = 2
	// fetchBeat is how often the server shows that it still answers a request; after two missed ones it is made again.
	fetchBeat = time.Second
	// fetchRetry is the wait after a request that failed.
	fetchRetry = 100 * time.Millisecond
	// retryWait is the wait after a batch that Postgres could not take.
	retryWait = time.Second
)

// batcher takes messages as they come: whatever has arrived while the last batch was being committed makes the next one,
// so a lone message never waits for others.
type batcher struct {
	consumer jetstream.Consumer
	handle   func(ctx context.Context, batch []jetstream.Msg) error
	ackWait  time.Duration
	held     *held
	logger   *slog.Logger
}

func newBatcher(
	c Config, from jetstream.Consumer, handle func(ctx context.Context, batch []jetstream.Msg) error,
) *batcher {
	largest := int(c.Stream.Conn().MaxPayload())
	return &batcher{consumer: from, handle: handle, ackWait: c.AckWait, held: newHeld(largest), logger: c.Logger}
}

// run handles batches until the context ends. A batch that fails is not acknowledged: its messages come back, and what
// was committed of it is a duplicate then.
func (b *batcher) run(ctx context.Context) error {
	queue := make(chan jetstream.Msg, heldMessages)
	var workers sync.WaitGroup
	var forming sync.Mutex // batches are formed one at a time, so that each is a run of the stream
	for range batchers {
		workers.Go(func() {
			for {
				forming.Lock()
				batch := collect(ctx, queue)
				forming.Unlock()
				if len(batch) == 0 {
					return
				}
				b.work(ctx, batch)
				b.held.drop(batch)
			}
		})
	}
	touching, stop := context.WithCancel(ctx)
	var toucher sync.WaitGroup
	toucher.Go(func() { b.held.touch(touching, b.ackWait, b.logger) })
	err := b.pump(ctx, queue)
	close(queue)
	workers.Wait()
	stop()
	toucher.Wait()
	return err
}

// pump asks for as much as there is room for, again and again, and moves it to the queue. Nothing is asked for ahead of
// the room: what waits in the connection could neither be counted nor kept from being delivered again.
func (b *batcher) pump(ctx context.Context, queue chan<- jetstream.Msg) error {
	for ctx.Err() == nil {
		messages, bytes := b.held.room(ctx)
		if messages == 0 {
			return nil
		}
		err := b.fetch(ctx, messages, bytes, queue)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if gone(err) { // to stop silently would be worse
			return fmt.Errorf("fetch messages: %w", err)
		}
		b.logger.WarnContext(ctx, "messages were not fetched", slog.Any("err", err))
		wait(ctx, fetchRetry)
	}
	return nil
}

// fetch makes one request; its messages come as they arrive in the stream.
func (b *batcher) fetch(ctx context.Context, messages, bytes int, queue chan<- jetstream.Msg) error {
	// a deadline of the caller's would become the request's expiry
	ending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	batch, err := b.consumer.Fetch(messages,
		jetstream.FetchMaxBytes(bytes), jetstream.FetchHeartbeat(fetchBeat), jetstream.FetchContext(ending))
	if err != nil {
		return err
	}
	for msg := range batch.Messages() {
		b.held.add(msg)
		queue <- msg // has room for all that is held
	}
	return batch.Error()
}

// gone tells a connection or consumer that does not come back from a server that is away for a while.
func gone(err error) bool {
	return errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, jetstream.ErrConsumerDeleted)
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// collect waits for one message and takes what else is there; nil at the end.
func collect(ctx context.Context, queue <-chan jetstream.Msg) []jetstream.Msg {
	var batch []jetstream.Msg
	bytes := 0
	select {
	case <-ctx.Done():
		return nil
	case msg, ok := <-queue:
		if !ok {
			return nil
		}
		batch, bytes = append(batch, msg), len(msg.Data())
	}
	for len(batch) < batchMessages && bytes < batchBytes {
		select {
		case msg, ok := <-queue:
			if !ok {
				return batch
			}
			batch = append(batch, msg)
			bytes += len(msg.Data())
		default:
			return batch
		}
	}
	return batch
}

func (b *batcher) work(ctx context.Context, batch []jetstream.Msg) {
	err := b.handle(ctx, batch)
	if err == nil || ctx.Err() != nil {
		return
	}
	b.logger.WarnContext(ctx, "batch was not taken in", slog.Int("messages", len(batch)), slog.Any("err", err))
	for _, msg := range batch {
		_ = msg.NakWithDelay(retryWait) // a lost Nak costs the wait for the ack's timeout
	}
	wait(ctx, retryWait)
}
