package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

type runCmd struct {
	Roles    []string `default:"ingest,worker" help:"Roles of this process: ingest, worker."`
	Config   string   `type:"path" help:"weir.yaml; WEIR_CONFIG or ./weir.yaml when absent."`
	SpoolDir string   `type:"path" help:"Where paid answers wait while Postgres is away; memory only when absent."`
}

// Run runs roles against real servers until it is told to stop.
func (c *runCmd) Run(ctx context.Context, a *app) error {
	for _, role := range c.Roles {
		if !slices.Contains(allRoles(), role) {
			return fmt.Errorf("%w: role %q is not one of %s", errUsage, role, strings.Join(allRoles(), ", "))
		}
	}
	if a.config.DatabaseURL == "" || a.config.NATSURL == "" {
		return errors.New("set DATABASE_URL and NATS_URL; 'weir up' runs with servers of its own")
	}
	s, err := readSetup(fallback(c.Config, a.config.ConfigFile), a.config.PricingDir)
	if err != nil {
		return err
	}
	nc, err := connectNATS(a.config.NATSURL)
	if err != nil {
		return err
	}
	defer nc.Close()
	warnDurability(ctx, a.config.NATSMonitorURL, a.logger())
	s.warnOfEnds(ctx, a.logger())
	n := &node{
		config: a.config, setup: s, roles: c.Roles, dsn: a.config.DatabaseURL, nc: nc, spoolDir: c.SpoolDir,
		getenv: a.getenv, logger: a.logger(), chaos: chaosFromEnv(a.getenv),
	}
	return n.run(ctx)
}
