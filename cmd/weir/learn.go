package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
)

// learner keeps a process's classifier at what the database says was learnt.
type learner struct {
	pool   *pgxpool.Pool
	chain  *classifier.Chain
	plans  *planner.Planner
	logger *slog.Logger
	// embedders are those that models may have been trained with.
	embedders *embedders

	learned  classifier.Learned
	snapshot uuid.UUID
	roles    store.ClassifierRoles
}

// run looks at the given pace, until the context ends. While Postgres is away, what was learnt before stands.
func (l *learner) run(ctx context.Context, pace time.Duration) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			l.logger.WarnContext(ctx, "the classifier was not brought up to date", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (l *learner) look(ctx context.Context) error {
	rates, errRates := l.lookAtRates(ctx)
	models, errModels := l.lookAtModels(ctx)
	if rates || models {
		l.chain.Use(l.learned)
	}
	return errors.Join(errRates, errModels)
}

// lookAtModels puts the models to use that have a role now. One that cannot be used, since another version wrote it, changes
// nothing: the one before stays.
func (l *learner) lookAtModels(ctx context.Context) (changed bool, err error) {
	roles, err := store.CurrentClassifiers(ctx, l.pool)
	if err != nil || roles == l.roles {
		return false, err
	}
	active, errActive := l.load(ctx, roles.Active)
	shadow, errShadow := l.load(ctx, roles.Shadow)
	if err := errors.Join(errActive, errShadow); err != nil {
		return false, err
	}
	l.learned.Model, l.learned.Shadow, l.roles = active, shadow, roles
	l.logger.InfoContext(ctx, "classifier models taken over", slog.String("active", roles.Active), slog.String("shadow", roles.Shadow))
	return true, nil
}

// load reads a trained model; nil for none.
func (l *learner) load(ctx context.Context, hash string) (classifier.Way, error) {
	if hash == "" {
		return nil, nil //nolint:nilnil // no model has the role
	}
	file, err := store.ClassifierFile(ctx, l.pool, hash)
	if err != nil {
		return nil, err
	}
	m, _, err := readModel(ctx, l.embedders, bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("classifier model %s: %w", hash, err)
	}
	return m, nil
}

// lookAtRates makes a new prior of a new snapshot.
func (l *learner) lookAtRates(ctx context.Context) (changed bool, err error) {
	last, err := store.LastSnapshot(ctx, l.pool)
	if err != nil || last == nil || last.ID == l.snapshot {
		return false, err
	}
	rates, err := store.PassRates(ctx, l.pool, last.ID, ratesShown)
	if err != nil {
		return false, err
	}
	var passed []classifier.Passed
	for _, r := range rates {
		if r.Tier != nil {
			passed = append(passed, classifier.Passed{
				CallPath: classifier.CallPath{Tenant: r.Tenant, Feature: r.Feature, CallPath: r.CallPath},
				Tier:     *r.Tier, First: r.AskedFirst, Tried: r.Tried, Accepted: r.Accepted,
			})
		}
	}
	prior := classifier.NewPrior("rates:"+last.ID.String(), passed)
	l.learned.Prior, l.snapshot = prior, last.ID
	l.plans.UseRates(planner.NewRates("rates:"+last.ID.String(), rates))
	l.logger.InfoContext(ctx, "pass rates taken over", slog.String("snapshot", last.ID.String()),
		slog.Int("call_paths", prior.Len()))
	return true, nil
}
