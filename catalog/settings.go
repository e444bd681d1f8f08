package catalog

import (
	"slices"
	"time"

	"github.com/weirhq/weir/task"
)

// The tiers of service that weir itself looks at.
const (
	TierFlex     = "flex"     // cheaper, when there is room
	TierPriority = "priority" // dearer and quicker
)

// FlexTimeout is the least time of a call that asks for flex, unless the feature names its own: such calls wait for room.
const FlexTimeout = 15 * time.Minute

// EffortNone asks a model not to think.
const EffortNone = "none"

func caches() []string {
	return []string{
		string(CacheAuto), string(CacheNone), string(Cache5m), string(Cache30m), string(Cache1h), string(Cache12h),
	}
}

// efforts are the words of all APIs, least first.
func efforts() []string {
	return []string{EffortNone, "minimal", "low", "medium", "high", "xhigh", "max"}
}

func serviceTiers() []string {
	return []string{"auto", "default", TierFlex, TierPriority, "standard", "standard_only"}
}

// Efforts are the words for effort that an API has, least first; nil when it has none. A model may refuse some of them,
// which the price book knows.
func Efforts(api string) []string {
	switch api {
	case APIAnthropic:
		return []string{"low", "medium", "high", "xhigh", "max"}
	case APIOpenAI, APIResponses:
		return efforts()
	case APIGemini:
		return []string{"minimal", "low", "medium", "high"}
	}
	return nil
}

// ServiceTiers are the tiers that an API can be asked for; nil when it has none.
func ServiceTiers(api string) []string {
	switch api {
	case APIAnthropic:
		return []string{"auto", "standard_only"}
	case APIOpenAI, APIResponses:
		return []string{"default", TierFlex, TierPriority}
	case APIGemini:
		return []string{"standard", TierFlex, TierPriority}
	}
	return nil
}

// takesThinkingTokens says that an API has a budget for thinking in tokens.
func takesThinkingTokens(api string) bool { return api == APIAnthropic || api == APIGemini }

// leastThinking is the least budget that Anthropic takes.
const leastThinking = 1024

func checkModelSettings(c *Catalog, m Model, r *report) {
	path := "models." + m.Name
	api := c.Providers[m.Provider].API
	if api == "" {
		return // a mistake of its own
	}
	checkWord(r, path+".effort", m.Effort, api, Efforts(api))
	checkWord(r, path+".service_tier", m.ServiceTier, api, ServiceTiers(api))
	switch {
	case m.ThinkingTokens == 0:
	case !takesThinkingTokens(api):
		r.add(path+".thinking_tokens", "is set, but the API %s has no budget in tokens; set effort instead", api)
	case api == APIAnthropic && m.ThinkingTokens < leastThinking:
		r.add(path+".thinking_tokens", "is %d; the API %s takes no less than %d", m.ThinkingTokens, api, leastThinking)
	case api == APIGemini && m.Effort != "":
		r.add(path+".thinking_tokens", "is set beside effort; the API %s takes one of them", api)
	}
}

func checkWord(r *report, path, word, api string, words []string) {
	switch {
	case word == "" || slices.Contains(words, word):
	case len(words) == 0:
		r.add(path, "is set, but the API %s has none", api)
	default:
		r.add(path, "is %q; the API %s takes %s", word, api, listed(words))
	}
}

// checkFeatureSettings holds a feature's settings against the APIs of the models that its tasks can come to.
func checkFeatureSettings(c *Catalog, f Feature, r *report) {
	path := "features." + f.Name
	for _, name := range c.ModelsOf(f) {
		m := c.Models[name]
		api := c.Providers[m.Provider].API
		if api == "" {
			continue
		}
		if f.Effort != "" && !slices.Contains(Efforts(api), f.Effort) {
			r.add(path+".effort",
				"is %q, but model %q is called over the API %s, which does not take it; set effort at the models instead",
				f.Effort, name, api)
		}
		if f.Effort != "" && m.ThinkingTokens > 0 && api == APIGemini {
			r.add(path+".effort", "is set, but model %q has thinking_tokens; the API %s takes one of them", name, api)
		}
		if m.ThinkingTokens >= f.MaxOutputTokens {
			r.add(path+".max_output_tokens",
				"is %d, but model %q may think for %d tokens, which count towards it: nothing would be left for an answer",
				f.MaxOutputTokens, name, m.ThinkingTokens)
		}
		if api == APIAnthropic && f.Temperature != nil && *f.Temperature > 1 {
			r.add(path+".temperature", "is %g, but the API %s of model %q takes none above 1", *f.Temperature, api, name)
		}
	}
}

// ModelsOf are the names of all models that tasks of a feature come to, sideways ones included, each once and sorted. A
// task that names another class than its feature's may come to others. Names that are not defined are left out.
func (c *Catalog) ModelsOf(f Feature) []string {
	var out []string
	add := func(name string) {
		if _, ok := c.Models[name]; ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, class := range []task.Class{task.L1, task.L2, task.L3} {
		if f.Class != "" && f.Class != class {
			continue
		}
		for _, name := range c.CascadeFor(f, class) {
			add(name)
			for _, other := range c.Models[name].Sideways {
				add(other)
			}
		}
	}
	slices.Sort(out)
	return out
}

// EffortOf is the effort that a feature's calls ask of a model; empty says nothing.
func (f Feature) EffortOf(m Model) string {
	if f.Effort != "" {
		return f.Effort
	}
	return m.Effort
}

// CallTimeout bounds a feature's call of a model; 0 keeps the provider's. A call that asks for flex has a quarter of an
// hour at least, unless the feature says otherwise.
func (c *Catalog) CallTimeout(f Feature, m Model) time.Duration {
	if f.CallTimeout > 0 || m.ServiceTier != TierFlex {
		return f.CallTimeout
	}
	return max(FlexTimeout, c.Providers[m.Provider].Timeout)
}
