package audit

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// Config says how a report is made.
type Config struct {
	Classifier classifier.Classifier
	// Ladder are the models that calls could go to, cheapest first.
	Ladder []Target
	// Top is how many call paths are shown, those that spend most.
	Top    int
	Assume Assumptions
	// Now is the time whose prices the projections take.
	Now time.Time
}

// Report is what a log came to.
type Report struct {
	Readings []*Reading `json:"files"`
	Bad      int64      `json:"bad_rows"`
	BadRows  []BadRow   `json:"bad_rows_listed"`
	From     time.Time  `json:"from"`
	Until    time.Time  `json:"until"`
	Calls    int64      `json:"calls"`
	Failed   int64      `json:"failed_calls"`
	Paths    int        `json:"call_paths"`
	// Unpriced are calls of which neither the log nor the price book knows the cost; no total has them.
	Unpriced       int64    `json:"unpriced_calls"`
	UnpricedModels []string `json:"unpriced_models"`
	// Stated is the part of the cost that the log itself says; the rest is by the price book.
	Stated task.Pico `json:"stated_usd"`
	// Billed is what bills say that were given beside the calls; nil without any.
	Billed      *task.Pico   `json:"billed_usd"`
	Total       Steps        `json:"total"`
	Shown       []PathReport `json:"top"`
	Others      PathSum      `json:"others"`
	Days        []Day        `json:"days"`
	Signals     []Signal     `json:"signals"`
	Assumptions Assumptions  `json:"assumptions"`
	Ladder      []string     `json:"ladder"`
}

// Steps are a cost now and after each step, each on top of the one before. A step that would cost more is not taken.
type Steps struct {
	Now     task.Pico `json:"now_usd"`
	Routed  task.Pico `json:"after_routing_usd"`
	Cached  task.Pico `json:"after_caching_usd"`
	Batched task.Pico `json:"after_batching_usd"`
	Saved   task.Pico `json:"saved_usd"`
}

// Share is the part of the cost that all steps together save; 0 of nothing.
func (s Steps) Share() float64 {
	if s.Now == 0 {
		return 0
	}
	return float64(s.Saved) / float64(s.Now)
}

func (s *Steps) add(t Steps) {
	s.Now, s.Routed, s.Cached, s.Batched, s.Saved = s.Now+t.Now, s.Routed+t.Routed, s.Cached+t.Cached, s.Batched+t.Batched, s.Saved+t.Saved
}

// PathReport is a call path.
type PathReport struct {
	Path         string      `json:"call_path"`
	Calls        int64       `json:"calls"`
	Failed       int64       `json:"failed_calls"`
	Unpriced     int64       `json:"unpriced_calls"`
	PromptMedian int64       `json:"prompt_tokens_p50"`
	PromptP95    int64       `json:"prompt_tokens_p95"`
	OutputMedian int64       `json:"output_tokens_p50"`
	OutputP95    int64       `json:"output_tokens_p95"`
	Models       []ModelUse  `json:"models"`
	Class        task.Class  `json:"class"`
	Why          string      `json:"why"`
	Cascade      []string    `json:"cascade"` // empty: it stays as it is
	Advice       string      `json:"advice"`
	Prefix       int64       `json:"shared_prefix_tokens"`
	Hits         float64     `json:"expected_cache_hits"`
	Steps        Steps       `json:"steps"`
	Windows      []WindowUse `json:"needless_windows"`
	Schema       bool        `json:"schema"`
}

// ModelUse is a model's part of a call path.
type ModelUse struct {
	Model string       `json:"model"`
	Mode  pricing.Mode `json:"mode"`
	Tier  catalog.Tier `json:"tier"` // by its price beside the ladder's; empty when it has none
	Calls int64        `json:"calls"`
	Cost  task.Pico    `json:"cost_usd"`
}

// PathSum is the call paths that are not shown.
type PathSum struct {
	Paths int   `json:"call_paths"`
	Calls int64 `json:"calls"`
	Steps Steps `json:"steps"`
}

// Day is a day of the log, UTC.
type Day struct {
	Day   string `json:"day"`
	Calls int64  `json:"calls"`
	// Priced are the calls whose cost is known.
	Priced int64     `json:"priced_calls"`
	Cost   task.Pico `json:"cost_usd"`
}

