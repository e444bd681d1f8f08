package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/embeddings"
	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

type embedCmd struct {
	Embedder string `required:"" help:"The embedder, by its name in weir.yaml."`
	Input    string `short:"i" default:"-" help:"A JSONL file, or - for standard input."`
	Output   string `short:"o" default:"-" help:"The file to write, which must not exist; - is standard output."`
	Text     bool   `help:"Every line is a text, and its number the id."`
	Query    bool   `help:"The texts are what somebody looks for, not what is to be found; for APIs that tell them apart."`
	Feature  string `help:"A label for the calls in the ledger."`
	NoRecord bool   `help:"Record no call in Postgres, which is then not needed."`
	JSON     bool   `name:"json" help:"Print the summary, on standard error, as a JSON object."`
}

// Help is the long help.
func (embedCmd) Help() string {
	return `A line of the input is {"id": "...", "text": "..."}, and of the output {"id": "...", "embedding": [...]}, in the
same order. Requests are as large as the provider takes. Every call is recorded in Postgres before it leaves (the view
embedding_usage); --no-record leaves that out. When a call fails for good, what was paid until then is written.`
}

// Run embeds the input, a part of it at a time.
func (c *embedCmd) Run(ctx context.Context, a *app) (err error) {
	embedder, done, err := c.open(ctx, a)
	if err != nil {
		return err
	}
	defer done()
	in, err := c.input(a)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	out, err := c.output(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := embedding{
		embedder: embedder, lines: newLines(in, c.Text), out: bufio.NewWriter(out),
		options: embeddings.Options{Feature: c.Feature},
	}
	if c.Query {
		w.options.InputType = embed.Query
	}
	err = w.all(ctx)
	if w.bill.Calls > 0 || err == nil {
		err = errors.Join(err, c.report(a.stderr, &w))
	}
	if errors.Is(err, context.Canceled) {
		return stopped(err, true, "embedded %s", amount(w.embedded, "input"))
	}
	return err
}

// open makes the embedder and the connection to the ledger.
func (c *embedCmd) open(ctx context.Context, a *app) (*embeddings.Embedder, func(), error) {
	s, err := readSetup(a.config.ConfigFile, a.config.PricingDir)
	if err != nil {
		return nil, nil, err
	}
	e, ok := s.catalog.Embedders[c.Embedder]
	if !ok {
		return nil, nil, fmt.Errorf("%s defines no embedder %q; it has %q", a.config.ConfigFile, c.Embedder,
			sortedKeys(s.catalog.Embedders))
	}
	var db store.DB
	done := func() {}
	if !c.NoRecord {
		pool, err := a.openPool(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%w (or embed with --no-record, and nobody knows later what it cost)", err)
		}
		if err := migrations.Check(ctx, pool); err != nil {
			pool.Close()
			return nil, nil, err
		}
		db, done = pool, pool.Close
	}
	embedder, err := s.embedder(e, a.getenv, db, a.logger())
	if err != nil {
		done()
		return nil, nil, err
	}
	return embedder, done, nil
}

// embedder makes an embedder of weir.yaml; its calls are recorded in a ledger, or nowhere.
func (s *setup) embedder(e catalog.Embedder, getenv func(string) string, db store.DB, logger *slog.Logger) (*embeddings.Embedder, error) {
	p := s.catalog.Providers[e.Provider]
	key, headers, err := secretsOf(p, getenv)
	if err != nil {
		return nil, fmt.Errorf("providers.%s: %w", p.Name, err)
	}
	client, err := embed.New(p.API, accountOf(p, key, headers))
	if err != nil {
		return nil, fmt.Errorf("providers.%s: %w", p.Name, err)
	}
	return embeddings.New(embeddings.Config{
		Embedder: e, Provider: p, Client: client, Book: s.book, DB: db, Logger: logger, Now: time.Now,
	})
}

func (c *embedCmd) input(a *app) (io.ReadCloser, error) {
	if c.Input == standardInput {
		return io.NopCloser(a.stdin), nil
	}
	file, err := os.Open(c.Input)
	if err != nil {
		return nil, fmt.Errorf("open input: %w", err)
	}
	return file, nil
}

// output never overwrites: vectors were paid for.
func (c *embedCmd) output(a *app) (io.WriteCloser, error) {
	if c.Output == standardInput {
		return openWriter{a.stdout}, nil
	}
	file, err := os.OpenFile(c.Output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // no secrets are in it
	if err != nil {
		return nil, fmt.Errorf("open output: %w", err)
	}
	return file, nil
}

// openWriter is a writer that is somebody else's to close.
type openWriter struct{ io.Writer }

func (openWriter) Close() error { return nil }

// embedSummary is what came of the input. What is not known is null.
type embedSummary struct {
	Embedder         string     `json:"embedder"`
	Inputs           int        `json:"inputs"`
	Embedded         int        `json:"embedded"`
	Calls            int        `json:"calls"`
	Tokens           *int64     `json:"tokens"`
	CostUSD          *task.Pico `json:"cost_usd"`
	EstimatedCostUSD task.Pico  `json:"estimated_cost_usd"`
	CostHighUSD      task.Pico  `json:"cost_high_usd"`
	UnknownCalls     int        `json:"unknown_calls"`
	Recorded         bool       `json:"recorded"`
}

func (c *embedCmd) report(w io.Writer, e *embedding) error {
	b := e.bill
	if c.JSON {
		s := embedSummary{
			Embedder: c.Embedder, Inputs: e.read, Embedded: e.embedded, Calls: b.Calls, EstimatedCostUSD: b.EstimatedCost,
			CostHighUSD: b.CostHigh, UnknownCalls: b.Unknown, Recorded: !c.NoRecord,
		}
		s.Tokens, s.CostUSD = b.Known()
		return json.NewEncoder(w).Encode(s)
	}
	line := fmt.Sprintf("embedded %d of %s in %s: %s tokens, %s USD", e.embedded, amount(e.read, "input"),
		amount(b.Calls, "call"), showCount(b.Tokens), b.Cost)
	if b.Unknown > 0 {
		line += fmt.Sprintf("; the bill of %s is not known: all together about %s USD, at most %s USD",
			amount(b.Unknown, "call"), b.EstimatedCost, b.CostHigh)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
