package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

type pricesRepriceCmd struct {
	bookFlags

	Since  instant `required:"" help:"Attempts that were sent at this time or later."`
	Reason string  `default:"repriced by the present book" help:"Stored with each correction."`
	DryRun bool    `help:"Say what would be corrected and write nothing."`
	JSON   bool    `help:"Print one JSON object; money is exact, in decimal strings of USD."`
}

// repricePage is how many attempts are held in memory at once.
const repricePage = 1_000

// repriced is what a run came to.
type repriced struct {
	Attempts  int       `json:"attempts"`
	Corrected int       `json:"corrected"`
	Unpriced  int       `json:"unpriced"`
	Before    task.Pico `json:"before_usd"`
	After     task.Pico `json:"after_usd"`
}

// Run prices every metered attempt anew and adds a correction where the cost or its row is another than now. All of it is
// one transaction, and a second run finds nothing to correct.
func (c *pricesRepriceCmd) Run(ctx context.Context, a *app) error {
	book, err := c.book(a)
	if err != nil {
		return err
	}
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrations.Check(ctx, pool); err != nil {
		return err
	}
	var r repriced
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := store.LockCorrections(ctx, tx); err != nil {
			return err
		}
		return c.reprice(ctx, tx, book, &r)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	verb := "corrected"
	if c.DryRun {
		verb = "to correct"
	}
	_, err = fmt.Fprintf(a.stdout, "%d metered attempts, %d %s: %s USD become %s USD; %d have no price in the book\n",
		r.Attempts, r.Corrected, verb, r.Before, r.After, r.Unpriced)
	return err
}

func (c *pricesRepriceCmd) reprice(ctx context.Context, tx pgx.Tx, book *pricing.Book, r *repriced) error {
	var last *store.Metered
	for {
		page, err := store.MeteredAttempts(ctx, tx, c.Since.Time, last, repricePage)
		if err != nil || len(page) == 0 {
			return err
		}
		var corrections []store.Correction
		for i := range page {
			correction, err := c.correct(book, &page[i], r)
			if err != nil {
				return err
			}
			if correction != nil {
				corrections = append(corrections, *correction)
			}
		}
		if !c.DryRun {
			if err := store.InsertCorrections(ctx, tx, corrections); err != nil {
				return err
			}
		}
		last = &page[len(page)-1]
	}
}

// correct prices one attempt as it was priced when it was settled. It returns nil where nothing is to be corrected.
func (c *pricesRepriceCmd) correct(book *pricing.Book, m *store.Metered, r *repriced) (*store.Correction, error) {
	r.Attempts++
	cost, err := costOf(book, m)
	if errors.Is(err, pricing.ErrUnpriced) {
		r.Unpriced++
		return nil, nil //nolint:nilnil // it keeps what it has
	}
	if err != nil {
		return nil, fmt.Errorf("price attempt %s: %w", m.AttemptID, err)
	}
	if m.CostPUSD != nil && task.Pico(*m.CostPUSD) == cost.Total && m.PriceRow == cost.Row {
		return nil, nil //nolint:nilnil // right already
	}
	r.Corrected++
	if m.CostPUSD != nil {
		r.Before += task.Pico(*m.CostPUSD)
	}
	r.After += cost.Total
	return &store.Correction{
		ID: uuid.Must(uuid.NewV7()), TaskID: m.TaskID, AttemptID: m.AttemptID, OldCost: m.CostPUSD, Cost: cost.Total,
		PriceBook: book.Hash(), PriceRow: cost.Row, Reason: c.Reason, At: time.Now(),
	}, nil
}

func costOf(book *pricing.Book, m *store.Metered) (pricing.Cost, error) {
	price, err := book.Price(pricing.Query{
		Provider: m.PriceProvider, Model: m.Model, At: m.StartedAt, Mode: pricing.Mode(m.Mode), ServiceTier: m.ServiceTier,
		Speed: m.Speed, Geo: m.Geo,
	})
	if err != nil {
		return pricing.Cost{}, err
	}
	return price.Cost(m.Usage)
}
