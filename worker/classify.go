package worker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// safeSource marks a class that was given because classification itself failed.
const safeSource = "safe"

// classifyTimeout bounds one classify job.
const classifyTimeout = time.Minute

// classify gives the queued tasks of an ingest batch their class and their plan.
type classify struct {
	river.WorkerDefaults[jobs.Classify]
	pool       *pgxpool.Pool
	catalog    *catalog.Catalog
	classifier classifier.Classifier
	models     *Models
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
	if err != nil || len(queued) == 0 {
		return err
	}
	w.chaos("classify_fetched")
	p := w.plan(ctx, queued)
	err = w.commit(ctx, p)
	if store.DataError(err) {
		err = w.commitEach(ctx, p)
	}
	if err != nil {
		return fmt.Errorf("classify batch %s: %w", job.Args.Batch, err)
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
			w.panicked(ctx, q, v)
			p.end(q, bugReason)
		}
	}()
	feature, ok := w.catalog.Features[q.Feature]
	if !ok {
		p.end(q, fmt.Sprintf("the feature %q is no longer configured", q.Feature))
		return
	}
	t, err := task.Decode(q.Body, w.limits)
	if err != nil {
		p.end(q, "the stored task cannot be read: "+err.Error())
		return
	}
	w.planOne(ctx, p, q, t, feature)
}

func (w *classify) panicked(ctx context.Context, q *store.QueuedTask, v any) {
	w.logger.ErrorContext(ctx, "classification panicked", slog.String("task_id", q.ID.String()), slog.Any("panic", v),
		slog.String("stack", string(debug.Stack())))
}

func (p *planned) end(q *store.QueuedTask, reason string) {
	p.endings = append(p.endings, store.Ending{
		TaskID: q.ID, ResultID: p.results[q.ID], Status: task.Failed, Reason: reason,
	})
}

// classOf asks the classifier. One task that cannot be classified never strands its batch: it takes the safe class.
func (w *classify) classOf(ctx context.Context, q *store.QueuedTask, s classifier.Subject) (d classifier.Decision) {
	safe := classifier.Decision{Class: w.catalog.Classifier.Default, Source: safeSource}
	defer func() {
		if v := recover(); v != nil {
			w.panicked(ctx, q, v)
			d = safe
		}
	}()
	decision, err := w.classifier.Classify(s)
	if err != nil {
		w.logger.WarnContext(ctx, "classification failed", slog.String("task_id", q.ID.String()), slog.Any("err", err))
		return safe
	}
	return decision
}

func (w *classify) planOne(ctx context.Context, p *planned, q *store.QueuedTask, t *task.Task, f catalog.Feature) {
	decision := w.classOf(ctx, q, classifier.Subject{Task: t, Feature: f})
	output := maxOutput(q.MaxOutputTokens, f)
	prompt := cascade.Prompt{Tokens: neutralTokens(t, f), MaxOutput: int64(output)}
	plan := cascade.New(decision.Class, w.models.facts, w.catalog.CascadeFor(f, decision.Class), prompt)
	if len(plan.Stages) == 0 {
		p.end(q, noModel(plan))
		return
	}
	stored := w.store(plan)
	p.byID[stored.ID] = stored
	first := plan.Stages[0].Model
	p.ready = append(p.ready, store.Classified{
		TaskID: q.ID, Class: decision.Class, Source: source(decision), Confidence: decision.Confidence,
		PlanID: stored.ID, Model: first,
		ExpectedCost: w.models.ExpectedNeutral(first, prompt.Tokens, prompt.MaxOutput),
		PromptTokens: prompt.Tokens, MaxOutput: output,
	})
}

func noModel(plan cascade.Plan) string {
	reasons := make([]string, len(plan.Excluded))
	for i, e := range plan.Excluded {
		reasons[i] = e.Model + " " + e.Reason
	}
	if len(reasons) == 0 {
		return fmt.Sprintf("no cascade is configured for class %s", plan.Class)
	}
	return "no model of the cascade can take the task: " + strings.Join(reasons, "; ")
}

// store gives a plan the hash of its content as id, so that equal plans are stored once.
func (w *classify) store(plan cascade.Plan) store.StoredPlan {
	stages, excluded := mustJSON(plan.Stages), mustJSON(plan.Excluded)
	h := sha256.New()
	for _, part := range [][]byte{[]byte(w.catalog.Hash), []byte(plan.Class), stages, excluded} {
		h.Write(part)
		h.Write([]byte{0})
	}
	return store.StoredPlan{
		ID: uuid.UUID(h.Sum(nil)[:16]), Class: plan.Class, Stages: stages, Excluded: excluded, ConfigHash: w.catalog.Hash,
	}
}

// mustJSON encodes values that always encode: structs of strings.
func mustJSON(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if string(data) == "null" {
		return json.RawMessage("[]")
	}
	return data
}

func source(d classifier.Decision) string {
	if d.Rule == "" {
		return d.Source
	}
	return d.Source + ":" + d.Rule
}
