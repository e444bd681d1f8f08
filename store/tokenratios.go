package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// TokenRatios is what was seen of the prompts of a call path of a feature at a model; an empty call path stands for all
// of them, an empty feature for all features.
type TokenRatios struct {
	Model    string
	Feature  string
	CallPath string
	Steps    []int32
	Samples  int64
	Sum      float64
}

// MergeTokenRatios lets merge change a stored row by what was seen since, and stores what comes of it: one row after the
// other in the order of their keys, each locked meanwhile, so that processes add up.
func MergeTokenRatios(
	ctx context.Context, tx DB, now time.Time, seen []TokenRatios, merge func(stored, seen TokenRatios) TokenRatios,
) error {
	for _, s := range seen {
		key := pgx.NamedArgs{"model": s.Model, "feature": s.Feature, "call_path": s.CallPath, "now": now}
		_, err := tx.Exec(ctx, `
			INSERT INTO weir.token_ratios (model, feature, call_path, steps, samples, sum, updated_at)
			VALUES (@model, @feature, @call_path, '{}', 0, 0, @now)
			ON CONFLICT DO NOTHING`, key)
		if err != nil {
			return fmt.Errorf("store token ratios: %w", err)
		}
		stored := TokenRatios{Model: s.Model, Feature: s.Feature, CallPath: s.CallPath}
		err = tx.QueryRow(ctx, `
			SELECT steps, samples, sum FROM weir.token_ratios
			WHERE model = @model AND feature = @feature AND call_path = @call_path
			FOR UPDATE`, key).Scan(&stored.Steps, &stored.Samples, &stored.Sum)
		if err != nil {
			return fmt.Errorf("read token ratios: %w", err)
		}
		merged := merge(stored, s)
		key["steps"], key["samples"], key["sum"] = merged.Steps, merged.Samples, merged.Sum
		_, err = tx.Exec(ctx, `
			UPDATE weir.token_ratios SET steps = @steps, samples = @samples, sum = @sum, updated_at = @now
			WHERE model = @model AND feature = @feature AND call_path = @call_path`, key)
		if err != nil {
			return fmt.Errorf("store token ratios: %w", err)
		}
	}
	return nil
}

// ReadTokenRatios reads the rows with at least so many samples, those with most of them first, at most limit.
func ReadTokenRatios(ctx context.Context, db DB, least int64, limit int) ([]TokenRatios, error) {
	rows, err := db.Query(ctx, `
		SELECT model, feature, call_path, steps, samples, sum FROM weir.token_ratios
		WHERE samples >= @least
		ORDER BY samples DESC, model, feature, call_path
		LIMIT @limit`, pgx.NamedArgs{"least": least, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("read token ratios: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[TokenRatios])
	if err != nil {
		return nil, fmt.Errorf("read token ratios: %w", err)
	}
	return found, nil
}
