package worker

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
)

const (
	// dispatchTick is the pace of rounds without a wake-up: it finds parked tasks whose time has come.
	dispatchTick = 100 * time.Millisecond
	// dispatchBusy is the wait after a round that found another process's round under way.
	dispatchBusy = 10 * time.Millisecond
	// unparkLimit is the most parked tasks that one round makes ready.
	unparkLimit = 5_000
	// statementLimit bounds each statement of a round.
	statementLimit = 5 * time.Second
	// leastReleased is the smallest window of released tasks of a model.
	leastReleased = 400
	// releasedAhead and bundleAhead are for how long a rate limit is to keep busy what is released, and one bundle of it.
	releasedAhead = 10 * time.Second
	bundleAhead   = time.Second
)

// dispatcher releases ready tasks to River in rounds. Any process may run a round; an advisory lock lets one at a time.
type dispatcher struct {
	pool    *pgxpool.Pool
	client  *river.Client[pgx.Tx]
	catalog *catalog.Catalog
	models  *planner.Models
	gates   *gates
	timing  Timing
	moved   time.Time // when tasks were last moved away from models that are left alone
	now     func() time.Time
	logger  *slog.Logger
	wake    chan struct{}
	chaos   func(point string)
}

// Wake asks for a round soon. It never blocks: one pending wake-up is as good as many.
func (d *dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run makes rounds until the context ends.
func (d *dispatcher) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		wait := dispatchTick
		released, ran, err := d.round(ctx)
		switch {
		case err != nil:
			if ctx.Err() == nil {
				d.logger.WarnContext(ctx, "dispatch round failed", slog.Any("err", err))
			}
			wait = time.Second
		case !ran:
			wait = dispatchBusy
		case released > 0:
			wait = 0 // more may be waiting behind what was just released
		}
		timer.Reset(wait)
	}
}

// round releases what there is room for. ran is false when another process has the lock.
func (d *dispatcher) round(ctx context.Context) (released int, ran bool, err error) {
	err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		var err error
		if ran, err = store.TryDispatchLock(ctx, tx); err != nil || !ran {
			return err
		}
		// the lock holds up every process's dispatch: no statement may keep it for long
		if _, err = tx.Exec(ctx, `SELECT set_config('statement_timeout', @ms, true)`, roundTimeout()); err != nil {
			return fmt.Errorf("bound the round: %w", err)
		}
		if _, err = store.Unpark(ctx, tx, unparkLimit); err != nil {
			return err
		}
		shut, err := d.ramp(ctx, tx)
		if err != nil {
			return err
		}
		lines, err := store.Lines(ctx, tx)
		if err != nil || len(lines) == 0 {
			return err
		}
		moved, err := d.away(ctx, tx, lines, shut)
		if err != nil {
			return err
		}
		if moved > 0 {
			if lines, err = store.Lines(ctx, tx); err != nil {
				return err
			}
		}
		released, err = d.release(ctx, tx, lines, shut)
		return err
	})
	if err != nil {
		return 0, ran, fmt.Errorf("dispatch: %w", err)
	}
	if released > 0 {
		d.chaos("dispatch_committed")
	}
	return released, ran, nil
}

func roundTimeout() pgx.NamedArgs {
	return pgx.NamedArgs{"ms": strconv.FormatInt(statementLimit.Milliseconds(), 10)}
}

func (d *dispatcher) release(ctx context.Context, tx pgx.Tx, lines []store.Line, shut shutGates) (int, error) {
	counts, err := store.Released(ctx, tx)
	if err != nil {
		return 0, err
	}
	var bundles []store.Bundle
	probes, err := d.probes(ctx, tx, lines, shut)
	if err != nil {
		return 0, err
	}
	bundles = append(bundles, probes...)
	byModel, owed := d.queues(lines, shut)
	for model, queues := range byModel {
		room := min(d.window(model), shut.most(model)) - counts[model]
		for _, q := range queues {
			if room <= 0 {
				owed = append(owed, q.line)
				continue
			}
			if q.candidates, err = store.Candidates(ctx, tx, q.line, room); err != nil {
				return 0, err
			}
		}
		if room <= 0 {
			continue
		}
		bundles = append(bundles, d.bundle(model, share(queues, room))...)
		for _, q := range queues {
			if q.line.Deficit > 0 {
				owed = append(owed, q.line)
			}
		}
	}
	if len(bundles) == 0 {
		return 0, nil
	}
	if err := store.SaveDeficits(ctx, tx, owed); err != nil {
		return 0, err
	}
	return d.insert(ctx, tx, bundles)
}

