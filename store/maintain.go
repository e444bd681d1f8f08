package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Named is a task with what its result's identity is made of.
type Named struct {
	TaskID uuid.UUID
	Tenant string
	Key    string
	Run    int
}

// PastDeadline reads waiting tasks whose deadline has passed (index tasks_deadline).
func PastDeadline(ctx context.Context, tx DB, limit int) ([]Named, error) {
	return queryNamed(ctx, tx, "read expired tasks", `
		SELECT id, tenant, key, run
		FROM weir.tasks
		WHERE deadline <= now() AND state IN ('queued', 'ready', 'parked')
		ORDER BY id
		LIMIT @limit
		FOR NO KEY UPDATE SKIP LOCKED`, pgx.NamedArgs{"limit": limit})
}

func queryNamed(ctx context.Context, db DB, doing, sql string, args pgx.NamedArgs) ([]Named, error) {
	rows, err := db.Query(ctx, sql, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	named, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Named])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return named, nil
}

// StaleBatches returns the ingest batches with tasks that stayed queued for longer than age: their classify job is gone.
func StaleBatches(ctx context.Context, db DB, age time.Duration) ([]uuid.UUID, error) {
	rows, err := db.Query(ctx, `
		SELECT DISTINCT ingest_batch
		FROM weir.tasks
		WHERE state = 'queued' AND accepted_at < now() - @age * interval '1 ms'`, pgx.NamedArgs{"age": millis(age)})
	if err != nil {
		return nil, fmt.Errorf("find stale batches: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find stale batches: %w", err)
	}
	return ids, nil
}

// Requeue sends ready and parked tasks back to classification whose model is none of the known ones: the configuration
// has changed under them.
func Requeue(ctx context.Context, db DB, models []string, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `
		UPDATE weir.tasks
		SET state = 'queued', not_before = NULL
		WHERE id IN (SELECT id FROM weir.tasks
		             WHERE state IN ('ready', 'parked') AND NOT model = ANY (@models::text[])
		             LIMIT @limit
		             FOR NO KEY UPDATE SKIP LOCKED)`, pgx.NamedArgs{"models": models, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("requeue tasks of unknown models: %w", err)
	}
	return tag.RowsAffected(), nil
}

// EnsurePartitions makes the partitions of the coming days.
func EnsurePartitions(ctx context.Context, db DB, now time.Time) error {
	if _, err := db.Exec(ctx, `SELECT weir.ensure_partitions(@now)`, pgx.NamedArgs{"now": now}); err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	return nil
}

// DropTexts drops the partitions of payloads and outputs whose day ended before an instant, and returns how many. Days
// with unfinished tasks stay.
func DropTexts(ctx context.Context, db DB, before time.Time) (int, error) {
	var dropped int
	err := db.QueryRow(ctx, `SELECT weir.drop_text_partitions(@before)`, pgx.NamedArgs{"before": before}).Scan(&dropped)
	if err != nil {
		return 0, fmt.Errorf("drop texts: %w", err)
	}
	return dropped, nil
}

// ExpireTexts deletes payloads and outputs of finished tasks of a feature that are older than its retention, at most
// limit tasks.
func ExpireTexts(ctx context.Context, db DB, feature string, before time.Time, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `
		WITH old AS (
		    SELECT t.id
		    FROM weir.payloads p
		    JOIN weir.tasks t ON t.id = p.task_id
		    WHERE p.task_id < weir.uuid7_at(@before) AND t.feature = @feature AND t.finished_at < @before
		    LIMIT @limit),
		outputs AS (
		    DELETE FROM weir.outputs o USING old WHERE o.task_id = old.id)
		DELETE FROM weir.payloads p USING old WHERE p.task_id = old.id`,
		pgx.NamedArgs{"feature": feature, "before": before, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("delete texts of %s: %w", feature, err)
	}
	return tag.RowsAffected(), nil
}
