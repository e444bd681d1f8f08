package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
)

// calibrate stores at the given pace what this process has learnt about the lengths of prompts, and takes over what all
// of them have, until the context ends.
func calibrate(ctx context.Context, pool *pgxpool.Pool, factors *planner.Factors, pace time.Duration, logger *slog.Logger) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		if err := exchange(ctx, pool, factors); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "token factors were not exchanged", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// exchange loses what was seen when Postgres is away: more comes with every answer.
func exchange(ctx context.Context, pool *pgxpool.Pool, factors *planner.Factors) error {
	seen := factors.Take()
	slices.SortFunc(seen, func(a, b store.TokenRatios) int { // one order for all processes: no deadlock
		return strings.Compare(a.Model+"\x00"+a.Feature+"\x00"+a.CallPath, b.Model+"\x00"+b.Feature+"\x00"+b.CallPath)
	})
	if len(seen) > 0 {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			return store.MergeTokenRatios(ctx, tx, time.Now(), seen, planner.MergeRatios)
		})
		if err != nil {
			return err
		}
	}
	rows, err := store.ReadTokenRatios(ctx, pool, planner.LeastRatios, planner.MostRatios)
	if err != nil {
		return err
	}
	factors.Learn(rows)
	return nil
}
