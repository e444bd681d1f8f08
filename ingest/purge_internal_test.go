package ingest

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/task"
)

func TestPurge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		messages  int // of about 10 kB each; 100 kB are full
		acked     int
		wantFirst uint64 // the first sequence that stays
	}{
		{"NotFull", 7, 7, 1},
		{"FullOfWhatIsInPostgres", 9, 9, 10},
		{"OnlyUpToTheAckFloor", 9, 4, 5},
		{"NothingIsInPostgresYet", 9, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			js := natstest.Start(t).JetStream(t)
			require.NoError(t, EnsureStreams(t.Context(), js, StreamConfig{MaxBytes: 100_000}))
			c, err := consumer(t.Context(), js, task.StreamTasks, time.Minute)
			require.NoError(t, err)
			for range tt.messages {
				_, err := js.Publish(t.Context(), task.Subject("acme", "triage"), []byte(strings.Repeat("x", 10_000)))
				require.NoError(t, err)
			}
			batch, err := c.Fetch(tt.messages)
			require.NoError(t, err)
			acked := 0
			for msg := range batch.Messages() {
				if acked < tt.acked {
					require.NoError(t, msg.DoubleAck(t.Context()))
					acked++
				}
			}

			p := &purger{js: js, logger: slog.New(slog.DiscardHandler)}
			require.NoError(t, p.purge(t.Context(), task.StreamTasks))
			require.NoError(t, p.purge(t.Context(), task.StreamTasks), "a second look finds nothing to do")

			stream, err := js.Stream(t.Context(), task.StreamTasks)
			require.NoError(t, err)
			require.Equal(t, tt.wantFirst, stream.CachedInfo().State.FirstSeq)
		})
	}
}

func TestPurge_WithoutAStream(t *testing.T) {
	t.Parallel()
	p := &purger{js: natstest.Start(t).JetStream(t), logger: slog.New(slog.DiscardHandler)}
	require.ErrorIs(t, p.purge(t.Context(), task.StreamTasks), jetstream.ErrStreamNotFound)
}
