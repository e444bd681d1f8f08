package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Config is the infrastructure that the environment names. Models, cascades and features are in weir.yaml, prices in the
// price book. Only this file reads the environment.
type Config struct {
	// DatabaseURL (DATABASE_URL) is the Postgres of weir run and of the commands that speak to it. weir up and weir demo
	// start their own.
	DatabaseURL string
	// NATSURL (NATS_URL) is the NATS of weir run and of the commands that speak to it.
	NATSURL string
	// NATSMonitorURL (WEIR_NATS_MONITOR_URL) is the monitoring endpoint of NATS, such as http://nats:8222, to check at the
	// start that it syncs what it acknowledges. Not checked when empty.
	NATSMonitorURL string
	// DataDir (WEIR_DATA_DIR) holds the private Postgres, the streams and the spool of weir up. Default: /var/lib/weir
	// for root, else $XDG_DATA_HOME/weir or ~/.local/share/weir.
	DataDir string
	// ConfigFile (WEIR_CONFIG) is the path of weir.yaml. Default weir.yaml.
	ConfigFile string
	// PricingDir (WEIR_PRICING_DIR) is a directory of price files that lie over weir's own. None when empty.
	PricingDir string
	// PostgresBin (WEIR_PG_BIN) is the directory of the Postgres binaries; searched for when empty.
	PostgresBin string
	// LogLevel (WEIR_LOG_LEVEL) is debug, info, warn or error. Default info.
	LogLevel slog.Level
	// LogFormat (WEIR_LOG_FORMAT) is text or json. Default text.
	LogFormat string
	// PoolConns (WEIR_POOL_CONNS) is the most connections of the ledger's pool, 4 to 500. Default 16.
	PoolConns int
	// Beat (WEIR_BEAT) is how often a process renews its lease. Default 2s.
	Beat time.Duration
	// Lease (WEIR_LEASE) is the silence after which a process is given up. Default 15s; at least three beats.
	Lease time.Duration
}

const (
	defaultConfigFile = "weir.yaml"

	defaultPoolConns = 16
	leastPoolConns   = 4
	mostPoolConns    = 500
	defaultBeat      = 2 * time.Second
	defaultLease     = 15 * time.Second
)

// loadConfig reads the environment. Every mistake is one sentence; all are returned at once.
func loadConfig(getenv func(string) string) (Config, error) {
	c := Config{
		DatabaseURL: getenv("DATABASE_URL"), NATSURL: getenv("NATS_URL"),
		NATSMonitorURL: getenv("WEIR_NATS_MONITOR_URL"), DataDir: getenv("WEIR_DATA_DIR"),
		ConfigFile: fallback(getenv("WEIR_CONFIG"), defaultConfigFile), PostgresBin: getenv("WEIR_PG_BIN"),
		PricingDir: getenv("WEIR_PRICING_DIR"),
		LogFormat:  fallback(getenv("WEIR_LOG_FORMAT"), "text"), PoolConns: defaultPoolConns,
		Beat: defaultBeat, Lease: defaultLease,
	}
	var errs []error
	if level := getenv("WEIR_LOG_LEVEL"); level != "" {
		if err := c.LogLevel.UnmarshalText([]byte(level)); err != nil {
			errs = append(errs, fmt.Errorf("WEIR_LOG_LEVEL is %q; write debug, info, warn or error", level))
		}
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		errs = append(errs, fmt.Errorf("WEIR_LOG_FORMAT is %q; write text or json", c.LogFormat))
	}
	if conns := getenv("WEIR_POOL_CONNS"); conns != "" {
		n, err := strconv.Atoi(conns)
		if err != nil || n < leastPoolConns || n > mostPoolConns {
			errs = append(errs, fmt.Errorf("WEIR_POOL_CONNS is %q; write a number from %d to %d", conns, leastPoolConns, mostPoolConns))
		}
		c.PoolConns = n
	}
	errs = append(errs, duration(getenv, "WEIR_BEAT", &c.Beat), duration(getenv, "WEIR_LEASE", &c.Lease))
	if c.Beat > 0 && c.Lease < 3*c.Beat {
		errs = append(errs, fmt.Errorf("WEIR_LEASE is %s, less than three beats of %s (WEIR_BEAT)", c.Lease, c.Beat))
	}
	return c, errors.Join(errs...)
}

func duration(getenv func(string) string, name string, into *time.Duration) error {
	value := getenv(name)
	if value == "" {
		return nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return fmt.Errorf("%s is %q; write a duration such as 2s", name, value)
	}
	*into = d
	return nil
}

func fallback(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// logger writes to stderr, so that stdout stays the command's own.
func (a *app) logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: a.config.LogLevel}
	if a.config.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, opts))
	}
	return slog.New(slog.NewTextHandler(a.stderr, opts))
}
