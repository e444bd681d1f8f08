package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// Intent is an attempt about to be made.
type Intent struct {
	TaskID     uuid.UUID
	BundleID   uuid.UUID
	AttemptID  uuid.UUID
	Owner      uuid.UUID
	Stage      int
	Provider   string
	Model      string // weir's name
	ModelAsked string // the provider's
	Mode       string
	Bound      *task.Pico // the most that the call can cost; nil when no price is in force
	ConfigHash string
	StartedAt  time.Time
}

// InsertIntents writes attempts before their calls leave. The call may be made only for the attempt ids that come back:
// a task that left the bundle, or a second worker of the same bundle (ON CONFLICT DO NOTHING), gets none.
func InsertIntents(ctx context.Context, db DB, intents []Intent) (map[uuid.UUID]bool, error) {
	n := len(intents)
	tasks, bundles, ids, owners := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n)
	stages, bounds, started := make([]int16, n), make([]*int64, n), make([]time.Time, n)
	providers, models, asked := make([]string, n), make([]string, n), make([]string, n)
	modes, hashes := make([]string, n), make([]string, n)
	for i, it := range intents {
		tasks[i], bundles[i], ids[i], owners[i] = it.TaskID, it.BundleID, it.AttemptID, it.Owner
		stages[i], bounds[i], started[i] = int16(it.Stage), picoArg(it.Bound), it.StartedAt //nolint:gosec // a handful of stages
		providers[i], models[i], asked[i] = it.Provider, it.Model, it.ModelAsked
		modes[i], hashes[i] = it.Mode, it.ConfigHash
	}
	// the share lock closes the gap to whoever takes the task out of its bundle at the same moment
	// A bundle_id means released (tasks_fence_check). Naming the state as well would offer the planner the index of all
	// released tasks, which it takes for empty after a quiet hour and reads whole for every group.
	rows, err := db.Query(ctx, `
		INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state,
		                           bound_pusd, config_hash, started_at)
		SELECT s.task_id, s.bundle_id, s.id, t.calls + 1, s.owner, s.stage, s.provider, s.model, s.asked, s.mode,
		       'in_flight', s.bound, s.hash, s.started
		FROM unnest(@tasks::uuid[], @bundles::uuid[], @ids::uuid[], @owners::uuid[], @stages::smallint[],
		            @providers::text[], @models::text[], @asked::text[], @modes::text[], @bounds::bigint[],
		            @hashes::text[], @started::timestamptz[])
		     AS s (task_id, bundle_id, id, owner, stage, provider, model, asked, mode, bound, hash, started)
		JOIN weir.tasks t ON t.id = s.task_id AND t.bundle_id = s.bundle_id
		ORDER BY t.id
		FOR SHARE OF t
		ON CONFLICT (task_id, bundle_id) DO NOTHING
		RETURNING id`,
		pgx.NamedArgs{
			"tasks": idArray(tasks), "bundles": idArray(bundles), "ids": idArray(ids), "owners": idArray(owners),
			"stages": stages, "providers": providers,
			"models": models, "asked": asked, "modes": modes, "bounds": bounds, "hashes": hashes, "started": started,
		})
	if err != nil {
		return nil, fmt.Errorf("insert attempts: %w", err)
	}
	inserted, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("insert attempts: %w", err)
	}
	set := make(map[uuid.UUID]bool, len(inserted))
	for _, id := range inserted {
		set[id] = true
	}
	return set, nil
}

// InsertedIntents returns those of the given attempts that are in flight under the ids of these intents: what an earlier
// try of InsertIntents did whose commit got no answer.
func InsertedIntents(ctx context.Context, db DB, intents []Intent) (map[uuid.UUID]bool, error) {
	tasks, bundles := make([]uuid.UUID, len(intents)), make([]uuid.UUID, len(intents))
	ids := make([]uuid.UUID, len(intents))
	for i, it := range intents {
		tasks[i], bundles[i], ids[i] = it.TaskID, it.BundleID, it.AttemptID
	}
	rows, err := db.Query(ctx, `
		SELECT a.id
		FROM unnest(@tasks::uuid[], @bundles::uuid[], @ids::uuid[]) AS s (task_id, bundle_id, id)
		JOIN weir.attempts a ON a.task_id = s.task_id AND a.bundle_id = s.bundle_id AND a.id = s.id
		WHERE a.state = 'in_flight'`, pgx.NamedArgs{"tasks": tasks, "bundles": bundles, "ids": ids})
	if err != nil {
		return nil, fmt.Errorf("read attempts back: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("read attempts back: %w", err)
	}
	set := make(map[uuid.UUID]bool, len(found))
	for _, id := range found {
		set[id] = true
	}
	return set, nil
}

// LostAttempt is an attempt whose process is gone, with the task's state for the decision on what follows.
type LostAttempt struct {
	AttemptID     uuid.UUID
	TaskID        uuid.UUID
	BundleID      uuid.UUID
	Tenant        string
	Feature       string
	Key           string
	Run           int
	Stage         int
	Sideways      int
	Model         string
	Stages        json.RawMessage
	Calls         int
	Attempts      int
	ModelAttempts int
	CostHigh      task.Pico // before this attempt
	Bound         *int64
	MaxCost       *int64
	PromptTokens  int64
	MaxOutput     int
	Deadline      *time.Time
}

// LostAttempts reads the open attempts of the given owners (index attempts_in_flight).
func LostAttempts(ctx context.Context, db DB, owners []uuid.UUID) ([]LostAttempt, error) {
	return queryLost(ctx, db, `a.owner = ANY (@ids::uuid[])`, owners)
}

// LostOfBundles reads the open attempts of the given bundles.
func LostOfBundles(ctx context.Context, db DB, bundles []uuid.UUID) ([]LostAttempt, error) {
	return queryLost(ctx, db, `a.bundle_id = ANY (@ids::uuid[]) AND t.bundle_id = a.bundle_id`, bundles)
}

func queryLost(ctx context.Context, db DB, condition string, ids []uuid.UUID) ([]LostAttempt, error) {
	rows, err := db.Query(ctx, `
		SELECT a.id, a.task_id, a.bundle_id, t.tenant, t.feature, t.key, t.run, t.stage, t.sideways, t.model, p.stages,
		       t.calls, t.attempts, t.model_attempts, t.cost_high_pusd, a.bound_pusd, t.max_cost_pusd, t.prompt_tokens,
		       t.max_output_tokens, t.deadline
		FROM weir.attempts a
		JOIN weir.tasks t ON t.id = a.task_id
		JOIN weir.plans p ON p.id = t.plan_id
		WHERE a.state = 'in_flight' AND `+condition+`
		ORDER BY a.task_id`, pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("read lost attempts: %w", err)
	}
	lost, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LostAttempt])
	if err != nil {
		return nil, fmt.Errorf("read lost attempts: %w", err)
	}
	return lost, nil
}
