package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/worker"
)

// variable matches what looks as if it were another in every prompt: a placeholder, a date, a UUID.
const variable = `\{\{[^{}]{1,80}\}\}|\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b` +
	`|\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`

// cacheWarnings is one plain sentence for each feature whose prompts a provider's cache will hardly match: a prefix that
// is too short for a model, or one that holds what looks variable.
func (s *setup) cacheWarnings() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.catalog.Features)) {
		f := s.catalog.Features[name]
		out = append(out, s.shortPrefix(f)...)
		if f.Cache != catalog.CacheNone {
			out = append(out, variableParts(f)...)
		}
	}
	return out
}

// shortPrefix looks at the models of a feature that asks for caching by name.
func (s *setup) shortPrefix(f catalog.Feature) []string {
	if f.Cache != catalog.Cache5m && f.Cache != catalog.Cache1h {
		return nil
	}
	models := map[string]bool{}
	for _, class := range []task.Class{task.L1, task.L2, task.L3} {
		if f.Class != "" && f.Class != class {
			continue
		}
		for _, name := range s.catalog.CascadeFor(f, class) {
			models[name] = true
			for _, other := range s.catalog.Models[name].Sideways {
				models[other] = true
			}
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(models)) {
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
	var out []string
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		if found := looksVariable.FindString(parts[part]); found != "" {
			out = append(out, fmt.Sprintf("features.%s.%s: holds %q; it is sent as it is, and a text that changes from time to time "+
				"makes every prompt miss the provider's cache: what varies belongs into the task", f.Name, part, found))
		}
	}
	return out
}
