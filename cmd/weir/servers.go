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

const (
	// stopTimeout bounds the shutdown of the private servers.
	stopTimeout = 30 * time.Second
	// endNotice is how long after its connections broke the end of the private Postgres is noticed.
	endNotice = time.Second
)

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

// errPostgresEnded says that the private Postgres was killed or has failed; what it said stands in the log.
var errPostgresEnded = errors.New("the private Postgres has ended; start weir up again")

// guard runs what needs the private Postgres, and stops it with errPostgresEnded when that ends first.
func (s *servers) guard(ctx context.Context, logger *slog.Logger, run func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.postgres.Done():
			// said at once: calls under way are waited for
			logger.ErrorContext(ctx, "stopping", slog.Any("err", errPostgresEnded))
			cancel(errPostgresEnded)
		case <-ctx.Done():
		}
	}()
	err := run(ctx)
	if err != nil {
		notice := time.NewTimer(endNotice) // broken connections are noticed before the end that broke them
		defer notice.Stop()
		select {
		case <-ctx.Done():
		case <-notice.C:
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, errPostgresEnded) {
		return cause
	}
	return err
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
