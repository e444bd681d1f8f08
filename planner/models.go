package planner

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/media"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// Models joins the catalog's models with what the price book knows of them.
type Models struct {
	catalog *catalog.Catalog
	book    *pricing.Book
	now     func() time.Time
	facts   map[string]cascade.Model
}

// NewModels joins catalog and book.
func NewModels(c *catalog.Catalog, book *pricing.Book, now func() time.Time) *Models {
	m := &Models{catalog: c, book: book, now: now, facts: make(map[string]cascade.Model, len(c.Models))}
	for name, model := range c.Models {
		m.facts[name] = m.fact(name, model)
	}
	return m
}

func (m *Models) fact(name string, model catalog.Model) cascade.Model {
	traits, _ := m.book.Traits(m.priceProvider(model), model.ID)
	fact := cascade.Model{
		MaxInput:    traits.MaxInput,
		MaxOutput:   traits.MaxOutput,
		TokenFactor: traits.TokenFactor,
		Sideways:    model.Sideways,
		Reads:       func(mediaType string) bool { return m.reads(name, mediaType) },
		Expected:    func(prompt, output int64) (task.Pico, error) { return m.Expected(name, prompt, output) },
		OneBand:     func(least, most int64) bool { return m.oneBand(name, least, most) },
	}
	if model.MaxInput > 0 {
		fact.MaxInput = model.MaxInput
	}
	if model.MaxOutput > 0 {
		fact.MaxOutput = model.MaxOutput
	}
	return fact
}

// Check says which models that the cascades use have no price in force: weir refuses to start with one, because an
// unpriced call is a hole in the ledger.
func (m *Models) Check() []error {
	var errs []error
	for _, name := range m.catalog.UsedModels() {
		if _, err := m.Price(name, m.now()); err != nil {
			model := m.catalog.Models[name]
			errs = append(errs, fmt.Errorf("models.%s: %s/%s has no price in force: %w", name,
				m.priceProvider(model), model.ID, err))
		}
	}
	return errs
}

// Price is the price at an instant of a model called as weir calls it.
func (m *Models) Price(name string, at time.Time) (pricing.Price, error) {
	model, ok := m.catalog.Models[name]
	if !ok {
		return pricing.Price{}, fmt.Errorf("model %q: %w", name, pricing.ErrUnpriced)
	}
	return m.book.Price(pricing.Query{Provider: m.priceProvider(model), Model: model.ID, At: at})
}

// PriceOf is the price of a call of a model that the catalog defines: the query names the model that answered, the
// provider comes from the catalog.
func (m *Models) PriceOf(model catalog.Model, q pricing.Query) (pricing.Price, error) {
	q.Provider = m.priceProvider(model)
	return m.book.Price(q)
}

// Expected is what a call should cost: its whole prompt uncached, its answer as long as allowed.
func (m *Models) Expected(name string, promptTokens, outputTokens int64) (task.Pico, error) {
	price, err := m.Price(name, m.now())
	if err != nil {
		return 0, err
	}
	return price.Expected(promptTokens, outputTokens)
}

// oneBand reports whether Expected takes the same rates for every prompt from least to most tokens. A model without a price
// has none that could differ.
func (m *Models) oneBand(name string, least, most int64) bool {
	price, err := m.Price(name, m.now())
	return err != nil || price.OneBand(least, most)
}

// ExpectedNeutral is Expected for a neutral token count; 0 when no price is in force.
func (m *Models) ExpectedNeutral(name string, neutral, outputTokens int64) task.Pico {
	cost, err := m.Expected(name, m.facts[name].Tokens(neutral), outputTokens)
	if err != nil {
		return 0
	}
	return cost
}

// TakesSchema reports whether a model is asked for structured output by schema.
func (m *Models) TakesSchema(name string) bool {
	model := m.catalog.Models[name]
	if model.JSONSchema != nil {
		return *model.JSONSchema
	}
	return m.Traits(name).JSONSchema
}

// Traits are what the price book knows of a model besides its prices; the zero value when it does not know the model.
func (m *Models) Traits(name string) pricing.Traits {
	model := m.catalog.Models[name]
	traits, _ := m.book.Traits(m.priceProvider(model), model.ID)
	return traits
}

// reads reports whether a model takes files of a media type. Gemini reads no GIF, whatever the model.
func (m *Models) reads(name, mediaType string) bool {
	model, traits := m.catalog.Models[name], m.Traits(name)
	images, pdfs := traits.Images, traits.PDFs
	if model.Input != nil {
		images, pdfs = slices.Contains(model.Input, catalog.InputImage), slices.Contains(model.Input, catalog.InputPDF)
	}
	switch {
	case mediaType == task.MediaPDF:
		return pdfs
	case mediaType == task.MediaGIF && m.catalog.Providers[model.Provider].API == catalog.APIGemini:
		return false
	}
	return images
}

// Meter is how a model counts images and pages.
func (m *Models) Meter(name string) media.Meter {
	model := m.catalog.Models[name]
	switch m.priceProvider(model) {
	case catalog.APIAnthropic:
		return media.Anthropic
	case catalog.APIOpenAI:
		return media.OpenAI
	case pricesOfGemini:
		return media.Gemini
	}
	return media.Other
}

// pricesOfGemini is the price book's name of the provider behind the API gemini.
const pricesOfGemini = "google"

// PromptLimit is the most tokens that the provider takes as a prompt, so that no bill is for more; 0 when it is not known.
// weir.yaml's own limit counts only for models that the price book does not limit: it may be stricter than the provider.
func (m *Models) PromptLimit(name string) int64 {
	if limit := m.Traits(name).MaxInput; limit > 0 {
		return limit
	}
	return m.catalog.Models[name].MaxInput
}

// priceProvider is the price book's name of a model's provider.
func (m *Models) priceProvider(model catalog.Model) string {
	provider := m.catalog.Providers[model.Provider]
	if provider.Prices != "" {
		return provider.Prices
	}
	return provider.API
}