// Report works the log out. The error says that it is too large a bill.
func (c *Collector) Report(config Config, readings []*Reading) (*Report, error) {
	var billed *task.Pico
	if c.bills != nil {
		if c.calls == 0 { // money is all that there is
			return c.bills.Report(config, readings)
		}
		billed = &c.bills.total
	}
	if c.over || c.bills != nil && c.bills.over {
		return nil, errTooMuch
	}
	r := &Report{
		Readings: readings, Billed: billed, Calls: c.calls, Paths: len(c.paths), Assumptions: config.Assume, Shown: []PathReport{}, UnpricedModels: []string{},
	}
	r.Bad, r.BadRows = Bad(readings)
	for _, m := range config.Ladder {
		r.Ladder = append(r.Ladder, m.Name)
	}
	for i, p := range c.dearest() {
		one := c.pathReport(p, config)
		r.span(p)
		r.Failed += p.failed
		r.unpriced(p)
		r.Total.add(one.Steps)
		if i < config.Top {
			r.Shown = append(r.Shown, one)
			continue
		}
		r.Others.Paths++
		r.Others.Calls += p.calls
		r.Others.Steps.add(one.Steps)
	}
	slices.Sort(r.UnpricedModels)
	r.UnpricedModels = slices.Compact(r.UnpricedModels)
	r.Days = c.sortedDays()
	r.Signals = c.signals(config)
	return r, nil
}

func (r *Report) span(p *path) {
	if r.From.IsZero() || p.first.Before(r.From) {
		r.From = p.first
	}
	if p.last.After(r.Until) {
		r.Until = p.last
	}
}

func (r *Report) unpriced(p *path) {
	for by, u := range p.uses {
		r.Unpriced += u.unpriced
		r.Stated += u.stated
		if u.unpriced > 0 {
			r.UnpricedModels = append(r.UnpricedModels, by.model)
		}
	}
}

func (c *Collector) sortedDays() []Day {
	days := make([]Day, 0, len(c.days))
	for number, d := range c.days {
		days = append(days, Day{time.Unix(number*86_400, 0).UTC().Format(time.DateOnly), d.calls, d.priced, d.spend})
	}
	slices.SortFunc(days, func(a, b Day) int { return cmp.Compare(a.Day, b.Day) })
	return days
}

func (c *Collector) pathReport(p *path, config Config) PathReport {
	r := PathReport{
		Path: p.name, Calls: p.calls, Failed: p.failed, PromptMedian: p.prompts.quantile(0.5), PromptP95: p.prompts.quantile(0.95),
		OutputMedian: p.outputs.quantile(0.5), OutputP95: p.outputs.quantile(0.95), Prefix: p.prefix(), Hits: p.hits(config.Assume.CacheTTL),
		Schema: 2*p.schema > p.calls && p.calls > 0,
	}
	r.Class, r.Why = p.class(config.Classifier)
	for by, u := range p.uses {
		r.Unpriced += u.unpriced
		r.Models = append(r.Models, ModelUse{by.model, by.mode, c.tier(u.model, config), u.calls, u.cost()})
	}
	slices.SortFunc(r.Models, func(a, b ModelUse) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Mode, b.Mode))
	})
	c.project(p, &r, config)
	r.Windows = c.windows(p, r.PromptMedian, config)
	return r
}

// project works out the steps, use by use: what costs less where it is stays there, and is cached and batched there.
func (c *Collector) project(p *path, r *PathReport, config Config) {
	cascade := cascadeOf(r.Class, config.Ladder)
	by := projection{c.prices, config.Assume, config.Now, r.PromptMedian}
	var routed, cached, batched float64
	moved := false
	for _, key := range p.inOrder() { // sums of fractions depend on their order
		u := p.uses[key]
		r.Steps.Now += u.cost()
		fixed := float64(u.cost() - u.spent) // of calls without tokens
		models, after := cascade, float64(u.spent)
		scale := 1.0 // of what the book says of where the calls are to what they cost
		if cost, ok := by.cascade(cascade, key.mode, u.asNow); ok && u.known > 0 && cost < after {
			moved, after = true, cost
		} else {
			models = u.staying()
			cost, ok := by.cascade(models, key.mode, u.asNow)
			if !ok || cost == 0 {
				routed, cached, batched = routed+fixed+after, cached+fixed+after, batched+fixed+after
				continue
			}
			scale = after / cost
		}
		routed += fixed + after
		with := u.asNow
		asked := func(m Target) task.Usage { return by.caching(u.usage, u.known, r.Prefix, r.Hits, m) }
		if kept, ok := by.cascade(models, key.mode, asked); ok && scale*kept < after {
			with, after = asked, scale*kept
		}
		cached += fixed + after
		if later, ok := by.cascade(models, pricing.ModeBatch, with); ok && key.mode == pricing.ModeSync && scale*later < after {
			after += config.Assume.Batchable * (scale*later - after)
		}
		batched += fixed + after
	}
	r.Steps.Routed, r.Steps.Cached, r.Steps.Batched = pico(routed), pico(cached), pico(batched)
	r.Steps.Saved = r.Steps.Now - r.Steps.Batched
	r.advise(cascade, moved)
}

