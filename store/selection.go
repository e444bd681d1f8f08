package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Selection chooses tasks of one tenant by any of batch label, feature and the producer's id. An empty field does not
// limit; the key means its latest run.
type Selection struct {
	Tenant  string
	Batch   string
	Feature string
	Key     string
}

// Empty reports whether nothing but the tenant limits the selection.
func (s Selection) Empty() bool { return s.Batch == "" && s.Feature == "" && s.Key == "" }

// where is the condition on weir.tasks t. It names only what is set: one statement for every kind of selection would get
// one plan for all of them, which none of the indexes fits.
func (s Selection) where() string {
	conditions := []string{"t.tenant = @tenant"}
	if s.Batch != "" {
		conditions = append(conditions, "t.batch = @batch") // index tasks_batch
	}
	if s.Feature != "" {
		conditions = append(conditions, "t.feature = @feature")
	}
	if s.Key != "" {
		conditions = append(conditions,
			"t.id = (SELECT task_id FROM weir.task_keys WHERE tenant = @tenant AND key = @key)")
	}
	return strings.Join(conditions, " AND ")
}

func (s Selection) args() pgx.NamedArgs {
	return pgx.NamedArgs{"tenant": s.Tenant, "batch": s.Batch, "feature": s.Feature, "key": s.Key}
}

// Live locks the unfinished tasks of a selection in the order of their ids, at most limit of them, from behind the task
// after (uuid.Nil for the first).
func Live(ctx context.Context, tx DB, s Selection, after uuid.UUID, limit int) ([]Named, error) {
	args := s.args()
	args["after"], args["limit"] = after, limit
	return queryNamed(ctx, tx, "read live tasks", `
		SELECT t.id, t.tenant, t.key, t.run
		FROM weir.tasks t
		WHERE t.finished_at IS NULL AND t.id > @after AND `+s.where()+`
		ORDER BY t.id
		LIMIT @limit
		FOR NO KEY UPDATE`, args)
}

// CountLive counts the unfinished tasks of a selection.
func CountLive(ctx context.Context, db DB, s Selection) (int, error) {
	var n int
	err := db.QueryRow(ctx, `
		SELECT count(*)
		FROM weir.tasks t
		WHERE t.finished_at IS NULL AND `+s.where(), s.args()).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count live tasks: %w", err)
	}
	return n, nil
}

// rerunnable are the tasks t whose end another run may change, each with its key k: no later run stands for the key.
const rerunnable = `
	FROM weir.tasks t
	JOIN weir.task_keys k ON k.tenant = t.tenant AND k.key = t.key AND k.task_id = t.id
	WHERE t.state IN ('failed', 'expired', 'cancelled')`

// Rerunnable counts the failed, expired and cancelled tasks of a selection that have no later run: those with a text, which
// Rerun takes, and those whose text has been deleted.
func Rerunnable(ctx context.Context, db DB, s Selection) (withText, withoutText int, err error) {
	err = db.QueryRow(ctx, `
		WITH old AS (
		    SELECT EXISTS (SELECT FROM weir.payloads p WHERE p.task_id = t.id) AS has_text `+
		rerunnable+` AND `+s.where()+`)
		SELECT count(*) FILTER (WHERE has_text), count(*) FILTER (WHERE NOT has_text)
		FROM old`, s.args()).Scan(&withText, &withoutText)
	if err != nil {
		return 0, 0, fmt.Errorf("count tasks to run again: %w", err)
	}
	return withText, withoutText, nil
}

// Rerun gives failed, expired and cancelled tasks of a selection a new run, one for each of the new ids at most: a queued
// task with the same key and text and no deadline, under the given ingest batch, which the caller gives a classify job.
// It returns how many it made. The old run keeps its cost and its result; the key points at the new one. A task whose
// text has been deleted is left out.
func Rerun(ctx context.Context, tx DB, now time.Time, batch uuid.UUID, s Selection, newIDs []uuid.UUID) (int, error) {
	args := s.args()
	args["ids"], args["now"], args["ingest_batch"], args["limit"] = idArray(newIDs), now, batch, len(newIDs)
	var n int
	// Two reruns at once meet at the keys: the second finds them pointing elsewhere and takes nothing.
	// The limit of an answer is the body's own again: classification has put the feature's into the old row.
	err := tx.QueryRow(ctx, `
		WITH old AS (
		    SELECT t.id, t.tenant, t.feature, t.key, k.run AS last_run, t.call_path, t.batch, t.lane, t.priority,
		           t.max_cost_pusd, t.payload_bytes `+rerunnable+` AND `+s.where()+`
		      AND EXISTS (SELECT FROM weir.payloads p WHERE p.task_id = t.id)
		    ORDER BY t.id
		    LIMIT @limit
		    FOR NO KEY UPDATE OF k),
		placed AS (
		    SELECT old.*, row_number() OVER (ORDER BY id) AS place FROM old),
		fresh AS (
		    SELECT placed.*, s.new_id, p.body
		    FROM placed
		    JOIN unnest(@ids::uuid[]) WITH ORDINALITY AS s (new_id, place) USING (place)
		    JOIN weir.payloads p ON p.task_id = placed.id),
		keys AS (
		    UPDATE weir.task_keys k
		    SET task_id = f.new_id, run = f.last_run + 1
		    FROM fresh f
		    WHERE k.tenant = f.tenant AND k.key = f.key),
		texts AS (
		    INSERT INTO weir.payloads (task_id, body)
		    SELECT new_id, body FROM fresh),
		made AS (
		    INSERT INTO weir.tasks (id, tenant, feature, key, run, call_path, batch, lane, priority, state, ingest_batch,
		                            max_cost_pusd, max_output_tokens, payload_bytes, accepted_at)
		    SELECT new_id, tenant, feature, key, last_run + 1, call_path, batch, lane, priority, 'queued', @ingest_batch,
		           max_cost_pusd, coalesce((convert_from(body, 'UTF8')::json ->> 'max_output_tokens')::integer, 0),
		           payload_bytes, @now
		    FROM fresh
		    RETURNING id)
		SELECT count(*) FROM made`, args).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("rerun tasks: %w", err)
	}
	return n, nil
}
