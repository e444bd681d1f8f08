package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	expireLimit   = 1_000
	joinLimit     = 10_000
	requeueLimit  = 5_000
	textsLimit    = 5_000
	forgetLimit   = 10_000
	partitionPace = time.Hour
	// freshOutcomes is the age up to which an outcome without a task is looked at in every round, later once an hour.
	freshOutcomes = time.Hour
	// recordsKept is how long bundles, ingest batches and embeddings of tasks stay: records of the way that tasks took.
	recordsKept = 30 * 24 * time.Hour
	// ratePace is the time between two snapshots of pass rates, rateWindow the age of the tasks that count in one.
	ratePace   = 24 * time.Hour
	rateWindow = 30 * 24 * time.Hour
)

// maintainer is the housekeeping that every process may do: deadlines, forgotten batches, waiting outcomes, partitions,
// retention.
type maintainer struct {
	pool       *pgxpool.Pool
	client     *river.Client[pgx.Tx]
	catalog    *catalog.Catalog
	deliverer  *deliverer
	timing     Timing
	now        func() time.Time
	logger     *slog.Logger
	partitions time.Time
	rates      time.Time // when a snapshot of pass rates was asked for last
}

// run maintains until the context ends.
func (m *maintainer) run(ctx context.Context) {
	ticker := time.NewTicker(m.timing.Maintain)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := errors.Join(m.expire(ctx), m.sweep(ctx), m.join(ctx), m.requeue(ctx), m.rotate(ctx), m.snapshot(ctx))
		if err != nil && ctx.Err() == nil {
			m.logger.WarnContext(ctx, "maintenance failed", slog.Any("err", err))
		}
	}
}

// expire ends waiting tasks whose deadline has passed.
func (m *maintainer) expire(ctx context.Context) error {
	expired := 0
	err := pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		late, err := store.PastDeadline(ctx, tx, expireLimit)
		if err != nil || len(late) == 0 {
			return err
		}
		endings := make([]store.Ending, len(late))
		for i, l := range late {
			endings[i] = store.Ending{
				TaskID: l.TaskID, ResultID: task.ResultID(l.Tenant, l.Key, l.Run), Status: task.Expired,
				Reason: "the deadline has passed",
			}
		}
		expired = len(endings)
		_, err = store.Finish(ctx, tx, m.now(), []string{store.StateQueued, store.StateReady, store.StateParked}, endings)
		return err
	})
	if err == nil && expired > 0 {
		m.deliverer.Recover()
	}
	return err
}

// sweep gives tasks that stayed queued without a job a new one.
func (m *maintainer) sweep(ctx context.Context) error {
	stale, err := store.StaleBatches(ctx, m.pool, m.timing.Stale)
	if err != nil || len(stale) == 0 {
		return err
	}
	return pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		stranded, err := withoutJob(ctx, tx, stale)
		if err != nil {
			return err
		}
		return insertClassify(ctx, m.client, tx, stranded)
	})
}

func (m *maintainer) join(ctx context.Context) error {
	_, err := store.JoinOutcomes(ctx, m.pool, m.now().Add(-freshOutcomes), joinLimit)
	return err
}

// requeue plans tasks anew whose model the configuration no longer has.
func (m *maintainer) requeue(ctx context.Context) error {
	names := make([]string, 0, len(m.catalog.Models))
	for name := range m.catalog.Models {
		names = append(names, name)
	}
	n, err := store.Requeue(ctx, m.pool, names, requeueLimit)
	if n > 0 {
		m.logger.WarnContext(ctx, "tasks of unknown models planned anew", slog.Int64("tasks", n))
	}
	return err
}

// rotate makes the coming partitions, deletes what is beyond its retention and looks once more at the outcomes that have
// waited for long.
func (m *maintainer) rotate(ctx context.Context) error {
	now := m.now()
	if now.Sub(m.partitions) < partitionPace {
		return nil
	}
	if err := store.EnsurePartitions(ctx, m.pool, now); err != nil {
		return err
	}
	longest := time.Duration(0)
	for name, feature := range m.catalog.Features {
		longest = max(longest, feature.Retention)
		if err := m.expireTexts(ctx, name, now.Add(-feature.Retention)); err != nil {
			return fmt.Errorf("retention: %w", err)
		}
	}
	if _, err := store.DropTexts(ctx, m.pool, now.Add(-longest)); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	if err := m.forget(ctx, now.Add(-recordsKept)); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	if _, err := store.JoinOutcomes(ctx, m.pool, time.Time{}, joinLimit); err != nil {
		return err
	}
	if _, err := store.DropOldShadows(ctx, m.pool, now, now.Add(-shadowsKept)); err != nil {
		return err
	}
	m.partitions = now
	return nil
}

// snapshot takes the day's pass rates after midnight, UTC, and once at the start where there are none of today. Any process
// may; one does.
func (m *maintainer) snapshot(ctx context.Context) error {
	today := m.now().UTC().Truncate(ratePace)
	if !m.rates.Before(today) {
		return nil
	}
	err := pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		_, err := store.TakeSnapshot(ctx, tx, m.now(), today.Add(-rateWindow), today)
		return err
	})
	if err != nil {
		return err
	}
	m.rates = today
	return nil
}

// forget deletes old bundles, ingest batches and embeddings, a bounded number in each statement.
func (m *maintainer) forget(ctx context.Context, before time.Time) error {
	for _, deleteOld := range []func(context.Context, store.DB, time.Time, int) (int64, error){
		store.ForgetBundles, store.ForgetIngestBatches, store.ForgetVectors,
	} {
		for {
			deleted, err := deleteOld(ctx, m.pool, before, forgetLimit)
			if err != nil {
				return err
			}
			if deleted < forgetLimit {
				break
			}
		}
	}
	return nil
}

// expireTexts deletes a feature's old texts, page by page.
func (m *maintainer) expireTexts(ctx context.Context, feature string, before time.Time) error {
	for after := uuid.Nil; ; {
		next, err := store.ExpireTexts(ctx, m.pool, feature, before, after, textsLimit)
		if err != nil || next == uuid.Nil {
			return err
		}
		after = next
	}
}
