package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// Config is what an ingester is made of.
type Config struct {
	Pool    *pgxpool.Pool
	Stream  jetstream.JetStream
	Catalog *catalog.Catalog
	// Planner plans tasks on their way in; without one, every task waits for its classify job.
	Planner *planner.Planner
	Streams StreamConfig
	// AckWait is how long JetStream waits for an ack before it delivers again. Default 30 s.
	AckWait time.Duration
	Now     func() time.Time
	Logger  *slog.Logger
	// Chaos is called with the name of each crash point; nil outside of crash tests.
	Chaos func(point string)
}

const defaultAckWait = 30 * time.Second

// Run takes tasks and outcomes in until the context ends. Any number of processes may run it at once.
func Run(ctx context.Context, c Config) error {
	if c.AckWait == 0 {
		c.AckWait = defaultAckWait
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Chaos == nil {
		c.Chaos = func(string) {}
	}
	if c.Streams.Buckets == nil {
		c.Streams.Buckets = c.Catalog.Attachments.Buckets
	}
	if err := EnsureStreams(ctx, c.Stream, c.Streams); err != nil {
		return err
	}
	if largest := c.Stream.Conn().MaxPayload(); largest < leastMessageBytes {
		c.Logger.WarnContext(ctx, "the NATS server takes smaller messages than a task may be; raise its max_payload",
			slog.Int64("max_payload", largest), slog.Int64("wanted", leastMessageBytes))
	}
	// The first tasks of a day without partitions would have to wait for maintenance. Postgres may be away, too: then they
	// wait for it anyway.
	if err := store.EnsurePartitions(ctx, c.Pool, c.Now()); err != nil {
		c.Logger.WarnContext(ctx, "partitions were not made", slog.Any("err", err))
	}
	client, err := river.NewClient(riverpgxv5.New(c.Pool), &river.Config{
		Schema: "river", FetchCooldown: jobs.InsertCooldown, Logger: c.Logger,
	})
	if err != nil {
		return fmt.Errorf("make River client: %w", err)
	}
	limits := task.Limits(c.Catalog.Limits)
	taskMessages, err := consumer(ctx, c.Stream, task.StreamTasks, c.AckWait)
	if err != nil {
		return err
	}
	outcomeMessages, err := consumer(ctx, c.Stream, task.StreamOutcomes, c.AckWait)
	if err != nil {
		return err
	}
	onTasks := &tasks{
		pool: c.Pool, client: client, catalog: c.Catalog, planner: c.Planner, limits: limits, now: c.Now, logger: c.Logger,
		chaos: c.Chaos,
	}
	onOutcomes := &outcomes{pool: c.Pool, limits: limits, now: c.Now, logger: c.Logger}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return newBatcher(c, taskMessages, onTasks.handle).run(ctx)
	})
	group.Go(func() error {
		return newBatcher(c, outcomeMessages, onOutcomes.handle).run(ctx)
	})
	group.Go(func() error {
		(&purger{js: c.Stream, logger: c.Logger}).run(ctx)
		return nil
	})
	return group.Wait()
}
