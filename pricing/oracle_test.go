package pricing_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// oracle prices calls of a random book in rationals, from the texts that it wrote into the book.
type oracle struct {
	edges    []int64 // of all bands but the last
	gte      bool
	rates    []map[string]string // by band
	times    map[string]string   // by mode
	geo      string
	searches string
}

// kindsOf are the counts of a usage by rate key.
func kindsOf(u task.Usage) map[string]int64 {
	return map[string]int64{
		"input": u.Input, "cache_read": u.CacheRead, "cache_write_5m": u.CacheWrite5m, "cache_write_30m": u.CacheWrite30m,
		"cache_write_1h": u.CacheWrite1h, "cache_write_12h": u.CacheWrite12h, "input_audio": u.InputAudio,
		"input_image": u.InputImage, "output": u.Output, "output_audio": u.OutputAudio,
	}
}

func randomOracle(random *rand.Rand) oracle {
	o := oracle{
		gte:      random.IntN(2) == 0,
		times:    map[string]string{"batch": randomRatio(random), "flex": randomRatio(random), "priority": randomRatio(random)},
		geo:      randomRatio(random),
		searches: fmt.Sprintf("%d.%03d", random.IntN(50), random.IntN(1000)),
	}
	var known []string
	for kind := range kindsOf(task.Usage{}) {
		if kind == "input" || kind == "output" || random.IntN(4) > 0 {
			known = append(known, kind)
		}
	}
	edge := int64(0)
	for bands := 1 + random.IntN(3); bands > 0; bands-- {
		rates := map[string]string{}
		for _, kind := range known {
			rates[kind] = fmt.Sprintf("%d.%06d", random.IntN(40), random.IntN(1_000_000))
		}
		o.rates = append(o.rates, rates)
		if bands > 1 {
			edge += 2 + random.Int64N(3000)
			o.edges = append(o.edges, edge)
		}
	}
	return o
}

func randomRatio(random *rand.Rand) string {
	return fmt.Sprintf("%d/%d", 1+random.IntN(13), 1+random.IntN(13))
}

// yaml is the book that the oracle knows the prices of.
func (o oracle) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n        boundary: %s\n        bands:\n", head, row, map[bool]string{true: "gte", false: "gt"}[o.gte])
	for i, rates := range o.rates {
		b.WriteString("          - {")
		if i < len(o.edges) {
			fmt.Fprintf(&b, "max_prompt: %d, ", o.edges[i])
		}
		for kind, rate := range rates {
			fmt.Fprintf(&b, "%s: %q, ", kind, rate)
		}
		b.WriteString("}\n")
	}
	b.WriteString("        modes:\n")
	for name, times := range o.times {
		fmt.Fprintf(&b, "          %s: %q\n", name, times)
	}
	fmt.Fprintf(&b, "        geo: {us: %q}\n        per_unit: {web_search_1k: %q}\n", o.geo, o.searches)
	return b.String()
}

// cost is the exact cost in pico-USD; false when a used class has no rate.
func (o oracle) cost(u task.Usage, mode, geo string) (*big.Int, bool) {
	sum, ok := o.list(u)
	if !ok {
		return nil, false
	}
	if times, ok := o.times[mode]; ok {
		sum.Mul(sum, rational(times))
	}
	if geo == "us" {
		sum.Mul(sum, rational(o.geo))
	}
	searches := new(big.Rat).Mul(big.NewRat(u.WebSearches, 1), rational(o.searches))
	searches.Mul(searches, big.NewRat(1_000_000_000, 1)) // pico each is USD per thousand times 10^9
	return new(big.Int).Add(halfEven(sum), halfEven(searches)), true
}

// list is the cost of all tokens before any multiplier.
func (o oracle) list(u task.Usage) (*big.Rat, bool) {
	prompt, band := o.prompt(u), 0
	for _, edge := range o.edges {
		if c := prompt.Cmp(big.NewInt(edge)); c > 0 || (o.gte && c == 0) {
			band++
		}
	}
	sum := new(big.Rat)
	for kind, count := range kindsOf(u) {
		rate, known := o.rates[band][kind]
		if count > 0 && !known {
			return nil, false
		}
		if count > 0 {
			sum.Add(sum, new(big.Rat).Mul(big.NewRat(count, 1), rational(rate)))
		}
	}
	return sum.Mul(sum, big.NewRat(1_000_000, 1)), true // pico per token is USD per million times 10^6
}

func (o oracle) prompt(u task.Usage) *big.Int {
	sum := new(big.Int)
	for kind, count := range kindsOf(u) {
		if kind != "output" && kind != "output_audio" {
			sum.Add(sum, big.NewInt(count))
		}
	}
	return sum
}

func rational(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("the test wrote a wrong number: " + s)
	}
	return r
}

