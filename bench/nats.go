package main

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/embedded"
	"github.com/weirhq/weir/ingest"
)

// serveNATS runs the NATS server: JetStream on files, every message synced to disk before it is acknowledged.
func serveNATS(ctx context.Context, p *peer) error {
	server, err := embedded.StartNATS(ctx, embedded.NATSConfig{Dir: p.spec.Dir, Port: embedded.RandomPort, Logger: p.logger})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop() }() // its directory is thrown away
	conn, err := server.Connect()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	// both pipelines use weir's own streams: the naive one is not to lose by worse settings
	if err := ingest.EnsureStreams(ctx, js, ingest.StreamConfig{}); err != nil {
		return err
	}
	if err := p.ready(server.ClientURL()); err != nil {
		return err
	}
	return p.wait()
}

// connect opens a connection to NATS and its JetStream.
func connect(url string) (*nats.Conn, jetstream.JetStream, error) {
	conn, err := nats.Connect(url)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to NATS: %w", err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("open JetStream: %w", err)
	}
	return conn, js, nil
}
