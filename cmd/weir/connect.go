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

// errNotUp says that no weir up uses the data directory.
var errNotUp = errors.New("no 'weir up' is running here")

// localAddresses are what the weir up of the data directory wrote.
func (a *app) localAddresses() (addresses, error) {
	dir, err := a.dataDir()
	if err != nil {
		return addresses{}, err
	}
	data, err := os.ReadFile(filepath.Join(dir, addressesFile))
	if errors.Is(err, os.ErrNotExist) {
		return addresses{}, errNotUp
	}
	if err != nil {
		return addresses{}, fmt.Errorf("read the addresses of weir up: %w", err)
	}
	var local addresses
	if err := json.Unmarshal(data, &local); err != nil {
		return addresses{}, fmt.Errorf("read the addresses of weir up: %w", err)
	}
	return local, nil
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
	if a.config.DatabaseURL != "" {
		return openPool(ctx, a.config.DatabaseURL, commandConns)
	}
	local, err := a.localAddresses()
	if err != nil {
		return nil, fmt.Errorf("no Postgres: set DATABASE_URL, or start 'weir up': %w", err)
	}
	return openPool(ctx, local.DatabaseURL, commandConns)
}

// openNATS connects a command to the NATS of NATS_URL or of the running weir up.
func (a *app) openNATS(context.Context) (*nats.Conn, error) {
	if a.config.NATSURL != "" {
		return connectNATS(a.config.NATSURL)
	}
	local, err := a.localAddresses()
	if err != nil {
		return nil, fmt.Errorf("no NATS: set NATS_URL, or start 'weir up': %w", err)
	}
	return connectNATS(local.NATSURL)
}

func connectNATS(url string) (*nats.Conn, error) {
	nc, err := nats.Connect(url, append(producer.ConnectOptions(), nats.Name("weir"))...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return nc, nil
}
