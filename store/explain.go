package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// ErrNoTask means that no task is what was asked for.
var ErrNoTask = errors.New("no such task")

// Explanation is why a task has its class and its plan, and what became of it. What is not known is nil.
type Explanation struct {
	TaskID         uuid.UUID `json:"task_id"`
	Tenant         string    `json:"tenant"`
	Feature        string    `json:"feature"`
	CallPath       *string   `json:"call_path"`
	Key            string    `json:"key"`
	State          string    `json:"state"`
	Class          *string   `json:"class"`
	ClassSource    *string   `json:"class_source"`
	Confidence     *float64  `json:"confidence"`
	PL1            *float64  `json:"p_l1"`
	PL2            *float64  `json:"p_l2"`
	PL3            *float64  `json:"p_l3"`
	ClassLearned   *string   `json:"class_learned"`
	ClassAbstained *string   `json:"class_abstained"`
	PromptTokens   int64     `json:"prompt_tokens"`
	MaxOutput      int64     `json:"max_output_tokens" db:"max_output_tokens"`
	Plan           *string   `json:"plan"`
	Policy         *string   `json:"policy"`
	WhyIn          *string   `json:"why_in"`
	WhyOut         *string   `json:"why_out"`
	Reason         *string   `json:"reason"` // of the last requeue, or of the end
	CostUSD        string    `json:"cost_usd"`
	CostHighUSD    string    `json:"cost_high_usd"`

	Attempts []ExplainedAttempt `json:"attempts" db:"-"`
}

// ExplainedAttempt is one of the task's attempts.
type ExplainedAttempt struct {
	N         int64      `json:"n"`
	Stage     int64      `json:"stage"`
	Model     string     `json:"model"`
	State     string     `json:"state"`
	Verdict   *string    `json:"verdict"`
	Validator *string    `json:"validator"`
	Failure   *string    `json:"failure"`
	Reason    *string    `json:"reason"`
	Cost      *task.Pico `json:"cost_usd"`
	LatencyMS *int64     `json:"latency_ms"`
}

// Explain reads why a task went as it did: the task of an id, or the newest run of a tenant's key where the id is zero. The
// error is ErrNoTask where there is none.
func Explain(ctx context.Context, db DB, id uuid.UUID, tenant, key string) (*Explanation, error) {
	rows, err := db.Query(ctx, `
		SELECT e.task_id, e.tenant, e.feature, e.call_path, e.key, e.state, e.class, e.class_source,
		       e.confidence::float8, e.p_l1::float8, e.p_l2::float8, e.p_l3::float8, e.class_learned, e.class_abstained,
		       e.prompt_tokens, e.max_output_tokens, e.plan, e.policy, e.why_in, e.why_out, t.reason,
		       e.cost_usd::text, e.cost_high_usd::text
		FROM weir.explanations e
		JOIN weir.tasks t ON t.id = e.task_id
		WHERE e.task_id = coalesce(@id, (SELECT k.task_id FROM weir.task_keys k WHERE k.tenant = @tenant AND k.key = @key))`,
		pgx.NamedArgs{"id": uuid.NullUUID{UUID: id, Valid: id != uuid.Nil}, "tenant": tenant, "key": key})
	if err != nil {
		return nil, fmt.Errorf("explain task: %w", err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Explanation])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoTask
	}
	if err != nil {
		return nil, fmt.Errorf("explain task: %w", err)
	}
	rows, err = db.Query(ctx, `
		SELECT a.n, a.stage, a.model, a.state, a.verdict, a.validator, a.failure, a.reason, a.cost_pusd AS cost, a.latency_ms
		FROM weir.attempts a
		WHERE a.task_id = @id
		ORDER BY a.n`, pgx.NamedArgs{"id": e.TaskID})
	if err != nil {
		return nil, fmt.Errorf("explain task: %w", err)
	}
	e.Attempts, err = pgx.CollectRows(rows, pgx.RowToStructByName[ExplainedAttempt])
	if err != nil {
		return nil, fmt.Errorf("explain task: %w", err)
	}
	return e, nil
}
