package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/validators"
	"github.com/weirhq/weir/worker"
)

//go:embed weir.yaml
var weirYAML string

// weirVerify counts the tasks whose whole account is there: one closed, accepted and priced attempt, the same cost on the
// task, the output kept, and a published result.
const weirVerify = `
	SELECT count(*)
	FROM weir.tasks t
	JOIN weir.attempts a ON a.task_id = t.id AND a.state = 'closed' AND a.verdict = 'accepted' AND a.cost_pusd = t.cost_pusd
	JOIN weir.outputs o ON o.task_id = t.id AND o.attempt_id = a.id
	JOIN weir.results r ON r.task_id = t.id AND r.attempt_id = a.id
	WHERE t.state = 'succeeded' AND t.attempts = 1 AND a.cost_pusd > 0`

// The connections of weir's pools: the defaults of the weir command.
const (
	weirConns  = 16
	riverConns = 10
)

// serveWeir runs all roles of weir in one process, as weir run does.
func serveWeir(ctx context.Context, p *peer) error {
	conn, js, err := connect(p.spec.NATS)
	if err != nil {
		return err
	}
	defer conn.Close()
	pools, err := openPools(ctx, p.spec.DSN, weirConns, riverConns, 1)
	if err != nil {
		return err
	}
	defer closePools(pools)
	group, ctx := errgroup.WithContext(ctx)
	if err := startWeir(ctx, group, p, js, pools); err != nil {
		return err
	}
	if err := p.ready(""); err != nil {
		return err
	}
	group.Go(func() error { return p.answer(profile()) })
	return group.Wait()
}

func startWeir(ctx context.Context, group *errgroup.Group, p *peer, js jetstream.JetStream, pools []*pgxpool.Pool) error {
	filled := strings.NewReplacer("MODEL_URL", p.spec.Model, "SYSTEM_PROMPT", system).Replace(weirYAML)
	c, err := catalog.Parse([]byte(filled))
	if err != nil {
		return err
	}
	book, err := pricing.Embedded()
	if err != nil {
		return err
	}
	rules, err := classifier.New(c.Classifier)
	if err != nil {
		return err
	}
	chain, err := validators.Compile(c.Features[feature].Validators, nil)
	if err != nil {
		return err
	}
	sim := c.Providers["sim"]
	client, err := openai.New(providers.Config{BaseURL: sim.BaseURL, AllowPrivate: true, MaxConns: sim.Concurrency})
	if err != nil {
		return err
	}
	plans := planner.New(planner.Config{
		Catalog: c, Models: planner.NewModels(c, book, time.Now), Classifier: rules, Logger: p.logger,
	})
	w, err := worker.New(worker.Config{
		Pool: pools[0], RiverPool: pools[1], BeatPool: pools[2], Catalog: c, Book: book, Planner: plans,
		Providers:  map[string]providers.Provider{"sim": client},
		Validators: map[string]*validators.Chain{feature: chain},
		Stream:     js, Boot: uuid.Must(uuid.NewV7()), Roles: []string{"ingest", "worker"}, Version: "bench", Logger: p.logger,
	})
	if err != nil {
		return err
	}
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error {
		return ingest.Run(ctx, ingest.Config{Pool: pools[0], Stream: js, Catalog: c, Planner: plans, Logger: p.logger})
	})
	return nil
}

// openPools opens a pool of each size.
func openPools(ctx context.Context, dsn string, sizes ...int) ([]*pgxpool.Pool, error) {
	var pools []*pgxpool.Pool
	for _, size := range sizes {
		pool, err := pgxpool.New(ctx, fmt.Sprintf("%s pool_max_conns=%d", dsn, size))
		if err != nil {
			closePools(pools)
			return nil, fmt.Errorf("open Postgres pool: %w", err)
		}
		pools = append(pools, pool)
	}
	return pools, nil
}

func closePools(pools []*pgxpool.Pool) {
	for _, pool := range pools {
		pool.Close()
	}
}

// profile answers the requests to start and to stop a CPU profile of this process.
func profile() func(request) (reply, error) {
	var file *os.File
	return func(r request) (reply, error) {
		switch r.Do {
		case doProfile:
			var err error
			if file, err = os.Create(r.File); err != nil {
				return reply{}, fmt.Errorf("write profile: %w", err)
			}
			return reply{}, pprof.StartCPUProfile(file)
		case doStopProfile:
			pprof.StopCPUProfile()
			return reply{}, file.Close()
		}
		return reply{}, fmt.Errorf("cannot do %q", r.Do)
	}
}
