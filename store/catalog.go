package store

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/catalog"
)

// SaveCatalog stores what the views need to know: the features' success and failure cost, the models' tiers and prices,
// and the price book, which replaces the one before. Features and models that are no longer configured stay, because
// there are tasks of theirs. All of it happens or nothing; of processes that start together, the last one's stands. Bands
// of one price must stand in order. An error is Postgres's, or a pattern of the book that does not compile.
func SaveCatalog(ctx context.Context, db DB, now time.Time, c *catalog.Catalog, prices []Price) error {
	names, err := compilePriceNames(prices)
	if err != nil {
		return err
	}
	// a batch is one transaction of its own where the caller has none
	batch := &pgx.Batch{}
	batch.Queue(`SELECT pg_advisory_xact_lock(hashtext('weir.save_catalog'))`)
	queueFeatures(batch, now, c)
	queueModels(batch, now, c, names)
	queuePrices(batch, now, prices)
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("save catalog: %w", err)
	}
	return nil
}

func queueFeatures(batch *pgx.Batch, now time.Time, c *catalog.Catalog) {
	for _, name := range slices.Sorted(maps.Keys(c.Features)) {
		feature := c.Features[name]
		batch.Queue(`
			INSERT INTO weir.features (name, success, failure_cost_pusd, config_hash, updated_at)
			VALUES (@name, @success, @failure_cost, @hash, @now)
			ON CONFLICT (name) DO UPDATE
			SET success = excluded.success,
			    failure_cost_pusd = excluded.failure_cost_pusd,
			    config_hash = excluded.config_hash,
			    updated_at = excluded.updated_at`,
			pgx.NamedArgs{
				"name": name, "success": string(feature.Success), "failure_cost": int64(feature.FailureCost),
				"hash": c.Hash, "now": now,
			})
	}
}

func queueModels(batch *pgx.Batch, now time.Time, c *catalog.Catalog, names priceNames) {
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		model := c.Models[name]
		provider := c.Providers[model.Provider]
		priced := provider.Prices
		if priced == "" {
			priced = provider.API
		}
		batch.Queue(`
			INSERT INTO weir.models (name, provider, model_id, tier, price_provider, price_model, config_hash, updated_at)
			VALUES (@name, @provider, @model_id, @tier, @price_provider, @price_model, @hash, @now)
			ON CONFLICT (name) DO UPDATE
			SET provider = excluded.provider,
			    model_id = excluded.model_id,
			    tier = excluded.tier,
			    price_provider = excluded.price_provider,
			    price_model = excluded.price_model,
			    config_hash = excluded.config_hash,
			    updated_at = excluded.updated_at`,
			pgx.NamedArgs{
				"name": name, "provider": model.Provider, "model_id": model.ID, "tier": string(model.Tier),
				"price_provider": priced, "price_model": nullText(names.find(priced, model.PricedAs())), "hash": c.Hash, "now": now,
			})
	}
}

// priceName is a model of the price book and the pattern of one of its other names.
type priceName struct {
	provider string
	model    string
	pattern  *regexp.Regexp // nil for the model's own name
}

type priceNames []priceName

func compilePriceNames(prices []Price) (priceNames, error) {
	var names priceNames
	seen := map[[2]string]bool{}
	for _, p := range prices {
		if seen[[2]string{p.Provider, p.Model}] {
			continue
		}
		seen[[2]string{p.Provider, p.Model}] = true
		names = append(names, priceName{provider: p.Provider, model: p.Model})
		for _, match := range p.Match {
			pattern, err := regexp.Compile(`^(?:` + match + `)$`)
			if err != nil {
				return nil, fmt.Errorf("read the names of %s/%s: %w", p.Provider, p.Model, err)
			}
			names = append(names, priceName{p.Provider, p.Model, pattern})
		}
	}
	return names, nil
}

// find is the book's name of a provider's model: its own, or the only one with a pattern that fits; empty when there is
// none.
func (n priceNames) find(provider, id string) string {
	if slices.ContainsFunc(n, func(name priceName) bool { return name.provider == provider && name.model == id }) {
		return id
	}
	found := ""
	for _, name := range n {
		if name.provider != provider || name.pattern == nil || !name.pattern.MatchString(id) || name.model == found {
			continue
		}
		if found != "" {
			return ""
		}
		found = name.model
	}
	return found
}
