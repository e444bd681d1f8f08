package worker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
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
}

// Timeout bounds one job.
func (w *classify) Timeout(*river.Job[jobs.Classify]) time.Duration { return classifyTimeout }

// Work classifies what is still queued of the batch; a second run finds nothing left to do.
func (w *classify) Work(ctx context.Context, job *river.Job[jobs.Classify]) error {
	queued, err := store.QueuedTasks(ctx, w.pool, job.Args.Batch)
	if err != nil || len(queued) == 0 {
		return err
	}
	p := w.plan(ctx, queued)
	err = pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if err := store.InsertPlans(ctx, tx, w.now(), p.plans()); err != nil {
			return err
		}
		if err := store.MarkReady(ctx, tx, p.ready); err != nil {
			return err
		}
		if len(p.endings) == 0 {
			return nil
		}
		_, err := store.Finish(ctx, tx, w.now(), []string{store.StateQueued}, p.endings)
		return err
	})
	if err != nil {
		return fmt.Errorf("classify batch %s: %w", job.Args.Batch, err)
	}
	w.dispatcher.Wake()
	if len(p.endings) > 0 {
		w.deliverer.Recover()
	}
	return nil
}

// planned is what one job decided.
type planned struct {
	ready   []store.Classified
	endings []store.Ending
	byID    map[uuid.UUID]store.StoredPlan
}

func (p *planned) plans() []store.StoredPlan {
	plans := make([]store.StoredPlan, 0, len(p.byID))
	for _, plan := range p.byID {
		plans = append(plans, plan)
	}
	return plans
}

func (w *classify) plan(ctx context.Context, queued []store.QueuedTask) *planned {
	p := &planned{byID: map[uuid.UUID]store.StoredPlan{}}
	for i := range queued {
		q := &queued[i]
		feature, ok := w.catalog.Features[q.Feature]
		if !ok {
			p.end(q, fmt.Sprintf("the feature %q is no longer configured", q.Feature))
			continue
		}
		t, err := task.Decode(q.Body, w.limits)
		if err != nil {
			p.end(q, "the stored task cannot be read: "+err.Error())
			continue
		}
		w.planOne(ctx, p, q, t, feature)
	}
	return p
}

func (p *planned) end(q *store.QueuedTask, reason string) {
	p.endings = append(p.endings, store.Ending{
		TaskID: q.ID, ResultID: task.ResultID(q.Tenant, q.Key, q.Run), Status: task.Failed, Reason: reason,
	})
}

func (w *classify) planOne(ctx context.Context, p *planned, q *store.QueuedTask, t *task.Task, f catalog.Feature) {
	decision, err := w.classifier.Classify(classifier.Subject{Task: t, Feature: f})
	if err != nil { // one task that cannot be classified never strands its batch: it takes the safe class
		w.logger.WarnContext(ctx, "classification failed", slog.String("task_id", q.ID.String()), slog.Any("err", err))
		decision = classifier.Decision{Class: w.catalog.Classifier.Default, Source: safeSource}
	}
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
