package catalog

import (
	"cmp"
	"maps"
	"slices"
)

// Embedder is a model at a provider that turns texts into vectors.
type Embedder struct {
	Name string
	// Provider is the name of the embedder's provider.
	Provider string
	// ID is the provider's name for the model.
	ID string
	// PriceModel is the price book's name for the model. Default: the ID.
	PriceModel string
	// Dimensions shortens the vectors; 0 leaves them as long as the model makes them.
	Dimensions int
	// InputType is what texts are unless a call says otherwise: query or document; empty says nothing. OpenAI's API has
	// none.
	InputType string
	// Inputs is the most texts of one request; 0 takes the API's limit.
	Inputs int
	// InputTokens is the most tokens of one text; 0 takes the price book's window or the API's limit.
	InputTokens int64
	// RequestTokens is the most tokens of one request; 0 takes the API's limit.
	RequestTokens int64
	// Concurrency is the most calls in flight for one list of texts. Default 4.
	Concurrency int
}

// PricedAs is the model's name in the price book.
func (e Embedder) PricedAs() string { return cmp.Or(e.PriceModel, e.ID) }

// The types of input.
const (
	InputQuery    = "query"
	InputDocument = "document"
)

func readEmbedder(name string, o *object) Embedder {
	o.require("provider", "name one of the providers")
	o.require("id", "write the provider's name for the model")
	return Embedder{
		Name:          name,
		Provider:      o.text("provider", 0),
		ID:            readID(o),
		PriceModel:    o.text("price_model", maxIDChars),
		Dimensions:    o.count("dimensions", 0, 1, maxDimensions),
		InputType:     o.word("input_type", "", InputQuery, InputDocument),
		Inputs:        o.count("inputs_per_request", 0, 1, maxInputs),
		InputTokens:   o.integer("tokens_per_input", 0, 1, maxTokens),
		RequestTokens: o.integer("tokens_per_request", 0, 1, maxTokens),
		Concurrency:   o.count("concurrency", DefaultEmbedConcurrency, 1, maxConcurrency),
	}
}

// Embeds says that the provider's API has embeddings.
func (p Provider) Embeds() bool {
	switch p.API {
	case APIOpenAI, APIResponses, APIGemini, APIVoyage:
		return true
	}
	return false
}

// checkEmbedders holds the embedders, and the models that are none, against their providers' APIs.
func checkEmbedders(c *Catalog, r *report) {
	for _, name := range slices.Sorted(maps.Keys(c.Embedders)) {
		e := c.Embedders[name]
		path := "embedders." + name
		p, ok := c.Providers[e.Provider]
		switch {
		case e.Provider == "":
		case !ok:
			unknown(c.Providers, r, path+".provider", "provider", e.Provider, "providers")
		case p.API != "" && !p.Embeds():
			r.add(path+".provider", "names provider %q, but its API %s has no embeddings", e.Provider, p.API)
		case e.InputType != "" && p.API != APIVoyage && p.API != APIGemini:
			r.add(path+".input_type", "is set, but the API %s has none; a text is embedded alike whatever it is for", p.API)
		}
		if e.RequestTokens > 0 && e.InputTokens > e.RequestTokens {
			r.add(path+".tokens_per_input",
				"is %d, above tokens_per_request, which is %d: the longest text would fit no request", e.InputTokens, e.RequestTokens)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		if p := c.Providers[c.Models[name].Provider]; p.API == APIVoyage {
			r.add("models."+name+".provider", "names provider %q, whose API %s only embeds; define it under embedders",
				p.Name, p.API)
		}
	}
}
