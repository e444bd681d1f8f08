// Package natstest gives a test a NATS server of its own, with JetStream, in the test's process. It is the server that
// weir itself embeds, with the same durability; it makes no streams.
package natstest

import (
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

// Server is the NATS server of one test. It stops, and its store is removed, when the test ends.
type Server struct {
	mu     sync.Mutex
	cfg    embedded.NATSConfig
	server *embedded.NATS
}

// Start starts a server that can be reached only with Connect.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, embedded.NATSConfig{DontListen: true})
}

// StartListening starts a server that also listens on a free port of the loopback interface, for child processes and
// for tests that restart it under connected clients.
func StartListening(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, embedded.NATSConfig{Port: embedded.RandomPort})
}

// URL is the address for child processes. It stays the same over Restart. It is empty on a server from Start.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.ClientURL()
}

// Connect opens a connection that is closed at the end of the test: over TCP on a listening server, so that it survives
// Restart, otherwise inside the process.
func (s *Server) Connect(tb testing.TB, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	conn, err := s.connect(opts)
	require.NoError(tb, err)
	tb.Cleanup(conn.Close)
	return conn
}

// JetStream is a JetStream client on a connection of its own.
func (s *Server) JetStream(tb testing.TB) jetstream.JetStream {
	tb.Helper()
	js, err := jetstream.New(s.Connect(tb))
	require.NoError(tb, err)
	return js
}

// Stop shuts the server down and keeps its store for Restart.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NoError(tb, s.server.Stop())
}

// Restart starts the server again on its store and, where it listens, its port, after a Stop if it still runs.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepPort(tb)
	require.NoError(tb, s.server.Stop())
	s.start(tb)
}

func start(tb testing.TB, cfg embedded.NATSConfig) *Server {
	tb.Helper()
	cfg.Dir = tb.TempDir()
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := &Server{cfg: cfg}
	s.start(tb)
	tb.Cleanup(func() { s.Stop(tb) })
	return s
}

func (s *Server) start(tb testing.TB) {
	tb.Helper()
	server, err := embedded.StartNATS(tb.Context(), s.cfg)
	require.NoError(tb, err)
	s.server = server
}

func (s *Server) connect(opts []nats.Option) (*nats.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.DontListen {
		return s.server.Connect(opts...)
	}
	return nats.Connect(s.server.ClientURL(), opts...)
}

func (s *Server) keepPort(tb testing.TB) {
	tb.Helper()
	if s.cfg.DontListen {
		return
	}
	address, err := url.Parse(s.server.ClientURL())
	require.NoError(tb, err)
	s.cfg.Port, err = strconv.Atoi(address.Port())
	require.NoError(tb, err)
}
