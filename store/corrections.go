package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// Metered is an attempt with a known usage: what its price is found by, and what it costs so far.
type Metered struct {
	TaskID    uuid.UUID
	BundleID  uuid.UUID
	AttemptID uuid.UUID
	// PriceProvider is the price book's name of the provider, by the last configuration that knew the model.
	PriceProvider string
	// Model answered; the one that was asked where the answer named none. Where it has another name in the price book, by
	// the last configuration that knew it, that name.
	Model       string
	Mode        string
	ServiceTier string
	Speed       string
	Geo         string
	StartedAt   time.Time
	Usage       task.Usage
	// CostPUSD and PriceRow are as corrected last, else as booked; nil and empty where there was no price.
	CostPUSD *int64
	PriceRow string
}

// MeteredAttempts are at most limit attempts with known tokens that started at since or later, in the order of task and
// bundle, after the given one; nil begins.
func MeteredAttempts(ctx context.Context, db DB, since time.Time, after *Metered, limit int) ([]Metered, error) {
	args := pgx.NamedArgs{"since": since, "task": uuid.Nil, "bundle": uuid.Nil, "limit": limit}
	if after != nil {
		args["task"], args["bundle"] = after.TaskID, after.BundleID
	}
	// attempts_pkey gives the order
	rows, err := db.Query(ctx, `
		SELECT a.task_id,
		       a.bundle_id,
		       a.id,
		       coalesce(m.price_provider, a.provider),
		       CASE WHEN coalesce(nullif(a.model_answered, ''), a.model_asked) = m.model_id
		            THEN coalesce(m.price_model, m.model_id)
		            ELSE coalesce(nullif(a.model_answered, ''), a.model_asked) END,
		       a.mode,
		       coalesce(a.service_tier, ''),
		       coalesce(a.speed, ''),
		       coalesce(a.geo, ''),
		       a.started_at,
		       coalesce(a.input_tokens, 0),
		       coalesce(a.cache_read_tokens, 0),
		       coalesce(a.cache_write_5m_tokens, 0),
		       coalesce(a.cache_write_30m_tokens, 0),
		       coalesce(a.cache_write_1h_tokens, 0),
		       coalesce(a.cache_write_12h_tokens, 0),
		       coalesce(a.input_audio_tokens, 0),
		       coalesce(a.input_image_tokens, 0),
		       coalesce(a.output_tokens, 0),
		       coalesce(a.output_audio_tokens, 0),
		       coalesce(a.web_searches, 0),
		       coalesce(a.characters, 0),
		       coalesce(c.cost_pusd, a.cost_pusd),
		       coalesce(c.price_row, a.price_row, '')
		FROM weir.attempts a
		LEFT JOIN LATERAL (
		    SELECT cost_pusd, price_row FROM weir.cost_corrections c WHERE c.attempt_id = a.id ORDER BY c.id DESC LIMIT 1) c ON true
		LEFT JOIN weir.models m ON m.name = a.model
		WHERE (a.task_id, a.bundle_id) > (@task, @bundle)
		  AND a.input_tokens IS NOT NULL
		  AND a.started_at >= @since
		ORDER BY a.task_id, a.bundle_id
		LIMIT @limit`, args)
	if err != nil {
		return nil, fmt.Errorf("read metered attempts: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanMetered)
	if err != nil {
		return nil, fmt.Errorf("read metered attempts: %w", err)
	}
	return found, nil
}

func scanMetered(row pgx.CollectableRow) (Metered, error) {
	var m Metered
	u := &m.Usage
	err := row.Scan(&m.TaskID, &m.BundleID, &m.AttemptID, &m.PriceProvider, &m.Model, &m.Mode, &m.ServiceTier, &m.Speed,
		&m.Geo, &m.StartedAt, &u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite30m, &u.CacheWrite1h, &u.CacheWrite12h,
		&u.InputAudio, &u.InputImage, &u.Output, &u.OutputAudio, &u.WebSearches, &u.Characters, &m.CostPUSD, &m.PriceRow)
	return m, err
}

// Correction is another cost of an attempt than was booked.
type Correction struct {
	ID        uuid.UUID // a version 7: the latest correction of an attempt counts
	TaskID    uuid.UUID
	AttemptID uuid.UUID
	OldCost   *int64 // pico-USD; nil when it was not known
	Cost      task.Pico
	PriceBook string
	PriceRow  string
	Reason    string
	At        time.Time
}

// LockCorrections lets one transaction at a time correct costs: two that read the same costs would correct them twice.
func LockCorrections(ctx context.Context, tx DB) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('weir.cost_corrections'))`); err != nil {
		return fmt.Errorf("lock cost corrections: %w", err)
	}
	return nil
}

// InsertCorrections adds corrections. The attempts stay as they are.
func InsertCorrections(ctx context.Context, db DB, corrections []Correction) error {
	_, err := db.CopyFrom(ctx, pgx.Identifier{"weir", "cost_corrections"},
		[]string{
			"id", "task_id", "attempt_id", "old_cost_pusd", "cost_pusd", "price_book", "price_row", "reason", "at",
		},
		pgx.CopyFromSlice(len(corrections), func(i int) ([]any, error) {
			c := &corrections[i]
			return []any{
				c.ID, c.TaskID, c.AttemptID, c.OldCost, int64(c.Cost), c.PriceBook, c.PriceRow, c.Reason, c.At,
			}, nil
		}))
	if err != nil {
		return fmt.Errorf("insert cost corrections: %w", err)
	}
	return nil
}
