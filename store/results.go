package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// ResultRow is everything that a result is built from.
type ResultRow struct {
	TaskID     uuid.UUID
	ResultID   uuid.UUID
	Tenant     string
	Feature    string
	Key        string
	Status     string
	Reason     *string
	Class      *string
	Model      *string // that answered, when the task succeeded
	Attempts   int
	Cost       task.Pico
	CostHigh   task.Pico
	Batch      *string
	AcceptedAt time.Time
	FinishedAt time.Time
	Output     []byte
	ToolCalls  []byte
	Body       []byte // the task; nil when its text has been deleted
	CreatedAt  time.Time
}

// ResultPosition is a place in the order of Unpublished; the zero value is before all results.
type ResultPosition struct {
	CreatedAt time.Time
	TaskID    uuid.UUID
}

// Position is the row's own.
func (r *ResultRow) Position() ResultPosition {
	return ResultPosition{CreatedAt: r.CreatedAt, TaskID: r.TaskID}
}

const resultColumns = `
	SELECT t.id, r.id, t.tenant, t.feature, t.key, r.status, r.reason, t.class, a.model, t.attempts, t.cost_pusd,
	       t.cost_high_pusd, t.batch, t.accepted_at, t.finished_at, o.output, o.tool_calls, p.body,
	       r.created_at
	FROM weir.results r
	JOIN weir.tasks t ON t.id = r.task_id
	LEFT JOIN weir.attempts a ON a.task_id = r.task_id AND a.id = r.attempt_id
	LEFT JOIN weir.outputs o ON o.task_id = r.task_id AND o.attempt_id = r.attempt_id
	LEFT JOIN weir.payloads p ON p.task_id = r.task_id`

// Unpublished reads results that were written before the given age and are not published yet, the oldest first (index
// results_unpublished), from behind a position: a page that stays unpublished must not hide the next one. In normal
// operation results are published from memory and this finds nothing.
func Unpublished(ctx context.Context, db DB, age time.Duration, behind ResultPosition, limit int) ([]ResultRow, error) {
	rows, err := db.Query(ctx, resultColumns+`
		WHERE r.published_at IS NULL
		  AND r.created_at <= CASE WHEN @age::bigint > 0 THEN now() - @age * interval '1 ms' ELSE 'infinity' END
		  AND (r.created_at, r.task_id) > (@behind::timestamptz, @task::uuid)
		ORDER BY r.created_at, r.task_id
		LIMIT @limit`, pgx.NamedArgs{
		"age": millis(age), "behind": behind.CreatedAt, "task": behind.TaskID, "limit": limit,
	})
	if err != nil {
		return nil, fmt.Errorf("read unpublished results: %w", err)
	}
	results, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ResultRow])
	if err != nil {
		return nil, fmt.Errorf("read unpublished results: %w", err)
	}
	return results, nil
}

// BatchResults reads a page of the results of a tenant's batch label, from behind the task after (uuid.Nil for the first).
// A task that was run again is there with its latest run alone.
func BatchResults(ctx context.Context, db DB, tenant, batch string, after uuid.UUID, limit int) ([]ResultRow, error) {
	rows, err := db.Query(ctx, resultColumns+`
		WHERE t.batch = @batch AND t.tenant = @tenant AND t.id > @after AND NOT `+superseded+`
		ORDER BY t.id
		LIMIT @limit`, pgx.NamedArgs{"tenant": tenant, "batch": batch, "after": after, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("read results of batch %q: %w", batch, err)
	}
	results, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ResultRow])
	if err != nil {
		return nil, fmt.Errorf("read results of batch %q: %w", batch, err)
	}
	return results, nil
}

// MarkPublished notes that results are in the stream.
func MarkPublished(ctx context.Context, db DB, now time.Time, tasks []uuid.UUID) error {
	// CASE leaves the planner no way but the primary key: the index of all unpublished results is small after a quiet hour
	// and long in a busy one.
	_, err := db.Exec(ctx, `
		UPDATE weir.results
		SET published_at = @now
		WHERE task_id = ANY (@tasks::uuid[]) AND CASE WHEN published_at IS NULL THEN true ELSE false END`,
		pgx.NamedArgs{"now": now, "tasks": idArray(tasks)})
	if err != nil {
		return fmt.Errorf("mark results published: %w", err)
	}
	return nil
}
