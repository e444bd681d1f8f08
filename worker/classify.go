package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// classifyTimeout bounds one classify job.
const classifyTimeout = time.Minute

// classify gives the tasks of an ingest batch that ingest has not planned their class and their plan, and wakes the
// dispatcher for all of them.
type classify struct {
	river.WorkerDefaults[jobs.Classify]
	pool       *pgxpool.Pool
	planner    *planner.Planner
	counts     *counts
	preparer   *preparer
	limits     task.Limits
	dispatcher *dispatcher
	deliverer  *deliverer
	now        func() time.Time
	logger     *slog.Logger
	chaos      func(point string) // never nil
}

// Timeout bounds one job.
func (w *classify) Timeout(*river.Job[jobs.Classify]) time.Duration { return classifyTimeout }

// Work classifies what is still queued of the batch; a second run finds nothing left to do.
func (w *classify) Work(ctx context.Context, job *river.Job[jobs.Classify]) error {
	queued, err := store.QueuedTasks(ctx, w.pool, job.Args.Batch)
	if err != nil {
		return err
	}
	if len(queued) == 0 { // planned on their way in, or by an earlier run
		w.dispatcher.Wake()
		return nil
	}
	w.chaos("classify_fetched")
	p := w.plan(ctx, queued)
	if err := w.write(ctx, job.Args.Batch, p); err != nil {
		return err
	}
	if len(p.pending) > 0 { // the others have not waited for the embeddings
		p = w.planPrepared(ctx, p)
		if err := w.write(ctx, job.Args.Batch, p); err != nil {
			return err
		}
	}
	if len(p.doubts) == 0 {
		return nil
	}
	return w.write(ctx, job.Args.Batch, w.planCounted(ctx, p)) // nor these for the counts
}

// write commits what was decided and passes it on.
func (w *classify) write(ctx context.Context, batch uuid.UUID, p *planned) error {
	if len(p.ready)+len(p.endings) == 0 { // all of it hangs on providers
		w.dispatcher.Wake()
		return nil
	}
	err := w.commit(ctx, p)
	if store.DataError(err) {
		err = w.commitEach(ctx, p)
	}
	if err != nil {
		return fmt.Errorf("classify batch %s: %w", batch, err)
	}
	w.dispatcher.Wake()
	if len(p.endings) > 0 {
		w.deliverer.Recover()
	}
	return nil
}

// commit writes what was decided, all of it or nothing.
func (w *classify) commit(ctx context.Context, p *planned) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if err := store.LockTasks(ctx, tx, p.tasks(), nil); err != nil {
			return err
		}
		if err := store.InsertPlans(ctx, tx, w.now(), p.plans()); err != nil {
			return err
		}
		if err := store.MarkReady(ctx, tx, p.ready); err != nil {
			return err
		}
		w.chaos("classify_in_tx")
		if len(p.endings) == 0 {
			return nil
		}
		_, err := store.Finish(ctx, tx, w.now(), []string{store.StateQueued}, p.endings)
		return err
	})
}

// commitEach writes task by task after Postgres has refused the data of one of them, which would hold up the others for
// ever. The task that it is fails.
func (w *classify) commitEach(ctx context.Context, p *planned) error {
	var refused []store.Ending
	for _, c := range p.ready {
		one := &planned{ready: []store.Classified{c}, byID: map[uuid.UUID]store.StoredPlan{c.PlanID: p.byID[c.PlanID]}}
		err := w.commit(ctx, one)
		if store.DataError(err) {
			w.logger.ErrorContext(ctx, "class was refused", slog.String("task_id", c.TaskID.String()), slog.Any("err", err))
			refused = append(refused, store.Ending{
				TaskID: c.TaskID, ResultID: p.results[c.TaskID], Status: task.Failed, Reason: "the ledger refuses its class",
			})
			continue
		}
		if err != nil {
			return err
		}
	}
	p.endings = append(p.endings, refused...)
	var errs []error
	for _, e := range p.endings {
		errs = append(errs, w.commit(ctx, &planned{endings: []store.Ending{e}}))
	}
	return errors.Join(errs...)
}

