package ingest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/task"
)

// What a process has asked for and not answered stays bounded, and is delivered once however long it takes.
func TestBatcher_HoldsABoundedNumberOfBytes(t *testing.T) {
	t.Parallel()
	const (
		ackWait  = time.Second
		messages = 60
		size     = 1 << 20
	)
	js := natstest.Start(t).JetStream(t)
	require.NoError(t, EnsureStreams(t.Context(), js, StreamConfig{}))
	for range messages {
		_, err := js.Publish(t.Context(), task.Subject("acme", "triage"), make([]byte, size))
		require.NoError(t, err)
	}
	from, err := consumer(t.Context(), js, task.StreamTasks, ackWait)
	require.NoError(t, err)
	release := make(chan struct{})
	handle := func(ctx context.Context, batch []jetstream.Msg) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-release:
		}
		for _, msg := range batch {
			if err := msg.Ack(); err != nil {
				return err
			}
		}
		return nil
	}
	b := newBatcher(Config{Stream: js, AckWait: ackWait, Logger: slog.New(slog.DiscardHandler)}, from, handle)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.run(ctx) }()

	<-time.After(3 * ackWait)
	info, err := from.Info(t.Context())
	require.NoError(t, err)
	require.Positive(t, info.NumAckPending)
	require.LessOrEqual(t, info.NumAckPending, b.held.most/size)
	require.Zero(t, info.NumRedelivered)

	close(release)
	require.Eventually(t, func() bool {
		info, err = from.Info(t.Context())
		return err == nil && info.AckFloor.Stream == messages
	}, 20*time.Second, 10*time.Millisecond)
	require.EqualValues(t, messages, info.Delivered.Consumer, "each was delivered once")
	cancel()
	require.NoError(t, <-done)
	require.Empty(t, b.held.all())
	require.Zero(t, b.held.bytes)
}
