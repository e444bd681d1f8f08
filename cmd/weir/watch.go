package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

type watchCmd struct {
	Batch   string        `required:"" help:"The label."`
	Tenant  string        `default:"default" help:"The tenant."`
	JSON    bool          `name:"json" help:"One JSON object a line, whenever something has changed."`
	Timeout time.Duration `help:"Give up after this long, such as 30m. Forever when absent."`
	Quiet   bool          `short:"q" help:"Nothing but the summary."`
}

// Help is the long help.
func (watchCmd) Help() string {
	return `Ends when every task of the label has ended, however it ended, and with an error when the timeout passes first.
Tasks that were published before the command began and are not taken in yet are waited for, where NATS can be reached.`
}

const (
	watchEvery = 500 * time.Millisecond
	// watchRest is how many times as long as its last count a watch waits at least: a label of a million tasks takes
	// Postgres half a second to count, and several may watch it.
	watchRest = 5
	// watchLineEvery is how often a line is written where there is no terminal for a bar.
	watchLineEvery = 5 * time.Second
)

// Run follows a label to its end.
func (c *watchCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	following := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		following, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	intake, err := a.watchIntake(following)
	if err != nil {
		return err
	}
	defer intake.close()
	show := c.newDisplay(a)
	defer show.end()
	last, err := c.follow(following, pool, intake, show)
	show.end()
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("not at an end after %s", c.Timeout)
		}
		state := fmt.Sprintf("%d of %s not ended", last.Open(), amount(last.Tasks, "task"))
		if !intake.over {
			state += ", and not all are taken in"
		}
		return stopped(err, ctx.Err() != nil, "%s", state)
	}
	if !c.JSON {
		c.summarize(a.stdout, last)
	}
	return nil
}

// follow polls until all tasks have ended. An error is that of ctx: what Postgres cannot answer now, it may answer later.
func (c *watchCmd) follow(
	ctx context.Context, pool *pgxpool.Pool, intake *intake, show *display,
) (last store.BatchProgress, err error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-timer.C:
		}
		takenIn := intake.done(ctx) // asked first: what was taken in is counted below
		began := time.Now()
		now, err := store.WatchBatch(ctx, pool, c.Tenant, c.Batch)
		timer.Reset(watchWait(time.Since(began)))
		switch {
		case err == nil:
			last = now
			ended := takenIn && now.Tasks > 0 && now.Open() == 0
			show.update(now, takenIn, ended)
			if ended {
				return now, nil
			}
		case !store.Retryable(err) && ctx.Err() == nil:
			return last, err
		}
	}
}

// watchWait is the pause after a count that took so long.
func watchWait(took time.Duration) time.Duration { return max(watchEvery, watchRest*took) }

// intake knows whether what was published before it began is in Postgres. Without NATS it takes that for granted.
type intake struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	last uint64
	over bool
}

func (a *app) watchIntake(ctx context.Context) (*intake, error) {
	nc, err := a.reachNATS(ctx)
	if errors.Is(err, errNotUp) { // Postgres alone was named
		return &intake{over: true}, nil
	}
	if err != nil {
		_, _ = fmt.Fprintf(a.stderr, "warning: %v; tasks that are not taken in yet are not seen\n", err)
		return &intake{over: true}, nil
	}
	i := &intake{nc: nc}
	if i.js, err = jetstream.New(nc); err == nil {
		i.last, err = ingest.LastTask(ctx, i.js)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	i.over = i.last == 0 // nothing was ever published
	return i, nil
}

const (
	// intakeWait is how long a command that changes tasks waits for those that are on their way.
	intakeWait = 5 * time.Second
	// intakeEvery is how often it looks.
	intakeEvery = 100 * time.Millisecond
)

// awaitIntake waits a while until what was published before is taken in, so that a command that selects tasks sees it.
// What is not taken in by then, it warns of.
func (a *app) awaitIntake(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, intakeWait)
	defer cancel()
	intake, err := a.watchIntake(ctx)
	if err != nil {
		_, _ = fmt.Fprintf(a.stderr, "warning: %v; tasks that are not taken in yet are left out\n", err)
		return
	}
	defer intake.close()
	ticker := time.NewTicker(intakeEvery)
	defer ticker.Stop()
	for !intake.done(ctx) {
		select {
		case <-ctx.Done():
			_, _ = fmt.Fprintln(a.stderr, "warning: not all published tasks are taken in yet, and those are left out; "+
				"run the command again later")
			return
		case <-ticker.C:
		}
	}
}

