package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/providers/sim/backlog"
	"github.com/weirhq/weir/task"
)

type demoCmd struct {
	Tasks   int    `default:"2000" help:"How many documents, 1 to 100,000."`
	Seed    uint64 `default:"1" help:"The same seed gives the same documents and the same answers."`
	Keep    bool   `help:"Keep the data directory and say where it is."`
	JSON    bool   `help:"Print one JSON object on stdout and nothing else there."`
	DataDir string `type:"path" help:"Where to keep data; a temporary directory when absent."`
}

const mostDemoTasks = 100_000

// demo is a running demo.
type demo struct {
	cmd       *demoCmd
	app       *app
	progress  io.Writer
	documents []backlog.Document
	pool      *pgxpool.Pool
	producer  *producer.Producer
	nc        *nats.Conn
	solver    *backlog.Solver
}

// Run shows the whole way of a backlog on real parts; only the models are simulated.
func (c *demoCmd) Run(ctx context.Context, a *app) (err error) {
	if c.Tasks < 1 || c.Tasks > mostDemoTasks {
		return fmt.Errorf("%w: --tasks is %d; it may be 1 to %d", errUsage, c.Tasks, mostDemoTasks)
	}
	dir, err := c.directory(a)
	if err != nil {
		return err
	}
	if !c.Keep && c.DataDir == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	logger := quiet(a)
	simulator, err := startSimulator(ctx, c.Seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, simulator.Close()) }() //nolint:contextcheck // closing outlives the command's context
	setup, err := demoSetup(simulator.URL())
	if err != nil {
		return err
	}
	private, err := startServers(ctx, dir, a.config.PostgresBin, 0, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, private.stop(ctx)) }()
	nc, err := private.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	n := &node{
		config: a.config, setup: setup, roles: allRoles(), dsn: private.postgres.DSN(), nc: nc,
		spoolDir: filepath.Join(dir, "spool"), getenv: a.getenv, logger: logger, chaos: func(string) {},
	}
	d := &demo{cmd: c, app: a, progress: a.stderr, nc: nc, solver: backlog.NewSolver()}
	service := func(ctx context.Context) error { return private.guard(ctx, logger, n.run) }
	if err := beside(ctx, service, func(ctx context.Context) error { return d.run(ctx, private.postgres.DSN()) }); err != nil {
		return err
	}
	if !c.Keep {
		return nil
	}
	return keepConfig(a, dir)
}

// keepConfig writes a configuration with which weir up opens the kept data: its models are those of 'weir sim'.
func keepConfig(a *app, dir string) error {
	data, err := demoConfig("http://" + defaultSimAddress)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("keep the demo's configuration: %w", err)
	}
	_, _ = fmt.Fprintf(a.stderr, "\nkept in %s; look around with:\n  weir up --data-dir %[1]s --config %s\n", dir, file)
	return nil
}

func (c *demoCmd) directory(a *app) (string, error) {
	if c.DataDir != "" {
		return c.DataDir, os.MkdirAll(c.DataDir, 0o711) //nolint:gosec // Postgres's account has to pass through
	}
	dir, err := os.MkdirTemp("", "weir-demo-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the demo: %w", err)
	}
	return dir, os.Chmod(dir, 0o711) //nolint:gosec // Postgres's account has to pass through
}

// quiet logs warnings only: the demo's own lines say what happens.
func quiet(a *app) *slog.Logger {
	if a.getenv("WEIR_LOG_LEVEL") != "" {
		return a.logger()
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// beside runs work while a service runs, and stops the service after it. What ends first decides the error.
func beside(ctx context.Context, service, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := service(ctx)
		cancel() // work that waits for a dead service would wait for ever
		ended <- err
	}()
	err := work(ctx)
	cancel()
	if serviceErr := <-ended; serviceErr != nil && !errors.Is(serviceErr, context.Canceled) {
		return serviceErr
	}
	return err
}

// demoSpeed shortens the models' latencies: what is simulated need not be waited for.
const demoSpeed = 20

func startSimulator(ctx context.Context, seed uint64) (*sim.Server, error) {
	s, err := sim.New(sim.Config{Seed: seed, Speed: demoSpeed})
	if err != nil {
		return nil, fmt.Errorf("make simulator: %w", err)
	}
	if err := s.Start(ctx, "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start simulator: %w", err)
	}
	return s, nil
}

// run publishes the backlog three times: through the cascade, and for comparison through the cheapest and the dearest
// model alone.
func (d *demo) run(ctx context.Context, dsn string) error {
	var err error
	if d.pool, err = openPool(ctx, dsn, commandConns); err != nil {
		return err
	}
	defer d.pool.Close()
	if d.producer, err = producer.New(d.nc, producer.Config{Tenant: demoTenant}); err != nil {
		return err
	}
	d.documents = backlog.Generate(d.cmd.Seed, d.cmd.Tasks)
	d.say("%d support tickets, invoices and contract clauses go through a cascade of three models.\n"+
		"The models are simulated; Postgres, River, NATS JetStream and the HTTP calls are real.\n\n", len(d.documents))
	began := time.Now()
	if err := d.work(ctx, cascadeRun()); err != nil {
		return err
	}
	took := time.Since(began)
	for _, single := range []demoRun{cheapestRun(), flagshipRun()} {
		if err := d.work(ctx, single); err != nil {
			return err
		}
	}
	summary, err := d.summarize(ctx, took)
	if err != nil {
		return err
	}
	if d.cmd.JSON {
		return summary.writeJSON(d.app.stdout)
	}
	return summary.writeTables(d.app.stdout)
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.progress, format, args...) }

// work publishes the documents for one run, follows it to the end, and reports an outcome for every result.
func (d *demo) work(ctx context.Context, r demoRun) error {
	byKey := make(map[string]*backlog.Document, len(d.documents))
	tasks := make([]task.Task, len(d.documents))
	for i := range d.documents {
		t := d.documents[i].Task
		t.ID, t.Feature, t.Batch = r.prefix+t.ID, r.feature(t.Feature), r.name
		tasks[i], byKey[t.ID] = t, &d.documents[i]
	}
	if _, err := d.producer.PublishMany(ctx, producer.Tasks(tasks...), producer.Options{}); err != nil {
		return fmt.Errorf("publish backlog: %w", err)
	}
	if err := d.follow(ctx, r, len(tasks)); err != nil {
		return err
	}
	return d.reportOutcomes(ctx, r, byKey)
}