// inOrder are the uses in an order that is the same each time.
func (p *path) inOrder() []use {
	return slices.SortedFunc(maps.Keys(p.uses), func(a, b use) int {
		return cmp.Or(cmp.Compare(a.provider, b.provider), cmp.Compare(a.model, b.model), cmp.Compare(a.mode, b.mode))
	})
}

// asNow is a usage as it is, at whichever model.
func (u *used) asNow(Target) task.Usage { return u.usage }

// staying is the model that the calls go to now; none where the price book does not know it.
func (u *used) staying() []Target {
	if u.model == nil {
		return nil
	}
	return []Target{{Name: u.model.id, Provider: u.model.provider, ID: u.model.id}}
}

func (r *PathReport) advise(cascade []Target, moved bool) {
	switch {
	case r.Steps.Now == 0:
		r.Advice = "nothing is known of its cost"
		return
	case !moved:
		r.Advice = "stays where it is: " + namesOf(cascade) + " would not cost less"
		return
	}
	for _, m := range cascade {
		r.Cascade = append(r.Cascade, m.Name)
	}
	r.Advice = "cascade " + namesOf(cascade)
	if len(cascade) == 1 {
		r.Advice = "to " + namesOf(cascade) + ": a task of its class begins with the strongest model"
	}
}

func pico(v float64) task.Pico { return task.Pico(math.Round(v)) }

// tier is the one of the ladder's models whose price is the nearest, for a call of 1,000 tokens in and 500 out.
func (c *Collector) tier(model *identity, config Config) catalog.Tier {
	if model == nil {
		return ""
	}
	cost := func(m identity) float64 {
		price := c.prices.price(m, pricing.ModeSync, config.Now)
		if price == nil {
			return 0
		}
		expected, err := price.Expected(1000, 500)
		if err != nil {
			return 0
		}
		return float64(expected)
	}
	own, best, nearest := cost(*model), catalog.Tier(""), math.Inf(1)
	if own == 0 {
		return ""
	}
	for _, m := range config.Ladder {
		if other := cost(identity{m.Provider, m.ID}); other > 0 {
			if away := math.Abs(math.Log(own / other)); away < nearest {
				best, nearest = m.Tier, away
			}
		}
	}
	return best
}

// WindowUse is a model with a larger or dearer window than a call path's prompts need.
type WindowUse struct {
	Model  string `json:"model"`
	Window int64  `json:"window_tokens"`
	Text   string `json:"text"`
}

const (
	// smallPrompt is the median prompt below which a large window is not needed, largeWindow the window that is then more
	// than enough: rule 3.
	smallPrompt = 8_000
	largeWindow = 32_000
)

// windows are the models of a call path that are paid for a window its prompts do not need: large ones of a tier above mini,
// where half of the prompts are short.
func (c *Collector) windows(p *path, median int64, config Config) []WindowUse {
	found := []WindowUse{}
	if p.prompts.n == 0 || median >= smallPrompt {
		return found
	}
	for key, u := range p.uses {
		if u.model == nil || u.calls == 0 {
			continue
		}
		traits, known := c.prices.book.Traits(u.model.provider, u.model.id)
		tier := c.tier(u.model, config)
		if !known || traits.Window <= largeWindow || tier == "" || tier == catalog.Mini {
			continue
		}
		found = append(found, WindowUse{key.model, traits.Window, fmt.Sprintf(
			"half of the prompts have %s tokens or less, on a %s model with a window of %s", shownCount(median), tier, shownCount(traits.Window),
		)})
	}
	slices.SortFunc(found, func(a, b WindowUse) int { return cmp.Compare(a.Model, b.Model) })
	return slices.CompactFunc(found, func(a, b WindowUse) bool { return a.Model == b.Model })
}
