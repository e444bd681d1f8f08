package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/worker"
)

// The roles of a process.
const (
	roleIngest = "ingest"
	roleWorker = "worker"
)

func allRoles() []string { return []string{roleIngest, roleWorker} }

// node runs roles of weir against a Postgres and a NATS.
type node struct {
	config   Config
	setup    *setup
	roles    []string
	dsn      string
	nc       *nats.Conn
	spoolDir string
	getenv   func(string) string
	logger   *slog.Logger
	chaos    func(point string)
	ready    func() // called once when all roles are about to run; may be nil
}

const (
	riverConns = 10
	startWait  = time.Minute // for Postgres and NATS to be reachable
	// idleTimeout is how long a transaction may idle.
	idleTimeout = 5 * time.Second
)

// run works until the context ends. Shutdown goes with the way of a task: intake first, then River's workers, then what
// they recorded and published last, then the pools.
func (n *node) run(ctx context.Context) error {
	relaxGC(n.getenv)
	pool, err := openPool(ctx, n.dsn, n.config.PoolConns)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrations.Check(ctx, pool); err != nil {
		return err
	}
	if err := store.SaveCatalog(ctx, pool, time.Now(), n.setup.catalog, priceRows(n.setup.book)); err != nil {
		return err
	}
	js, err := jetstream.New(n.nc)
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	streams := ingest.StreamConfig{Buckets: n.setup.catalog.Attachments.Buckets}
	if err := ingest.EnsureStreams(ctx, js, streams); err != nil {
		return err
	}
	plans := n.setup.newPlanner(n.logger)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		calibrate(ctx, pool, plans.Factors, n.timing().Maintain, n.logger)
		return nil
	})
	learning := &learner{pool: pool, chain: n.setup.classifier, plans: plans, logger: n.logger, embedders: &embedders{
		setup: func() (*setup, error) { return n.setup, nil }, getenv: n.getenv, logger: n.logger,
		pool: func(context.Context) (*pgxpool.Pool, error) { return pool, nil },
	}}
	group.Go(func() error {
		learning.run(ctx, n.timing().Maintain)
		return nil
	})
	if slices.Contains(n.roles, roleWorker) {
		if err := n.startWorker(ctx, group, pool, js, plans); err != nil {
			return err
		}
	}
	if slices.Contains(n.roles, roleIngest) {
		onTheWayIn := plans
		if n.setup.catalog.Classifier.InJobs {
			onTheWayIn = nil
		}
		group.Go(func() error {
			return ingest.Run(ctx, ingest.Config{
				Pool: pool, Stream: js, Catalog: n.setup.catalog, Planner: onTheWayIn, Logger: n.logger,
				Chaos: n.chaos,
			})
		})
	}
	if n.ready != nil {
		n.ready()
	}
	return group.Wait()
}

func (n *node) startWorker(
	ctx context.Context, group *errgroup.Group, pool *pgxpool.Pool, js jetstream.JetStream, plans *planner.Planner,
) error {
	clients, err := n.setup.buildProviders(n.getenv)
	if err != nil {
		return err
	}
	riverPool, err := openPool(ctx, n.dsn, riverConns)
	if err != nil {
		return err
	}
	beatPool, err := openPool(ctx, n.dsn, 1)
	if err != nil {
		riverPool.Close()
		return err
	}
	w, err := worker.New(worker.Config{
		Pool: pool, RiverPool: riverPool, BeatPool: beatPool, Catalog: n.setup.catalog, Book: n.setup.book,
		Planner: plans, Providers: clients, Validators: n.setup.validators,
		Stream: js, SpoolDir: n.spoolDir, Boot: uuid.Must(uuid.NewV7()), Roles: n.roles,
		Version: version(), Timing: n.timing(), Logger: n.logger, Chaos: n.chaos,
	})
	if err != nil {
		riverPool.Close()
		beatPool.Close()
		return err
	}
	group.Go(func() error {
		defer riverPool.Close()
		defer beatPool.Close()
		return w.Run(ctx)
	})
	return nil
}

// timing scales every beat and age with the lease: short ones in crash tests, the defaults otherwise.
func (n *node) timing() worker.Timing {
	t := worker.DefaultTiming()
	if n.config.Lease == defaultLease && n.config.Beat == defaultBeat {
		return t
	}
	t.Beat, t.Lease = n.config.Beat, n.config.Lease
	t.Silence = n.config.Lease * 2 / 3
	t.Reap = max(n.config.Lease/3, 100*time.Millisecond)
	t.Stale, t.Orphan = 2*n.config.Lease, 4*n.config.Lease
	t.Breaker, t.BreakerMost, t.HardProbe = n.config.Lease, 20*n.config.Lease, 240*n.config.Lease
	t.Ramp = n.config.Beat / 2
	t.Maintain, t.Recover = n.config.Lease, n.config.Lease
	return t
}

// openPool connects and waits a while for a Postgres that is still starting.
func openPool(ctx context.Context, dsn string, conns int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the Postgres URL cannot be read; write postgres://user:password@host:port/database")
	}
	config.MaxConns = int32(min(conns, mostPoolConns)) //nolint:gosec // bounded
	config.ConnConfig.RuntimeParams["application_name"] = "weir"
	// no transaction of weir's waits for anything but Postgres: one that idles belongs to a frozen process, and its locks
	// would hold up the others
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(idleTimeout.Milliseconds(), 10)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open Postgres pool: %w", err)
	}
	if err := waitFor(ctx, pool.Ping); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach Postgres: %w", err)
	}
	return pool, nil
}

func waitFor(ctx context.Context, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}
