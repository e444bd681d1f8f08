package embedded_test

import (
	"bytes"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

func TestStartNATS_KeepsStreamsOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := mustStartNATS(t, natsConfig(dir))
	require.True(t, first.SyncAlways(), "an acknowledged message must be on disk")
	mustPublish(t, mustJetStream(t, first), []byte("kept"))

	require.NoError(t, first.Stop())
	require.NoError(t, first.Stop())
	second := mustStartNATS(t, natsConfig(dir))

	require.Equal(t, "kept", string(lastMessage(t, mustJetStream(t, second))))
}

func TestStartNATS_AfterKill9(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	serving, report := startChild(t, dir)
	conn, err := nats.Connect(report.NATSURL)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	mustPublish(t, js, []byte("acknowledged"))

	require.NoError(t, serving.Process.Kill())
	require.Error(t, serving.Wait())
	if embedded.DiesWithParent {
		requireGone(t, report.PostgresPid)
	}
	again := mustStartNATS(t, natsConfig(dir))

	require.Equal(t, "acknowledged", string(lastMessage(t, mustJetStream(t, again))))
}

func TestStartNATS_RefusesASecondStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustStartNATS(t, natsConfig(dir))

	_, err := embedded.StartNATS(t.Context(), natsConfig(dir))

	require.ErrorIs(t, err, embedded.ErrLocked)
	require.ErrorContains(t, err, dir)
}

func TestStartNATS_UnusableStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "nats"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nats", "jetstream"), nil, 0o600))

	_, err := embedded.StartNATS(t.Context(), natsConfig(dir))
	require.ErrorContains(t, err, "JetStream", "the server's own words must reach the caller")

	require.NoError(t, os.Remove(filepath.Join(dir, "nats", "jetstream")))
	mustStartNATS(t, natsConfig(dir))
}

func TestStartNATS_Ports(t *testing.T) {
	t.Parallel()

	t.Run("RandomIsOnLoopback", func(t *testing.T) {
		t.Parallel()
		address, err := url.Parse(mustStartNATS(t, natsConfig(t.TempDir())).ClientURL())
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1", address.Hostname())
		require.NotEqual(t, "4222", address.Port())
	})

	t.Run("TakenIsRefused", func(t *testing.T) {
		t.Parallel()
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, listener.Close()) })
		address, ok := listener.Addr().(*net.TCPAddr)
		require.True(t, ok)
		config := natsConfig(t.TempDir())
		config.Port = address.Port

		_, err = embedded.StartNATS(t.Context(), config)
		require.ErrorContains(t, err, "address already in use")
	})

	t.Run("DontListenHasNone", func(t *testing.T) {
		t.Parallel()
		config := natsConfig(t.TempDir())
		config.DontListen = true
		server := mustStartNATS(t, config)
		require.Empty(t, server.ClientURL())
		mustPublish(t, mustJetStream(t, server), []byte("in process"))
	})
}

func TestStartNATS_MaxPayload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		set   int32
		fits  int
		large int
	}{
		{"Default", 0, 8 << 20, 8<<20 + 1},
		{"Set", 1000, 1000, 1001},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := natsConfig(t.TempDir())
			config.MaxPayload = tt.set
			js := mustJetStream(t, mustStartNATS(t, config))

			mustPublish(t, js, bytes.Repeat([]byte("x"), tt.fits))
			_, err := js.Publish(t.Context(), "notes.large", bytes.Repeat([]byte("x"), tt.large))
			require.ErrorIs(t, err, nats.ErrMaxPayload)
		})
	}
}

func mustStartNATS(t *testing.T, config embedded.NATSConfig) *embedded.NATS {
	t.Helper()
	server, err := embedded.StartNATS(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

func mustJetStream(t *testing.T, server *embedded.NATS) jetstream.JetStream {
	t.Helper()
	conn, err := server.Connect()
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

func mustPublish(t *testing.T, js jetstream.JetStream, data []byte) {
	t.Helper()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "NOTES", Subjects: []string{"notes.>"}})
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "notes.one", data)
	require.NoError(t, err)
}

func lastMessage(t *testing.T, js jetstream.JetStream) []byte {
	t.Helper()
	stream, err := js.Stream(t.Context(), "NOTES")
	require.NoError(t, err)
	message, err := stream.GetLastMsgForSubject(t.Context(), "notes.>")
	require.NoError(t, err)
	return message.Data
}
