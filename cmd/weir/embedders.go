package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/embeddings"
	"github.com/weirhq/weir/migrations"
)

// Embedders that are no provider's, by what their IDs begin with.
const (
	embedStatic = "static"
	embedHash   = "hash"
	// embedProvider begins the IDs of all that are a provider's.
	embedProvider = "provider"
)

// embedLabel is what the ledger calls a classifier's calls for embeddings.
const embedLabel = "classifier"

// probe is what a model embeds that has not said how long its vectors are.
const probe = "weir"

var errOffline = errors.New("its embeddings are made by a provider, and this command sends nothing: take a model that was trained with " +
	embedStatic + " or " + embedHash)

// embedders makes what turns a classifier's texts into vectors. Those of a provider are defined in weir.yaml, and need
// Postgres: what they cost is recorded, and what they made is kept.
type embedders struct {
	setup  func() (*setup, error)
	getenv func(string) string
	pool   func(context.Context) (*pgxpool.Pool, error)
	logger *slog.Logger
}

// embedders are those of a command. What they have opened is closed by the function.
func (a *app) embedders() (*embedders, func()) {
	var opened *pgxpool.Pool
	e := &embedders{
		setup:  func() (*setup, error) { return readSetup(a.config.ConfigFile, a.config.PricingDir) },
		getenv: a.getenv, logger: a.logger(),
	}
	e.pool = func(ctx context.Context) (*pgxpool.Pool, error) {
		if opened != nil {
			return opened, nil
		}
		pool, err := a.openPool(ctx)
		if err != nil {
			return nil, err
		}
		if err := migrations.Check(ctx, pool); err != nil {
			pool.Close()
			return nil, err
		}
		opened = pool
		return pool, nil
	}
	return e, func() {
		if opened != nil {
			opened.Close()
		}
	}
}

// offline has no provider's embedders.
func offline() *embedders {
	return &embedders{setup: func() (*setup, error) { return nil, errOffline }}
}

// named makes a built-in embedder, or one of weir.yaml.
func (e *embedders) named(ctx context.Context, name string) (embed.Embedder, error) {
	if built, err := builtIn(name); built != nil || err != nil {
		return built, err
	}
	s, err := e.setup()
	if err != nil {
		return nil, fmt.Errorf("embedder %s: %w", name, err)
	}
	one, ok := s.catalog.Embedders[name]
	if !ok {
		return nil, fmt.Errorf("no embedder %q: there are static and hash, and weir.yaml has %q", name, sortedKeys(s.catalog.Embedders))
	}
	return e.hosted(ctx, s, one, one.Dimensions)
}

// of makes the embedder that a model was trained with, by its ID. A provider's may have any name in weir.yaml.
func (e *embedders) of(ctx context.Context, id string, dim int) (embed.Embedder, error) {
	kind, rest, _ := strings.Cut(id, ":")
	if kind != embedProvider {
		return builtInOf(kind)
	}
	s, err := e.setup()
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(s.catalog.Embedders) {
		one := s.catalog.Embedders[name]
		if rest == fmt.Sprintf("%s:%d", hostedID(one), dim) && slices.Contains([]int{0, dim}, one.Dimensions) {
			return e.hosted(ctx, s, one, dim)
		}
	}
	return nil, fmt.Errorf("the model was trained with the embedder %s, and weir.yaml has none with that id and input_type and "+
		"dimensions: %d: add it under embedders", id, dim)
}

// hosted makes an embedder of weir.yaml. A length of 0 is not known, and costs a call to learn.
func (e *embedders) hosted(ctx context.Context, s *setup, one catalog.Embedder, dim int) (embed.Embedder, error) {
	pool, err := e.pool(ctx)
	if err != nil {
		return nil, fmt.Errorf("embedder %s: what its calls cost is recorded: %w", one.Name, err)
	}
	client, err := s.embedder(one, e.getenv, pool, e.logger)
	if err != nil {
		return nil, err
	}
	if dim == 0 {
		result, err := client.Embed(ctx, []string{probe}, embeddings.Options{Feature: embedLabel})
		if err != nil {
			return nil, fmt.Errorf("embedder %s: %w", one.Name, err)
		}
		dim = len(result.Vectors[0])
	}
	id := hostedID(one)
	cache := embeddings.NewCache(client, pool, fmt.Sprintf("%s:%d", id, dim), embeddings.Options{Feature: embedLabel})
	return embed.NewProvider(id, dim, cache.Embed)
}

// hostedID is what makes an embedder's vectors what they are.
func hostedID(e catalog.Embedder) string { return joined("/", e.ID, e.InputType) }

// builtIn makes an embedder that needs no provider; nil when none has that name.
func builtIn(name string) (embed.Embedder, error) {
	switch name {
	case embedStatic:
		return embed.NewStatic()
	case embedHash:
		return embed.NewHash(embed.HashDim)
	default:
		return nil, nil //nolint:nilnil // it may be one of weir.yaml
	}
}

func builtInOf(kind string) (embed.Embedder, error) {
	built, err := builtIn(kind)
	if built == nil && err == nil {
		err = fmt.Errorf("this weir has no embedder %q, with which the model was trained", kind)
	}
	return built, err
}
