package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

type resultsCmd struct {
	Batch  string `required:"" help:"The label."`
	Tenant string `default:"default" help:"The tenant."`
	Output string `short:"o" default:"-" help:"The file to write, complete or not at all; - is standard output."`
	Format string `enum:"jsonl,csv" default:"jsonl" help:"jsonl, as results are delivered ('weir schema result'), or csv."`
	Quiet  bool   `short:"q" help:"No progress bar."`
}

// resultsPage is how many results are read at once.
const resultsPage = 500

// Run writes the results of the tasks of a label that have ended, each with its latest run.
func (c *resultsCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	state, err := store.WatchBatch(ctx, pool, c.Tenant, c.Batch)
	if err != nil {
		return err
	}
	if state.Tasks == 0 {
		return fmt.Errorf("batch %q of tenant %q: %w", c.Batch, c.Tenant, errNoTasks)
	}
	written := 0
	write := func(w io.Writer) (err error) {
		bar := a.newProgress(c.Quiet)
		defer bar.finish()
		written, err = c.writeAll(ctx, pool, w, func(n int) { bar.set(n, state.Ended, "") })
		return err
	}
	if c.Output == standardInput {
		err = write(a.stdout)
	} else {
		err = writeAtomically(c.Output, func(file *os.File) error { return write(file) })
	}
	if err != nil {
		return stopped(err, ctx.Err() != nil, "read %s before", amount(written, "result"))
	}
	return c.report(ctx, a, pool, written)
}

// writeAll writes page after page and returns how many results that were.
func (c *resultsCmd) writeAll(ctx context.Context, pool *pgxpool.Pool, w io.Writer, progress func(int)) (int, error) {
	buffer := bufio.NewWriter(w)
	encode, finish := c.encoder(buffer)
	written, after := 0, uuid.Nil
	for {
		page, err := store.BatchResults(ctx, pool, c.Tenant, c.Batch, after, resultsPage)
		if err != nil {
			return written, err
		}
		for i := range page {
			if err := encode(page[i].Result()); err != nil {
				return written, fmt.Errorf("write result: %w", err)
			}
			written++
		}
		progress(written)
		if len(page) < resultsPage {
			break
		}
		after = page[len(page)-1].TaskID
	}
	if err := finish(); err != nil {
		return written, fmt.Errorf("write results: %w", err)
	}
	return written, buffer.Flush()
}

// report says on stderr what the output is and is not: standard output may be the results' own.
func (c *resultsCmd) report(ctx context.Context, a *app, pool *pgxpool.Pool, written int) error {
	now, err := store.WatchBatch(ctx, pool, c.Tenant, c.Batch)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.stderr, "wrote %s\n", amount(written, "result"))
	if open := now.Tasks - written; open > 0 {
		_, _ = fmt.Fprintf(a.stderr, "%d of %s had not ended\n", open, amount(now.Tasks, "task"))
	}
	return nil
}

// encoder writes results in the format asked for; finish ends the output.
func (c *resultsCmd) encoder(w io.Writer) (encode func(task.Result) error, finish func() error) {
	if c.Format == "csv" {
		return csvEncoder(w)
	}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	return func(r task.Result) error { return lines.Encode(r) }, func() error { return nil }
}

func csvEncoder(w io.Writer) (encode func(task.Result) error, finish func() error) {
	rows := csv.NewWriter(w)
	err := rows.Write([]string{
		"id", "tenant", "feature", "status", "reason", "class", "model", "output", "attempts", "cost_usd",
		"cost_high_usd", "batch", "accepted_at", "finished_at", "task_id", "result_id",
	})
	encode = func(r task.Result) error {
		if err != nil {
			return err
		}
		return rows.Write([]string{
			r.ID, r.Tenant, r.Feature, string(r.Status), r.Reason, string(r.Class), r.Model, r.Output,
			strconv.Itoa(r.Attempts), r.CostUSD.String(), r.CostHighUSD.String(), r.Batch,
			r.AcceptedAt.Format(time.RFC3339Nano), r.FinishedAt.Format(time.RFC3339Nano), r.TaskID.String(),
			r.ResultID.String(),
		})
	}
	finish = func() error {
		rows.Flush()
		return rows.Error()
	}
	return encode, finish
}
