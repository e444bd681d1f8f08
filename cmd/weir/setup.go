package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/embeddings"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/deepl"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/libretranslate"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/validators"
)

// setup is everything that weir.yaml and the price book come to.
type setup struct {
	catalog    *catalog.Catalog
	book       *pricing.Book
	models     *planner.Models
	classifier *classifier.Chain
	validators map[string]*validators.Chain
}

// readSetup reads a weir.yaml from a file and checks all of it, the prices of its price_book and of a directory included.
func readSetup(path, pricingDir string) (*setup, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s; 'weir init --out %s' writes one to begin with", path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return assemble(data, bookFiles{dir: pricingDir, config: path})
}

// newSetup is assemble for a weir.yaml that is no file and has no directory of prices beside it.
func newSetup(data []byte) (*setup, error) {
	return assemble(data, bookFiles{config: defaultConfigFile})
}

// assemble parses a weir.yaml and checks what needs the other parts: prices that compose, validators that compile, models
// with a price in force. It returns every mistake at once.
func assemble(data []byte, files bookFiles) (*setup, error) {
	c, err := catalog.Parse(data)
	if err != nil {
		return nil, err
	}
	s := &setup{catalog: c, validators: make(map[string]*validators.Chain, len(c.Features))}
	var errs []error
	if s.book, err = files.book(c); err != nil {
		errs = append(errs, err)
	}
	for _, name := range sortedKeys(c.Features) {
		feature := c.Features[name]
		chain, err := validators.Compile(feature.Validators, feature.OutputSchema)
		if err != nil {
			errs = append(errs, fmt.Errorf("features.%s: %w", name, err))
			continue
		}
		s.validators[name] = chain
	}
	if s.classifier, err = classifier.New(c.Classifier); err != nil {
		errs = append(errs, fmt.Errorf("classifier: %w", err))
	}
	if s.book != nil { // without one, every model would be said to have no price
		s.models = planner.NewModels(c, s.book, time.Now)
		errs = append(errs, s.models.Check()...)
		for _, name := range sortedKeys(c.Embedders) {
			e := c.Embedders[name]
			errs = append(errs, embeddings.CheckPrice(s.book, c.Providers[e.Provider], e, time.Now()))
		}
	}
	return s, errors.Join(errs...)
}

// newPlanner makes the planner of a process. It counts the features' texts, which a check of the configuration can do
// without.
func (s *setup) newPlanner(logger *slog.Logger) *planner.Planner {
	return planner.New(planner.Config{Catalog: s.catalog, Models: s.models, Classifier: s.classifier, Logger: logger})
}

// warnOfEnds logs what will soon stop working by itself: models that retire, prices that end.
func (s *setup) warnOfEnds(ctx context.Context, logger *slog.Logger) {
	for _, text := range s.models.Ending() {
		logger.WarnContext(ctx, "a model or its price ends", slog.String("what", text))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// buildProviders makes the clients of the providers that the cascades use. A key that is named and not set is a mistake:
// better at the start than in the first task's attempt.
func (s *setup) buildProviders(getenv func(string) string) (map[string]providers.Provider, error) {
	clients := map[string]providers.Provider{}
	var errs []error
	for _, name := range s.catalog.UsedProviders() {
		p := s.catalog.Providers[name]
		key, headers, err := secretsOf(p, getenv)
		if err != nil {
			errs = append(errs, fmt.Errorf("providers.%s: %w", name, err))
			continue
		}
		client, err := buildProvider(p, key, headers)
		if err != nil {
			errs = append(errs, fmt.Errorf("providers.%s: %w", name, err))
			continue
		}
		clients[name] = client
	}
	return clients, errors.Join(errs...)
}

// headersOf reads the values of a provider's extra headers. One that is named and not set is a mistake, as with the key.
func headersOf(p catalog.Provider, getenv func(string) string) (map[string]providers.Secret, error) {
	headers := make(map[string]providers.Secret, len(p.HeadersEnv))
	var errs []error
	for _, name := range sortedKeys(p.HeadersEnv) {
		value := strings.TrimSpace(getenv(p.HeadersEnv[name]))
		if value == "" {
			errs = append(errs, fmt.Errorf("the environment variable %s for the header %s is not set", p.HeadersEnv[name], name))
		}
		headers[name] = providers.NewSecret(value)
	}
	return headers, errors.Join(errs...)
}

// secretsOf reads a provider's key and the values of its extra headers.
func secretsOf(
	p catalog.Provider, getenv func(string) string,
) (key providers.Secret, headers map[string]providers.Secret, err error) {
	if p.KeyEnv != "" {
		if key = providers.NewSecret(strings.TrimSpace(getenv(p.KeyEnv))); key.IsZero() {
			return key, nil, fmt.Errorf("the environment variable %s is not set", p.KeyEnv)
		}
	}
	headers, err = headersOf(p, getenv)
	return key, headers, err
}

// accountOf is what a client of a provider is made with.
func accountOf(p catalog.Provider, key providers.Secret, headers map[string]providers.Secret) providers.Config {
	return providers.Config{
		Dialect: p.Dialect, APIVersion: p.APIVersion, Headers: headers,
		BaseURL: p.BaseURL, Key: key, ConnectTimeout: p.ConnectTimeout, Timeout: p.Timeout, IdleTimeout: p.IdleTimeout,
		MaxBodyBytes: p.MaxBodyBytes, MaxConns: p.Concurrency, AllowPrivate: p.AllowPrivate,
		UserAgent: "weir/" + version(),
	}
}

func buildProvider(
	p catalog.Provider, key providers.Secret, headers map[string]providers.Secret,
) (providers.Provider, error) {
	config := accountOf(p, key, headers)
	switch p.API {
	case catalog.APIAnthropic:
		return anthropic.New(config)
	case catalog.APIOpenAI:
		return openai.New(config)
	case catalog.APIResponses:
		return responses.New(config)
	case catalog.APIGemini:
		return gemini.New(config)
	case catalog.APIDeepL:
		if err := checkPlan(p.Prices, key); err != nil {
			return nil, err
		}
		return deepl.New(config)
	case catalog.APILibreTranslate:
		return libretranslate.New(config)
	}
	return nil, fmt.Errorf("api %q is unknown", p.API)
}

// The price book's names of DeepL's two plans.
const (
	deeplPro  = "deepl"
	deeplFree = "deepl-free"
)

// checkPlan says that a key of one of DeepL's plans would be booked at the prices of the other. What prices of one's own
// say is one's own.
func checkPlan(prices string, key providers.Secret) error {
	switch {
	case key.IsZero():
	case deepl.IsFree(key) && prices == deeplPro:
		return fmt.Errorf("the key is of DeepL's free plan, which bills nothing: set prices: %s", deeplFree)
	case !deepl.IsFree(key) && prices == deeplFree:
		return errors.New("the key is not of DeepL's free plan: leave out prices")
	}
	return nil
}
