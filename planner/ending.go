package planner

import "fmt"

// Ending is one plain sentence for each model of the cascades that retires within 60 days or has, and for each whose price
// ends within 60 days and has no successor in force: calls after that have no cost.
func (m *Models) Ending() []string {
	var out []string
	now := m.now()
	for _, name := range m.catalog.UsedModels() {
		model := m.catalog.Models[name]
		for _, text := range m.book.Ending(m.priceProvider(model), model.PricedAs(), now) {
			out = append(out, fmt.Sprintf("models.%s: %s", name, text))
		}
	}
	return out
}
