package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/store"
)

type ratesCmd struct {
	Take bool `help:"Take a snapshot now, of the last 30 days, and do not wait for the night."`
	JSON bool `help:"Print one JSON object."`
}

const (
	// ratesWindow is the age of the tasks that count in a snapshot; the nightly one has the same.
	ratesWindow = 30 * 24 * time.Hour
	// ratesShown is the most rows that are shown, and that priors and plans go by.
	ratesShown = 20_000
)

// Help is the long help.
func (ratesCmd) Help() string {
	return `How often each model's answers were accepted, by call path and class, in the last snapshot: what priors and plans go
by. One is taken every night.`
}

// Run shows the last snapshot of pass rates.
func (c *ratesCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if c.Take {
		now := time.Now()
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := store.TakeSnapshot(ctx, tx, now, now.Add(-ratesWindow), now)
			return err
		})
		if err != nil {
			return err
		}
	}
	last, err := store.LastSnapshot(ctx, pool)
	if err != nil {
		return err
	}
	if last == nil {
		return errors.New("no snapshot of pass rates was taken yet; 'weir rates --take' takes one")
	}
	rates, err := store.PassRates(ctx, pool, last.ID, ratesShown)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"snapshot": last.ID, "taken_at": last.TakenAt, "rates": rates})
	}
	t := table{columns: []column{
		words("tenant"), words("feature"), words("call_path"), words("class"), words("model"), words("asked"), figures("tried"),
		figures("accepted"), figures("rate"), figures("mean_cost_usd"),
	}}
	for _, r := range rates {
		asked, cost := "later", "unknown"
		if r.AskedFirst {
			asked = "first"
		}
		if r.Cost != nil {
			cost = r.Cost.String()
		}
		t.rows = append(t.rows, []string{
			r.Tenant, r.Feature, r.CallPath, string(r.Class), r.Model, asked, strconv.FormatInt(r.Tried, 10),
			strconv.FormatInt(r.Accepted, 10), fmt.Sprintf("%.3f", float64(r.Accepted)/float64(r.Tried)), cost,
		})
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "snapshot %s, taken %s\n", last.ID, last.TakenAt.UTC().Format(time.RFC3339))
	return err
}
