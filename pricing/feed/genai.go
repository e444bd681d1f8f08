package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// GenAI is the name of the feed that ReadGenAI reads.
const GenAI = "genai-prices"

type genaiProvider struct {
	ID     string       `json:"id"`
	Models []genaiModel `json:"models"`
}

type genaiModel struct {
	ID string `json:"id"`
	// Prices are an object, or a list of such with the time from which each counts.
	Prices json.RawMessage `json:"prices"`
}

type genaiConditional struct {
	Constraint map[string]json.RawMessage `json:"constraint"`
	Prices     map[string]json.RawMessage `json:"prices"`
}

// genaiTiers are a price by the size of the prompt.
type genaiTiers struct {
	Base  json.RawMessage `json:"base"`
	Tiers []struct {
		Start int64           `json:"start"`
		Price json.RawMessage `json:"price"`
	} `json:"tiers"`
}

// ReadGenAI reads the data.json of genai-prices: a list of providers, or an object that has it as providers. Prices are USD
// for a million tokens; of several, the last that has begun at an instant counts. It has no prices of modes.
func ReadGenAI(data []byte, at time.Time) (*Feed, error) {
	if len(data) > maxBytes {
		return nil, errTooLarge
	}
	providers, err := genaiProviders(data)
	if err != nil {
		return nil, fmt.Errorf("this is not the price file of genai-prices: %w", err)
	}
	f := &Feed{Name: GenAI}
	for _, p := range providers {
		for _, m := range p.Models {
			f.Models = append(f.Models, genaiListing(p.ID, m, at))
		}
	}
	sortListings(f.Models)
	return f, nil
}

func genaiProviders(data []byte) ([]genaiProvider, error) {
	var providers []genaiProvider
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var wrapped struct {
			Providers []genaiProvider `json:"providers"`
		}
		err := json.Unmarshal(data, &wrapped)
		return wrapped.Providers, err
	}
	err := json.Unmarshal(data, &providers)
	return providers, err
}

func genaiProviderName(id string) string {
	switch id {
	case "x-ai", "x_ai":
		return "xai"
	case "voyage":
		return "voyageai"
	case "anthropic", "openai", "google", "mistral", "groq", "deepseek", "xai", "voyageai":
		return id
	}
	return ""
}

// genaiKind is the book's kind of a price; empty for one that is not compared.
func genaiKind(key, provider string) string {
	switch key {
	case "cache_write_mtok":
		return writeKind(provider)
	case "cache_write_5m_mtok", "cache_write_30m_mtok", "cache_write_1h_mtok", "cache_write_12h_mtok",
		"input_mtok", "output_mtok", "cache_read_mtok", "input_audio_mtok", "output_audio_mtok", "input_image_mtok":
		return key[:len(key)-len("_mtok")]
	}
	return ""
}

func genaiListing(providerID string, m genaiModel, at time.Time) Listing {
	l := Listing{Provider: genaiProviderName(providerID), Name: m.ID}
	l.band(0)
	if l.Provider == "" {
		l.Name = providerID + "/" + m.ID
		return l
	}
	prices := l.genaiAt(m.Prices, at)
	for _, key := range slices.Sorted(maps.Keys(prices)) {
		if kind := genaiKind(key, l.Provider); kind != "" {
			l.genaiRate(kind, key, prices[key])
		}
	}
	return l
}

// genaiAt are the prices of an instant.
func (l *Listing) genaiAt(raw json.RawMessage, at time.Time) map[string]json.RawMessage {
	var plain map[string]json.RawMessage
	if json.Unmarshal(raw, &plain) == nil {
		return plain
	}
	var list []genaiConditional
	if err := json.Unmarshal(raw, &list); err != nil {
		l.doubt("prices are neither an object nor a list of such")
		return nil
	}
	for _, c := range list {
		begins, known := genaiBegins(c.Constraint)
		switch {
		case !known:
			l.doubt("some prices count only at times of the day, or for another reason than their beginning")
		case !begins.After(at):
			plain = c.Prices
		}
	}
	return plain
}

// genaiBegins is when a price begins to count, the zero time for one without a condition; false for any other condition.
func genaiBegins(constraint map[string]json.RawMessage) (time.Time, bool) {
	if len(constraint) == 0 {
		return time.Time{}, true
	}
	var day string
	for name, value := range constraint {
		switch {
		case name == "type":
		case name != "start_date", json.Unmarshal(value, &day) != nil:
			return time.Time{}, false
		}
	}
	begins, err := time.Parse(time.DateOnly, day)
	return begins, err == nil
}

// genaiRate reads a price, or one for each size of the prompt.
func (l *Listing) genaiRate(kind, key string, raw json.RawMessage) {
	var tiers genaiTiers
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		l.rate(l.band(0).Rates, kind, key, raw, perMillion)
		return
	}
	if err := json.Unmarshal(raw, &tiers); err != nil {
		l.doubt("%s is no price", key)
		return
	}
	l.rate(l.band(0).Rates, kind, key, tiers.Base, perMillion)
	for _, t := range tiers.Tiers {
		if t.Start <= 0 {
			l.doubt("%s has a tier that starts at %d", key, t.Start)
			continue
		}
		l.rate(l.band(t.Start).Rates, kind, key, t.Price, perMillion)
	}
}
