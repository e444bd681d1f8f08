package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// LabelledTask is a task of which the attempts tell what class it required.
type LabelledTask struct {
	ID       uuid.UUID
	Tenant   string
	Feature  string
	CallPath string
	Level    int // 1, 2 or 3; 0: the attempts do not tell
	Body     []byte
}

// LabelledTasks reads succeeded tasks accepted since a time, after an id, with what their attempts tell of what they required:
// the tier of the model whose answer was accepted, when every cheaper tier was asked and rejected, so that none of
// them would have done. A mini model's accepted answer needs no more. Where the feature's success is an outcome,
// only tasks with one count, and a failure says that the tier was not enough: the next is what was required. The body is
// empty where the text is deleted.
func LabelledTasks(ctx context.Context, db DB, since time.Time, after uuid.UUID, limit int) ([]LabelledTask, error) {
	rows, err := db.Query(ctx, `
		WITH page AS (
		    SELECT t.id, t.tenant, t.feature, coalesce(t.call_path, '') AS call_path, f.success
		    FROM weir.tasks t
		    JOIN weir.features f ON f.name = t.feature
		    WHERE t.id > greatest(@after::uuid, weir.uuid7_at(@since)) AND t.state = 'succeeded'
		    ORDER BY t.id
		    LIMIT @limit),
		tried AS (
		    SELECT p.id,
		           max(CASE WHEN a.verdict = 'accepted' THEN l.level END) AS accepted,
		           bool_or(a.verdict = 'rejected' AND l.level = 1 AND coalesce(a.validator, '') NOT LIKE 'agreement@%') AS mini_failed,
		           bool_or(a.verdict = 'rejected' AND l.level = 2 AND coalesce(a.validator, '') NOT LIKE 'agreement@%') AS mid_failed
		    FROM page p
		    JOIN weir.attempts a ON a.task_id = p.id
		    JOIN weir.models m ON m.name = a.model
		    CROSS JOIN LATERAL (SELECT CASE m.tier WHEN 'mini' THEN 1 WHEN 'mid' THEN 2 ELSE 3 END AS level) l
		    GROUP BY p.id),
		labelled AS (
		    SELECT t.id, CASE WHEN o.success IS FALSE THEN least(t.accepted + 1, 3) ELSE t.accepted END AS level
		    FROM tried t
		    JOIN page p USING (id)
		    LEFT JOIN LATERAL ( -- index outcomes_task
		        SELECT o.success FROM weir.outcomes o WHERE o.task_id = t.id ORDER BY o.at DESC, o.id DESC LIMIT 1) o ON true
		    WHERE t.accepted IS NOT NULL
		      AND (t.accepted = 1 OR t.mini_failed) AND (t.accepted <> 3 OR t.mid_failed)
		      AND (p.success <> 'outcome' OR o.success IS NOT NULL))
		SELECT p.id, p.tenant, p.feature, p.call_path, coalesce(l.level, 0) AS level, coalesce(b.body, '') AS body
		FROM page p
		LEFT JOIN labelled l ON l.id = p.id
		LEFT JOIN weir.payloads b ON b.task_id = p.id
		ORDER BY p.id`,
		pgx.NamedArgs{"since": since, "after": after, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("read labelled tasks: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LabelledTask])
	if err != nil {
		return nil, fmt.Errorf("read labelled tasks: %w", err)
	}
	return tasks, nil
}