// queues groups lines by model and leaves out what nobody calls now: what is left alone, which keeps what it is owed, and
// models that the configuration no longer has.
func (d *dispatcher) queues(lines []store.Line, shut shutGates) (byModel map[string][]*queueOf, owed []store.Line) {
	byModel = map[string][]*queueOf{}
	for _, line := range lines {
		if _, known := d.catalog.Models[line.Model]; !known {
			continue
		}
		if shut.shuts(line) {
			owed = append(owed, line)
			continue
		}
		weight := max(d.catalog.Features[line.Feature].Weight, 1)
		byModel[line.Model] = append(byModel[line.Model], &queueOf{line: line, weight: weight})
	}
	return byModel, owed
}

// window is how many tasks of a model may be released at once: no more than its rate limits let go soon, so that the rest
// waits where it can still go another way.
func (d *dispatcher) window(model string) int {
	n := d.catalog.Lanes.Now.ReleasedTasks
	if n == 0 {
		n = max(leastReleased, 2*d.catalog.Providers[d.catalog.Models[model].Provider].Concurrency)
	}
	if rate := d.gates.limiter.Fleet(d.gates.keys[model]...); rate > 0 {
		n = min(n, int(math.Ceil(rate*releasedAhead.Seconds())))
	}
	return n
}

// most is how many tasks go into one bundle: of a limited model, what its limits let go in a moment, so that every
// process gets some.
func (d *dispatcher) most(model string, lane catalog.Lane) int {
	if rate := d.gates.limiter.Fleet(d.gates.keys[model]...); rate > 0 {
		return min(lane.BundleTasks, int(math.Ceil(rate*bundleAhead.Seconds())))
	}
	return lane.BundleTasks
}

// bundle groups picked tasks that share a feature, a stage and a lane.
func (d *dispatcher) bundle(model string, picked []store.Candidate) []store.Bundle {
	type kind struct {
		feature string
		stage   int
		lane    string
	}
	open := map[kind]int{}
	sizes := map[kind]int64{}
	var bundles []store.Bundle
	for _, c := range picked {
		k := kind{feature: c.Feature, stage: c.Stage, lane: c.Lane}
		lane := d.catalog.Lanes.Now
		if c.Lane == "batch" {
			lane = d.catalog.Lanes.Batch
		}
		i, ok := open[k]
		if !ok || len(bundles[i].TaskIDs) >= d.most(model, lane) || sizes[k]+int64(c.Bytes) > lane.BundleBytes {
			i = len(bundles)
			open[k], sizes[k] = i, 0
			bundles = append(bundles, store.Bundle{
				ID: newID(), Feature: c.Feature, Provider: d.catalog.Models[model].Provider, Model: model,
				Stage: c.Stage, Lane: c.Lane,
			})
		}
		bundles[i].TaskIDs = append(bundles[i].TaskIDs, c.ID)
		sizes[k] += int64(c.Bytes)
	}
	return bundles
}

func (d *dispatcher) insert(ctx context.Context, tx pgx.Tx, bundles []store.Bundle) (int, error) {
	sizes, err := store.Release(ctx, tx, d.now(), bundles)
	if err != nil {
		return 0, err
	}
	params := make([]river.InsertManyParams, 0, len(sizes))
	released := 0
	for _, b := range bundles {
		if size := sizes[b.ID]; size > 0 {
			released += size
			params = append(params, river.InsertManyParams{Args: jobs.Stage{Bundle: b.ID}, InsertOpts: jobs.StageOpts(b.Model)})
		}
	}
	if len(params) == 0 { // River refuses an empty insert
		return 0, nil
	}
	if _, err := d.client.InsertManyFastTx(ctx, tx, params); err != nil {
		return 0, fmt.Errorf("insert stage jobs: %w", err)
	}
	d.chaos("dispatch_in_tx")
	return released, nil
}

// newID makes a UUIDv7. It only fails when the system has no randomness, and then nothing of weir is safe.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
