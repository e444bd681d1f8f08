package cascade

import "slices"

// doubtPercent is how far an estimate may be from the provider's count, either way, as long as no factors are learnt.
const doubtPercent = 15

// Doubts are the models, in the order in which they would be planned, whose providers can be asked for a count that may
// decide: the estimates of a prompt, for neutral counts from least to most, lie on both sides of the model's input limit or
// of an edge of its price. There are none where every estimate comes to the same, and where the model is left out anyway.
func Doubts(models map[string]Model, order []string, least, most, maxOutput int64) []string {
	var doubts []string
	for _, name := range order {
		doubts = models[name].doubt(doubts, name, least, most, maxOutput)
		for _, fallback := range models[name].Sideways {
			doubts = models[fallback].doubt(doubts, fallback, least, most, maxOutput)
		}
	}
	return doubts
}

func (m Model) doubt(doubts []string, name string, least, most, maxOutput int64) []string {
	if !m.doubtful(least, most, maxOutput) || slices.Contains(doubts, name) {
		return doubts
	}
	return append(doubts, name)
}

func (m Model) doubtful(least, most, maxOutput int64) bool {
	if !m.Countable || m.Counted > 0 || m.Translation != nil || !m.answers(maxOutput) {
		return false
	}
	low, high := m.around(least, most)
	switch {
	case !m.fits(low, maxOutput):
		return false
	case !m.fits(high, maxOutput):
		return true
	}
	return m.SureBand != nil && !m.SureBand(low, m.High(most)) // the price leaves a margin of its own above
}

// around is what the model may count for neutral counts from least to most: 98 of 100 prompts where that is learnt.
func (m Model) around(least, most int64) (low, high int64) {
	if m.HighFactor > 0 {
		return min(m.Tokens(least), scale(least, m.LowFactor)), m.High(most)
	}
	const whole = 100
	return m.Tokens(least) * (whole - doubtPercent) / whole, ceilDiv(m.Tokens(most)*(whole+doubtPercent), whole)
}

func ceilDiv(n, by int64) int64 { return (n + by - 1) / by }
