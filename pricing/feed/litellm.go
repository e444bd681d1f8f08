package feed

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/task"
)

// LiteLLM is the name of the feed that ReadLiteLLM reads.
const LiteLLM = "LiteLLM"

// ReadLiteLLM reads LiteLLM's model_prices_and_context_window.json: one object by the models' names. Prices are USD for one
// token, and the key says for which kind, above which edge and in which mode. Keys of other units are not read.
func ReadLiteLLM(data []byte) (*Feed, error) {
	if len(data) > maxBytes {
		return nil, errTooLarge
	}
	var entries map[string]map[string]json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("this is not LiteLLM's price file: %w", err)
	}
	f := &Feed{Name: LiteLLM}
	key := litellmKey()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name != "sample_spec" { // an entry that explains the others
			f.Models = append(f.Models, litellmListing(key, name, entries[name]))
		}
	}
	sortListings(f.Models)
	return f, nil
}

// litellmProvider is the price book's provider by LiteLLM's. Clouds that resell models have prices of their own, so they
// are none of the book's.
func litellmProvider(name string) string {
	switch name {
	case "gemini":
		return "google"
	case "voyage":
		return "voyageai"
	case "anthropic", "openai", "mistral", "groq", "deepseek", "xai":
		return name
	}
	return ""
}

// litellmKey takes a price's key apart: what it is of, the edge in thousands, and the mode.
func litellmKey() *regexp.Regexp {
	return regexp.MustCompile(`^(input_cost_per_token|output_cost_per_token|cache_read_input_token_cost` +
		`|cache_creation_input_token_cost_above_1hr|cache_creation_input_token_cost|input_cost_per_audio_token` +
		`|output_cost_per_audio_token|input_cost_per_image_token)(?:_above_([0-9]{1,6})k_tokens)?(?:_(batches|flex|priority))?$`)
}

// litellmKind is the book's kind of a price; empty for one that the provider does not have. What LiteLLM calls the creation
// of a cache lives for five minutes at Anthropic and thirty at OpenAI.
func litellmKind(base, provider string) string {
	switch base {
	case "input_cost_per_token":
		return "input"
	case "output_cost_per_token":
		return "output"
	case "cache_read_input_token_cost":
		return "cache_read"
	case "cache_creation_input_token_cost_above_1hr":
		return "cache_write_1h"
	case "input_cost_per_audio_token":
		return "input_audio"
	case "output_cost_per_audio_token":
		return "output_audio"
	case "input_cost_per_image_token":
		return "input_image"
	}
	return writeKind(provider)
}

// writeKind is the kind of a provider's usual cache write; empty for those that do not bill any.
func writeKind(provider string) string {
	switch provider {
	case "anthropic":
		return "cache_write_5m"
	case "openai":
		return "cache_write_30m"
	}
	return ""
}

func litellmListing(key *regexp.Regexp, name string, fields map[string]json.RawMessage) Listing {
	var provider, ends string
	_ = json.Unmarshal(fields["litellm_provider"], &provider) // what is no text names none
	_ = json.Unmarshal(fields["deprecation_date"], &ends)
	l := Listing{
		Provider: litellmProvider(provider), Name: strings.TrimPrefix(name, provider+"/"),
		Modes: map[string]map[string]task.Pico{},
	}
	l.band(0)
	if l.Provider == "" {
		l.Name = name
		return l // nothing is compared with it
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		parts := key.FindStringSubmatch(field)
		if parts == nil {
			continue
		}
		kind, edge, mode := litellmKind(parts[1], l.Provider), parts[2], parts[3]
		if kind == "" || edge != "" && mode != "" { // modes are compared for small prompts
			continue
		}
		l.rate(l.ratesOf(edge, mode), kind, field, fields[field], 1)
	}
	if ends != "" {
		day, err := time.Parse(time.DateOnly, ends)
		if err != nil {
			l.doubt("deprecation_date is no day")
		}
		l.Retires = day
	}
	return l
}

// ratesOf is the set of rates above an edge, or of a mode.
func (l *Listing) ratesOf(thousands, mode string) map[string]task.Pico {
	if mode == "" {
		edge, _ := strconv.ParseInt("0"+thousands, 10, 64) // digits, as the key says
		return l.band(edge * 1000).Rates
	}
	name := strings.Replace(mode, "batches", "batch", 1)
	if l.Modes[name] == nil {
		l.Modes[name] = map[string]task.Pico{}
	}
	return l.Modes[name]
}
