package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// RandomPort makes the NATS server listen on a free port of the system's choice.
const RandomPort = -1

const (
	defaultNATSHost   = "127.0.0.1"
	defaultNATSPort   = 4222
	defaultMaxPayload = 8 << 20
	defaultMaxStore   = 32 << 30
	defaultMaxMemory  = 256 << 20
	natsStartTimeout  = time.Minute
	// natsFirstLook is how long one look for readiness blocks before a fatal log line of the server is looked for.
	natsFirstLook = 50 * time.Millisecond
)

// NATSConfig says where the NATS server keeps its streams and whom it listens to.
type NATSConfig struct {
	// Dir is the data directory; the streams live in its subdirectory nats, which is made and locked.
	Dir string
	// Host is the address to listen on. Default 127.0.0.1.
	Host string
	// Port is the TCP port to listen on: RandomPort for a free one. Default 4222.
	Port int
	// DontListen leaves only the in-process way in, Connect.
	DontListen bool
	// MaxPayload is the largest message in bytes. Default 8 MiB.
	MaxPayload int32
	// MaxStore bounds the bytes all streams may reserve on disk together. Default 32 GiB.
	MaxStore int64
	// Logger receives what the server says. Required.
	Logger *slog.Logger
}

// NATS is a NATS server with JetStream in this process. Every message is on disk before it is acknowledged.
type NATS struct {
	server *server.Server
	lock   *DirLock
}

// StartNATS starts the server and returns when JetStream answers. It returns ErrLocked when another server uses the
// same directory (two on one store would start without complaint and ruin it), the server's own words when it cannot
// start, and ctx's error when ctx ends first. Starting on a large store takes as long as its recovery, a minute at most.
func StartNATS(ctx context.Context, cfg NATSConfig) (*NATS, error) {
	storeDir := filepath.Join(cfg.Dir, "nats")
	lock, err := Lock(storeDir)
	if err != nil {
		return nil, fmt.Errorf("start nats: %w", err)
	}
	n := &NATS{lock: lock}
	if err := n.start(ctx, natsOptions(cfg, storeDir), newNATSLog(cfg.Logger)); err != nil {
		return nil, errors.Join(fmt.Errorf("start nats in %s: %w", storeDir, err), n.Stop())
	}
	return n, nil
}

// ClientURL is the nats:// address for clients in other processes; empty where the server does not listen.
func (n *NATS) ClientURL() string {
	if n.server.Addr() == nil {
		return ""
	}
	return n.server.ClientURL()
}

// Connect opens a connection that stays inside the process. The caller closes it, before Stop: the server logs the end
// of what is still open.
func (n *NATS) Connect(opts ...nats.Option) (*nats.Conn, error) {
	// The address is unused, but a client without one tries the default server's.
	return nats.Connect("", append(opts, nats.InProcessServer(n.server))...)
}

// Stop shuts the server down, waits for its end, and gives the directory free. It may be called more than once.
func (n *NATS) Stop() error {
	if n.server != nil {
		n.server.Shutdown()
		n.server.WaitForShutdown()
	}
	if n.lock == nil {
		return nil
	}
	err := n.lock.Close()
	n.lock = nil
	return err
}

func (n *NATS) start(ctx context.Context, opts *server.Options, log *natsLog) error {
	ctx, cancel := context.WithTimeout(ctx, natsStartTimeout)
	defer cancel()
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	n.server = s
	s.SetLoggerV2(log, false, false, false)
	go s.Start()
	for !s.ReadyForConnections(natsFirstLook) {
		if err := errors.Join(log.fatal(), ctx.Err()); err != nil {
			return err
		}
	}
	return errors.Join(log.fatal(), n.answer(ctx))
}

// answer asks JetStream for its account: a server whose store is unusable still accepts connections and still says that
// JetStream is on.
func (n *NATS) answer(ctx context.Context) error {
	conn, err := n.Connect()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return fmt.Errorf("open jetstream: %w", err)
	}
	if _, err := js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("ask jetstream: %w", err)
	}
	return nil
}

func natsOptions(cfg NATSConfig, storeDir string) *server.Options {
	return &server.Options{
		ServerName:         "weir",
		Host:               orDefault(cfg.Host, defaultNATSHost),
		Port:               orDefault(cfg.Port, defaultNATSPort),
		DontListen:         cfg.DontListen,
		MaxPayload:         orDefault(cfg.MaxPayload, defaultMaxPayload),
		JetStream:          true,
		StoreDir:           storeDir,
		JetStreamMaxStore:  orDefault(cfg.MaxStore, defaultMaxStore),
		JetStreamMaxMemory: defaultMaxMemory,
		// Accepted means on disk; the server's own interval is two minutes.
		SyncAlways: true,
		// SIGINT and SIGTERM belong to weir, which stops its parts in order.
		NoSigs: true,
		NoLog:  true,
	}
}

// orDefault is value, or fallback when value is the zero value.
func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
