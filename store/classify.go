package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// QueuedTask is a task that waits for its class.
type QueuedTask struct {
	ID              uuid.UUID
	Tenant          string
	Feature         string
	Key             string
	Run             int
	MaxOutputTokens int
	Body            []byte
}

// QueuedTasks reads what is still queued of an ingest batch (index tasks_queued).
func QueuedTasks(ctx context.Context, db DB, batch uuid.UUID) ([]QueuedTask, error) {
	rows, err := db.Query(ctx, `
		SELECT t.id, t.tenant, t.feature, t.key, t.run, t.max_output_tokens, p.body
		FROM weir.tasks t
		JOIN weir.payloads p ON p.task_id = t.id
		WHERE t.ingest_batch = @batch AND t.state = 'queued'
		ORDER BY t.id`, pgx.NamedArgs{"batch": batch})
	if err != nil {
		return nil, fmt.Errorf("read queued tasks: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[QueuedTask])
	if err != nil {
		return nil, fmt.Errorf("read queued tasks: %w", err)
	}
	return tasks, nil
}

// StoredPlan is a plan under the hash of its content.
type StoredPlan struct {
	ID       uuid.UUID
	Class    task.Class
	Stages   json.RawMessage
	Included json.RawMessage
	Excluded json.RawMessage
	// Policy is how the plan came about where it is not the cascade as configured.
	Policy string
	// Agree is how many of the stages before the last must give the same answer; 0 is none.
	Agree      int
	ConfigHash string
}

// InsertPlans stores plans that are not stored yet (ON CONFLICT DO NOTHING: the id is the content's hash).
func InsertPlans(ctx context.Context, db DB, now time.Time, plans []StoredPlan) error {
	// in one order, so that two jobs with the same new plans wait for each other instead of deadlocking
	sorted := slices.SortedFunc(slices.Values(plans), func(a, b StoredPlan) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, p := range sorted {
		_, err := db.Exec(ctx, `
			INSERT INTO weir.plans (id, class, stages, included, excluded, policy, agree, config_hash, created_at)
			VALUES (@id, @class, @stages, @included, @excluded, @policy, nullif(@agree::smallint, 0), @config_hash, @now)
			ON CONFLICT (id) DO NOTHING`,
			pgx.NamedArgs{
				"id": p.ID, "class": string(p.Class), "stages": p.Stages, "included": p.Included, "excluded": p.Excluded,
				"policy": nullText(p.Policy), "agree": p.Agree, "config_hash": p.ConfigHash, "now": now,
			})
		if err != nil {
			return fmt.Errorf("insert plan: %w", err)
		}
	}
	return nil
}

// Classified is a task with its class and its plan.
type Classified struct {
	TaskID     uuid.UUID
	Class      task.Class
	Source     string
	Confidence float64
	// Learned is what is known of the task's class from elsewhere than a rule; nil means nothing.
	Learned *LearnedClass
	// Shadow is what a model that only looks on would have decided; nil without one.
	Shadow       *ShadowClass
	PlanID       uuid.UUID
	Model        string // of the first stage
	ExpectedCost task.Pico
	PromptTokens int64
	MaxOutput    int
	// PrefixHash names the stable prefix of the task's prompt, PrefixTokens is its estimated length.
	PrefixHash   uuid.UUID
	PrefixTokens int64
}

// MarkReady makes classified tasks ready for the dispatcher. A task that is no longer queued (cancelled, or classified
// by another run of the same job) stays as it is.
func MarkReady(ctx context.Context, db DB, classified []Classified) error {
	n := len(classified)
	ids, plans := make([]uuid.UUID, n), make([]uuid.UUID, n)
	classes, sources, models := make([]string, n), make([]string, n), make([]string, n)
	confidences, costs := make([]float32, n), make([]int64, n)
	prompts, outputs := make([]int32, n), make([]int32, n)
	prefixes, prefixTokens := make([]uuid.UUID, n), make([]int32, n)
	learned, froms, abstained := make([]*string, n), make([]*string, n), make([]*string, n)
	for i, c := range classified {
		if c.Learned != nil {
			learned[i], froms[i], abstained[i] = c.Learned.array(), &c.Learned.From, nullText(c.Learned.Abstained)
		}
		ids[i], plans[i], classes[i], sources[i] = c.TaskID, c.PlanID, string(c.Class), c.Source
		models[i], confidences[i] = c.Model, float32(c.Confidence)
		costs[i], prompts[i], outputs[i] = int64(c.ExpectedCost), clampInt32(c.PromptTokens), clampInt32(int64(c.MaxOutput))
		prefixes[i], prefixTokens[i] = c.PrefixHash, clampInt32(c.PrefixTokens)
	}
	// CASE hides the state from the planner: a plain comparison would offer it the index of all queued tasks, which it
	// takes for empty after a quiet hour and reads whole for every batch.
	_, err := db.Exec(ctx, `
		UPDATE weir.tasks t
		SET state = 'ready',
		    class = s.class,
		    class_source = s.source,
		    confidence = s.confidence,
		    plan_id = s.plan_id,
		    stage = 0,
		    sideways = 0,
		    model_attempts = 0,
		    model = s.model,
		    expected_cost_pusd = s.cost,
		    prompt_tokens = s.prompt,
		    max_output_tokens = s.output,
		    prefix_hash = s.prefix_hash,
		    prefix_tokens = s.prefix_tokens,
		    class_probabilities = s.learned::real[],
		    class_learned = s.learned_from,
		    class_abstained = s.abstained
		FROM unnest(@ids::uuid[], @classes::text[], @sources::text[], @confidences::real[], @plans::uuid[],
		            @models::text[], @costs::bigint[], @prompts::integer[], @outputs::integer[],
		            @prefixes::uuid[], @prefix_tokens::integer[], @learned::text[], @froms::text[], @abstained::text[])
		     AS s (id, class, source, confidence, plan_id, model, cost, prompt, output, prefix_hash, prefix_tokens, learned,
		           learned_from, abstained)
		WHERE t.id = s.id AND CASE t.state WHEN 'queued' THEN true ELSE false END`,
		pgx.NamedArgs{
			"ids": idArray(ids), "classes": classes, "sources": sources, "confidences": confidences,
			"plans":  idArray(plans),
			"models": models, "costs": costs, "prompts": prompts, "outputs": outputs,
			"prefixes": idArray(prefixes), "prefix_tokens": prefixTokens,
			"learned": learned, "froms": froms, "abstained": abstained,
		})
	if err != nil {
		return fmt.Errorf("mark tasks ready: %w", err)
	}
	return insertShadows(ctx, db, classified)
}

// Ending is a task that ends outside of an attempt.
type Ending struct {
	TaskID   uuid.UUID
	ResultID uuid.UUID
	// BundleID is the fence of a worker that ends a member of its bundle: the task has to be in it still. It is zero for
	// an ending by nobody's bundle.
	BundleID uuid.UUID
	Status   task.Status
	Reason   string
}

// Finish ends tasks outside of an attempt and writes their results; deliver publishes them. Only a task in one of the
// given states ends. It returns the ids of those that did.
func Finish(ctx context.Context, db DB, now time.Time, from []string, endings []Ending) ([]uuid.UUID, error) {
	n := len(endings)
	ids, results := make([]uuid.UUID, n), make([]uuid.UUID, n)
	statuses, reasons, bundles := make([]string, n), make([]*string, n), make([]*uuid.UUID, n)
	for i, e := range endings {
		ids[i], results[i], statuses[i], reasons[i] = e.TaskID, e.ResultID, string(e.Status), nullText(clean(e.Reason))
		if e.BundleID != uuid.Nil {
			bundles[i] = &e.BundleID
		}
	}
	rows, err := db.Query(ctx, `
		WITH endings AS (
		    SELECT *
		    FROM unnest(@ids::uuid[], @results::uuid[], @statuses::text[], @reasons::text[], @bundles::uuid[])
		         AS s (id, result_id, status, reason, bundle_id)),
		locked AS (
		    SELECT t.id FROM weir.tasks t JOIN endings e ON e.id = t.id
		    WHERE t.state = ANY (@from::text[]) AND (e.bundle_id IS NULL OR e.bundle_id = t.bundle_id)
		    ORDER BY t.id
		    FOR NO KEY UPDATE OF t),
		ended AS (
		    UPDATE weir.tasks t
		    SET state = e.status, reason = e.reason, finished_at = @now, bundle_id = NULL
		    FROM endings e, locked l
		    WHERE t.id = e.id AND l.id = t.id
		    RETURNING t.id)
		INSERT INTO weir.results (task_id, id, status, reason, created_at)
		SELECT e.id, e.result_id, e.status, e.reason, @now
		FROM endings e JOIN ended USING (id)
		ON CONFLICT (task_id) DO NOTHING
		RETURNING task_id`,
		pgx.NamedArgs{
			"ids": idArray(ids), "results": idArray(results), "statuses": statuses, "reasons": reasons, "now": now,
			"from": from, "bundles": nullIDArray(bundles),
		})
	if err != nil {
		return nil, fmt.Errorf("finish tasks: %w", err)
	}
	ended, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("finish tasks: %w", err)
	}
	return ended, nil
}

func clampInt32(n int64) int32 {
	const most = 1<<31 - 1
	if n > most {
		return most
	}
	return int32(n) //nolint:gosec // bounded above; counts are never negative
}
