package planner

import (
	"fmt"
	"maps"
	"slices"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
)

// The price book's words for settings that a model can refuse.
const (
	refusedTemperature = "temperature"
	refusedThinking    = "thinking_tokens"
	refusedEffort      = "effort"
)

// refusesEffort says that a model is known to refuse an effort, or all of them.
func refusesEffort(t pricing.Traits, effort string) bool {
	return effort != "" && (t.Refuses(refusedEffort) || t.Refuses(refusedEffort+"_"+effort))
}

// checkSettings holds what models and features ask for against what the price book knows of each model.
func (m *Models) checkSettings() []error {
	var errs []error
	for _, name := range m.catalog.UsedModels() {
		model, traits := m.catalog.Models[name], m.Traits(name)
		if refusesEffort(traits, model.Effort) {
			errs = append(errs, fmt.Errorf("models.%s.effort: %s refuses effort %q", name, model.ID, model.Effort))
		}
		if model.ThinkingTokens > 0 && traits.Refuses(refusedThinking) {
			errs = append(errs, fmt.Errorf("models.%s.thinking_tokens: %s refuses a budget; set effort instead",
				name, model.ID))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.catalog.Features)) {
		f := m.catalog.Features[name]
		for _, used := range m.catalog.ModelsOf(f) {
			if refusesEffort(m.Traits(used), f.Effort) {
				errs = append(errs, fmt.Errorf(
					"features.%s.effort: model %q (%s) refuses effort %q; set effort at the models instead",
					name, used, m.catalog.Models[used].ID, f.Effort,
				))
			}
		}
	}
	return errs
}

// Warnings is one plain sentence for each temperature that is not sent, because the model refuses it.
func (m *Models) Warnings() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.catalog.Features)) {
		f := m.catalog.Features[name]
		for _, used := range m.catalog.ModelsOf(f) {
			if f.Temperature != nil && m.TemperatureFor(f, used) == nil {
				out = append(out, fmt.Sprintf("features.%s.temperature: is not sent to model %q, %s",
					name, used, m.noTemperature(used)))
			}
		}
	}
	return out
}

func (m *Models) noTemperature(name string) string {
	if model := m.catalog.Models[name]; !m.Traits(name).Refuses(refusedTemperature) {
		return fmt.Sprintf("which refuses one beside its %d thinking_tokens", model.ThinkingTokens)
	}
	return "which refuses one"
}

// TemperatureFor is the temperature that a feature's calls of a model say; nil where they say none, because the feature
// does not or the model refuses it. Anthropic's models refuse it beside a budget for thinking.
func (m *Models) TemperatureFor(f catalog.Feature, name string) *float64 {
	model := m.catalog.Models[name]
	thinks := model.ThinkingTokens > 0 && m.catalog.Providers[model.Provider].API == catalog.APIAnthropic
	if thinks || m.Traits(name).Refuses(refusedTemperature) {
		return nil
	}
	return f.Temperature
}

// EffortFor is the effort that a feature's calls of a model say. A task that names another class than its feature's may
// come to a model that refuses the feature's effort: it is not said there.
func (m *Models) EffortFor(f catalog.Feature, name string) string {
	model := m.catalog.Models[name]
	effort := f.EffortOf(model)
	if effort == "" {
		return ""
	}
	words := catalog.Efforts(m.catalog.Providers[model.Provider].API)
	if !slices.Contains(words, effort) || refusesEffort(m.Traits(name), effort) {
		return ""
	}
	return effort
}

// ThinkingFor is the budget for thinking of a call with an answer of at most so many tokens; 0 says nothing. A task's own
// limit may be too low for the model's budget, which counts towards it.
func (m *Models) ThinkingFor(name string, maxOutput int) int {
	if budget := m.catalog.Models[name].ThinkingTokens; budget < maxOutput {
		return budget
	}
	return 0
}
