package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"github.com/weirhq/weir/embedded"
	"github.com/weirhq/weir/producer"
)

// addresses are where a running weir up is reached; it writes them into its data directory.
type addresses struct {
	DatabaseURL string `json:"database_url"`
	NATSURL     string `json:"nats_url"`
}

const addressesFile = "addresses.json"

func writeAddresses(dir string, a addresses) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("encode addresses: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, addressesFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write addresses: %w", err)
	}
	return nil
}

// addresses are DATABASE_URL and NATS_URL, or what the weir up of the data directory wrote.
func (a *app) addresses() (addresses, error) {
	found := addresses{DatabaseURL: a.config.DatabaseURL, NATSURL: a.config.NATSURL}
	if found.DatabaseURL != "" && found.NATSURL != "" {
		return found, nil
	}
	dir, err := a.dataDir()
	if err != nil {
		return found, err
	}
	data, err := os.ReadFile(filepath.Join(dir, addressesFile))
	if errors.Is(err, os.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("read addresses of weir up: %w", err)
	}
	var local addresses
	if err := json.Unmarshal(data, &local); err != nil {
		return found, fmt.Errorf("read addresses of weir up: %w", err)
	}
	found.DatabaseURL = fallback(found.DatabaseURL, local.DatabaseURL)
	found.NATSURL = fallback(found.NATSURL, local.NATSURL)
	return found, nil
}

func (a *app) dataDir() (string, error) {
	if a.config.DataDir != "" {
		return a.config.DataDir, nil
	}
	return embedded.DefaultDir(os.Geteuid(), a.getenv("XDG_DATA_HOME"), a.getenv("HOME"))
}

// commandConns is enough for a command that reads and writes one thing at a time.
const commandConns = 4

// openPool connects a command to the Postgres of DATABASE_URL or of the running weir up.
func (a *app) openPool(ctx context.Context) (*pgxpool.Pool, error) {
	found, err := a.addresses()
	if err != nil {
		return nil, err
	}
	if found.DatabaseURL == "" {
		return nil, errors.New("no Postgres: set DATABASE_URL, or start 'weir up'")
	}
	return openPool(ctx, found.DatabaseURL, commandConns)
}

// openNATS connects a command to the NATS of NATS_URL or of the running weir up.
func (a *app) openNATS(context.Context) (*nats.Conn, error) {
	found, err := a.addresses()
	if err != nil {
		return nil, err
	}
	if found.NATSURL == "" {
		return nil, errors.New("no NATS: set NATS_URL, or start 'weir up'")
	}
	return connectNATS(found.NATSURL)
}

func connectNATS(url string) (*nats.Conn, error) {
	nc, err := nats.Connect(url, append(producer.ConnectOptions(), nats.Name("weir"))...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return nc, nil
}
