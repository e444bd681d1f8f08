package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/migrations"
)

const (
	leastTasks = 1_000
	// noisyCores is from how much CPU time of others on, in cores, a round is measured again, noisyTries times at most.
	noisyCores = 0.15
	noisyTries = 3
	// riverShare is by how much more jobs River gets, so that it too works for seconds: in a short run the jobs that are
	// completed before the first completion is told of would count for nothing in time.
	riverShare = 3
	// naiveShare is by how much fewer tasks the naive pipeline gets: it is that much slower, and as long is enough.
	naiveShare = 10
	// warmShare: a half of a round's tasks runs before the clock starts. Caches, connections and prepared statements are
	// warm then, the processes have the memory that they need, and the tables hold rows when they are analyzed: planning on
	// empty ones is a known trap.
	warmShare = 2
)

// variant is one way of getting tasks done. river, naive and weir are what is compared; weir_messages and river_tuned
// show what publishing without envelopes costs and what weir's migrations do for River.
type variant struct {
	name string
	role string
	// envelopes says how its tasks are published: up to 500 in a message, or each in one of its own.
	envelopes bool
	tasks     func(o options) int
	// migrate makes the tables in a fresh database.
	migrate func(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error
	// schema is SQL for the migrated database.
	schema string
	// verify checks the rows that a round of so many tasks must have left.
	verify string
}

func variantNames() []string {
	return []string{"river", "naive", "weir", "weir_messages", "river_tuned"}
}

func variants() map[string]variant {
	return map[string]variant{
		"river": {
			name: "river", role: roleRiver, migrate: migrateRiver, verify: riverVerify,
			tasks: func(o options) int { return o.tasks * riverShare },
		},
		"river_tuned": {
			name: "river_tuned", role: roleRiver, migrate: migrations.Up, verify: riverVerify,
			tasks: func(o options) int { return o.tasks * riverShare },
		},
		"naive": {
			name: "naive", role: roleNaive, migrate: migrateRiver, schema: naiveSchema, verify: naiveVerify,
			tasks: func(o options) int { return o.tasks / naiveShare },
		},
		"weir": {
			name: "weir", role: roleWeir, envelopes: true, migrate: migrations.Up, verify: weirVerify,
			tasks: func(o options) int { return o.tasks },
		},
		"weir_messages": {
			name: "weir_messages", role: roleWeir, migrate: migrations.Up, verify: weirVerify,
			tasks: func(o options) int { return o.tasks },
		},
	}
}

// bench is the running bench.
type bench struct {
	options options
	cluster *cluster
	dir     string
	stderr  io.Writer
	logger  *slog.Logger
}

// measure runs every round and returns what was measured.
func measure(ctx context.Context, o options, stderr io.Writer) (r *report, err error) {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // Postgres runs as another user and has to pass through
		return nil, fmt.Errorf("open directory: %w", err)
	}
	b := &bench{options: o, dir: dir, stderr: stderr, logger: newLogger(stderr, o.level())}
	if b.cluster, err = startCluster(ctx, dir, o.statements > 0, b.logger); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.cluster.stop(context.WithoutCancel(ctx))) }()
	r = &report{samples: map[string][]sample{}}
	if r.Machine, err = machineLine(ctx, b.cluster); err != nil {
		return nil, err
	}
	for round := range o.rounds {
		for _, name := range variantNames() {
			if !slices.Contains(o.only, name) {
				continue
			}
			s, err := b.quietRound(ctx, variants()[name], round)
			if err != nil {
				return nil, fmt.Errorf("round %d of %s: %w", round+1, name, err)
			}
			r.samples[name] = append(r.samples[name], s)
		}
	}
	r.sum()
	return r, nil
}

// quietRound measures a variant, again when something else kept the machine busy meanwhile, and returns the quietest.
func (b *bench) quietRound(ctx context.Context, v variant, round int) (sample, error) {
	var best sample
	for try := range noisyTries {
		s, err := b.round(ctx, v, round)
		if err != nil {
			return s, err
		}
		_, _ = fmt.Fprintf(b.stderr, "round %d %-13s %8.0f/s  (%d in %.2f s, others used %.2f cores)\n",
			round+1, v.name, s.PerSecond, s.Tasks, s.Seconds, s.OtherCores)
		if try == 0 || s.OtherCores < best.OtherCores {
			best = s
		}
		if best.OtherCores <= noisyCores {
			break
		}
	}
	return best, nil
}

// round measures a variant once, on a database of its own.
func (b *bench) round(ctx context.Context, v variant, round int) (s sample, err error) {
	db, err := b.cluster.newDatabase(ctx, fmt.Sprintf("%s_%d", v.name, round), v)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.drop(context.WithoutCancel(ctx))) }()
	scene, err := b.open(ctx, v, db)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, scene.close()) }()
	tasks := v.tasks(b.options)
	warm := tasks / warmShare
	if _, err := scene.run(warm); err != nil {
		return s, fmt.Errorf("warm up: %w", err)
	}
	if err := db.vacuum(ctx); err != nil {
		return s, err
	}
	profiled := v.role == roleWeir && round == b.options.rounds-1 && b.options.cpuProfile != ""
	if profiled {
		if _, err := scene.worker.ask(request{Do: doProfile, File: b.options.cpuProfile}); err != nil {
			return s, err
		}
	}
	s, err = scene.measure(tasks)
	if profiled {
		_, stopErr := scene.worker.ask(request{Do: doStopProfile})
		err = errors.Join(err, stopErr)
	}
	if err != nil {
		return s, err
	}
	if err := db.verify(ctx, v.verify, warm+tasks); err != nil {
		return s, err
	}
	if v.role == roleWeir && b.options.statements > 0 {
		return s, db.showStatements(ctx, b.stderr, b.options.statements, warm+tasks)
	}
	return s, nil
}
