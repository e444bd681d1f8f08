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
	traits  map[string]pricing.Traits
}

// NewModels joins catalog and book.
func NewModels(c *catalog.Catalog, book *pricing.Book, now func() time.Time) *Models {
	m := &Models{
		catalog: c, book: book, now: now, facts: make(map[string]cascade.Model, len(c.Models)),
		traits: make(map[string]pricing.Traits, len(c.Models)),
	}
	for name, model := range c.Models {
		m.traits[name], _ = book.Traits(m.priceProvider(model), model.PricedAs())
		m.facts[name] = m.fact(name, model)
	}
	return m
}

func (m *Models) fact(name string, model catalog.Model) cascade.Model {
	traits := m.traits[name]
	fact := cascade.Model{
		MaxInput:    traits.MaxInput,
		MaxOutput:   traits.MaxOutput,
		TokenFactor: traits.TokenFactor,
		Sideways:    model.Sideways,
		Countable:   m.catalog.Providers[model.Provider].CountTokens,
		Reads:       func(mediaType string) bool { return m.reads(name, mediaType) },
		Expected:    func(prompt, output int64) (task.Pico, error) { return m.Expected(name, prompt, output) },
	}
	if m.book.Banded(m.priceProvider(model), model.PricedAs()) {
		fact.OneBand = func(least, most int64) bool { return m.oneBand(name, least, most) }
		fact.SureBand = func(least, most int64) bool { return m.sureBand(name, least, most) }
	}
	if model.MaxInput > 0 {
		fact.MaxInput = model.MaxInput
	}
	if model.MaxOutput > 0 {
		fact.MaxOutput = model.MaxOutput
	}
	if m.catalog.Translates(name) {
		fact.Translation = func(characters int64) (task.Pico, error) { return m.translation(name, characters) }
		fact.MaxBytes = max(0, traits.MaxRequestBytes-requestFrame)
	}
	return fact
}

// Check says which models that the cascades use have no price in force, in the tier that is asked for, or one in a unit that
// they are not billed in, and which settings a model would refuse. weir refuses to start with one: an unpriced call is a hole
// in the ledger, a refused one a failure.
func (m *Models) Check() []error {
	var errs []error
	for _, name := range m.catalog.UsedModels() {
		price, err := m.Price(name, m.now())
		model := m.catalog.Models[name]
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("models.%s: %s/%s has no price in force: %w", name,
				m.priceProvider(model), model.PricedAs(), err))
		case price.ByCharacter() != m.catalog.Translates(name):
			errs = append(errs, fmt.Errorf("models.%s: the price %s is %s, which api %q does not bill", name, price.Row(),
				unitOf(price), m.catalog.Providers[model.Provider].API))
		}
	}
	return append(errs, m.checkSettings()...)
}

// Price is the price at an instant of a model called as weir calls it.
func (m *Models) Price(name string, at time.Time) (pricing.Price, error) {
	model, ok := m.catalog.Models[name]
	if !ok {
		return pricing.Price{}, fmt.Errorf("model %q: %w", name, pricing.ErrUnpriced)
	}
	return m.book.Price(pricing.Query{
		Provider: m.priceProvider(model), Model: model.PricedAs(), At: at, Mode: ModeOf(model), ServiceTier: dearerTier(model),
	})
}

// ModeOf is how a model is called: flex where that tier is asked for, else synchronously.
func ModeOf(model catalog.Model) pricing.Mode {
	if model.ServiceTier == catalog.TierFlex {
		return pricing.ModeFlex
	}
	return pricing.ModeSync
}

// dearerTier is the tier that is reckoned with before a call. Flex is left to the mode: its call may come to the standard
// price, which an upper bound has to allow for.
func dearerTier(model catalog.Model) string {
	if model.ServiceTier == catalog.TierPriority {
		return model.ServiceTier
	}
	return ""
}

// PriceOf is the price of a call of a model that the catalog defines: the query names the model that answered, the
// provider comes from the catalog. An answer that names the model as it was asked for, or not at all, has the price that
// the catalog says; one that names another has that one's.
func (m *Models) PriceOf(model catalog.Model, q pricing.Query) (pricing.Price, error) {
	q.Provider = m.priceProvider(model)
	if q.Model == "" || q.Model == model.ID {
		q.Model = model.PricedAs()
	}
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

// ExpectedNeutral is Expected for a neutral token count; 0 when no price is in force. What a translation service is sent is
// guessed from it: ExpectedTask knows better where the text is at hand.
func (m *Models) ExpectedNeutral(name string, neutral, outputTokens int64) task.Pico {
	fact, known := m.facts[name]
	if !known {
		return 0
	}
	cost, err := fact.Cost(cascade.Prompt{Tokens: neutral, MaxOutput: outputTokens})
	if err != nil {
		return 0
	}
	return cost
}

// ExpectedTask is ExpectedNeutral for a task of so many neutral tokens, and exact for a translation service, which is paid
// by the character.
func (m *Models) ExpectedTask(name string, t *task.Task, neutral, outputTokens int64) task.Pico {
	if !m.catalog.Translates(name) {
		return m.ExpectedNeutral(name, neutral, outputTokens)
	}
	cost, err := m.translation(name, sizeOf(t.Input).Characters)
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
	return m.traits[name]
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
