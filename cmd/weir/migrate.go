package main

import (
	"context"

	"github.com/weirhq/weir/migrations"
)

type migrateCmd struct{}

// Run migrates the database of DATABASE_URL.
func (migrateCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrations.Up(ctx, pool, a.logger())
}
