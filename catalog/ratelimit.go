package catalog

import (
	"maps"
	"slices"
)

func readRateLimit(name string, o *object) RateLimit {
	l := RateLimit{
		Name:         name,
		Models:       o.some("models", 0),
		Requests:     o.integer("requests_per_minute", 0, 1, maxPerMinute),
		InputTokens:  o.integer("input_tokens_per_minute", 0, 1, maxPerMinute),
		OutputTokens: o.integer("output_tokens_per_minute", 0, 1, maxPerMinute),
		Tokens:       o.integer("tokens_per_minute", 0, 1, maxPerMinute),
		Calls:        o.count("calls_in_flight", 0, 1, maxConcurrency),
	}
	if l.Requests+l.InputTokens+l.OutputTokens+l.Tokens == 0 && l.Calls == 0 {
		o.r.add(o.path, "limits nothing; name at least one of requests_per_minute, input_tokens_per_minute, "+
			"output_tokens_per_minute, tokens_per_minute and calls_in_flight")
	}
	return l
}

// checkRateLimits asks that a limit's models are models of its provider.
func checkRateLimits(c *Catalog, p Provider, r *report) {
	for _, name := range slices.Sorted(maps.Keys(p.RateLimits)) {
		path := "providers." + p.Name + ".rate_limits." + name + ".models"
		for i, model := range p.RateLimits[name].Models {
			m, ok := c.Models[model]
			switch {
			case !ok:
				unknown(c.Models, r, index(path, i), "model", model, "models")
			case m.Provider != p.Name:
				r.add(index(path, i), "names model %q, which is of provider %q", model, m.Provider)
			}
		}
	}
}

// RateKeys are the keys of the limits that a call of the model counts under, each "<provider>/<limit>": those that name
// the model before those of the whole provider. A model without any has its own name as its only key.
func (c *Catalog) RateKeys(model string) []string {
	m := c.Models[model]
	p := c.Providers[m.Provider]
	var named, whole []string
	for _, name := range slices.Sorted(maps.Keys(p.RateLimits)) {
		switch models := p.RateLimits[name].Models; {
		case models == nil:
			whole = append(whole, p.Name+"/"+name)
		case slices.Contains(models, model):
			named = append(named, p.Name+"/"+name)
		}
	}
	if keys := append(named, whole...); len(keys) > 0 {
		return keys
	}
	return []string{model}
}

// RateLimits are all limits by their keys.
func (c *Catalog) RateLimits() map[string]RateLimit {
	limits := map[string]RateLimit{}
	for _, p := range c.Providers {
		for name, limit := range p.RateLimits {
			limits[p.Name+"/"+name] = limit
		}
	}
	return limits
}
