// Package embeddings turns texts into vectors by a model at a provider: in requests of the size that its API takes,
// tried again where that helps, priced exactly, and recorded before each of them leaves. It keeps no text and no
// vector.
package embeddings

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

// Config is an embedder of weir.yaml with its parts.
type Config struct {
	Embedder catalog.Embedder
	// Provider is the embedder's, and Client its account.
	Provider catalog.Provider
	Client   *embed.Client
	Book     *pricing.Book
	// Counter counts texts. Default: a counter of its own.
	Counter *tokens.Counter
	// DB is where every call is recorded before it leaves; nil records none.
	DB store.DB
	// Logger hears of calls that are tried again or have no price. Default: nobody hears.
	Logger *slog.Logger
	// Tries is the most calls for one request. Default 5.
	Tries int
	// Patience is the longest wait between two of them; who is asked to wait longer gives up. Default two minutes.
	Patience time.Duration
	// Now is the clock, Jitter a number in [0, 1) for waits, and Sleep a wait that a context ends. Defaults: the
	// machine's.
	Now    func() time.Time
	Jitter func() float64
	Sleep  func(context.Context, time.Duration) error
}

const (
	defaultTries    = 5
	defaultPatience = 2 * time.Minute
)

// Embedder embeds texts. It is safe for concurrent use.
type Embedder struct {
	cfg    Config
	limits Limits
	// factor times the o200k vocabulary's count is about the model's own; added is what the API adds to each text.
	factor float64
	added  int64
}

// New makes an embedder. A model without a price in force is an error that wraps pricing.ErrUnpriced: its calls would
// be a hole in the ledger.
func New(cfg Config) (*Embedder, error) {
	cfg = cfg.withDefaults()
	e := &Embedder{cfg: cfg, factor: 1}
	if err := CheckPrice(cfg.Book, cfg.Provider, cfg.Embedder, cfg.Now()); err != nil {
		return nil, err
	}
	traits, _ := cfg.Book.Traits(cfg.Provider.Prices, cfg.Embedder.PricedAs())
	if traits.TokenFactor > 0 {
		e.factor = traits.TokenFactor
	}
	e.limits = limitsOf(cfg.Provider, cfg.Embedder, traits.Window)
	e.limits.Inputs = min(e.limits.Inputs, cfg.Client.MostInputs(cfg.Embedder.Dimensions))
	if cfg.Provider.API == catalog.APIVoyage {
		e.added = voyagePrompt
	}
	return e, nil
}

// CheckPrice says that an embedder has a price in force, and one by the token. Every error wraps pricing.ErrUnpriced.
func CheckPrice(book *pricing.Book, p catalog.Provider, e catalog.Embedder, at time.Time) error {
	price, err := book.Price(pricing.Query{Provider: p.Prices, Model: e.PricedAs(), At: at})
	if err == nil {
		_, err = price.Cost(task.Usage{Input: 1})
	}
	if err != nil {
		return fmt.Errorf("embedders.%s: %s/%s has no price in force: %w", e.Name, p.Prices, e.PricedAs(), err)
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Tries = cmp.Or(c.Tries, defaultTries)
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Embedder.Concurrency = cmp.Or(c.Embedder.Concurrency, catalog.DefaultEmbedConcurrency)
	if c.Counter == nil {
		c.Counter = tokens.NewCounter()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Limits are what its requests keep to.
func (e *Embedder) Limits() Limits { return e.limits }

// Options are what one list of texts has to itself.
type Options struct {
	// InputType is what the texts are to a search. Default: the embedder's own.
	InputType embed.InputType
	// Feature labels the calls in the ledger, and at gateways that keep labels. It is no part of what is embedded.
	Feature string
}

// Result is what came of a list of texts.
type Result struct {
	// Vectors are in the order of the texts, as the provider made them. One is nil when its text was not embedded, which
	// only happens beside an error.
	Vectors [][]float32
	Bill
}

// InputError is a text that cannot be embedded. Nothing was paid for it.
type InputError struct {
	// Index is the text's, from 0.
	Index int
	// Reason says what is wrong and what to do.
	Reason string
}

func (e *InputError) Error() string { return fmt.Sprintf("input %d %s", e.Index, e.Reason) }

// Embed embeds texts. A text that is empty or longer than the model takes is an *InputError, before anything is sent
// where weir's own count tells. When a call fails for good the error wraps its *providers.CallError, no further call is
// begun, and the Result holds what was embedded and all that was paid: it counts whatever the error.
//
// Calls that have been sent are waited for when ctx is cancelled, because they are paid; its deadline bounds them.
func (e *Embedder) Embed(ctx context.Context, texts []string, o Options) (Result, error) {
	counts, err := e.count(texts)
	if err != nil {
		return Result{Vectors: make([][]float32, len(texts))}, err
	}
	if o.InputType == embed.Unsaid {
		o.InputType = embed.InputType(e.cfg.Embedder.InputType)
	}
	r := &run{Embedder: e, texts: texts, counts: counts, options: o, vectors: make([][]float32, len(texts))}
	err = r.all(ctx, cut(counts, e.limits))
	return Result{Vectors: r.vectors, Bill: r.bill}, err
}

// count estimates the tokens of each text, and refuses those that cannot be embedded.
func (e *Embedder) count(texts []string) ([]int64, error) {
	counts := make([]int64, len(texts))
	for i, text := range texts {
		if text == "" {
			return nil, &InputError{i, "is empty: leave it out"}
		}
		plain := e.cfg.Counter.Count(text)
		counts[i] = int64(math.Ceil(float64(plain)*e.factor)) + e.added
		// The factor is on the safe side. Where the provider refuses what is too long, it knows better.
		judged := plain
		if cuts(e.cfg.Provider) {
			judged = counts[i]
		}
		if judged > e.limits.InputTokens {
			return nil, e.tooLong(i, fmt.Sprintf("has about %d tokens by weir's count", judged))
		}
	}
	return counts, nil
}

func (e *Embedder) tooLong(index int, what string) error {
	return &InputError{index, fmt.Sprintf(
		"%s, and %s takes %d: split it, or set tokens_per_input of the embedder %q where weir is mistaken",
		what, e.cfg.Embedder.ID, e.limits.InputTokens, e.cfg.Embedder.Name,
	)}
}
