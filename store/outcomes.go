package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// NewOutcome is a reported outcome on its way in.
type NewOutcome struct {
	ID        uuid.UUID
	Tenant    string
	Feature   string
	Outcome   task.Outcome
	At        time.Time
	StreamSeq uint64
	StoredAt  time.Time // by the stream
}

// InsertOutcomes appends outcomes; a redelivered one inserts nothing (ON CONFLICT DO NOTHING on its origin). One of a
// task that is not known yet keeps a NULL task id until JoinOutcomes finds the task. A task of another tenant counts as
// not known.
func InsertOutcomes(ctx context.Context, db DB, now time.Time, outcomes []NewOutcome) error {
	n := len(outcomes)
	ids, tenants, features := make([]uuid.UUID, n), make([]string, n), make([]string, n)
	keys, reported, reasons := make([]*string, n), make([]*uuid.UUID, n), make([]*string, n)
	successes, values, ats := make([]bool, n), make([]*int64, n), make([]time.Time, n)
	seqs, stored := make([]int64, n), make([]time.Time, n)
	for i, o := range outcomes {
		ids[i], tenants[i], features[i] = o.ID, o.Tenant, o.Feature
		keys[i], reported[i], reasons[i] = nullText(o.Outcome.ID), o.Outcome.TaskID, nullText(o.Outcome.Reason)
		successes[i], values[i], ats[i] = o.Outcome.Success, picoArg(o.Outcome.ValueUSD), o.At
		seqs[i], stored[i] = int64(o.StreamSeq), o.StoredAt //nolint:gosec // stream sequences stay far below 2^63
	}
	_, err := db.Exec(ctx, `
		INSERT INTO weir.outcomes (id, tenant, feature, key, reported_id, task_id, success, value_pusd, reason, at,
		                           received_at, stream_seq, stored_at)
		SELECT s.id, s.tenant, s.feature, s.key, s.reported_id, coalesce(t.id, k.task_id), s.success, s.value_pusd,
		       s.reason, s.at, @now, s.seq, s.stored_at
		FROM unnest(@ids::uuid[], @tenants::text[], @features::text[], @keys::text[], @reported::uuid[],
		            @successes::boolean[], @values::bigint[], @reasons::text[], @ats::timestamptz[], @seqs::bigint[],
		            @stored::timestamptz[])
		     AS s (id, tenant, feature, key, reported_id, success, value_pusd, reason, at, seq, stored_at)
		LEFT JOIN weir.tasks t ON t.id = s.reported_id AND t.tenant = s.tenant
		LEFT JOIN weir.task_keys k ON k.tenant = s.tenant AND k.key = s.key AND s.reported_id IS NULL
		ON CONFLICT ON CONSTRAINT outcomes_origin_key DO NOTHING`,
		pgx.NamedArgs{
			"ids": ids, "tenants": tenants, "features": features, "keys": keys, "reported": reported,
			"successes": successes, "values": values, "reasons": reasons, "ats": ats, "seqs": seqs, "stored": stored,
			"now": now,
		})
	if err != nil {
		return fmt.Errorf("insert outcomes: %w", err)
	}
	return nil
}

// JoinOutcomes gives waiting outcomes that were received since an instant the task that has appeared by now, at most
// limit of them, and returns how many (index outcomes_unjoined).
func JoinOutcomes(ctx context.Context, db DB, since time.Time, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `
		WITH waiting AS (
		    SELECT o.id, coalesce(t.id, k.task_id) AS task_id
		    FROM weir.outcomes o
		    LEFT JOIN weir.tasks t ON t.id = o.reported_id AND t.tenant = o.tenant
		    LEFT JOIN weir.task_keys k ON k.tenant = o.tenant AND k.key = o.key AND o.reported_id IS NULL
		    WHERE o.task_id IS NULL AND o.received_at >= @since AND coalesce(t.id, k.task_id) IS NOT NULL
		    LIMIT @limit)
		UPDATE weir.outcomes o
		SET task_id = w.task_id
		FROM waiting w
		WHERE o.id = w.id`, pgx.NamedArgs{"since": since, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("join outcomes: %w", err)
	}
	return tag.RowsAffected(), nil
}
