package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// riverVerify counts the jobs that River has completed.
const riverVerify = `SELECT count(*) FROM river.river_job WHERE state = 'completed'`

// The settings of River's own rate: the best that was found for this kind of machine.
const (
	riverWorkers   = 1_000
	riverCooldown  = 2 * time.Millisecond
	riverPoll      = 20 * time.Millisecond
	riverInsert    = 5_000 // jobs of one insert
	riverPoolConns = 20
)

// noop is a job that does nothing.
type noop struct {
	N int `json:"n"`
}

// Kind is River's name of the job.
func (noop) Kind() string { return "noop" }

// serveRiver works no-op jobs with River alone and tells how long the completions took.
func serveRiver(ctx context.Context, p *peer) error {
	pools, err := openPools(ctx, p.spec.DSN, riverPoolConns)
	if err != nil {
		return err
	}
	defer closePools(pools)
	if err := p.ready(""); err != nil {
		return err
	}
	return p.answer(func(r request) (reply, error) { return workNoops(ctx, p, pools[0], r.Tasks) })
}

// workNoops inserts the jobs first and starts the client then, so that only working them is measured.
func workNoops(ctx context.Context, p *peer, pool *pgxpool.Pool, jobs int) (reply, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[noop]) error { return nil }))
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:            "river",
		Logger:            p.logger,
		Workers:           workers,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}},
		FetchCooldown:     riverCooldown,
		FetchPollInterval: riverPoll,
	})
	if err != nil {
		return reply{}, fmt.Errorf("make River client: %w", err)
	}
	if err := insertNoops(ctx, client, jobs); err != nil {
		return reply{}, err
	}
	// a table of which every row has just been inserted is not what a running queue is planned on
	if _, err := pool.Exec(ctx, "VACUUM ANALYZE river.river_job"); err != nil {
		return reply{}, fmt.Errorf("vacuum jobs: %w", err)
	}
	completed, unsubscribe := client.SubscribeConfig(&river.SubscribeConfig{
		ChanSize: jobs, Kinds: []river.EventKind{river.EventKindJobCompleted},
	})
	defer unsubscribe()
	if err := client.Start(ctx); err != nil {
		return reply{}, fmt.Errorf("start River: %w", err)
	}
	seconds, err := awaitNoops(ctx, completed, jobs)
	return reply{Done: jobs, Seconds: seconds}, errors.Join(err, client.Stop(ctx))
}

func insertNoops(ctx context.Context, client *river.Client[pgx.Tx], jobs int) error {
	for start := 0; start < jobs; start += riverInsert {
		params := make([]river.InsertManyParams, min(riverInsert, jobs-start))
		for i := range params {
			params[i].Args = noop{N: start + i}
		}
		if _, err := client.InsertManyFast(ctx, params); err != nil {
			return fmt.Errorf("insert jobs: %w", err)
		}
	}
	return nil
}

// awaitNoops measures from the first completion to the last, as River's own bench does.
func awaitNoops(ctx context.Context, completed <-chan *river.Event, jobs int) (float64, error) {
	var first time.Time
	for done := range jobs {
		select {
		case <-completed:
			if done == 0 {
				first = time.Now()
			}
		case <-time.After(stall):
			return 0, fmt.Errorf("no completion for %s, %d of %d had come", stall, done, jobs)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return time.Since(first).Seconds(), nil
}
