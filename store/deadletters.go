package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// DeadLetter is a message, or one member of an envelope, that cannot become a task.
type DeadLetter struct {
	ID       uuid.UUID
	Stream   string
	Seq      uint64
	Member   int
	StoredAt time.Time // by the stream
	Subject  string
	Key      string // empty when it cannot be read
	Code     string
	Reason   string
	Body     []byte
	// Refusal is the task to answer with status refused; nil when nobody can be answered.
	Refusal *Refusal
}

// Refusal names the producer's task behind a dead letter.
type Refusal struct {
	TaskID   uuid.UUID
	ResultID uuid.UUID
	Tenant   string
	Feature  string
	Batch    string
}

// InsertDeadLetters stores what was refused, and for those with a Refusal a finished task and its result. A redelivered
// message inserts nothing (ON CONFLICT DO NOTHING on its origin). The key of a refused task stays free, so that a
// corrected body can use it.
func InsertDeadLetters(ctx context.Context, db DB, batch uuid.UUID, now time.Time, letters []DeadLetter) error {
	for _, l := range letters {
		tag, err := db.Exec(ctx, `
			INSERT INTO weir.dead_letters
			    (id, stream, seq, member, stored_at, subject, key, code, reason, body, received_at)
			VALUES (@id, @stream, @seq, @member, @stored_at, @subject, @key, @code, @reason, @body, @now)
			ON CONFLICT ON CONSTRAINT dead_letters_origin_key DO NOTHING`,
			pgx.NamedArgs{
				"id": l.ID, "stream": l.Stream, "seq": l.Seq, "member": l.Member, "stored_at": l.StoredAt,
				"subject": clean(l.Subject), "key": nullText(clean(l.Key)), "code": l.Code, "reason": clean(l.Reason),
				"body": append([]byte{}, l.Body...), "now": now, // an empty message has a nil body, which would be NULL
			})
		if err != nil {
			return fmt.Errorf("insert dead letter: %w", err)
		}
		if tag.RowsAffected() == 0 || l.Refusal == nil {
			continue
		}
		if err := insertRefused(ctx, db, batch, now, l); err != nil {
			return err
		}
	}
	return nil
}

func insertRefused(ctx context.Context, db DB, batch uuid.UUID, now time.Time, l DeadLetter) error {
	_, err := db.Exec(ctx, `
		WITH refused AS (
		    INSERT INTO weir.tasks (id, tenant, feature, key, batch, lane, priority, state, ingest_batch, payload_bytes,
		                            reason, accepted_at, finished_at)
		    VALUES (@task_id, @tenant, @feature, @key, @label, 'now', 2, 'refused', @batch, @bytes, @reason, @now, @now))
		INSERT INTO weir.results (task_id, id, status, reason, created_at)
		VALUES (@task_id, @result_id, 'refused', @reason, @now)`,
		pgx.NamedArgs{
			"task_id": l.Refusal.TaskID, "tenant": l.Refusal.Tenant, "feature": l.Refusal.Feature, "key": clean(l.Key),
			"label": nullText(clean(l.Refusal.Batch)), "batch": batch, "bytes": len(l.Body), "reason": clean(l.Reason),
			"now":       now,
			"result_id": l.Refusal.ResultID,
		})
	if err != nil {
		return fmt.Errorf("insert refused task: %w", err)
	}
	return nil
}

// DeadLetterRow is a stored dead letter.
type DeadLetterRow struct {
	ID         uuid.UUID  `json:"id"`
	Stream     string     `json:"stream"`
	Seq        int64      `json:"seq"`
	Member     int        `json:"member"`
	Subject    string     `json:"subject"`
	Key        *string    `json:"key"`
	Code       string     `json:"code"`
	Reason     string     `json:"reason"`
	Bytes      int        `json:"bytes"`
	ReceivedAt time.Time  `json:"received_at"`
	RedrivenAt *time.Time `json:"redriven_at"`
}

// DeadLetterFilter chooses dead letters. The zero value means all of them.
type DeadLetterFilter struct {
	// Code limits them to one code of refusal.
	Code string
	// Open leaves out those that were published again.
	Open bool
	// Before leaves out the letter of this id and all newer ones: the last of a page begins the next.
	Before uuid.UUID
}

// DeadLetters lists what was refused, the newest first.
func DeadLetters(ctx context.Context, db DB, f DeadLetterFilter, limit int) ([]DeadLetterRow, error) {
	if f.Before == uuid.Nil {
		f.Before = uuid.Max
	}
	rows, err := db.Query(ctx, `
		SELECT id, stream, seq, member, subject, key, code, reason, octet_length(body) AS bytes, received_at, redriven_at
		FROM weir.dead_letters
		WHERE id < @before AND (@code = '' OR code = @code) AND (redriven_at IS NULL OR NOT @open)
		ORDER BY id DESC
		LIMIT @limit`, pgx.NamedArgs{"before": f.Before, "code": f.Code, "open": f.Open, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByName[DeadLetterRow])
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, nil
}

// DeadLetterBody reads one dead letter's row and raw bytes; pgx.ErrNoRows when there is none.
func DeadLetterBody(ctx context.Context, db DB, id uuid.UUID) (DeadLetterRow, []byte, error) {
	var l DeadLetterRow
	var body []byte
	err := db.QueryRow(ctx, `
		SELECT id, stream, seq, member, subject, key, code, reason, octet_length(body), received_at, redriven_at, body
		FROM weir.dead_letters
		WHERE id = @id`, pgx.NamedArgs{"id": id}).
		Scan(&l.ID, &l.Stream, &l.Seq, &l.Member, &l.Subject, &l.Key, &l.Code, &l.Reason, &l.Bytes, &l.ReceivedAt,
			&l.RedrivenAt, &body)
	if err != nil {
		return l, nil, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	return l, body, nil
}

// MarkRedriven notes that a dead letter was published again.
func MarkRedriven(ctx context.Context, db DB, now time.Time, id uuid.UUID) error {
	_, err := db.Exec(ctx, `UPDATE weir.dead_letters SET redriven_at = @now WHERE id = @id`,
		pgx.NamedArgs{"now": now, "id": id})
	if err != nil {
		return fmt.Errorf("mark dead letter %s: %w", id, err)
	}
	return nil
}
