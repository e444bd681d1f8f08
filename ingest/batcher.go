package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// batchMessages is the most messages that are looked at together.
	batchMessages = 500
	// batchBytes is the most bytes of message bodies that are looked at together.
	batchBytes = 4 << 20
	// pullMessages is how far ahead messages are pulled.
	pullMessages = 2_000
	// batchers is how many batches are on their way at once: one commits while the next is decoded.
	batchers = 2
	// retryWait is the wait after a batch that Postgres could not take.
	retryWait = time.Second
)

// batcher takes messages as they come: whatever has arrived while the last batch was being committed makes the next one,
// so a lone message never waits for others.
type batcher struct {
	consumer jetstream.Consumer
	handle   func(ctx context.Context, batch []jetstream.Msg) error
	logger   *slog.Logger
}

// run handles batches until the context ends. A batch that fails is not acknowledged: its messages come back, and what
// was committed of it is a duplicate then.
func (b *batcher) run(ctx context.Context) error {
	messages, err := b.consumer.Messages(jetstream.PullMaxMessages(pullMessages))
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	queue := make(chan jetstream.Msg, pullMessages)
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
			}
		})
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	err = b.pump(ctx, messages, queue)
	close(queue)
	workers.Wait()
	return err
}

// pump moves messages from the connection to the queue.
func (b *batcher) pump(ctx context.Context, messages jetstream.MessagesContext, queue chan<- jetstream.Msg) error {
	for {
		msg, err := messages.Next()
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue // the server is away or slow; the iterator goes on by itself
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // closed because the context has ended, which is no error
		}
		if err != nil { // also an iterator closed by a connection that is gone for good: to stop silently would be worse
			return fmt.Errorf("next message: %w", err)
		}
		select {
		case queue <- msg:
		case <-ctx.Done():
			return nil
		}
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
	timer := time.NewTimer(retryWait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
