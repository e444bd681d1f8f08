package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim/backlog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// demoPoll is the pace of the demo's progress line.
const demoPoll = 200 * time.Millisecond

// follow shows a run's progress until all of its tasks have ended.
func (d *demo) follow(ctx context.Context, r demoRun, total int) error {
	line := newProgressLine(d.progress, r.name, total)
	defer line.close()
	ticker := time.NewTicker(demoPoll)
	defer ticker.Stop()
	for {
		p, err := store.WatchBatch(ctx, d.pool, demoTenant, r.name)
		if err != nil {
			return err
		}
		saved, err := d.saved(ctx, r)
		if err != nil {
			return err
		}
		line.show(p, saved)
		if p.Tasks == total && p.Open() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// saved is the estimate of what the run's tasks have saved so far against their cascade's last model.
func (d *demo) saved(ctx context.Context, r demoRun) (task.Pico, error) {
	var saved task.Pico
	err := d.pool.QueryRow(ctx, `
		SELECT (coalesce(sum(saved_usd_estimate), 0) * 1000000000000)::bigint
		FROM weir.savings
		WHERE feature = ANY (@features::text[])`, pgx.NamedArgs{"features": demoFeatures(r)}).Scan(&saved)
	if err != nil {
		return 0, fmt.Errorf("read savings: %w", err)
	}
	return saved, nil
}

func demoFeatures(r demoRun) []string {
	var features []string
	for _, name := range []string{backlog.TicketTriage, backlog.InvoiceExtraction, backlog.ContractReview} {
		features = append(features, r.feature(name))
	}
	return features
}

// resultPage is how many results are read at once.
const resultPage = 500

// reportOutcomes judges every answer as the business would and reports it, then waits until the ledger has it all.
func (d *demo) reportOutcomes(ctx context.Context, r demoRun, documents map[string]*backlog.Document) error {
	outcomes := map[string][]task.Outcome{}
	for after := (uuid.UUID{}); ; {
		rows, err := store.BatchResults(ctx, d.pool, demoTenant, r.name, after, resultPage)
		if err != nil {
			return err
		}
		for i := range rows {
			result := rows[i].Result()
			document := documents[result.ID]
			success := result.Status == task.Succeeded &&
				d.solver.Judge(document.Task.Feature, document.Task.Input, result.Output)
			outcomes[result.Feature] = append(outcomes[result.Feature], task.Outcome{ID: result.ID, Success: success})
			after = result.TaskID
		}
		if len(rows) < resultPage {
			break
		}
	}
	for _, feature := range demoFeatures(r) {
		if _, err := d.producer.ReportOutcomes(ctx, feature, producer.Outcomes(outcomes[feature]...), producer.Options{}); err != nil {
			return fmt.Errorf("report outcomes: %w", err)
		}
	}
	return d.awaitOutcomes(ctx, r, len(documents))
}

func (d *demo) awaitOutcomes(ctx context.Context, r demoRun, want int) error {
	ticker := time.NewTicker(demoPoll)
	defer ticker.Stop()
	for {
		var n int
		err := d.pool.QueryRow(ctx, `
			SELECT count(*) FROM weir.outcomes WHERE feature = ANY (@features::text[]) AND task_id IS NOT NULL`,
			pgx.NamedArgs{"features": demoFeatures(r)}).Scan(&n)
		if err != nil {
			return fmt.Errorf("count outcomes: %w", err)
		}
		if n >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
