package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// defaultSimAddress is where weir sim serves when it is not told.
const defaultSimAddress = "127.0.0.1:8900"

type simCmd struct {
	bookFlags

	Listen          string        `default:"127.0.0.1:8900" help:"The address to serve on."`
	Seed            uint64        `default:"1" help:"The same seed and request give the same answer."`
	Recordings      []string      `type:"existingfile" help:"Replay recorded answers: FILE.jsonl.gz, repeatable."`
	Ledger          string        `type:"path" help:"Append what was asked and billed to this file."`
	Instant         bool          `help:"Answer without latency."`
	AnyModel        bool          `help:"Play models that have no profile as a middling one, instead of refusing them."`
	BatchTurnaround time.Duration `placeholder:"DURATION" help:"How long a batch takes where nothing goes wrong: a minute unless it is said, and no time with --instant."`
	EnqueuedTokens  int           `placeholder:"N" help:"The most prompt tokens that a model's unfinished batches may have; no limit unless it is said."`
	Dialect         string        `enum:"openai,openrouter,litellm,azure" default:"openai" help:"Whose Chat Completions to speak: openai, openrouter, litellm (both tell their cost) or azure."`
}

// Run serves simulated models until it is told to stop.
func (c *simCmd) Run(ctx context.Context, a *app) (err error) {
	book, err := c.book(a)
	if err != nil {
		return err
	}
	config := sim.Config{
		Seed: c.Seed, LedgerFile: c.Ledger, Instant: c.Instant, AnyModel: c.AnyModel, Dialect: sim.Dialect(c.Dialect),
		Bill: billBy(book), Batches: sim.Batches{Turnaround: c.BatchTurnaround, EnqueuedTokens: c.EnqueuedTokens},
	}
	if c.Dialect == catalog.DialectOpenAI {
		config.Dialect = sim.DialectOpenAI
	}
	if config.Recordings, err = readRecordings(c.Recordings); err != nil {
		return err
	}
	server, err := sim.New(config)
	if err != nil {
		return err
	}
	if err := server.Start(ctx, c.Listen); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }() //nolint:contextcheck // closing outlives the command's context
	_, _ = fmt.Fprintf(a.stdout, `simulated models on %s (no key needed)
  Anthropic Messages       base_url: %[1]s
  OpenAI Chat Completions  base_url: %[1]s
  Gemini generateContent   base_url: %[1]s
  DeepL, LibreTranslate    base_url: %[1]s
  embeddings of OpenAI, Voyage and Gemini  base_url: %[1]s
  batches of Anthropic, OpenAI and Gemini  base_url: %[1]s
  what it billed           %[1]s/sim/stats and %[1]s/sim/ledger
`, server.URL())
	<-ctx.Done()
	return nil
}

// billBy bills by the price book, whichever provider's the model is: a gateway passes prices on.
func billBy(book *pricing.Book) func(string, task.Usage, time.Time) (task.Pico, bool) {
	models := book.Models()
	return func(model string, usage task.Usage, at time.Time) (task.Pico, bool) {
		name := path.Base(model) // OpenRouter has openai/gpt-6-luna
		for _, m := range models {
			if m.ID != name && m.ID != model {
				continue
			}
			price, err := book.Price(pricing.Query{Provider: m.Provider, Model: m.ID, At: at})
			if err != nil {
				return 0, false
			}
			cost, err := price.Cost(usage)
			return cost.Total, err == nil
		}
		return 0, false
	}
}

func readRecordings(paths []string) (*sim.Recordings, error) {
	if len(paths) == 0 {
		return nil, nil //nolint:nilnil // no recordings is what the simulator's configuration calls nil
	}
	files := make([]io.Reader, len(paths))
	for i, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("open recordings: %w", err)
		}
		defer func() { _ = file.Close() }() // only read
		files[i] = file
	}
	recordings, err := sim.ReadRecordings(files...)
	if err != nil {
		return nil, fmt.Errorf("read recordings: %w", err)
	}
	return recordings, nil
}
