package embeddings

import "github.com/weirhq/weir/task"

// Bill is what calls came to. What is known is exact.
type Bill struct {
	// Calls are the requests that were made, failed and repeated ones too.
	Calls int
	// Tokens are what was metered, and Cost is that of the calls whose bill is known.
	Tokens int64
	Cost   task.Pico
	// Unknown is how many calls have a bill that is not known: the provider tells no usage, an answer was lost, or the
	// model that answered has no price. The true cost is between Cost and CostHigh, and about EstimatedCost.
	Unknown       int
	EstimatedCost task.Pico
	CostHigh      task.Pico
}

// Known are the tokens and the cost, nil when any call's is not known.
func (b Bill) Known() (tokens *int64, cost *task.Pico) {
	if b.Unknown > 0 {
		return nil, nil
	}
	return &b.Tokens, &b.Cost
}

// Plus adds two bills.
func (b Bill) Plus(o Bill) Bill {
	return Bill{
		Calls: b.Calls + o.Calls, Tokens: b.Tokens + o.Tokens, Cost: b.Cost + o.Cost, Unknown: b.Unknown + o.Unknown,
		EstimatedCost: b.EstimatedCost + o.EstimatedCost, CostHigh: b.CostHigh + o.CostHigh,
	}
}
