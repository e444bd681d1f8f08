package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/weirhq/weir/embedded"
	"github.com/weirhq/weir/migrations"
)

// walSegments is how many WAL segments of 16 MB are there before the first round, several times what a round writes.
const walSegments = 64

// cluster is the private Postgres that all variants use.
type cluster struct {
	server     *embedded.Postgres
	statements bool
	logger     *slog.Logger
}

func startCluster(ctx context.Context, dir string, statements bool, logger *slog.Logger) (*cluster, error) {
	settings := map[string]string{
		"fsync":              "on",
		"synchronous_commit": "on",
		"shared_buffers":     "1GB",
		"max_wal_size":       "8GB", // keeps checkpoints out of rounds of seconds
		"min_wal_size":       "2GB", // a checkpoint between rounds keeps the WAL segments for the next ones
		"max_connections":    "200",
	}
	if statements {
		settings["shared_preload_libraries"] = "pg_stat_statements"
		settings["pg_stat_statements.track_planning"] = "on"
	}
	server, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir, Settings: settings, Logger: logger})
	if err != nil {
		return nil, err
	}
	c := &cluster{server: server, statements: statements, logger: logger}
	if err := c.fillWAL(ctx); err != nil {
		return nil, errors.Join(err, server.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// fillWAL makes the WAL segments that a server which has been running for a while writes to again and again. A new server
// has none: it would write every segment twice, the first time with zeros, while the clock runs.
func (c *cluster) fillWAL(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.server.DSN())
	if err != nil {
		return fmt.Errorf("fill WAL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }() // see exec
	for range walSegments {
		if _, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()"); err != nil {
			return fmt.Errorf("fill WAL: %w", err)
		}
	}
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return fmt.Errorf("fill WAL: %w", err)
	}
	return nil
}

func (c *cluster) stop(ctx context.Context) error { return c.server.Stop(ctx) }

// database is a fresh one of one round.
type database struct {
	cluster *cluster
	name    string
	dsn     string
}

// newDatabase makes a database with the variant's tables.
func (c *cluster) newDatabase(ctx context.Context, name string, v variant) (*database, error) {
	db := &database{cluster: c, name: name, dsn: c.server.DatabaseDSN(name)}
	if err := c.exec(ctx, c.server.DSN(), "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	pool, err := pgxpool.New(ctx, db.dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer pool.Close()
	if err := v.migrate(ctx, pool, c.logger); err != nil {
		return nil, err
	}
	schema := v.schema
	if c.statements {
		schema += "; CREATE EXTENSION pg_stat_statements"
	}
	if _, err := pool.Exec(ctx, schema+"; ANALYZE"); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", name, err)
	}
	return db, nil
}

// migrateRiver makes River's tables and nothing else: what anyone has who starts with River.
func migrateRiver(ctx context.Context, pool *pgxpool.Pool, _ *slog.Logger) error {
	if _, err := pool.Exec(ctx, "CREATE SCHEMA "+migrations.RiverSchema); err != nil {
		return fmt.Errorf("make River's schema: %w", err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: migrations.RiverSchema})
	if err != nil {
		return fmt.Errorf("prepare River's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	return nil
}

func (c *cluster) exec(ctx context.Context, dsn, sql string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	_ = conn.Close(ctx) // the server ends a session that cannot say goodbye
	return err
}

// vacuum gives the planner what a database that has been running for a while knows.
func (d *database) vacuum(ctx context.Context) error {
	if err := d.cluster.exec(ctx, d.dsn, "VACUUM ANALYZE"); err != nil {
		return fmt.Errorf("vacuum %s: %w", d.name, err)
	}
	if !d.cluster.statements {
		return nil
	}
	if err := d.cluster.exec(ctx, d.dsn, "SELECT pg_stat_statements_reset()"); err != nil {
		return fmt.Errorf("reset statistics: %w", err)
	}
	return nil
}

// drop removes the database, so that its vacuuming cannot disturb the next round.
func (d *database) drop(ctx context.Context) error {
	if err := d.cluster.exec(ctx, d.cluster.server.DSN(), "DROP DATABASE "+d.name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop %s: %w", d.name, err)
	}
	return nil
}

// verify runs a query that counts tasks done with everything that belongs to them: a rate without its rows counts for
// nothing.
func (d *database) verify(ctx context.Context, query string, want int) error {
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }() // see exec
	var got int
	if err := conn.QueryRow(ctx, query).Scan(&got); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if got != want {
		return fmt.Errorf("verify: %d of %d tasks are recorded in full", got, want)
	}
	return nil
}

// showStatements writes the statements that took Postgres the longest, with their share of one task.
func (d *database) showStatements(ctx context.Context, w io.Writer, limit, tasks int) error {
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return fmt.Errorf("show statements: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }() // see exec
	rows, err := conn.Query(ctx, `
		SELECT calls, total_exec_time, total_plan_time, plans, rows, shared_blks_hit, wal_bytes::bigint,
		       left(regexp_replace(query, '\s+', ' ', 'g'), 110)
		FROM pg_stat_statements
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
		ORDER BY total_exec_time + total_plan_time DESC
		LIMIT $1`, limit)
	if err != nil {
		return fmt.Errorf("show statements: %w", err)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "calls\tms exec\tms plan\tplans\trows\tpages hit\tWAL KiB\tus/task\t  statement")
	var calls, plans, count, hit, wal int64
	var exec, plan float64
	var text string
	_, err = pgx.ForEachRow(rows, []any{&calls, &exec, &plan, &plans, &count, &hit, &wal, &text}, func() error {
		_, _ = fmt.Fprintf(table, "%d\t%.0f\t%.0f\t%d\t%d\t%d\t%d\t%.1f\t  %s\n", calls, exec, plan, plans, count, hit, wal>>10,
			(exec+plan)*1000/float64(tasks), text)
		return nil
	})
	if err != nil {
		return fmt.Errorf("show statements: %w", err)
	}
	return table.Flush()
}
