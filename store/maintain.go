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
// The time is that of the task's id, so that the index tasks_queued has all there is to know.
func StaleBatches(ctx context.Context, db DB, age time.Duration) ([]uuid.UUID, error) {
	rows, err := db.Query(ctx, `
		SELECT DISTINCT ingest_batch
		FROM weir.tasks
		WHERE state = 'queued' AND id < weir.uuid7_at(now() - @age * interval '1 ms')`, pgx.NamedArgs{"age": millis(age)})
	if err != nil {
		return nil, fmt.Errorf("find stale batches: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find stale batches: %w", err)
	}
	return ids, nil
}

// Requeue sends ready tasks back to classification whose model is none of the known ones, at most limit of them: the
// configuration has changed under them. Parked tasks follow when they become ready.
func Requeue(ctx context.Context, db DB, models []string, limit int) (int64, error) {
	unknown, err := unknownModels(ctx, db, models)
	if err != nil || len(unknown) == 0 {
		return 0, err
	}
	tag, err := db.Exec(ctx, `
		UPDATE weir.tasks
		SET state = 'queued', not_before = NULL
		WHERE id IN (SELECT id FROM weir.tasks
		             WHERE state = 'ready' AND model = ANY (@unknown::text[])
		             LIMIT @limit
		             FOR NO KEY UPDATE SKIP LOCKED)`, pgx.NamedArgs{"unknown": unknown, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("requeue tasks of unknown models: %w", err)
	}
	return tag.RowsAffected(), nil
}

// unknownModels returns the models of ready tasks that are none of the known ones. It skips from model to model in the
// index tasks_ready, so a backlog costs no more than a single task.
func unknownModels(ctx context.Context, db DB, known []string) ([]string, error) {
	rows, err := db.Query(ctx, `
		WITH RECURSIVE models AS (
		    (SELECT model FROM weir.tasks WHERE state = 'ready' ORDER BY model LIMIT 1)
		    UNION ALL
		    SELECT (SELECT t.model FROM weir.tasks t
		            WHERE t.state = 'ready' AND t.model > m.model
		            ORDER BY t.model
		            LIMIT 1)
		    FROM models m
		    WHERE m.model IS NOT NULL)
		SELECT model FROM models WHERE NOT model = ANY (@known::text[])`, pgx.NamedArgs{"known": known})
	if err != nil {
		return nil, fmt.Errorf("find unknown models: %w", err)
	}
	unknown, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("find unknown models: %w", err)
	}
	return unknown, nil
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

// ExpireTexts looks at one page of texts, in the order of their tasks' ids, and deletes those of finished tasks of a
// feature that are older than its retention. It returns the id to go on after, or uuid.Nil behind the last page. Texts
// that another process is deleting are skipped.
func ExpireTexts(
	ctx context.Context, db DB, feature string, before time.Time, after uuid.UUID, page int,
) (next uuid.UUID, err error) {
	ids, err := textsPage(ctx, db, before, after, page)
	if err != nil || len(ids) == 0 {
		return uuid.Nil, err
	}
	// The bounds of the page prune all other partitions, also where a plan is kept for any arguments.
	_, err = db.Exec(ctx, `
		WITH old AS MATERIALIZED (
		    SELECT p.task_id
		    FROM weir.payloads p
		    JOIN weir.tasks t ON t.id = p.task_id
		    WHERE p.task_id BETWEEN @first AND @last AND t.id = ANY (@ids::uuid[])
		      AND t.feature = @feature AND t.finished_at < @before
		    ORDER BY p.task_id
		    FOR UPDATE OF p SKIP LOCKED),
		outputs AS (
		    DELETE FROM weir.outputs
		    WHERE task_id BETWEEN @first AND @last AND task_id IN (SELECT task_id FROM old))
		DELETE FROM weir.payloads
		WHERE task_id BETWEEN @first AND @last AND task_id IN (SELECT task_id FROM old)`,
		pgx.NamedArgs{
			"feature": feature, "before": before, "ids": idArray(ids), "first": ids[0], "last": ids[len(ids)-1],
		})
	if err != nil {
		return uuid.Nil, fmt.Errorf("delete texts of %s: %w", feature, err)
	}
	if len(ids) < page {
		return uuid.Nil, nil
	}
	return ids[len(ids)-1], nil
}

// textsPage reads which texts there are of tasks up to an instant, from the primary keys of the days alone.
func textsPage(ctx context.Context, db DB, before time.Time, after uuid.UUID, page int) ([]uuid.UUID, error) {
	rows, err := db.Query(ctx, `
		SELECT task_id
		FROM weir.payloads
		WHERE task_id > @after AND task_id < weir.uuid7_at(@before)
		ORDER BY task_id
		LIMIT @page`, pgx.NamedArgs{"after": after, "before": before, "page": page})
	if err != nil {
		return nil, fmt.Errorf("read old texts: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("read old texts: %w", err)
	}
	return ids, nil
}

// ForgetBundles deletes bundles that were made before an instant and hold no task any more, at most limit of them, and
// returns how many.
func ForgetBundles(ctx context.Context, db DB, before time.Time, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `
		DELETE FROM weir.bundles
		WHERE id IN (SELECT b.id FROM weir.bundles b
		             WHERE b.id < weir.uuid7_at(@before)
		               AND NOT EXISTS (SELECT FROM weir.tasks t WHERE t.bundle_id = b.id AND t.state = 'released')
		             ORDER BY b.id
		             LIMIT @limit
		             FOR UPDATE OF b SKIP LOCKED)`, pgx.NamedArgs{"before": before, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("forget bundles: %w", err)
	}
	return tag.RowsAffected(), nil
}

// ForgetIngestBatches deletes the records of ingest batches that were taken in before an instant, at most limit of them,
// and returns how many. Their tasks stay.
func ForgetIngestBatches(ctx context.Context, db DB, before time.Time, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `
		DELETE FROM weir.ingest_batches
		WHERE id IN (SELECT id FROM weir.ingest_batches
		             WHERE id < weir.uuid7_at(@before)
		             ORDER BY id
		             LIMIT @limit
		             FOR UPDATE SKIP LOCKED)`, pgx.NamedArgs{"before": before, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("forget ingest batches: %w", err)
	}
	return tag.RowsAffected(), nil
}
