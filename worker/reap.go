package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// reaper gives the work of dead processes back: their open calls become lost with a cost interval, their tasks go on,
// their River jobs are replaced. Everything of one process happens in one transaction.
type reaper struct {
	pool       *pgxpool.Pool
	client     *river.Client[pgx.Tx]
	catalog    *catalog.Catalog
	models     *planner.Models
	dispatcher *dispatcher
	deliverer  *deliverer
	lease      *lease
	timing     Timing
	now        func() time.Time
	logger     *slog.Logger
	chaos      func(point string)
}

// run reaps until the context ends.
func (r *reaper) run(ctx context.Context) {
	ticker := time.NewTicker(r.timing.Reap)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !r.lease.mayReap() {
			continue
		}
		if err := errors.Join(r.reapDead(ctx), r.reapOrphans(ctx), r.reapShadows(ctx)); err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "reaping failed", slog.Any("err", err))
		}
	}
}

// errUnsteady rolls a reaping back.
var errUnsteady = errors.New("this process's own lease is not steady")

func (r *reaper) reapDead(ctx context.Context) error {
	var dead []uuid.UUID
	var lost int
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		var err error
		if dead, err = store.DeadProcesses(ctx, tx, r.lease.boot, r.timing.Lease); err != nil || len(dead) == 0 {
			return err
		}
		if !r.lease.mayReap() { // the question may have waited for the end of an outage
			return errUnsteady
		}
		orphans, err := discardRunning(ctx, tx, dead)
		if err != nil {
			return err
		}
		open, err := store.LostAttempts(ctx, tx, dead)
		if err != nil {
			return err
		}
		bundles, err := store.BundlesOf(ctx, tx, dead)
		if err != nil {
			return err
		}
		bundles = append(bundles, orphans.bundles...)
		if err := store.LockTasks(ctx, tx, tasksOf(open), bundles); err != nil {
			return err
		}
		if lost = len(open); lost > 0 {
			if _, err := store.Settle(ctx, tx, r.settlements(open)); err != nil {
				return err
			}
		}
		r.chaos("reap_in_tx")
		return r.giveBack(ctx, tx, bundles, orphans.batches)
	})
	if err != nil {
		return fmt.Errorf("reap dead processes: %w", err)
	}
	if len(dead) > 0 {
		r.logger.WarnContext(ctx, "dead processes reaped", slog.Int("processes", len(dead)), slog.Int("lost_attempts", lost))
		r.dispatcher.Wake()
		r.deliverer.Recover()
	}
	return nil
}

func tasksOf(open []store.LostAttempt) []uuid.UUID {
	ids := make([]uuid.UUID, len(open))
	for i := range open {
		ids[i] = open[i].TaskID
	}
	return ids
}

// giveBack makes the tasks of bundles ready and gives ingest batches a new classify job. Everything else of the bundles
// was settled before.
func (r *reaper) giveBack(ctx context.Context, tx pgx.Tx, bundles, batches []uuid.UUID) error {
	for _, bundle := range bundles {
		if _, err := store.HandBack(ctx, tx, bundle, 0, "its worker has died"); err != nil {
			return err
		}
	}
	return insertClassify(ctx, r.client, tx, batches)
}

func insertClassify(ctx context.Context, client *river.Client[pgx.Tx], tx pgx.Tx, batches []uuid.UUID) error {
	if len(batches) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(batches))
	for i, batch := range batches {
		params[i] = river.InsertManyParams{Args: jobs.Classify{Batch: batch}}
	}
	if _, err := client.InsertManyFastTx(ctx, tx, params); err != nil {
		return fmt.Errorf("insert classify jobs: %w", err)
	}
	return nil
}

