package audit

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

const (
	// MaxPaths is how many call paths are told apart.
	MaxPaths = 5_000
	// OtherPaths is the name of all that come after them.
	OtherPaths = "(other call paths)"
	// maxUses is how many models are told apart on a call path.
	maxUses = 50
	// maxSamples is how many prompts of a call path are looked at.
	maxSamples = 24
	// maxSampleBytes is how much is kept of each.
	maxSampleBytes = 16 << 10
	// maxDays bounds the days of a log.
	maxDays = 4_000
)

// Collector adds up calls by call path, in memory that their number does not change.
type Collector struct {
	prices *prices
	paths  map[string]*path
	days   map[int64]*day
	// total is what all calls cost, and over that it was too large: every other sum is a part of it
	total task.Pico
	over  bool
	// calls are all of the log, withTask those that name the work they belong to
	calls, withTask int64
	tasks           *distinct
	// bills are rows that have money alone. Beside calls they are held against what those cost, and are not added to it.
	bills *Collector
}

// day is what happened on one.
type day struct {
	calls, priced int64 // priced are those whose cost is known
	spend         task.Pico
}

// path is a call path.
type path struct {
	name          string
	uses          map[use]*used
	calls, failed int64
	prompts       sketch
	outputs       sketch
	samples       []sample
	seen          int64 // samples that there were
	dice          *rand.Rand
	tools, schema int64
	withTask      int64
	tasks         *distinct
	first, last   time.Time
}

type sample struct{ system, prompt string }

// use is a model as it is used on a call path.
type use struct {
	named
	mode pricing.Mode
}

// used is what a use came to.
type used struct {
	calls int64
	// usage is that of the calls whose tokens and cost are both known, known is how many those are, and their cost is spent:
	// projections are held against them alone.
	usage task.Usage
	known int64
	spent task.Pico
	// stated is the log's own cost, booked the price book's of the calls that the log has no cost of.
	stated, booked task.Pico
	// unpriced are calls of which nobody knows the cost.
	unpriced int64
	model    *identity
}

// NewCollector prices what logs have no cost of by a price book.
func NewCollector(book *pricing.Book) *Collector {
	return &Collector{prices: newPrices(book), paths: map[string]*path{}, days: map[int64]*day{}, tasks: newDistinct()}
}

// Add takes in a row.
func (c *Collector) Add(call *Call) {
	if call.Count > 0 {
		c.add(call)
		return
	}
	if c.bills == nil {
		c.bills = &Collector{prices: c.prices, paths: map[string]*path{}, days: map[int64]*day{}, tasks: newDistinct()}
	}
	c.bills.add(call)
}

func (c *Collector) add(call *Call) {
	p := c.path(call.Path)
	p.add(call)
	model := c.prices.identify(call.Provider, call.Model)
	u := p.use(use{named{call.Provider, call.Model}, call.Mode}, model)
	spend, known := c.spend(u, model, call)
	c.sum(&c.total, spend)
	c.calls += call.Count
	if call.TaskID != "" {
		c.withTask += call.Count
		c.tasks.add(call.TaskID)
	}
	number := call.At.Unix() / 86_400
	d := c.days[number]
	if d == nil {
		if len(c.days) >= maxDays {
			return
		}
		d = &day{}
		c.days[number] = d
	}
	d.calls += call.Count
	if known {
		d.priced += call.Count
	}
	c.sum(&d.spend, spend)
}

func (c *Collector) path(name string) *path {
	if p := c.paths[name]; p != nil {
		return p
	}
	if len(c.paths) >= MaxPaths {
		name = OtherPaths
		if p := c.paths[name]; p != nil {
			return p
		}
	}
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(name)) // never fails
	p := &path{
		name: name, uses: map[use]*used{}, tasks: newDistinct(),
		dice: rand.New(rand.NewPCG(seed.Sum64(), 0)), //nolint:gosec // which prompts are looked at is to be repeatable, not secret
	}
	c.paths[name] = p
	return p
}

// use is the use of a model; those beyond maxUses are one, of no model.
func (p *path) use(by use, model *identity) *used {
	if u := p.uses[by]; u != nil {
		return u
	}
	if len(p.uses) >= maxUses {
		by, model = use{named{"", "(other models)"}, pricing.ModeSync}, nil
		if u := p.uses[by]; u != nil {
			return u
		}
	}
	u := &used{model: model}
	p.uses[by] = u
	return u
}

