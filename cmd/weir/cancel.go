package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// selectFlags choose tasks.
type selectFlags struct {
	Batch   string `help:"The label."`
	Feature string `help:"The feature."`
	ID      string `name:"id" help:"The producer's id of one task."`
	Tenant  string `default:"default" help:"The tenant."`
}

// selection refuses to mean everything.
func (f selectFlags) selection() (store.Selection, error) {
	s := store.Selection{Tenant: f.Tenant, Batch: f.Batch, Feature: f.Feature, Key: f.ID}
	if s.Empty() {
		return s, fmt.Errorf("%w: say which tasks: --batch, --feature or --id", errUsage)
	}
	return s, nil
}

// tasksPage is how many tasks one transaction changes.
const tasksPage = 1_000

type cancelCmd struct {
	selectFlags `embed:""`
	DryRun      bool `help:"Only count."`
}

// Help is the long help.
func (cancelCmd) Help() string {
	return `Unfinished tasks end as cancelled, with a result each. A call that is under way is not stopped: its answer comes too
late to change the task, and its cost is booked. Tasks that were published before and are not taken in yet are waited for,
at most five seconds.`
}

// Run cancels the unfinished tasks of a selection.
func (c *cancelCmd) Run(ctx context.Context, a *app) error {
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
	if c.DryRun {
		n, err := store.CountLive(ctx, pool, s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s would be cancelled\n", amount(n, "task"))
		return err
	}
	total, after := 0, uuid.Nil
	for {
		n, last, err := cancelPage(ctx, pool, s, after)
		if err != nil {
			return stopped(err, ctx.Err() != nil, "cancelled %s before", amount(total, "task"))
		}
		if last == uuid.Nil {
			break
		}
		total, after = total+n, last
	}
	_, err = fmt.Fprintf(a.stdout, "cancelled %s; weir delivers the results\n", amount(total, "task"))
	return err
}

// cancelPage cancels the tasks behind after and returns the last one it saw, uuid.Nil at the end.
func cancelPage(ctx context.Context, pool *pgxpool.Pool, s store.Selection, after uuid.UUID) (n int, last uuid.UUID, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		live, err := store.Live(ctx, tx, s, after, tasksPage)
		if err != nil || len(live) == 0 {
			return err
		}
		last = live[len(live)-1].TaskID
		endings := make([]store.Ending, len(live))
		for i, l := range live {
			endings[i] = store.Ending{
				TaskID: l.TaskID, ResultID: task.ResultID(l.Tenant, l.Key, l.Run), Status: task.Cancelled,
				Reason: "cancelled by an operator",
			}
		}
		ended, err := store.Finish(ctx, tx, time.Now(), liveStates(), endings)
		n = len(ended)
		return err
	})
	return n, last, err
}

// liveStates are all states of a task that has not ended.
func liveStates() []string {
	return []string{store.StateQueued, store.StateReady, store.StateParked, store.StateReleased, store.StateSubmitted}
}
