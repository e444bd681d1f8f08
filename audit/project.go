package audit

import (
	"math"
	"strings"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// Assumptions are what a log cannot tell. Every figure after "now" rests on them.
type Assumptions struct {
	// Accepted is the share of answers that each model but a cascade's last gives so that validation accepts them.
	Accepted float64 `json:"accepted"`
	// Batchable is the share of calls whose answers may take hours.
	Batchable float64 `json:"batchable"`
	// CacheTTL is how long a provider keeps a prompt's beginning.
	CacheTTL time.Duration `json:"-"`
}

// DefaultAssumptions are cautious ones: 80 of 100 answers are accepted, a quarter of the calls can wait, caches last 5 minutes.
func DefaultAssumptions() Assumptions {
	return Assumptions{Accepted: 0.8, Batchable: 0.25, CacheTTL: 5 * time.Minute}
}

// Target is a model that calls could go to: the models of one provider, cheapest first, are the recommended cascades.
type Target struct {
	Name     string // in weir.yaml
	Provider string // the price book's
	ID       string
	Tier     catalog.Tier
}

// rates are what a token costs at a prompt's size, in pico-USD.
type rates struct{ input, read, write, output float64 }

const (
	// rateSpan is the output that rates are measured with: a whole number of pico-USD for one token would round off multipliers.
	rateSpan = 1_000_000
	// prefixTokens are the bytes of a token, for prompts whose tokens are known only as a whole.
	bytesOfToken = 4
	// leastSamples are the prompts that must have a beginning in common before it is taken for the template's.
	leastSamples = 5
)

// ratesOf are those of a price for prompts of a size; false when it does not price both sides.
func ratesOf(price *pricing.Price, prompt int64) (rates, bool) {
	if price == nil {
		return rates{}, false
	}
	prompt = max(1, prompt)
	of := func(u task.Usage) (float64, bool) {
		cost, err := price.Cost(u)
		return float64(cost.Total), err == nil
	}
	base, ok := of(task.Usage{Input: prompt})
	with, okOut := of(task.Usage{Input: prompt, Output: rateSpan})
	if !ok || !okOut {
		return rates{}, false
	}
	r := rates{input: base / float64(prompt), output: (with - base) / rateSpan}
	r.read, r.write = r.input, r.input
	if read, ok := of(task.Usage{CacheRead: prompt}); ok {
		r.read = read / float64(prompt)
	}
	if write, ok := of(task.Usage{CacheWrite5m: prompt}); ok {
		r.write = write / float64(prompt)
	} else if write, ok := of(task.Usage{CacheWrite30m: prompt}); ok {
		r.write = write / float64(prompt)
	}
	return r, true
}

func (r rates) cost(u task.Usage) float64 {
	return r.input*float64(u.Input) + r.read*float64(u.CacheRead) + r.write*float64(u.CacheWrite5m) + r.output*float64(u.Output)
}

// projection is what a call path's calls would cost at the models of a cascade.
type projection struct {
	prices *prices
	assume Assumptions
	at     time.Time
	prompt int64 // at the median
}

// cascade is the expected cost of a usage: each model is asked in the share of calls that those before it have failed.
func (p projection) cascade(models []Target, mode pricing.Mode, u func(Target) task.Usage) (float64, bool) {
	total, reach := 0.0, 1.0
	for _, m := range models {
		r, ok := ratesOf(p.prices.price(identity{m.Provider, m.ID}, mode, p.at), p.prompt)
		if !ok {
			return 0, false
		}
		total += reach * r.cost(u(m))
		reach *= 1 - p.assume.Accepted
	}
	return total, true
}

// caching moves what a cache would be asked for from the input to reads and writes: the beginning that all prompts share, as
// often as it is still in the cache when the next call comes.
func (p projection) caching(u task.Usage, calls, prefix int64, hits float64, m Target) task.Usage {
	traits, known := p.prices.book.Traits(m.Provider, m.ID)
	if !known || prefix < max(1, traits.MinCacheable) {
		return u
	}
	shared := max(0, min(prefix*calls-u.CacheRead-u.CacheWrite5m, u.Input))
	read := int64(hits * float64(shared))
	cached := u
	cached.Input -= shared
	cached.CacheRead += read
	cached.CacheWrite5m += shared - read
	r, ok := ratesOf(p.prices.price(identity{m.Provider, m.ID}, pricing.ModeSync, p.at), p.prompt)
	if !ok || r.cost(cached) >= r.cost(u) {
		return u
	}
	return cached
}

// hits is the share of calls that find the beginning in the cache, of calls that come at random times at the log's mean rate:
// a cache that lasts for ttl after each use is missed with probability exp(-rate * ttl).
func (p *path) hits(ttl time.Duration) float64 {
	span := p.last.Sub(p.first)
	if span <= 0 || p.calls < 2 {
		return 0
	}
	return 1 - math.Exp(-float64(p.calls)*ttl.Seconds()/span.Seconds())
}

// prefix is how many tokens all sampled prompts begin with, by their share of the bytes; 0 with too few prompts.
func (p *path) prefix() int64 {
	if len(p.samples) < leastSamples {
		return 0
	}
	first := p.samples[0].system + p.samples[0].prompt
	shared, bytes := len(first), 0
	for _, s := range p.samples {
		text := s.system + s.prompt
		bytes += len(text)
		n := 0
		for n < min(shared, len(text)) && text[n] == first[n] {
			n++
		}
		shared = n
	}
	mean := float64(bytes) / float64(len(p.samples))
	if mean == 0 {
		return 0
	}
	perByte := 1.0 / bytesOfToken
	if median := p.prompts.quantile(0.5); median > 0 && mean < maxSampleBytes { // what was cut says nothing of the tokens
		perByte = float64(median) / mean
	}
	return int64(float64(shared) * perByte)
}

// cascadeOf are the models of a class's cascade out of a provider's, cheapest first.
func cascadeOf(class task.Class, ladder []Target) []Target {
	var models []Target
	for _, m := range ladder {
		switch {
		case m.Tier == catalog.Mini && class != task.L1, m.Tier == catalog.Mid && class == task.L3:
			continue
		}
		models = append(models, m)
	}
	return models
}

func namesOf(models []Target) string {
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.Name
	}
	return strings.Join(names, " > ")
}
