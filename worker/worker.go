// Package worker runs the way of a task between intake and result: River workers that classify tasks and work bundles,
// and the loops around them that dispatch, deliver, reap and maintain. It meets intake only in Postgres.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/attachments"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// Config is what a worker is made of: every part built already.
type Config struct {
	// Pool serves weir's own statements, River its own.
	Pool      *pgxpool.Pool
	RiverPool *pgxpool.Pool
	// BeatPool renews the lease; a pool of its own, so that load cannot silence the process.
	BeatPool *pgxpool.Pool
	Catalog  *catalog.Catalog
	Book     *pricing.Book
	// Planner plans what ingest has left, and knows the models. It may be ingest's own.
	Planner *planner.Planner
	// Providers by the catalog's names.
	Providers map[string]providers.Provider
	// Validators by feature.
	Validators map[string]*validators.Chain
	Stream     jetstream.JetStream
	// SpoolDir keeps paid answers while Postgres is away; empty means memory only.
	SpoolDir string
	// Boot is the identity of this process: a new one for each start.
	Boot    uuid.UUID
	Host    string
	Roles   []string
	Version string
	Timing  Timing
	// ClassifyWorkers is how many classify jobs run at once. Default 2.
	ClassifyWorkers int
	// StageWorkers is how many bundles of one model run at once. Default 50.
	StageWorkers int
	// FetchCooldown is the shortest time between two fetches of a queue. Default 5 ms.
	FetchCooldown time.Duration
	// SoftStop is how long a stopping process waits for calls under way. Default 30 s.
	SoftStop time.Duration
	Now      func() time.Time
	Logger   *slog.Logger
	// Chaos is called with the name of each crash point; nil outside of crash tests.
	Chaos func(point string)
}

// Worker is the running part.
type Worker struct {
	config     Config
	models     *planner.Models
	recorder   *store.Recorder
	spool      *store.Spool
	lease      *lease
	stage      *stage
	dispatcher *dispatcher
	deliverer  *deliverer
	reaper     *reaper
	maintainer *maintainer
	client     *river.Client[pgx.Tx]
}

// New wires a worker. It refuses a cascade with a model that has no price in force.
func New(config Config) (*Worker, error) {
	config = withDefaults(config)
	w := &Worker{config: config, models: config.Planner.Models}
	if errs := w.models.Check(); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if config.SpoolDir != "" {
		var err error
		if w.spool, err = store.NewSpool(config.SpoolDir, config.Boot); err != nil {
			return nil, err
		}
	}
	w.recorder = store.NewRecorder(config.Pool, w.spool, config.Logger)
	w.recorder.Chaos = config.Chaos
	w.lease = newLease(config.BeatPool, config.Boot, config.Timing, config.Logger)
	return w, w.wire()
}

