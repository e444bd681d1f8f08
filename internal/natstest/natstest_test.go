package natstest_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/natstest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	require.Empty(t, server.URL(), "there must be no way in from outside the process")
	publish(t, server.JetStream(t))

	server.Restart(t)

	require.Equal(t, uint64(1), stored(t, server.JetStream(t)))
}

func TestStart_IsPrivate(t *testing.T) {
	t.Parallel()
	publish(t, natstest.Start(t).JetStream(t))

	_, err := natstest.Start(t).JetStream(t).Stream(t.Context(), "NOTES")
	require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
}

func TestStartListening_ClientsOutliveARestart(t *testing.T) {
	t.Parallel()
	server := natstest.StartListening(t)
	url := server.URL()
	conn := server.Connect(t, nats.ReconnectWait(10*time.Millisecond))
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	publish(t, js)

	server.Restart(t)

	require.Equal(t, url, server.URL())
	require.Eventually(t, conn.IsConnected, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, uint64(1), stored(t, js))
}

func publish(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "NOTES", Subjects: []string{"notes.>"}})
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "notes.one", []byte("text"))
	require.NoError(t, err)
}

func stored(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), "NOTES")
	require.NoError(t, err)
	return stream.CachedInfo().State.Msgs
}
