package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// dispatchLock is the advisory lock of a dispatch round: "weir" and the round's number among weir's locks.
const dispatchLock int64 = 0x77656972_0001

// TryDispatchLock takes the lock of a round for the rest of the transaction; false means that another process has it.
func TryDispatchLock(ctx context.Context, tx DB) (bool, error) {
	var locked bool
	err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(@lock)`, pgx.NamedArgs{"lock": dispatchLock}).Scan(&locked)
	if err != nil {
		return false, fmt.Errorf("lock dispatch: %w", err)
	}
	return locked, nil
}

// Unpark makes parked tasks ready whose time has come, at most limit of them (index tasks_parked).
func Unpark(ctx context.Context, db DB, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `
		UPDATE weir.tasks
		SET state = 'ready', not_before = NULL
		WHERE id IN (SELECT id FROM weir.tasks
		             WHERE state = 'parked' AND not_before <= now()
		             ORDER BY not_before
		             LIMIT @limit
		             FOR NO KEY UPDATE SKIP LOCKED)`, pgx.NamedArgs{"limit": limit})
	if err != nil {
		return 0, fmt.Errorf("unpark tasks: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Released counts the released tasks of each model (index tasks_released).
func Released(ctx context.Context, db DB) (map[string]int, error) {
	// Counted by bundle first, in the index's own order: a sort of thousands of names costs more than the count. A bundle
	// has one model.
	rows, err := db.Query(ctx, `
		SELECT model, sum(tasks)::bigint
		FROM (SELECT min(model) AS model, count(*) AS tasks
		      FROM weir.tasks
		      WHERE state = 'released'
		      GROUP BY bundle_id) AS held
		GROUP BY model`)
	if err != nil {
		return nil, fmt.Errorf("count released tasks: %w", err)
	}
	counts := map[string]int{}
	var model string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&model, &n}, func() error {
		counts[model] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count released tasks: %w", err)
	}
	return counts, nil
}

// Line is the ready tasks of one feature for one model.
type Line struct {
	Model   string
	Feature string
	Deficit task.Pico
}

// Lines finds the (model, feature) pairs that have ready tasks, by skipping through the index tasks_ready: the cost grows
// with the number of pairs, not with the backlog. The deficit is what the last round left.
func Lines(ctx context.Context, db DB) ([]Line, error) {
	rows, err := db.Query(ctx, `
		WITH RECURSIVE pairs AS (
		    (SELECT model, feature FROM weir.tasks WHERE state = 'ready' ORDER BY model, feature LIMIT 1)
		    UNION ALL
		    SELECT next.model, next.feature
		    FROM pairs
		    CROSS JOIN LATERAL (
		        SELECT t.model, t.feature
		        FROM weir.tasks t
		        WHERE t.state = 'ready' AND (t.model, t.feature) > (pairs.model, pairs.feature)
		        ORDER BY t.model, t.feature
		        LIMIT 1) AS next)
		SELECT p.model, p.feature, coalesce(d.deficit_pusd, 0)
		FROM pairs p
		LEFT JOIN weir.dispatch_deficits d ON d.model = p.model AND d.feature = p.feature`)
	if err != nil {
		return nil, fmt.Errorf("find dispatch lines: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Line])
	if err != nil {
		return nil, fmt.Errorf("find dispatch lines: %w", err)
	}
	return lines, nil
}

// Candidate is a ready task that may be released.
type Candidate struct {
	ID      uuid.UUID
	Stage   int
	Lane    string
	Bytes   int
	Cost    task.Pico
	Feature string
}

// Candidates reads the first ready tasks of a line: by priority, deadline and age (index tasks_ready).
func Candidates(ctx context.Context, db DB, line Line, limit int) ([]Candidate, error) {
	rows, err := db.Query(ctx, `
		SELECT id, stage, lane, payload_bytes, expected_cost_pusd, feature
		FROM weir.tasks
		WHERE state = 'ready' AND model = @model AND feature = @feature
		ORDER BY priority, deadline, id
		LIMIT @limit`, pgx.NamedArgs{"model": line.Model, "feature": line.Feature, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("read dispatch candidates: %w", err)
	}
	candidates, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Candidate])
	if err != nil {
		return nil, fmt.Errorf("read dispatch candidates: %w", err)
	}
	return candidates, nil
}

// Bundle is tasks that are released together.
type Bundle struct {
	ID       uuid.UUID
	Feature  string
	Provider string
	Model    string
	Stage    int
	Lane     string
	TaskIDs  []uuid.UUID
	// Probe says that it finds out whether a gate may open.
	Probe bool
}

// Release puts ready tasks into bundles: the fence is written here. Tasks that are no longer ready are skipped; bundles
// that end up empty are not stored. It returns how many tasks each stored bundle holds.
func Release(ctx context.Context, db DB, now time.Time, bundles []Bundle) (map[uuid.UUID]int, error) {
	var ids, of []uuid.UUID
	for _, b := range bundles {
		for _, id := range b.TaskIDs {
			ids, of = append(ids, id), append(of, b.ID)
		}
	}
	// The state is looked at behind the lock: before it, the planner could take the index of all ready tasks, which it
	// takes for empty after a quiet hour, and read the whole backlog in every round.
	rows, err := db.Query(ctx, `
		WITH chosen AS (
		    SELECT t.id, t.state, s.bundle_id
		    FROM unnest(@ids::uuid[], @bundles::uuid[]) AS s (id, bundle_id)
		    JOIN weir.tasks t ON t.id = s.id
		    ORDER BY t.id
		    FOR NO KEY UPDATE OF t SKIP LOCKED),
		released AS (
		    UPDATE weir.tasks t
		    SET state = 'released', bundle_id = c.bundle_id, not_before = NULL
		    FROM chosen c
		    WHERE t.id = c.id AND c.state = 'ready'
		    RETURNING t.bundle_id)
		SELECT bundle_id, count(*) FROM released GROUP BY bundle_id`,
		pgx.NamedArgs{"ids": idArray(ids), "bundles": idArray(of)})
	if err != nil {
		return nil, fmt.Errorf("release tasks: %w", err)
	}
	sizes := map[uuid.UUID]int{}
	var id uuid.UUID
	var size int
	_, err = pgx.ForEachRow(rows, []any{&id, &size}, func() error {
		sizes[id] = size
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("release tasks: %w", err)
	}
	if err := insertBundles(ctx, db, now, bundles, sizes); err != nil {
		return nil, err
	}
	return sizes, nil
}

func insertBundles(ctx context.Context, db DB, now time.Time, bundles []Bundle, sizes map[uuid.UUID]int) error {
	var rows [][]any
	for _, b := range bundles {
		if sizes[b.ID] == 0 {
			continue
		}
		rows = append(rows, []any{b.ID, b.Feature, b.Provider, b.Model, b.Stage, b.Lane, sizes[b.ID], now, b.Probe})
	}
	if len(rows) == 0 {
		return nil
	}
	columns := []string{"id", "feature", "provider", "model", "stage", "lane", "tasks", "created_at", "probe"}
	if _, err := db.CopyFrom(ctx, pgx.Identifier{"weir", "bundles"}, columns, pgx.CopyFromRows(rows)); err != nil {
		return fmt.Errorf("copy bundles: %w", err)
	}
	return nil
}

// SaveDeficits keeps what the dispatcher owes to the lines that had to wait and forgets all others.
func SaveDeficits(ctx context.Context, db DB, lines []Line) error {
	models, features, deficits := make([]string, len(lines)), make([]string, len(lines)), make([]int64, len(lines))
	for i, l := range lines {
		models[i], features[i], deficits[i] = l.Model, l.Feature, int64(l.Deficit)
	}
	_, err := db.Exec(ctx, `
		WITH kept AS (
		    SELECT * FROM unnest(@models::text[], @features::text[], @deficits::bigint[]) AS s (model, feature, deficit)),
		forgotten AS (
		    DELETE FROM weir.dispatch_deficits d
		    WHERE NOT EXISTS (SELECT FROM kept k WHERE k.model = d.model AND k.feature = d.feature))
		INSERT INTO weir.dispatch_deficits (model, feature, deficit_pusd)
		SELECT model, feature, deficit FROM kept
		ON CONFLICT (model, feature) DO UPDATE SET deficit_pusd = excluded.deficit_pusd`,
		pgx.NamedArgs{"models": models, "features": features, "deficits": deficits})
	if err != nil {
		return fmt.Errorf("save dispatch deficits: %w", err)
	}
	return nil
}
