package ingest

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/task"
)

// LastTask is the sequence of the newest message in the stream of tasks.
func LastTask(ctx context.Context, js jetstream.JetStream) (uint64, error) {
	stream, err := js.Stream(ctx, task.StreamTasks)
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", task.StreamTasks, err)
	}
	return stream.CachedInfo().State.LastSeq, nil
}

// HasTakenIn reports whether every task message up to seq is in Postgres, or has expired unread. A stream that no ingester
// has read yet is an error.
func HasTakenIn(ctx context.Context, js jetstream.JetStream, seq uint64) (bool, error) {
	stream, err := js.Stream(ctx, task.StreamTasks)
	if err != nil {
		return false, fmt.Errorf("read stream %s: %w", task.StreamTasks, err)
	}
	c, err := stream.Consumer(ctx, consumerName)
	if err != nil {
		return false, fmt.Errorf("read consumer of %s: %w", task.StreamTasks, err)
	}
	// the consumer's count of what is pending lags behind the stream, so that it cannot tell
	return c.CachedInfo().AckFloor.Stream >= seq || stream.CachedInfo().State.FirstSeq > seq, nil
}
