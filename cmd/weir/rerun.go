package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/store"
)

type rerunCmd struct {
	selectFlags `embed:""`
	Failed      bool `required:"" help:"Run again what failed, expired or was cancelled."`
	DryRun      bool `help:"Only count."`
}

// Help is the long help.
func (rerunCmd) Help() string {
	return `Each task gets a new run: the same id and text, classified and planned by the current configuration, without a
deadline, and with a result of its own. What the earlier runs cost stays on the books. Tasks that were published before
and are not taken in yet are waited for, at most five seconds.`
}

// Run gives the failed tasks of a selection a new run.
func (c *rerunCmd) Run(ctx context.Context, a *app) error {
	s, err := c.selection()
	if err != nil {
		return err
	}
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	a.awaitIntake(ctx)
	withText, withoutText, err := store.Rerunnable(ctx, pool, s)
	if err != nil {
		return err
	}
	if withoutText > 0 {
		_, _ = fmt.Fprintf(a.stderr, "%s cannot run again: the text has been deleted\n", amount(withoutText, "task"))
	}
	if c.DryRun {
		_, err = fmt.Fprintf(a.stdout, "%s would run again\n", amount(withText, "task"))
		return err
	}
	// without queues or workers the client only inserts
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: migrations.RiverSchema, Logger: a.logger()})
	if err != nil {
		return fmt.Errorf("make River client: %w", err)
	}
	total := 0
	for {
		n, err := rerunPage(ctx, pool, client, s)
		if err != nil {
			return stopped(err, ctx.Err() != nil, "gave %s a new run before", amount(total, "task"))
		}
		if n == 0 {
			break
		}
		total += n
	}
	_, err = fmt.Fprintf(a.stdout, "gave %s a new run\n", amount(total, "task"))
	return err
}

// rerunPage makes new runs and the job that classifies them, in one transaction.
func rerunPage(ctx context.Context, pool *pgxpool.Pool, client *river.Client[pgx.Tx], s store.Selection) (n int, err error) {
	batch, err := uuid.NewV7()
	if err != nil {
		return 0, fmt.Errorf("make batch id: %w", err)
	}
	ids := make([]uuid.UUID, tasksPage)
	for i := range ids {
		if ids[i], err = uuid.NewV7(); err != nil {
			return 0, fmt.Errorf("make task id: %w", err)
		}
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		n, err = store.Rerun(ctx, tx, time.Now(), batch, s, ids)
		if err != nil || n == 0 {
			return err
		}
		params := []river.InsertManyParams{{Args: jobs.Classify{Batch: batch}}}
		if _, err := client.InsertManyFastTx(ctx, tx, params); err != nil {
			return fmt.Errorf("insert classify job: %w", err)
		}
		return nil
	})
	return n, err
}