func randomUsage(random *rand.Rand) task.Usage {
	count := func() int64 {
		if random.IntN(2) == 0 {
			return 0
		}
		return random.Int64N(2000)
	}
	return task.Usage{
		Input: count(), CacheRead: count(), CacheWrite5m: count(), CacheWrite30m: count(), CacheWrite1h: count(),
		CacheWrite12h: count(), InputAudio: count(), InputImage: count(), Output: count(), Reasoning: count(),
		OutputAudio: count(), WebSearches: count(),
	}
}

func randomQuery(random *rand.Rand) (q pricing.Query, mode string) {
	q = small()
	q.Geo = []string{"", "us"}[random.IntN(2)]
	switch random.IntN(4) {
	case 0:
		q.Mode, mode = pricing.ModeBatch, "batch"
	case 1:
		q.Mode, mode = pricing.ModeFlex, "flex"
	case 2:
		q.ServiceTier, mode = "priority", "priority"
	}
	return q, mode
}

func TestCost_AgreesWithRationals(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	priced, unpriced := 0, 0
	for range 300 {
		o := randomOracle(random)
		book := mustBook(t, o.yaml())
		for range 60 {
			usage := randomUsage(random)
			q, mode := randomQuery(random)
			cost, err := mustPrice(t, book, q).Cost(usage)
			want, ok := o.cost(usage, mode, q.Geo)
			if !ok {
				unpriced++
				require.ErrorIs(t, err, pricing.ErrUnpriced)
				continue
			}
			priced++
			require.NoError(t, err)
			require.Equal(t, want.Int64(), int64(cost.Total), "%+v %+v\n%s", q, usage, o.yaml())
			requireSumOfLines(t, cost, usage)
		}
	}
	require.Greater(t, priced, 2000)
	require.Greater(t, unpriced, 2000)
}

func requireSumOfLines(t *testing.T, cost pricing.Cost, usage task.Usage) {
	t.Helper()
	counts := kindsOf(usage)
	counts["web_search"] = usage.WebSearches
	for _, line := range cost.Lines {
		require.Positive(t, line.Count)
		require.Equal(t, counts[line.Kind], line.Count)
		require.Equal(t, task.Pico(line.Count)*line.RatePico, line.CostPico)
		delete(counts, line.Kind)
	}
	for kind, count := range counts {
		require.Zero(t, count, "%s was used and has no line", kind)
	}
}

// TestBound_IsNeverExceeded holds every bill of at most so many tokens, in whatever region and tier it is served, to
// the bound that was given before the call.
func TestBound_IsNeverExceeded(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 5))
	checked := 0
	for range 300 {
		o := randomOracle(random)
		book := mustBook(t, o.yaml())
		for range 60 {
			usage := randomUsage(random)
			usage.WebSearches = 0
			q, _ := randomQuery(random)
			q.Geo = ""
			bound, err := mustPrice(t, book, q).Bound(usage.Prompt()+random.Int64N(500), usage.Output+usage.OutputAudio+random.Int64N(50))
			require.NoError(t, err)
			for _, served := range servedAs(q) {
				cost, err := mustPrice(t, book, served).Cost(usage)
				if err != nil {
					require.ErrorIs(t, err, pricing.ErrUnpriced)
					continue
				}
				checked++
				require.LessOrEqual(t, cost.Total, bound, "%+v %+v\n%s", served, usage, o.yaml())
			}
		}
	}
	require.Greater(t, checked, 2000)
}

// servedAs are the replies that a call may get.
func servedAs(q pricing.Query) []pricing.Query {
	out := []pricing.Query{q}
	if q.Mode == pricing.ModeFlex {
		q.ServiceTier = "default"
		out = append(out, q)
		q.ServiceTier = "flex"
		out = append(out, q)
	}
	for _, reply := range out {
		reply.Geo = "us"
		out = append(out, reply)
	}
	return out
}

func TestExpected_IsTheCostWithoutACache(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(13, 17))
	for range 200 {
		book := mustBook(t, randomOracle(random).yaml())
		for range 20 {
			usage := task.Usage{Input: random.Int64N(10_000), Output: random.Int64N(10_000)}
			q, _ := randomQuery(random)
			price := mustPrice(t, book, q)
			cost, err := price.Cost(usage)
			require.NoError(t, err)
			estimate, err := price.Expected(usage.Input, usage.Output)
			require.NoError(t, err)
			past := usage.Input*100/85 + 1
			if price.OneBand(usage.Input, past) {
				require.Equal(t, cost.Total, estimate)
			}
			require.LessOrEqual(t, cost.Total, estimate)
			bound, err := price.Bound(past, usage.Output)
			require.NoError(t, err)
			require.LessOrEqual(t, estimate, bound)
		}
	}
}
