package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// snapshotsKept is how many snapshots of pass rates stay: a quarter's nights.
const snapshotsKept = 92

// PassRate is how a model's answers to tasks of a call path and class went.
type PassRate struct {
	Tenant     string        `json:"tenant"`
	Feature    string        `json:"feature"`
	CallPath   string        `json:"call_path"`
	Class      task.Class    `json:"class"`
	Model      string        `json:"model"`
	Tier       *catalog.Tier `json:"tier"`        // nil: the model was never configured
	AskedFirst bool          `json:"asked_first"` // no other model had failed the task
	// Voting says that the plan had a vote: there the rows of a call path's models are counted together, an answer that was
	// not shared is no accepted one, and only tasks that have come to an end are in them.
	Voting   bool       `json:"voting"`
	Tried    int64      `json:"tried"` // answers that were accepted or rejected
	Accepted int64      `json:"accepted"`
	Cost     *task.Pico `json:"mean_cost_usd"` // of those whose cost is known; nil where none is
	Priced   int64      `json:"priced"`        // how many those are
}

// Snapshot is a moment's pass rates.
type Snapshot struct {
	ID      uuid.UUID
	TakenAt time.Time
}

// TakeSnapshot counts how the answers to tasks accepted since a time went, unless a snapshot was taken after notAfter
// already: then it returns false. One process does it at a time. Old snapshots are deleted beyond those of a quarter.
func TakeSnapshot(ctx context.Context, tx DB, now, since, notAfter time.Time) (taken bool, err error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('weir.pass_rates'))`); err != nil {
		return false, fmt.Errorf("take snapshot of pass rates: %w", err)
	}
	last, err := LastSnapshot(ctx, tx)
	if err != nil || last != nil && last.TakenAt.After(notAfter) {
		return false, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return false, fmt.Errorf("make a snapshot's id: %w", err)
	}
	args := pgx.NamedArgs{"id": id, "since": since, "now": now, "kept": snapshotsKept}
	for _, statement := range []string{
		`INSERT INTO weir.rate_snapshots (id, since, taken_at) VALUES (@id, @since, @now)`,
		// An error says nothing of the model's answers. Where the feature's success is an outcome, an accepted answer counts by
		// it, and not before it is known; of a vote, which is judged as a whole, no answer does before.
		`INSERT INTO weir.pass_rates (snapshot_id, tenant, feature, call_path, class, model, asked_first, voting, tried,
		                              accepted, cost_pusd, priced)
		 SELECT @id, t.tenant, t.feature, coalesce(t.call_path, ''), t.class, a.model,
		        NOT EXISTS (SELECT FROM weir.attempts b
		                    WHERE b.task_id = a.task_id AND b.n < a.n AND b.verdict = 'rejected') AS asked_first,
		        p.agree IS NOT NULL,
		        count(*), count(*) FILTER (WHERE a.verdict = 'accepted' AND o.success IS NOT FALSE),
		        coalesce(sum(a.cost_pusd), 0), count(a.cost_pusd)
		 FROM weir.attempts a
		 JOIN weir.tasks t ON t.id = a.task_id
		 JOIN weir.plans p ON p.id = t.plan_id
		 LEFT JOIN weir.features f ON f.name = t.feature
		 LEFT JOIN LATERAL ( -- index outcomes_task
		     SELECT o.success FROM weir.outcomes o
		     WHERE o.task_id = a.task_id AND f.success = 'outcome' AND t.state = 'succeeded'
		     ORDER BY o.at DESC, o.id DESC LIMIT 1) o ON true
		 WHERE a.task_id >= weir.uuid7_at(@since) AND a.verdict IN ('accepted', 'rejected') AND t.class IS NOT NULL
		   AND (p.agree IS NULL OR t.state IN ('succeeded', 'failed'))
		   AND (f.success IS DISTINCT FROM 'outcome' OR o.success IS NOT NULL
		        OR CASE WHEN p.agree IS NULL THEN a.verdict = 'rejected' ELSE t.state = 'failed' END)
		 GROUP BY 2, 3, 4, 5, 6, 7, 8`,
		`DELETE FROM weir.rate_snapshots
		 WHERE id NOT IN (SELECT id FROM weir.rate_snapshots ORDER BY taken_at DESC, id DESC LIMIT @kept)`,
	} {
		if _, err := tx.Exec(ctx, statement, args); err != nil {
			return false, fmt.Errorf("take snapshot of pass rates: %w", err)
		}
	}
	return true, nil
}

// LastSnapshot is the newest snapshot; nil where none was taken.
func LastSnapshot(ctx context.Context, db DB) (*Snapshot, error) {
	var s Snapshot
	err := db.QueryRow(ctx, `SELECT id, taken_at FROM weir.rate_snapshots ORDER BY taken_at DESC, id DESC LIMIT 1`).
		Scan(&s.ID, &s.TakenAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot of pass rates: %w", err)
	}
	return &s, nil
}

// PassRates reads a snapshot, the most tried rows first.
func PassRates(ctx context.Context, db DB, snapshot uuid.UUID, limit int) ([]PassRate, error) {
	rows, err := db.Query(ctx, `
		SELECT p.tenant, p.feature, p.call_path, p.class, p.model, m.tier, p.asked_first, p.voting, p.tried, p.accepted,
		       round(p.cost_pusd::numeric / nullif(p.priced, 0))::bigint AS cost, p.priced
		FROM weir.pass_rates p
		LEFT JOIN weir.models m ON m.name = p.model
		WHERE p.snapshot_id = @snapshot
		ORDER BY p.tried DESC, p.tenant, p.feature, p.call_path, p.class, p.model, p.asked_first, p.voting
		LIMIT @limit`, pgx.NamedArgs{"snapshot": snapshot, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("read pass rates: %w", err)
	}
	rates, err := pgx.CollectRows(rows, pgx.RowToStructByName[PassRate])
	if err != nil {
		return nil, fmt.Errorf("read pass rates: %w", err)
	}
	return rates, nil
}
