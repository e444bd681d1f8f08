package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weirhq/weir/task"
)

// Member is a task of a bundle with what its next attempt needs.
type Member struct {
	TaskID        uuid.UUID
	Tenant        string
	Feature       string
	Key           string
	Run           int
	Class         string
	Batch         *string
	Lane          string
	Stage         int
	Sideways      int
	Model         string
	Stages        json.RawMessage // of the plan
	Agree         int             // of the plan: how many stages before the last must give the same answer; 0 is none
	Votes         json.RawMessage // the answers that were put to the vote so far, an array of Vote; nil where there is none
	Calls         int
	Attempts      int
	ModelAttempts int
	CostHigh      task.Pico
	MaxCost       *int64
	PromptTokens  int64
	MaxOutput     int
	Hint          *string
	Deadline      *time.Time
	AcceptedAt    time.Time
	Body          []byte
	Probe         bool // the bundle is one: it goes whatever the gates say
	Gated         bool // a gate of its model, account or feature is shut
}

// StartBundle notes who works a bundle and reads its members (index tasks_released). An empty answer means that nothing
// is left to do: the bundle was settled or taken away.
func StartBundle(ctx context.Context, db DB, now time.Time, bundle, owner uuid.UUID) ([]Member, error) {
	rows, err := db.Query(ctx, `
		WITH started AS (
		    UPDATE weir.bundles
		    SET owner = @owner, started_at = coalesce(started_at, @now)
		    WHERE id = @bundle
		    RETURNING provider, model, feature, probe)
		SELECT t.id, t.tenant, t.feature, t.key, t.run, t.class, t.batch, t.lane, t.stage, t.sideways, t.model, pl.stages,
		       coalesce(pl.agree, 0),
		       CASE WHEN pl.agree IS NOT NULL THEN
		           (SELECT json_agg(json_build_object('stage', a.stage, 'model', a.model, 'value', a.vote) ORDER BY a.n)
		            FROM weir.attempts a WHERE a.task_id = t.id AND a.vote IS NOT NULL)
		       END,
		       t.calls, t.attempts, t.model_attempts, t.cost_high_pusd, t.max_cost_pusd, t.prompt_tokens,
		       t.max_output_tokens, t.hint, t.deadline, t.accepted_at, p.body, s.probe,
		       EXISTS (SELECT FROM weir.gates g
		               WHERE (g.state IN ('open', 'probing') OR (g.state = 'limited' AND g.until > now()))
		                 AND (g.scope, g.name) IN (('provider', s.provider), ('model', s.model), ('feature', s.feature)))
		FROM started s
		CROSS JOIN weir.tasks t
		JOIN weir.payloads p ON p.task_id = t.id
		JOIN weir.plans pl ON pl.id = t.plan_id
		WHERE t.bundle_id = @bundle AND t.state = 'released'
		ORDER BY t.priority, t.deadline, t.id`,
		pgx.NamedArgs{"bundle": bundle, "owner": owner, "now": now})
	if err != nil {
		return nil, fmt.Errorf("start bundle %s: %w", bundle, err)
	}
	members, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Member])
	if err != nil {
		return nil, fmt.Errorf("start bundle %s: %w", bundle, err)
	}
	return members, nil
}

// HandBack sends the members of a bundle that have no attempt in it back to the dispatcher: at once, or after wait.
func HandBack(ctx context.Context, db DB, bundle uuid.UUID, wait time.Duration, reason string) (int64, error) {
	// Two statements in one transaction, which a batch is: the second one has to see the attempts of those whom the first
	// one waited for.
	batch := &pgx.Batch{}
	batch.Queue(`
		SELECT FROM weir.tasks
		WHERE bundle_id = @bundle AND state = 'released'
		ORDER BY id
		FOR NO KEY UPDATE`, pgx.NamedArgs{"bundle": bundle})
	var handed int64
	batch.Queue(`
		UPDATE weir.tasks t
		SET state = CASE WHEN @wait::bigint > 0 THEN 'parked' ELSE 'ready' END,
		    not_before = CASE WHEN @wait::bigint > 0 THEN now() + @wait * interval '1 ms' END,
		    bundle_id = NULL,
		    reason = @reason
		WHERE t.bundle_id = @bundle AND t.state = 'released'
		  AND NOT EXISTS (SELECT FROM weir.attempts a WHERE a.task_id = t.id AND a.bundle_id = @bundle)`,
		pgx.NamedArgs{"bundle": bundle, "wait": millis(wait), "reason": reason}).
		Exec(func(tag pgconn.CommandTag) error {
			handed = tag.RowsAffected()
			return nil
		})
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("hand back bundle %s: %w", bundle, err)
	}
	return handed, nil
}

// Park sends one member of a bundle that has no attempt in it back to the dispatcher, to be asked for again after wait. It
// returns false when the bundle has the member no more.
func Park(ctx context.Context, db DB, id, bundle uuid.UUID, wait time.Duration, reason string) (bool, error) {
	tag, err := db.Exec(ctx, `
		UPDATE weir.tasks t
		SET state = 'parked',
		    not_before = now() + @wait * interval '1 ms',
		    bundle_id = NULL,
		    reason = @reason
		WHERE t.id = @id AND t.bundle_id = @bundle AND t.state = 'released'
		  AND NOT EXISTS (SELECT FROM weir.attempts a WHERE a.task_id = t.id AND a.bundle_id = @bundle)`,
		pgx.NamedArgs{"id": id, "bundle": bundle, "wait": max(millis(wait), 1), "reason": reason})
	if err != nil {
		return false, fmt.Errorf("park task %s: %w", id, err)
	}
	return tag.RowsAffected() == 1, nil
}
