package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type upCmd struct {
	DataDir  string `type:"path" help:"Where data lives; WEIR_DATA_DIR, or the system's place for data, when absent."`
	Config   string `type:"path" help:"weir.yaml; WEIR_CONFIG or ./weir.yaml when absent. A starter is written where there is none."`
	NATSPort int    `name:"nats-port" default:"4222" help:"The port of NATS on loopback."`
}

// Run runs everything in one process, with a Postgres and a NATS of its own.
func (c *upCmd) Run(ctx context.Context, a *app) (err error) {
	a.config.DataDir = fallback(c.DataDir, a.config.DataDir)
	dir, err := a.dataDir()
	if err != nil {
		return err
	}
	file := fallback(c.Config, a.config.ConfigFile)
	written, err := ensureConfig(file)
	if err != nil {
		return err
	}
	if written {
		_, _ = fmt.Fprintf(a.stdout, "wrote a starter configuration to %s\n", file)
	}
	s, err := readSetup(file, a.config.PricingDir)
	if err != nil {
		return fmt.Errorf("%s has mistakes:\n%w", file, err)
	}
	if _, err := s.buildProviders(a.getenv); err != nil {
		return fmt.Errorf("%w\nset the keys, or take the providers out of %s", err, file)
	}
	logger := a.logger()
	s.warnOfEnds(ctx, logger)
	private, err := startServers(ctx, dir, a.config.PostgresBin, c.NATSPort, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, private.stop(ctx)) }()
	nc, err := private.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	found := addresses{DatabaseURL: private.postgres.DSN(), NATSURL: private.nats.ClientURL()}
	if err := writeAddresses(dir, found); err != nil {
		return err
	}
	defer func() { _ = os.Remove(filepath.Join(dir, addressesFile)) }() // a stale one misleads the next command
	n := &node{
		config: a.config, setup: s, roles: allRoles(), dsn: private.postgres.DSN(), nc: nc,
		spoolDir: filepath.Join(dir, "spool"), getenv: a.getenv, logger: logger, chaos: chaosFromEnv(a.getenv),
		ready: func() { c.welcome(a, found, s) },
	}
	return private.guard(ctx, logger, n.run)
}

// welcome says where things are and what to do next.
func (c *upCmd) welcome(a *app, found addresses, s *setup) {
	features := sortedKeys(s.catalog.Features)
	readOnly := strings.Replace(found.DatabaseURL, "user=weir", "user=weir_ro", 1)
	_, _ = fmt.Fprintf(a.stdout, `weir is up. Stop it with Ctrl-C.

  NATS       %s
  Postgres   psql "%s"
  features   %s

Publish a task, follow it, ask what it cost:

  nats --server %s pub weir.tasks.default.%s '{"id":"first","input":"..."}'
  weir publish --feature %s --batch first tasks.jsonl
  weir watch --batch first
  weir report cpuo
`, found.NATSURL, readOnly, strings.Join(features, ", "), found.NATSURL, features[0], features[0])
}
