package ingest_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/task"
)

func TestHasTakenIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	last, err := ingest.LastTask(t.Context(), b.js)
	require.NoError(t, err)
	require.Zero(t, last)
	_, err = ingest.HasTakenIn(t.Context(), b.js, 0)
	require.ErrorIs(t, err, jetstream.ErrConsumerNotFound, "nobody has read the stream yet")

	in := b.run()
	b.publishMany("t", 20)
	b.drained(task.StreamTasks)
	in.stop()
	last, err = ingest.LastTask(t.Context(), b.js)
	require.NoError(t, err)
	require.EqualValues(t, 20, last)
	has := func(seq uint64) bool {
		taken, err := ingest.HasTakenIn(t.Context(), b.js, seq)
		require.NoError(t, err)
		return taken
	}
	require.True(t, has(20))

	b.publish("triage", `{"id":"one more","input":"text"}`)
	require.True(t, has(20))
	require.False(t, has(21))
	b.run()
	require.Eventually(t, func() bool { return has(21) }, patience, tick)
}
