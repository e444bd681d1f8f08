// Package migrations brings a database to the schema that this version of weir needs: its own tables and views (goose
// SQL files) and River's (rivermigrate, pinned). It never migrates down.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// RiverSchema is the schema that River's tables live in.
const RiverSchema = "river"

const (
	riverMigration = 2 // the place of River's tables among weir's migrations
	riverVersion   = 8 // River's own version that it brings; a newer one is a new migration
	lockPeriod     = 1 // seconds between tries of a replica that waits for another's migration
	lockTries      = 300
)

// ErrBehind is returned by Check when the database lacks migrations of this version.
var ErrBehind = errors.New("the database is behind this version of weir: run 'weir migrate'")

//go:embed *.sql
var files embed.FS

// Up applies every missing migration and analyzes what is new, because un-analyzed tables are several times slower. Any
// number of processes may call it at once; one migrates, the others wait. The pool needs at least two connections and
// has to reach Postgres directly: a transaction pooler breaks the session lock.
func Up(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return fmt.Errorf("prepare migration lock: %w", err)
	}
	provider, closeDB, err := newProvider(pool, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	defer closeDB()
	applied, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if len(applied) == 0 {
		return nil
	}
	for _, m := range applied {
		logger.InfoContext(ctx, "migration applied", slog.Int64("version", m.Source.Version), slog.Duration("took", m.Duration))
	}
	if _, err := pool.Exec(ctx, "ANALYZE"); err != nil {
		return fmt.Errorf("analyze after migration: %w", err)
	}
	return nil
}

// Check returns ErrBehind when migrations are missing.
func Check(ctx context.Context, pool *pgxpool.Pool) error {
	provider, closeDB, err := newProvider(pool)
	if err != nil {
		return err
	}
	defer closeDB()
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return fmt.Errorf("check migrations: %w", err)
	}
	if pending {
		return ErrBehind
	}
	return nil
}

func newProvider(pool *pgxpool.Pool, opts ...goose.ProviderOption) (*goose.Provider, func(), error) {
	db := stdlib.OpenDBFromPool(pool)
	opts = append(opts,
		goose.WithDisableGlobalRegistry(true),
		goose.WithTableName("public.weir_migrations"),
		goose.WithGoMigrations(goose.NewGoMigration(riverMigration, &goose.GoFunc{RunDB: migrateRiver(pool)}, nil)),
	)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, opts...)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read migrations: %w", err), db.Close())
	}
	return provider, func() { _ = db.Close() }, nil
}

// migrateRiver runs outside of a transaction: River's version 6 adds a value to an enum and uses it, which Postgres
// refuses within one.
func migrateRiver(pool *pgxpool.Pool) func(context.Context, *sql.DB) error {
	return func(ctx context.Context, _ *sql.DB) error {
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: RiverSchema})
		if err != nil {
			return fmt.Errorf("prepare River's migrations: %w", err)
		}
		opts := &rivermigrate.MigrateOpts{TargetVersion: riverVersion}
		if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, opts); err != nil {
			return fmt.Errorf("migrate River: %w", err)
		}
		return nil
	}
}
