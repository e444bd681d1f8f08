package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/worker"
)

// variable matches what looks as if it were another in every prompt: a placeholder, a date, a UUID.
const variable = `\{\{[^{}]{1,80}\}\}|\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b` +
	`|\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`

// cacheWarnings is one plain sentence for each feature whose prompts a provider's cache will hardly match: a lifetime that
// a model does not have, a prefix that is too short for it, or one that holds what looks variable.
func (s *setup) cacheWarnings() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.catalog.Features)) {
		f := s.catalog.Features[name]
		out = append(out, s.otherLifetimes(f)...)
		out = append(out, s.shortPrefix(f)...)
		if f.Cache != catalog.CacheNone {
			out = append(out, variableParts(f)...)
		}
	}
	return out
}

// byName says that a feature asks for caching by naming a lifetime.
func byName(f catalog.Feature) bool {
	return f.Cache != catalog.CacheAuto && f.Cache != catalog.CacheNone
}

// otherLifetimes looks for models that do not have the lifetime that a feature names.
func (s *setup) otherLifetimes(f catalog.Feature) []string {
	if !byName(f) {
		return nil
	}
	var out []string
	for _, name := range s.catalog.ModelsOf(f) {
		price, err := s.models.Price(name, time.Now())
		if err != nil {
			continue // a mistake of its own
		}
		api := s.catalog.Providers[s.catalog.Models[name].Provider].API
		nearest, ok := worker.Nearest(f.Cache, worker.Lifetimes(api, price))
		switch {
		case ok && nearest != providers.Cache(f.Cache):
			out = append(out, fmt.Sprintf("features.%s.cache: model %q takes %s for %s, which it does not have",
				f.Name, name, nearest, f.Cache))
		case !ok && len(providers.Lifetimes(api)) == 0:
			out = append(out, fmt.Sprintf("features.%s.cache: the cache of model %q takes no lifetime, so %s changes nothing "+
				"there: the provider keeps what it keeps", f.Name, name, f.Cache))
		case !ok:
			out = append(out, fmt.Sprintf("features.%s.cache: the price of model %q has no rate for cache writes, so %s changes "+
				"nothing there", f.Name, name, f.Cache))
		}
	}
	return out
}

// shortPrefix looks at the models of a feature that asks for caching by name.
func (s *setup) shortPrefix(f catalog.Feature) []string {
	if !byName(f) {
		return nil
	}
	var out []string
	for _, name := range s.catalog.ModelsOf(f) {
		least, tokens := s.models.Traits(name).MinCacheable, worker.PrefixTokens(f)
		if tokens < least {
			out = append(out, fmt.Sprintf("features.%s.cache: the prefix has about %d tokens, and model %q keeps none below %d",
				f.Name, tokens, name, least))
		}
	}
	return out
}

func variableParts(f catalog.Feature) []string {
	looksVariable := regexp.MustCompile(variable)
	parts := map[string]string{"system": f.System}
	for i, text := range f.Context {
		parts[fmt.Sprintf("context[%d]", i)] = text
	}
	for i, e := range f.Examples {
		parts[fmt.Sprintf("examples[%d].input", i)], parts[fmt.Sprintf("examples[%d].output", i)] = e.Input, e.Output
	}
	var out []string
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		if found := looksVariable.FindString(parts[part]); found != "" {
			out = append(out, fmt.Sprintf("features.%s.%s: holds %q; it is sent as it is, and a text that changes from time to time "+
				"makes every prompt miss the provider's cache: what varies belongs into the task", f.Name, part, found))
		}
	}
	return out
}
