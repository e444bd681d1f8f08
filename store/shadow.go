package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/task"
)

// Shadow is a call that is to be made beside a task, to hold its accepted answer against.
type Shadow struct {
	ID    uuid.UUID
	Model string // that is to be asked
	// Accepted is the model whose answer was accepted, Vote that answer's canonical form as a hash.
	Accepted string
	Vote     uuid.UUID
}

// queueShadows writes the shadow calls that go with the tasks that end with success.
func queueShadows(batch *pgx.Batch, moves []move) {
	for _, m := range moves {
		if m.s.Shadow == nil || !m.holds || m.s.Next.State != string(task.Succeeded) {
			continue
		}
		batch.Queue(`
			INSERT INTO weir.shadow_calls (id, task_id, attempt_id, accepted_model, accepted_vote, model, state, created_at)
			VALUES (@id, @task, @attempt, @accepted, @vote, @model, 'waiting', @at)
			ON CONFLICT (id) DO NOTHING`,
			pgx.NamedArgs{
				"id": m.s.Shadow.ID, "task": m.s.TaskID, "attempt": m.s.AttemptID, "accepted": m.s.Shadow.Accepted,
				"vote": m.s.Shadow.Vote, "model": m.s.Shadow.Model, "at": m.s.FinishedAt,
			})
	}
}

// ShadowCall is a shadow call that a process has taken, with what its task says.
type ShadowCall struct {
	ID           uuid.UUID
	TaskID       uuid.UUID
	Tenant       string
	Feature      string
	Key          string
	Run          int
	Class        string
	Batch        *string
	Lane         string
	Model        string
	Vote         uuid.UUID
	PromptTokens int64
	MaxOutput    int
	AcceptedAt   time.Time
	Body         []byte // nil: the task's text has been deleted
}

// ClaimShadows takes waiting shadow calls of the given models for a process, the oldest first, at most limit of them (index
// shadow_calls_waiting). Those that another process is taking are skipped.
func ClaimShadows(ctx context.Context, db DB, owner uuid.UUID, models []string, limit int) ([]ShadowCall, error) {
	rows, err := db.Query(ctx, `
		WITH claimed AS (
		    UPDATE weir.shadow_calls
		    SET state = 'claimed',
		        owner = @owner
		    WHERE id IN (SELECT id FROM weir.shadow_calls
		                 WHERE state = 'waiting' AND model = ANY (@models::text[])
		                 ORDER BY id
		                 LIMIT @limit
		                 FOR UPDATE SKIP LOCKED)
		    RETURNING id, task_id, model, accepted_vote)
		SELECT c.id, c.task_id, t.tenant, t.feature, t.key, t.run, t.class, t.batch, t.lane, c.model, c.accepted_vote,
		       t.prompt_tokens, t.max_output_tokens, t.accepted_at, p.body
		FROM claimed c
		JOIN weir.tasks t ON t.id = c.task_id
		LEFT JOIN weir.payloads p ON p.task_id = c.task_id
		ORDER BY c.id`, pgx.NamedArgs{"owner": owner, "models": models, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("claim shadow calls: %w", err)
	}
	calls, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ShadowCall])
	if err != nil {
		return nil, fmt.Errorf("claim shadow calls: %w", err)
	}
	return calls, nil
}

// BeginShadow writes a shadow call before it leaves. False: it is no longer the owner's, and must not be made.
func BeginShadow(ctx context.Context, db DB, i Intent) (bool, error) {
	tag, err := db.Exec(ctx, `
		UPDATE weir.shadow_calls
		SET state = 'in_flight',
		    provider = @provider,
		    model_asked = @asked,
		    mode = @mode,
		    bound_pusd = @bound,
		    config_hash = @hash,
		    started_at = @started
		WHERE id = @id AND state = 'claimed' AND owner = @owner`,
		pgx.NamedArgs{
			"id": i.AttemptID, "owner": i.Owner, "provider": i.Provider, "asked": i.ModelAsked, "mode": i.Mode,
			"bound": picoArg(i.Bound), "hash": i.ConfigHash, "started": i.StartedAt,
		})
	if err != nil {
		return false, fmt.Errorf("begin shadow call: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// EndShadow closes a shadow call, as it would an attempt: with what it came to, what it cost, and its answer, which stays as
// long as the task's. Agrees says whether a valid answer is the accepted one; nil where there is none. A call that was given
// up still brings its cost; one that is closed already stays as it is. What a provider wrote is left out where Postgres does
// not take it: its bill counts more.
func EndShadow(ctx context.Context, pool *pgxpool.Pool, s Settlement, agrees *bool) error {
	end := func(s Settlement) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return endShadow(ctx, tx, s, agrees) })
	}
	err := end(s)
	if DataError(err) {
		err = end(s.bare())
	}
	return err
}

