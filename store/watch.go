package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// BatchProgress is how far the tasks of a batch label have come. A task that was run again counts once, with its latest
// run; its cost is that of all runs.
type BatchProgress struct {
	Tasks int `json:"tasks"`
	// Ended is how many of them are finished, however they ended.
	Ended int `json:"ended"`
	// States counts the tasks by state: the live ones, and the status of those that ended.
	States map[string]int `json:"states"`
	// Classes counts the classified tasks.
	Classes map[string]int `json:"classes"`
	// Models counts the accepted answers.
	Models map[string]int `json:"models"`
	// Escalated is how many tasks went beyond the first model of their plan.
	Escalated int `json:"escalated"`
	// Cost is the known cost so far, CostHigh the most that it can turn out to be.
	Cost     task.Pico `json:"cost_usd"`
	CostHigh task.Pico `json:"cost_high_usd"`
	// AcceptedAt is when the first task was accepted, FinishedAt when the last one ended; nil where there is none.
	AcceptedAt *time.Time `json:"accepted_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

// Open is how many tasks have not ended.
func (p BatchProgress) Open() int { return p.Tasks - p.Ended }

// superseded is true of a task t that has a later run.
const superseded = `EXISTS (
	SELECT FROM weir.task_keys k
	WHERE k.tenant = t.tenant AND k.key = t.key AND k.run > t.run)`

// batchCount is the tasks of a batch that have all of this in common.
type batchCount struct {
	State      string
	Class      *string
	Model      *string
	Escalated  bool
	Superseded bool
	Tasks      int
	Cost       task.Pico
	CostHigh   task.Pico
	AcceptedAt time.Time
	FinishedAt *time.Time
}

// WatchBatch counts the tasks of a tenant's batch label (index tasks_batch); all zero when there are none.
func WatchBatch(ctx context.Context, db DB, tenant, batch string) (BatchProgress, error) {
	// only these three states can have a later run: the others need not look at their keys
	rows, err := db.Query(ctx, `
		SELECT t.state, t.class, CASE WHEN t.state = 'succeeded' THEN t.model END AS model, t.stage > 0 AS escalated,
		       CASE WHEN t.state IN ('failed', 'expired', 'cancelled') THEN `+superseded+` ELSE false END AS superseded,
		       count(*) AS tasks, sum(t.cost_pusd)::bigint AS cost, sum(t.cost_high_pusd)::bigint AS cost_high,
		       min(t.accepted_at) AS accepted_at, max(t.finished_at) AS finished_at
		FROM weir.tasks t
		WHERE t.batch = @batch AND t.tenant = @tenant
		GROUP BY 1, 2, 3, 4, 5`, pgx.NamedArgs{"tenant": tenant, "batch": batch})
	if err != nil {
		return BatchProgress{}, fmt.Errorf("count batch %q: %w", batch, err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByName[batchCount])
	if err != nil {
		return BatchProgress{}, fmt.Errorf("count batch %q: %w", batch, err)
	}
	p := BatchProgress{States: map[string]int{}, Classes: map[string]int{}, Models: map[string]int{}}
	for _, c := range counts {
		p.add(c)
	}
	return p, nil
}

func (p *BatchProgress) add(c batchCount) {
	p.Cost, p.CostHigh = p.Cost+c.Cost, p.CostHigh+c.CostHigh
	if p.AcceptedAt == nil || c.AcceptedAt.Before(*p.AcceptedAt) {
		p.AcceptedAt = &c.AcceptedAt
	}
	if p.FinishedAt == nil || (c.FinishedAt != nil && c.FinishedAt.After(*p.FinishedAt)) {
		p.FinishedAt = c.FinishedAt
	}
	if c.Superseded {
		return
	}
	p.Tasks += c.Tasks
	p.States[c.State] += c.Tasks
	if terminal(c.State) {
		p.Ended += c.Tasks
	}
	if c.Class != nil {
		p.Classes[*c.Class] += c.Tasks
	}
	if c.Model != nil {
		p.Models[*c.Model] += c.Tasks
	}
	if c.Escalated {
		p.Escalated += c.Tasks
	}
}