func withDefaults(c Config) Config {
	if c.ClassifyWorkers == 0 {
		c.ClassifyWorkers = 2
	}
	if c.StageWorkers == 0 {
		c.StageWorkers = 50
	}
	if c.FetchCooldown == 0 {
		c.FetchCooldown = 5 * time.Millisecond
	}
	if c.SoftStop == 0 {
		c.SoftStop = 30 * time.Second
	}
	if c.Timing == (Timing{}) {
		c.Timing = DefaultTiming()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Chaos == nil {
		c.Chaos = func(string) {}
	}
	if c.Host == "" {
		c.Host, _ = os.Hostname()
	}
	return c
}

// wire builds the loops and the River client around them.
func (w *Worker) wire() error {
	c := w.config
	known := newGates(c)
	w.lease.tell, w.lease.hear = known.tell, func(fleet store.Fleet) { known.hear(c.Boot, fleet) }
	limits := task.Limits(c.Catalog.Limits)
	w.deliverer = &deliverer{
		pool: c.Pool, js: c.Stream, now: c.Now, logger: c.Logger, chaos: c.Chaos, age: c.Timing.Recover,
		queue: make(chan task.Result, deliverQueue), recover: make(chan struct{}, 1),
	}
	w.dispatcher = &dispatcher{
		pool: c.Pool, catalog: c.Catalog, models: w.models, gates: known, timing: c.Timing, now: c.Now, logger: c.Logger, wake: make(chan struct{}, 1),
		chaos: c.Chaos,
	}
	w.stage = &stage{
		pool: c.Pool, catalog: c.Catalog, slots: slots(c.Catalog), gates: known, warmth: newWarmth(),
		lease: w.lease, dispatcher: w.dispatcher, boot: c.Boot, now: c.Now, logger: c.Logger, chaos: c.Chaos,
		attempts: &attempts{
			pool: c.Pool, recorder: w.recorder, catalog: c.Catalog, models: w.models, planner: c.Planner, plans: newPlans(),
			providers:  c.Providers,
			validators: c.Validators, gates: known, dispatcher: w.dispatcher, deliverer: w.deliverer, limits: limits,
			files:    attachments.New(attachments.Config{Bounds: c.Catalog.Attachments, Stream: c.Stream, Now: c.Now}),
			bookHash: c.Book.Hash(), boot: c.Boot, now: c.Now, logger: c.Logger, chaos: c.Chaos,
		},
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &classify{
		pool: c.Pool, planner: c.Planner, counts: newCounts(c, w.stage.attempts), limits: limits, dispatcher: w.dispatcher,
		preparer:  &preparer{planner: c.Planner, now: c.Now, logger: c.Logger},
		deliverer: w.deliverer, now: c.Now, logger: c.Logger, chaos: c.Chaos,
	})
	river.AddWorker(workers, w.stage)
	client, err := river.NewClient(riverpgxv5.New(c.RiverPool), w.riverConfig(workers))
	if err != nil {
		return fmt.Errorf("make River client: %w", err)
	}
	w.client = client
	inserter, err := river.NewClient(riverpgxv5.New(c.RiverPool), &river.Config{
		Schema: "river", FetchCooldown: jobs.InsertCooldown, Logger: riverLogger(c.Logger),
	})
	if err != nil {
		return fmt.Errorf("make River client: %w", err)
	}
	w.dispatcher.client = inserter
	w.reaper = &reaper{
		pool: c.Pool, client: inserter, catalog: c.Catalog, models: w.models, dispatcher: w.dispatcher,
		deliverer: w.deliverer, lease: w.lease, timing: c.Timing, now: c.Now, logger: c.Logger, chaos: c.Chaos,
	}
	w.maintainer = &maintainer{
		pool: c.Pool, client: inserter, catalog: c.Catalog, deliverer: w.deliverer, timing: c.Timing, now: c.Now,
		logger: c.Logger,
	}
	return nil
}

func slots(c *catalog.Catalog) map[string]chan struct{} {
	bySlots := make(map[string]chan struct{}, len(c.Providers))
	for name, p := range c.Providers {
		bySlots[name] = make(chan struct{}, max(p.Concurrency, 1))
	}
	return bySlots
}

func (w *Worker) riverConfig(workers *river.Workers) *river.Config {
	queues := map[string]river.QueueConfig{jobs.ClassifyQueue: {MaxWorkers: w.config.ClassifyWorkers}}
	for name := range w.config.Catalog.Models {
		queues[jobs.StageQueue(name)] = river.QueueConfig{MaxWorkers: w.config.StageWorkers}
	}
	longest := max(stageTimeout(w.config.Catalog), classifyTimeout)
	return &river.Config{
		ID:                          w.config.Boot.String(),
		Schema:                      "river",
		Queues:                      queues,
		Workers:                     workers,
		Logger:                      riverLogger(w.config.Logger),
		FetchCooldown:               w.config.FetchCooldown,
		FetchPollInterval:           500 * time.Millisecond,
		MaxAttempts:                 jobs.MaxAttempts,
		JobTimeout:                  longest,
		RescueStuckJobsAfter:        longest + time.Minute,
		SoftStopTimeout:             w.config.SoftStop,
		CompletedJobRetentionPeriod: jobs.CompletedRetention,
		CancelledJobRetentionPeriod: jobs.CompletedRetention,
		DiscardedJobRetentionPeriod: jobs.DiscardedRetention,
		RetryPolicy:                 retryPolicy{now: w.config.Now},
		ReindexerIndexNames:         []string{"river_job_prioritized_fetching_index", "river_job_state_and_finalized_at_index"},
	}
}

// Run works until the context ends, then stops: no new work, calls under way are waited for, results flushed. It returns
// store.ErrReaped when the others have given this process up.
func (w *Worker) Run(ctx context.Context) error {
	if w.spool != nil {
		replayed, err := w.spool.Replay(ctx, w.config.Pool, w.config.Logger)
		if err != nil {
			return err
		}
		if replayed > 0 {
			w.config.Logger.InfoContext(ctx, "spooled answers settled", slog.Int("answers", replayed))
		}
	}
	if err := store.EnsurePartitions(ctx, w.config.Pool, w.config.Now()); err != nil {
		return err
	}
	err := store.Register(ctx, w.config.Pool, w.config.Now(), store.Process{
		ID: w.config.Boot, Host: w.config.Host, Roles: w.config.Roles, Version: w.config.Version,
	})
	if err != nil {
		return err
	}
	if err := store.ProbeHard(ctx, w.config.Pool); err != nil {
		return err
	}
	return w.work(ctx)
}

// work runs the parts in the order of their dependence: River's workers stop first, then the recorder that they wait for,
// then the deliverer that publishes what was recorded last.
func (w *Worker) work(ctx context.Context) error {
	recordCtx, stopRecorder := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecorder()
	deliverCtx, stopDeliverer := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDeliverer()
	w.recorder.Start(recordCtx)
	var deliver errgroup.Group
	deliver.Go(func() error {
		w.deliverer.run(deliverCtx)
		return nil
	})
	loops, loopCtx := errgroup.WithContext(ctx)
	w.stage.stopping = loopCtx.Done()
	if err := w.client.Start(loopCtx); err != nil {
		w.recorder.Close()
		stopDeliverer()
		_ = deliver.Wait() // its function returns nil
		w.leave(ctx)
		return fmt.Errorf("start River: %w", err)
	}
	// the lease outlives the loops: calls under way at a stop are still this process's
	leaseCtx, stopLease := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLease()
	reaped := make(chan error, 1)
	var beats sync.WaitGroup
	beats.Go(func() { reaped <- w.lease.run(leaseCtx) })
	loops.Go(func() error {
		select {
		case err := <-reaped:
			return err
		case <-loopCtx.Done():
			return nil
		}
	})
	for _, loop := range []func(context.Context){w.dispatcher.run, w.reaper.run, w.maintainer.run, (&shadows{stage: w.stage, rests: map[string]time.Time{}}).run} {
		loops.Go(func() error {
			loop(loopCtx)
			return nil
		})
	}
	err := loops.Wait()
	// Every call has ended by then. With Postgres away, settlements would wait for ever: they are in the spool, and the
	// next start settles them.
	giveUp := time.AfterFunc(w.config.SoftStop+longestCall(w.config.Catalog)+unwind, stopRecorder)
	defer giveUp.Stop()
	<-w.client.Stopped()
	w.recorder.Close()
	stopDeliverer()
	_ = deliver.Wait() // its function returns nil
	stopLease()
	beats.Wait()
	if errors.Is(err, store.ErrReaped) {
		return err
	}
	w.leave(ctx)
	return err
}

// leave takes the process out of the ledger: an orderly end is no death, and nothing of it is left for the reaper.
func (w *Worker) leave(ctx context.Context) {
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.config.Timing.Beat)
	defer cancel()
	if err := store.Deregister(stopCtx, w.config.Pool, w.config.Boot); err != nil {
		w.config.Logger.WarnContext(stopCtx, "process was not deregistered", slog.Any("err", err))
	}
}