func (i *intake) done(ctx context.Context) bool {
	if !i.over {
		over, err := ingest.HasTakenIn(ctx, i.js, i.last)
		i.over = over && err == nil
	}
	return i.over
}

func (i *intake) close() {
	if i.nc != nil {
		i.nc.Close()
	}
}

// display shows the progress: as JSON, as a bar, or as a line now and then.
type display struct {
	cmd     *watchCmd
	out     io.Writer
	bar     *progress
	lines   bool
	start   time.Time
	started int // tasks that had ended when it began; -1 before
	shown   store.BatchProgress
	written time.Time
}

func (c *watchCmd) newDisplay(a *app) *display {
	d := &display{cmd: c, out: a.stderr, start: time.Now(), started: -1}
	if c.JSON {
		d.out = a.stdout
	}
	d.lines = !c.JSON && !c.Quiet && !isTerminal(a.stderr)
	d.bar = a.newProgress(c.JSON || c.Quiet)
	return d
}

// watched is a line of --json.
type watched struct {
	Tenant string `json:"tenant"`
	Batch  string `json:"batch"`
	store.BatchProgress
	Open int `json:"open"`
	// ETASeconds is absent while there is nothing to judge by.
	ETASeconds int  `json:"eta_seconds,omitempty"`
	Done       bool `json:"done"`
}

func (d *display) update(p store.BatchProgress, takenIn, done bool) {
	if d.started < 0 {
		d.started = p.Ended
	}
	left := remaining(p.Ended-d.started, p.Open(), time.Since(d.start)).Round(time.Second)
	text := progressText(p, left)
	if p.Open() == 0 && !takenIn {
		text = "waiting for tasks that are not taken in yet"
	}
	d.bar.set(p.Ended, p.Tasks, text)
	switch {
	case d.cmd.JSON && (done || !reflect.DeepEqual(p, d.shown)):
		_ = json.NewEncoder(d.out).Encode(watched{
			Tenant: d.cmd.Tenant, Batch: d.cmd.Batch, BatchProgress: p, Open: p.Open(),
			ETASeconds: int(left.Seconds()), Done: done,
		})
	case d.lines && (done || time.Since(d.written) >= watchLineEvery):
		_, _ = fmt.Fprintf(d.out, "%d of %s ended  %s\n", p.Ended, amount(p.Tasks, "task"), text)
		d.written = time.Now()
	}
	d.shown = p
}

func (d *display) end() { d.bar.finish() }

// progressText is everything but the number of tasks in one line.
func progressText(p store.BatchProgress, left time.Duration) string {
	if p.Tasks == 0 {
		return "no task has this label yet"
	}
	var parts []string
	for _, by := range []map[string]int{p.Classes, p.Models} {
		if len(by) > 0 {
			parts = append(parts, counts(by))
		}
	}
	parts = append(parts, fmt.Sprintf("%d escalated, %d failed", p.Escalated, p.States[string(task.Failed)]),
		"spent "+costText(p.Cost, p.CostHigh))
	if left > 0 {
		parts = append(parts, left.String()+" left")
	}
	return strings.Join(parts, "  ")
}

// costText is a cost, with its upper end where it is not known exactly.
func costText(cost, high task.Pico) string {
	if high > cost {
		return "$" + usd(cost) + " to $" + usd(high)
	}
	return "$" + usd(cost)
}

func (c *watchCmd) summarize(w io.Writer, p store.BatchProgress) {
	list := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(list, "%s\t%s\n", name, value)
		}
	}
	row("tasks", fmt.Sprint(p.Tasks))
	row("ended", counts(p.States))
	row("classes", counts(p.Classes))
	row("answered by", counts(p.Models))
	row("escalated", fmt.Sprint(p.Escalated))
	row("cost", costText(p.Cost, p.CostHigh))
	if p.AcceptedAt != nil && p.FinishedAt != nil {
		row("took", p.FinishedAt.Sub(*p.AcceptedAt).Round(time.Millisecond).String())
	}
	row("next", fmt.Sprintf("weir results%s --batch %s --output results.jsonl", tenantFlag(c.Tenant), c.Batch))
	_ = list.Flush() // the writer is the command's own output
}

var errNoTasks = errors.New("no task has this label")