// add takes in what does not hang on the model.
func (p *path) add(call *Call) {
	p.calls += call.Count
	if call.Failed {
		p.failed += call.Count
	}
	if p.first.IsZero() || call.At.Before(p.first) {
		p.first = call.At
	}
	if call.At.After(p.last) {
		p.last = call.At
	}
	if u := call.Usage; u != nil && call.Count > 0 {
		p.prompts.add(u.Prompt()/call.Count, call.Count)
		p.outputs.add(u.Output/call.Count, call.Count)
	}
	if call.Tools {
		p.tools += call.Count
	}
	if call.Schema {
		p.schema += call.Count
	}
	if call.TaskID != "" {
		p.withTask += call.Count
		p.tasks.add(call.TaskID)
	}
	if call.Prompt != "" || call.System != "" {
		p.sample(sample{clip(call.System), clip(call.Prompt)})
	}
}

func clip(text string) string { return text[:min(len(text), maxSampleBytes)] }

// sample keeps every prompt with the same probability: J. S. Vitter, Random Sampling with a Reservoir (1985), algorithm R.
func (p *path) sample(s sample) {
	p.seen++
	if len(p.samples) < maxSamples {
		p.samples = append(p.samples, s)
		return
	}
	if i := p.dice.Int64N(p.seen); i < maxSamples {
		p.samples[i] = s
	}
}

// spend books what a row cost, as the log says or as the price book does; false when neither does.
func (c *Collector) spend(u *used, model *identity, call *Call) (task.Pico, bool) {
	u.calls += call.Count
	cost, known := c.cost(model, call)
	if !known {
		u.unpriced += call.Count
		return 0, false
	}
	to := &u.booked
	if call.Cost != nil {
		to = &u.stated
	}
	c.sum(to, cost)
	if call.Usage != nil {
		addUsage(&u.usage, call.Usage)
		u.known += call.Count
		c.sum(&u.spent, cost)
	}
	return cost, true
}

func (c *Collector) cost(model *identity, call *Call) (task.Pico, bool) {
	switch {
	case call.Cost != nil:
		return *call.Cost, true
	case call.Failed && call.Usage == nil:
		return 0, true // a failed call without tokens costs nothing
	case model == nil:
		return 0, false
	}
	return c.prices.cost(*model, call)
}

func addUsage(to, u *task.Usage) {
	to.Input += u.Input + u.InputAudio + u.InputImage
	to.CacheRead += u.CacheRead
	to.CacheWrite5m += u.CacheWrite5m + u.CacheWrite30m + u.CacheWrite1h + u.CacheWrite12h
	to.Output += u.Output + u.OutputAudio
}

func (c *Collector) sum(to *task.Pico, p task.Pico) {
	total, ok := plus(*to, p)
	if !ok {
		c.over = true
		return
	}
	*to = total
}

func (u *used) cost() task.Pico { return u.stated + u.booked }

// cost is what the call path cost.
func (p *path) cost() (total task.Pico) {
	for _, u := range p.uses {
		total += u.cost()
	}
	return total
}

// dearest are the call paths in order of what they cost.
func (c *Collector) dearest() []*path {
	all := make([]*path, 0, len(c.paths))
	for _, p := range c.paths {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *path) int {
		return cmp.Or(cmp.Compare(b.cost(), a.cost()), cmp.Compare(b.calls, a.calls), cmp.Compare(a.name, b.name))
	})
	return all
}

// MostSpentAt is the one of the price book's providers at which most was spent; empty when nothing was at any of them.
func (c *Collector) MostSpentAt(providers []string) string {
	if c.calls == 0 && c.bills != nil {
		return c.bills.MostSpentAt(providers)
	}
	spent := map[string]task.Pico{}
	for _, p := range c.paths {
		for _, u := range p.uses {
			if u.model != nil {
				spent[u.model.provider] += u.cost()
			}
		}
	}
	best := ""
	for _, name := range providers {
		if spent[name] > 0 && (best == "" || spent[name] > spent[best]) {
			best = name
		}
	}
	return best
}
