package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/task"
)

//go:embed naive.sql
var naiveSchema string

// naiveVerify counts the tasks that are finished and have their attempt.
const naiveVerify = `
	SELECT count(*)
	FROM naive.tasks t
	JOIN naive.attempts a ON a.task_id = t.id AND a.verdict = 'accepted' AND a.cost_pusd > 0
	WHERE t.state = 'succeeded'`

// The naive pipeline's settings: better than the defaults, which would be ten times slower to fetch.
const (
	naiveIngesters = 8
	naiveWorkers   = 200
	naiveConns     = 24
	naiveCooldown  = 10 * time.Millisecond
	naiveConsumer  = "naive"
)

// naive is the pipeline that one writes first: a transaction and a River job for each message, and for each job a read, a
// call, a transaction that records it with River's own completion, and a publish.
type naive struct {
	river.WorkerDefaults[naiveJob]
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	js     jetstream.JetStream
	http   *http.Client
	url    string
}

// naiveJob is the work of one task.
type naiveJob struct {
	TaskID string `json:"task_id"`
}

// Kind is River's name of the job.
func (naiveJob) Kind() string { return "naive" }

func serveNaive(ctx context.Context, p *peer) error {
	conn, js, err := connect(p.spec.NATS)
	if err != nil {
		return err
	}
	defer conn.Close()
	pools, err := openPools(ctx, p.spec.DSN, naiveConns)
	if err != nil {
		return err
	}
	defer closePools(pools)
	n := &naive{pool: pools[0], js: js, url: p.spec.Model + "/v1/chat/completions", http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: naiveWorkers},
		Timeout:   stall,
	}}
	if err := n.startRiver(ctx, p); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	if err := n.startIngest(groupCtx, group); err != nil {
		return err
	}
	if err := p.ready(""); err != nil {
		return err
	}
	group.Go(p.wait)
	err = group.Wait()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	return errors.Join(err, n.client.Stop(stopCtx))
}

func (n *naive) startRiver(ctx context.Context, p *peer) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, n)
	var err error
	n.client, err = river.NewClient(riverpgxv5.New(n.pool), &river.Config{
		Schema:        "river",
		Logger:        p.logger,
		Workers:       workers,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: naiveWorkers}},
		FetchCooldown: naiveCooldown,
	})
	if err != nil {
		return fmt.Errorf("make River client: %w", err)
	}
	// River's workers outlive the ingesters, which the same context ends
	if err := n.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start River: %w", err)
	}
	return nil
}

// startIngest starts ingesters that share a consumer.
func (n *naive) startIngest(ctx context.Context, group *errgroup.Group) error {
	consumer, err := n.js.CreateOrUpdateConsumer(ctx, task.StreamTasks, jetstream.ConsumerConfig{
		Durable: naiveConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: stall, MaxAckPending: -1,
	})
	if err != nil {
		return fmt.Errorf("make consumer: %w", err)
	}
	for range naiveIngesters {
		messages, err := consumer.Messages()
		if err != nil {
			return fmt.Errorf("read tasks: %w", err)
		}
		context.AfterFunc(ctx, messages.Stop)
		group.Go(func() error { return n.ingest(ctx, messages) })
	}
	return nil
}

// ingest takes one message after the other.
func (n *naive) ingest(ctx context.Context, messages jetstream.MessagesContext) error {
	for {
		m, err := messages.Next()
		if err == nil {
			err = n.take(ctx, m)
		}
		if done := ctx.Err() != nil || errors.Is(err, jetstream.ErrMsgIteratorClosed); done {
			return nil // what fails because the bench is done with this process is no mistake
		}
		if err != nil {
			return fmt.Errorf("take task: %w", err)
		}
	}
}
