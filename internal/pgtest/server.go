package pgtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/embedded"
)

const (
	templateName = "weir"
	// adminConns bounds the databases that are made or dropped at the same time.
	adminConns  = 4
	stopTimeout = 20 * time.Second
)

// process holds what the tests of this process share.
//
//nolint:gochecknoglobals // testing.M has no way to hand a value from TestMain to the tests.
var process shared

type shared struct {
	migrate Migrate
	next    atomic.Int64

	mu      sync.Mutex
	started *server
	err     error
}

// server is a running Postgres whose database weir is the migrated template.
type server struct {
	dir      *runDir
	postgres *embedded.Postgres
	admin    *pgxpool.Pool
	// strategy is how CREATE DATABASE copies the template. Without fsync, copying its files takes a tenth of the time
	// of the default since Postgres 15, which writes every page to the log; older servers know no other way.
	strategy string
}

// server starts the server on the first call. A start that failed is not tried again: the next test would fail alike,
// only later.
func (s *shared) server(ctx context.Context) (*server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started == nil && s.err == nil {
		// The server is not of the test that happens to be first.
		s.started, s.err = startServer(context.WithoutCancel(ctx), s.migrate)
	}
	return s.started, s.err
}

func (s *shared) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started != nil {
		s.started.stop(context.Background())
		s.started = nil
	}
}

func startServer(ctx context.Context, migrate Migrate) (*server, error) {
	sweep(os.TempDir())
	s := &server{}
	if err := s.start(ctx, migrate); err != nil {
		s.stop(ctx)
		return nil, err
	}
	return s, nil
}

func (s *server) start(ctx context.Context, migrate Migrate) error {
	var err error
	if s.dir, err = makeRunDir(); err != nil {
		return err
	}
	if err := plant(ctx, s.dir.path); err != nil {
		return err
	}
	if s.postgres, err = embedded.StartPostgres(ctx, config(s.dir.path, volatileSettings())); err != nil {
		return err
	}
	if err := migrateDatabase(ctx, s.postgres.DSN(), migrate); err != nil {
		return err
	}
	if s.admin, err = openAdmin(ctx, s.postgres); err != nil {
		return err
	}
	if s.strategy, err = copyStrategy(ctx, s.admin); err != nil {
		return err
	}
	// A template that cannot be connected to is never busy, so that it can be copied at any time.
	_, err = s.admin.Exec(ctx, "ALTER DATABASE "+templateName+" WITH ALLOW_CONNECTIONS false IS_TEMPLATE true")
	return err
}

// stop ends the server and removes its data.
func (s *server) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if s.admin != nil {
		s.admin.Close()
	}
	if s.postgres != nil {
		// Its data is removed, so how it ended does not matter.
		_ = s.postgres.Stop(ctx)
	}
	if s.dir != nil {
		s.dir.remove()
	}
}

func openAdmin(ctx context.Context, postgres *embedded.Postgres) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(postgres.DatabaseDSN("postgres"))
	if err != nil {
		return nil, err
	}
	config.MaxConns = adminConns
	return pgxpool.NewWithConfig(ctx, config)
}

func copyStrategy(ctx context.Context, admin *pgxpool.Pool) (string, error) {
	var version int
	err := admin.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version)
	if err != nil || version < 150000 {
		return "", err
	}
	return " STRATEGY file_copy", nil
}

func migrateDatabase(ctx context.Context, dsn string, migrate Migrate) error {
	if migrate == nil {
		return nil
	}
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate(ctx, pool); err != nil {
		return fmt.Errorf("migrate the template database: %w", err)
	}
	return nil
}

func config(dir string, settings map[string]string) embedded.PostgresConfig {
	return embedded.PostgresConfig{
		Dir:      dir,
		BinDir:   os.Getenv("WEIR_PG_BIN"),
		Settings: settings,
		Logger:   slog.New(slog.DiscardHandler),
	}
}

// volatileSettings make a server that forgets everything when the machine fails, and is fast in return.
func volatileSettings() map[string]string {
	return map[string]string{
		"fsync":                      "off",
		"full_page_writes":           "off",
		"synchronous_commit":         "off",
		"autovacuum":                 "off",
		"shared_buffers":             "64MB",
		"max_connections":            "300",
		"checkpoint_timeout":         "1h",
		"log_min_duration_statement": "-1",
	}
}