// settlements give up attempts. What follows is the retry table's word, as for any other failure.
func (r *reaper) settlements(open []store.LostAttempt) []store.Settlement {
	now := r.now()
	settlements := make([]store.Settlement, len(open))
	for i := range open {
		l := &open[i]
		var stages []cascade.Stage
		if err := json.Unmarshal(l.Stages, &stages); err != nil || l.Stage >= len(stages) {
			stages = make([]cascade.Stage, l.Stage+1) // an unreadable plan ends the cascade here
			stages[l.Stage].Model = l.Model
		}
		d := cascade.Decide(r.state(l, stages, now), cascade.Event{
			Failure: task.FailLost, Reason: "the process that made the call died",
		})
		settlements[i] = store.Settlement{
			TaskID: l.TaskID, BundleID: l.BundleID, AttemptID: l.AttemptID, State: store.AttemptLost, Counted: d.Counted,
			Verdict: store.VerdictErrored, Failure: task.FailLost, Reason: d.Reason, FinishedAt: now,
			Next: r.next(l, stages, d, now),
		}
	}
	return settlements
}

func (r *reaper) state(l *store.LostAttempt, stages []cascade.Stage, now time.Time) cascade.State {
	feature := r.catalog.Features[l.Feature]
	s := cascade.State{
		Stage: l.Stage, Stages: len(stages), Sideways: l.Sideways, Fallbacks: len(stages[l.Stage].Sideways),
		Calls: l.Calls, Attempts: l.Attempts, ModelAttempts: l.ModelAttempts, MaxAttempts: feature.MaxAttempts,
		CostHigh: l.CostHigh, Refusal: feature.Refusal, Away: feature.WhenAway, Now: now, Jitter: jitter(),
	}
	if l.Bound != nil {
		s.CostHigh += task.Pico(*l.Bound)
	}
	if l.MaxCost != nil {
		s.MaxCost = task.Pico(*l.MaxCost)
	}
	if l.Deadline != nil {
		s.Deadline = *l.Deadline
	}
	return s
}

func (r *reaper) next(l *store.LostAttempt, stages []cascade.Stage, d cascade.Decision, now time.Time) store.Next {
	next := store.Next{State: store.StateReady, Stage: d.Stage, Sideways: d.Sideways, Reason: d.Reason}
	if d.Action == cascade.Fail {
		next.State, next.Model = string(d.Status), l.Model
		next.ResultID = task.ResultID(l.Tenant, l.Key, l.Run)
		return next
	}
	next.Model = modelAt(stages, d.Stage, d.Sideways)
	next.ExpectedCost = r.models.ExpectedNeutral(next.Model, l.PromptTokens, int64(l.MaxOutput))
	if !d.NotBefore.IsZero() {
		next.Wait = d.NotBefore.Sub(now)
	}
	return next
}

// reapOrphans takes back bundles whose River job is gone for any other reason: cancelled by hand, discarded, deleted.
func (r *reaper) reapOrphans(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		bundles, err := orphanedBundles(ctx, tx, r.timing.Orphan)
		if err != nil || len(bundles) == 0 {
			return err
		}
		if !r.lease.mayReap() {
			return errUnsteady
		}
		open, err := store.LostOfBundles(ctx, tx, bundles)
		if err != nil {
			return err
		}
		if err := store.LockTasks(ctx, tx, tasksOf(open), bundles); err != nil {
			return err
		}
		if len(open) > 0 {
			if _, err := store.Settle(ctx, tx, r.settlements(open)); err != nil {
				return err
			}
		}
		r.logger.WarnContext(ctx, "bundles without a job taken back", slog.Int("bundles", len(bundles)))
		return r.giveBack(ctx, tx, bundles, nil)
	})
	if err != nil {
		return fmt.Errorf("reap orphaned bundles: %w", err)
	}
	return nil
}

// reapShadows takes back the shadow calls of processes that are gone.
func (r *reaper) reapShadows(ctx context.Context) error {
	lost, err := store.LoseShadows(ctx, r.pool, r.now(), r.lease.boot)
	if lost > 0 {
		r.logger.WarnContext(ctx, "shadow calls of dead processes were lost", slog.Int64("calls", lost))
	}
	return err
}