func endShadow(ctx context.Context, tx pgx.Tx, s Settlement, agrees *bool) error {
	args := attemptColumns([]Settlement{s})
	args["agrees"] = agrees
	tag, err := tx.Exec(ctx, `
		UPDATE weir.shadow_calls a
		SET agrees = @agrees::boolean,
		    `+endColumns+`
		WHERE a.id = s.id AND a.state IN ('in_flight', 'lost')`, args)
	if err != nil {
		return fmt.Errorf("end shadow call: %w", err)
	}
	if tag.RowsAffected() == 0 || s.Output == nil {
		return nil
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO weir.outputs (task_id, attempt_id, output, tool_calls)
		SELECT task_id, @id, @output, @tool_calls FROM weir.payloads WHERE task_id = @task
		ON CONFLICT (task_id, attempt_id) DO NOTHING`,
		pgx.NamedArgs{"id": s.AttemptID, "task": s.TaskID, "output": s.Output, "tool_calls": []byte(s.ToolCalls)})
	if err != nil {
		return fmt.Errorf("keep answer of shadow call: %w", err)
	}
	return nil
}

// ReturnShadow gives a call back that its owner could not make for now.
func ReturnShadow(ctx context.Context, db DB, call, owner uuid.UUID) error {
	_, err := db.Exec(ctx, `
		UPDATE weir.shadow_calls
		SET state = 'waiting',
		    owner = NULL
		WHERE id = @id AND state = 'claimed' AND owner = @owner`, pgx.NamedArgs{"id": call, "owner": owner})
	if err != nil {
		return fmt.Errorf("return shadow call: %w", err)
	}
	return nil
}

// DropShadow gives a call up that cannot be made, and says why. Nothing has been paid for it.
func DropShadow(ctx context.Context, db DB, now time.Time, call, owner uuid.UUID, reason string) error {
	_, err := db.Exec(ctx, `
		UPDATE weir.shadow_calls
		SET state = 'dropped',
		    reason = @reason,
		    finished_at = @now
		WHERE id = @id AND state = 'claimed' AND owner = @owner`,
		pgx.NamedArgs{"id": call, "owner": owner, "reason": clean(reason), "now": now})
	if err != nil {
		return fmt.Errorf("drop shadow call: %w", err)
	}
	return nil
}

// DropOldShadows gives up what has waited since before an instant, and returns how many those were.
func DropOldShadows(ctx context.Context, db DB, now, before time.Time) (int64, error) {
	tag, err := db.Exec(ctx, `
		UPDATE weir.shadow_calls
		SET state = 'dropped',
		    reason = 'its model could not be asked in time',
		    finished_at = @now
		WHERE state = 'waiting' AND created_at < @before`, pgx.NamedArgs{"now": now, "before": before})
	if err != nil {
		return 0, fmt.Errorf("drop old shadow calls: %w", err)
	}
	return tag.RowsAffected(), nil
}

// LoseShadows takes the calls of processes that are gone, other than self (index shadow_calls_open): what was under way is
// lost, with a bill that nobody knows, and what was not waits again. It returns how many were lost.
func LoseShadows(ctx context.Context, db DB, now time.Time, self uuid.UUID) (lost int64, err error) {
	err = db.QueryRow(ctx, `
		WITH gone AS (
		    UPDATE weir.shadow_calls c
		    SET state = CASE c.state WHEN 'in_flight' THEN 'lost' ELSE 'waiting' END,
		        reason = CASE c.state WHEN 'in_flight' THEN 'the process that made the call died' END,
		        finished_at = CASE c.state WHEN 'in_flight' THEN greatest(@now, c.started_at) END,
		        owner = CASE c.state WHEN 'in_flight' THEN c.owner END
		    WHERE c.state IN ('claimed', 'in_flight') AND c.owner <> @self
		      AND NOT EXISTS (SELECT FROM weir.processes p WHERE p.id = c.owner)
		    RETURNING c.state)
		SELECT count(*) FILTER (WHERE state = 'lost') FROM gone`,
		pgx.NamedArgs{"now": now, "self": self}).Scan(&lost)
	if err != nil {
		return 0, fmt.Errorf("give up shadow calls: %w", err)
	}
	return lost, nil
}

// FalseAcceptance is how often valid answers of the next model differ from accepted ones of a model, on a call path.
type FalseAcceptance struct {
	Feature       string `json:"feature"`
	CallPath      string `json:"call_path"` // empty without one
	Class         string `json:"class"`
	AcceptedModel string `json:"accepted_model"`
	Model         string `json:"model"` // that was asked in shadow
	Compared      int64  `json:"compared"`
	Disagreed     int64  `json:"disagreed"`
	// Rejected are answers in shadow that are not valid, Errored calls without one, Dropped those that were not made, and
	// Waiting those that are still to come.
	Rejected int64 `json:"rejected"`
	Errored  int64 `json:"errored"`
	Dropped  int64 `json:"dropped"`
	Waiting  int64 `json:"waiting"`
	// CostUSD is of the calls in shadow whose bill is known, CostHighUSD counts in what the others can have cost at most.
	CostUSD      task.Pico `json:"cost_usd"`
	CostHighUSD  task.Pico `json:"cost_high_usd"`
	UnknownBills int64     `json:"unknown_bills"`
}

// ReportShadows reads the view false_acceptance, its days put together, the most compared first.
func ReportShadows(ctx context.Context, db DB, f ReportFilter) ([]FalseAcceptance, error) {
	return queryReport[FalseAcceptance](ctx, db, "report shadow calls", f, `
		SELECT feature,
		       call_path,
		       class,
		       accepted_model,
		       model,
		       sum(compared)::bigint AS compared,
		       sum(disagreed)::bigint AS disagreed,
		       sum(rejected)::bigint AS rejected,
		       sum(errored)::bigint AS errored,
		       sum(dropped)::bigint AS dropped,
		       sum(waiting)::bigint AS waiting,
		       (sum(cost_usd) * 1e12)::bigint AS cost_usd,
		       (sum(cost_high_usd) * 1e12)::bigint AS cost_high_usd,
		       sum(unknown_bills)::bigint AS unknown_bills
		FROM weir.false_acceptance
		WHERE `+reported+`
		GROUP BY feature, call_path, class, accepted_model, model
		ORDER BY sum(compared) DESC, feature, call_path, class, accepted_model, model`)
}
