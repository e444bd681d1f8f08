package planner

import (
	"maps"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

// counted are the facts of models with what their providers have counted of one prompt, which the price takes as it is.
func (m *Models) counted(facts map[string]cascade.Model, counts map[string]int64) map[string]cascade.Model {
	if len(counts) == 0 {
		return facts
	}
	own := maps.Clone(facts)
	for name, n := range counts {
		fact, known := own[name]
		if !known || n <= 0 {
			continue
		}
		fact.Counted = n
		fact.Expected = func(prompt, output int64) (task.Pico, error) { return m.exactly(name, prompt, output) }
		if fact.OneBand != nil {
			fact.OneBand = func(least, most int64) bool { return m.sameBand(name, least, most) }
		}
		own[name] = fact
	}
	return own
}

// exactly is Expected without a margin: in the band that the prompt is in.
func (m *Models) exactly(name string, promptTokens, outputTokens int64) (task.Pico, error) {
	price, err := m.Price(name, m.now())
	if err != nil {
		return 0, err
	}
	cost, err := price.Cost(task.Usage{Input: promptTokens, Output: outputTokens})
	return cost.Total, err
}

func (m *Models) sureBand(name string, least, most int64) bool {
	price, err := m.Price(name, m.now())
	return err != nil || price.SureBand(least, most)
}

func (m *Models) sameBand(name string, least, most int64) bool {
	price, err := m.Price(name, m.now())
	return err != nil || price.SameBand(least, most)
}

// expectedCounted is ExpectedTask for a prompt that the provider has counted; 0 when no price is in force.
func (m *Models) expectedCounted(name string, promptTokens, outputTokens int64) task.Pico {
	cost, err := m.exactly(name, promptTokens, outputTokens)
	if err != nil {
		return 0
	}
	return cost
}
