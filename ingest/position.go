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

// HasTakenIn reports whether every task message up to seq is in Postgres. A stream that no ingester has read yet is an
// error.
func HasTakenIn(ctx context.Context, js jetstream.JetStream, seq uint64) (bool, error) {
	c, err := js.Consumer(ctx, task.StreamTasks, consumerName)
	if err != nil {
		return false, fmt.Errorf("read consumer of %s: %w", task.StreamTasks, err)
	}
	info := c.CachedInfo()
	// messages that expired unread are never acknowledged: nothing waiting and nothing on its way is as good
	idle := info.NumPending == 0 && info.NumAckPending == 0
	return idle || info.AckFloor.Stream >= seq, nil
}