// planned is what one job decided.
type planned struct {
	ready   []store.Classified
	endings []store.Ending
	byID    map[uuid.UUID]store.StoredPlan
	results map[uuid.UUID]uuid.UUID // by task
	doubts  []*doubt                // not decided yet
	pending []pending               // nor these
	// prepared says that what can be known of classes is known.
	prepared bool
}

// tasks are all that the job changes.
func (p *planned) tasks() []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(p.ready)+len(p.endings))
	for i := range p.ready {
		ids = append(ids, p.ready[i].TaskID)
	}
	for i := range p.endings {
		ids = append(ids, p.endings[i].TaskID)
	}
	return ids
}

func (p *planned) plans() []store.StoredPlan {
	plans := make([]store.StoredPlan, 0, len(p.byID))
	for _, plan := range p.byID {
		plans = append(plans, plan)
	}
	return plans
}

func (w *classify) plan(ctx context.Context, queued []store.QueuedTask) *planned {
	p := &planned{byID: map[uuid.UUID]store.StoredPlan{}, results: make(map[uuid.UUID]uuid.UUID, len(queued))}
	for i := range queued {
		q := &queued[i]
		p.results[q.ID] = task.ResultID(q.Tenant, q.Key, q.Run)
		w.planTask(ctx, p, q)
	}
	return p
}

// planTask plans one task; a panic on the way fails that task and no other.
func (w *classify) planTask(ctx context.Context, p *planned, q *store.QueuedTask) {
	defer func() {
		if v := recover(); v != nil {
			w.logger.ErrorContext(ctx, "classification panicked", slog.String("task_id", q.ID.String()), slog.Any("panic", v),
				slog.String("stack", string(debug.Stack())))
			p.end(q, bugReason)
		}
	}()
	t, err := task.Decode(q.Body, w.limits)
	if err != nil {
		p.end(q, "the stored task cannot be read: "+err.Error())
		return
	}
	t.Feature = q.Feature
	one, err := w.planner.Plan(ctx, q.ID, t, q.MaxOutputTokens)
	if one.Pending && !p.prepared {
		p.pending = append(p.pending, pending{queued: q, task: t})
		return
	}
	if len(one.Doubts) > 0 && w.counts.helps(one.Doubts) {
		p.doubts = append(p.doubts, &doubt{queued: q, task: t, estimated: one, err: err})
		return
	}
	p.take(q, one, err)
}

// planPrepared has the embeddings made on which classes hang, outside of any transaction, and plans by what came.
func (w *classify) planPrepared(ctx context.Context, before *planned) *planned {
	w.preparer.prepare(ctx, before.pending)
	p := &planned{byID: map[uuid.UUID]store.StoredPlan{}, results: before.results, doubts: before.doubts, prepared: true}
	for _, waiting := range before.pending {
		w.planTask(ctx, p, waiting.queued)
	}
	return p
}

// planCounted has prompts counted on which plans hang, outside of any transaction, and plans by the counts that came.
func (w *classify) planCounted(ctx context.Context, before *planned) *planned {
	w.counts.ask(ctx, before.doubts)
	p := &planned{byID: map[uuid.UUID]store.StoredPlan{}, results: before.results}
	for _, d := range before.doubts {
		one, err := d.estimated, d.err
		if len(d.counts) > 0 {
			one, err = w.planner.PlanCounted(ctx, d.queued.ID, d.task, d.queued.MaxOutputTokens, d.counts)
		}
		p.take(d.queued, one, err)
	}
	return p
}

// take takes over a plan, or why there is none.
func (p *planned) take(q *store.QueuedTask, one planner.Planned, err error) {
	if err != nil {
		p.end(q, err.Error())
		return
	}
	p.byID[one.Plan.ID] = one.Plan
	p.ready = append(p.ready, one.Classified)
}

func (p *planned) end(q *store.QueuedTask, reason string) {
	p.endings = append(p.endings, store.Ending{
		TaskID: q.ID, ResultID: p.results[q.ID], Status: task.Failed, Reason: reason,
	})
}
