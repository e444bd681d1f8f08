package audit

import (
	"fmt"
	"slices"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// Signal is one of the signs that a bill is larger than its work.
type Signal struct {
	Name string `json:"name"`
	// Fired is nil when the log does not tell.
	Fired *bool  `json:"fired"`
	Text  string `json:"text"`
}

const (
	// growthMargin is how much faster than the calls a bill has to grow before it is worth a word.
	growthMargin = 0.10
	// flagshipShare is the share of the calls on one flagship from which on routing pays.
	flagshipShare = 0.60
	// leastDays is how many days a log must have before its halves are compared.
	leastDays = 14
	// namedShare is the share of the calls that must name their work before a cost for a piece of work is known.
	namedShare = 0.90
)

func (c *Collector) signals(config Config) []Signal {
	return []Signal{c.growth(), c.flagship(config), c.costOfWork()}
}

// growth compares the second half of the log's days with the first.
func (c *Collector) growth() Signal {
	s := Signal{Name: "bill grows faster than traffic"}
	days := c.sortedDays()
	if len(days) < leastDays {
		s.Text = fmt.Sprintf("not known: the log has %d days, and two weeks are needed", len(days))
		return s
	}
	var calls [2]int64
	var cost [2]task.Pico
	for i, d := range days[len(days)%2:] {
		half := 0
		if i >= len(days)/2 {
			half = 1
		}
		calls[half] += d.Priced
		cost[half] += d.Cost
	}
	if calls[0] == 0 || cost[0] == 0 {
		s.Text = "not known: the first half of the log has no calls, or no costs"
		return s
	}
	more := func(a, b float64) float64 { return b/a - 1 }
	spend, traffic := more(float64(cost[0]), float64(cost[1])), more(float64(calls[0]), float64(calls[1]))
	s.Fired = new(spend-traffic > growthMargin)
	s.Text = fmt.Sprintf("from the first half of the time to the second, the bill changed by %+.0f %% and the calls that it is of by %+.0f %%", 100*spend, 100*traffic)
	return s
}

// flagship looks for one model of the highest tier that most calls go to.
func (c *Collector) flagship(config Config) Signal {
	s := Signal{Name: "most calls on one flagship"}
	byModel := map[identity]int64{}
	var known int64
	for _, p := range c.paths {
		for _, u := range p.uses {
			if u.model != nil {
				byModel[*u.model] += u.calls
				known += u.calls
			}
		}
	}
	var most identity
	for model, calls := range byModel {
		if c.tier(&model, config) != catalog.Flagship {
			continue
		}
		if calls > byModel[most] || calls == byModel[most] && model.id < most.id {
			most = model
		}
	}
	if known == 0 {
		s.Text = "not known: the price book has none of the log's models"
		return s
	}
	share := float64(byModel[most]) / float64(known)
	s.Fired = new(share > flagshipShare)
	s.Text = "no call goes to a flagship"
	if most.id != "" {
		s.Text = fmt.Sprintf("%.0f %% of the calls go to %s, of the flagships the one with most", 100*share, most.id)
	}
	return s
}

// costOfWork says whether a piece of work has a cost: calls that do not name theirs add up to a bill and to nothing else.
func (c *Collector) costOfWork() Signal {
	s := Signal{Name: "no cost for a piece of work"}
	if c.calls == 0 {
		s.Text = "not known: the log has no calls"
		return s
	}
	share := float64(c.withTask) / float64(c.calls)
	s.Fired = new(share < namedShare)
	if !*s.Fired {
		var cost task.Pico
		for _, p := range c.paths {
			cost += p.cost()
		}
		works := max(1, c.tasks.count())
		s.Text = fmt.Sprintf("calls name their work: about %d pieces of work, %.1f calls and %s USD each", works,
			float64(c.withTask)/float64(works), shownUSD(cost/task.Pico(works)))
		return s
	}
	s.Text = fmt.Sprintf("%.0f %% of the calls name the work that they are made for, so nobody knows what one costs", 100*share)
	if slices.ContainsFunc(c.dearest(), func(p *path) bool { return p.name == "unnamed" }) {
		s.Text += "; some do not even name a call path"
	}
	return s
}
