package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"github.com/weirhq/weir/embedded"
	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/producer"
)

// servers are the private Postgres and the NATS of this process.
type servers struct {
	lock     *embedded.DirLock
	postgres *embedded.Postgres
	nats     *embedded.NATS
}

// stopTimeout bounds the shutdown of the private servers.
const stopTimeout = 30 * time.Second

// startServers starts both in a data directory, which it locks, and migrates the database. natsPort 0 leaves NATS
// without a listener.
func startServers(ctx context.Context, dir, pgBin string, natsPort int, logger *slog.Logger) (_ *servers, err error) {
	s := &servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(ctx))
		}
	}()
	if s.lock, err = embedded.Lock(dir); err != nil {
		return nil, err
	}
	s.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir, BinDir: pgBin, Logger: logger})
	if err != nil {
		return nil, err
	}
	s.nats, err = embedded.StartNATS(ctx, embedded.NATSConfig{
		Dir: dir, Port: natsPort, DontListen: natsPort == 0, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, s.postgres.DSN())
	if err != nil {
		return nil, fmt.Errorf("open Postgres pool: %w", err)
	}
	defer pool.Close()
	if err := migrations.Up(ctx, pool, logger); err != nil {
		return nil, err
	}
	return s, nil
}

// connect opens a connection that stays inside the process.
func (s *servers) connect() (*nats.Conn, error) {
	return s.nats.Connect(append(producer.ConnectOptions(), nats.Name("weir"))...)
}

// stop ends NATS before Postgres: nothing may arrive that cannot be written any more. It works on a context that has
// ended too: the servers still need their time.
func (s *servers) stop(ctx context.Context) error {
	var errs []error
	if s.nats != nil {
		errs = append(errs, s.nats.Stop())
	}
	if s.postgres != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		errs = append(errs, s.postgres.Stop(ctx))
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
