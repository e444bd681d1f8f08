package pricing_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

func TestPrice_WorkedExample(t *testing.T) {
	t.Parallel()
	q := haiku()
	q.Mode = pricing.ModeBatch
	cost, err := mustPrice(t, mustEmbedded(t), q).Cost(
		task.Usage{Input: 20_000, CacheRead: 90_000, CacheWrite5m: 10_000, Output: 1_000, Reasoning: 400},
	)
	require.NoError(t, err)
	require.Equal(t, pricing.Cost{
		Total: 11_625_000_000, // 0.011625 USD: 120,000 prompt tokens are above the edge, though only 20,000 are new
		Row:   "anthropic/claude-haiku-5-5@2026-10-07#2",
		Lines: []pricing.Line{
			{Kind: "input", Count: 20_000, RatePico: 500_000, CostPico: 10_000_000_000},
			{Kind: "cache_read", Count: 90_000, RatePico: 50_000, CostPico: 4_500_000_000},
			{Kind: "cache_write_5m", Count: 10_000, RatePico: 625_000, CostPico: 6_250_000_000},
			{Kind: "output", Count: 1_000, RatePico: 2_500_000, CostPico: 2_500_000_000},
		},
	}, cost)
}

func TestPrice_OneTokenPastTheEdgeRepricesTheWholeCall(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	at := mustCost(t, book, haiku(), task.Usage{Input: 100_000, Output: 10_000})
	past := mustCost(t, book, haiku(), task.Usage{Input: 100_001, Output: 10_000})
	require.Equal(t, task.Pico(100_000*100_000+10_000*500_000), at)
	require.Equal(t, task.Pico(100_001*500_000+10_000*2_500_000), past, "output is repriced too")
}

func TestPrice_EveryPromptTokenCountsForTheBand(t *testing.T) {
	t.Parallel()
	book := mustBook(t, head+row+`
        bands:
          - {max_prompt: 10, `+allRates("1")+`}
          - {`+allRates("2")+`}
`)
	for name, extra := range map[string]task.Usage{
		"input": {Input: 1}, "read": {CacheRead: 1}, "5m": {CacheWrite5m: 1}, "30m": {CacheWrite30m: 1},
		"1h": {CacheWrite1h: 1}, "12h": {CacheWrite12h: 1}, "audio": {InputAudio: 1}, "image": {InputImage: 1},
	} {
		extra.Input += 10
		require.Equal(t, task.Pico(11*2_000_000), mustCost(t, book, small(), extra), name)
	}
	for name, beside := range map[string]task.Usage{
		"output": {Input: 10, Output: 1}, "audio out": {Input: 10, OutputAudio: 1},
	} {
		require.Equal(t, task.Pico(11*1_000_000), mustCost(t, book, small(), beside), name)
	}
}

func allRates(usd string) string {
	text := ""
	for _, kind := range []string{
		"input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h", "input_audio",
		"input_image", "output", "output_audio",
	} {
		text += kind + `: "` + usd + `", `
	}
	return text
}

func TestPrice_Boundary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		boundary string
		prompt   int64
		want     task.Pico
	}{
		{"DefaultAtEdge", "", 1000, 1000 * 1_000_000},
		{"DefaultPastEdge", "", 1001, 1001 * 2_000_000},
		{"GtAtEdge", "        boundary: gt\n", 1000, 1000 * 1_000_000},
		{"GteBelowEdge", "        boundary: gte\n", 999, 999 * 1_000_000},
		{"GteAtEdge", "        boundary: gte\n", 1000, 1000 * 2_000_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			price := mustPrice(t, mustBook(t, acme(tt.boundary)), small())
			cost, err := price.Cost(task.Usage{Input: tt.prompt})
			require.NoError(t, err)
			require.Equal(t, tt.want, cost.Total)
		})
	}
}

func TestExpected_TakesTheDearerSideOfAnEdge(t *testing.T) {
	t.Parallel()
	cheaper := `        bands:
          - {max_prompt: 1000, input: "2", output: "4"}
          - {max_prompt: 1100, input: "1", output: "4"}
          - {input: "3", output: "4"}
`
	tests := []struct {
		name   string
		book   string
		prompt int64
		rate   task.Pico // millionths of a USD for a million
	}{
		{"Far", acme(""), 849, 1},
		{"Within15Percent", acme(""), 850, 2},
		{"AtTheEdge", acme(""), 1000, 2},
		{"PastTheEdge", acme(""), 1001, 2},
		{"GteFar", acme("        boundary: gte\n"), 849, 1},
		{"GteWithin15Percent", acme("        boundary: gte\n"), 850, 2},
		{"ABandThatGetsCheaper", head + row + "\n" + cheaper, 900, 2},
		{"TwoEdgesInReach", head + row + "\n" + cheaper, 950, 3},
		{"LastBand", head + row + "\n" + cheaper, 1101, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := mustPrice(t, mustBook(t, tt.book), small()).Expected(tt.prompt, 0)
			require.NoError(t, err)
			require.Equal(t, task.Pico(tt.prompt)*tt.rate*1_000_000, got)
		})
	}
}

func TestPrice_OneBand(t *testing.T) {
	t.Parallel()
	price := mustPrice(t, mustBook(t, acme("")), small())
	require.True(t, price.OneBand(0, 849))
	require.False(t, price.OneBand(849, 850))
	require.True(t, price.OneBand(850, 1000))
	require.False(t, price.OneBand(1000, 1001))
	require.True(t, price.OneBand(1001, 1<<40))
	require.True(t, pricing.Price{}.OneBand(0, 1<<40))
}

func TestPrice_RowInForceWhenSent(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	change := time.Date(2026, 10, 7, 0, 0, 0, 0, time.UTC)
	sonnet := pricing.Query{Provider: "anthropic", Model: "claude-sonnet-5-5"}
	tests := []struct {
		name string
		at   time.Time
		want task.Pico
	}{
		{"LastInstantBefore", change.Add(-time.Nanosecond), 200_000},
		{"FirstInstant", change, 100_000},
		{"OtherZone", change.Add(-time.Second).In(time.FixedZone("", 7200)), 200_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := sonnet
			q.At = tt.at
			require.Equal(t, tt.want, mustCost(t, book, q, task.Usage{CacheRead: 1}))
		})
	}
}

func TestPrice_Modes(t *testing.T) {
	t.Parallel()
	book := mustBook(t, acme(`
        modes: {batch: "1/2", flex: "3/4", priority: "2", fast: "3"}
        geo: {us: "11/10", global: "1"}
        per_unit: {web_search_1k: "10"}
`))
	const list = 100 * 1_000_000
	tests := []struct {
		name string
		q    pricing.Query
		want task.Pico
	}{
		{"Empty", pricing.Query{}, list},
		{"Sync", pricing.Query{Mode: pricing.ModeSync}, list},
		{"Standard", pricing.Query{ServiceTier: "standard", Speed: "standard"}, list},
		{"Default", pricing.Query{ServiceTier: "default", Geo: "global"}, list},
		{"Batch", pricing.Query{Mode: pricing.ModeBatch}, list / 2},
		{"BatchNamedByTheReply", pricing.Query{Mode: pricing.ModeBatch, ServiceTier: "batch"}, list / 2},
		{"BatchWhoseLinesSayDefault", pricing.Query{Mode: pricing.ModeBatch, ServiceTier: "default"}, list / 2},
		{"ReplySaysBatch", pricing.Query{ServiceTier: "batch"}, list / 2},
		{"Flex", pricing.Query{Mode: pricing.ModeFlex}, list * 3 / 4},
		{"FlexServed", pricing.Query{Mode: pricing.ModeFlex, ServiceTier: "flex"}, list * 3 / 4},
		{"FlexServedAsDefault", pricing.Query{Mode: pricing.ModeFlex, ServiceTier: "default"}, list},
		{"Priority", pricing.Query{ServiceTier: "priority"}, list * 2},
		{"FastTier", pricing.Query{ServiceTier: "fast"}, list * 3},
		{"FastSpeed", pricing.Query{ServiceTier: "standard", Speed: "fast"}, list * 3},
		{"FastTwiceNamed", pricing.Query{ServiceTier: "fast", Speed: "fast"}, list * 3},
		{"Region", pricing.Query{Geo: "us"}, list * 11 / 10},
		{"RegionOfBatch", pricing.Query{Geo: "us", Mode: pricing.ModeBatch}, list * 11 / 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.q.Provider, tt.q.Model, tt.q.At = "acme", "small", november()
			price := mustPrice(t, book, tt.q)
			cost, err := price.Cost(task.Usage{Input: 100})
			require.NoError(t, err)
			require.Equal(t, tt.want, cost.Total)
			withSearch, err := price.Cost(task.Usage{Input: 100, WebSearches: 2})
			require.NoError(t, err)
			require.Equal(t, tt.want+2*task.USD/100, withSearch.Total, "searches have one price")
			require.Equal(t, pricing.Line{Kind: "web_search", Count: 2, RatePico: task.USD / 100, CostPico: task.USD / 50}, withSearch.Lines[1])
		})
	}
}

func TestPrice_MultiplierOnceHalfToEven(t *testing.T) {
	t.Parallel()
	book := mustBook(t, head+row+`
        bands: [{input: "0.000001", cache_read: "0.000001", output: "0.000001"}]
        modes: {batch: "1/2"}
`)
	q := small()
	q.Mode = pricing.ModeBatch
	for usage, want := range map[task.Usage]task.Pico{
		{Input: 1}:                          0, // 0.5
		{Input: 3}:                          2, // 1.5
		{Input: 5}:                          2, // 2.5
		{Input: 7}:                          4, // 3.5
		{Input: 1, CacheRead: 1, Output: 1}: 2, // 1.5 of the sum; line by line it would be 0
	} {
		require.Equal(t, want, mustCost(t, book, q, usage), "%+v", usage)
	}
}

func TestPrice_ModeWithRatesOfItsOwn(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	q := pricing.Query{Provider: "google", Model: "gemini-2.5-pro", At: november(), Mode: pricing.ModeBatch}
	price := mustPrice(t, book, q)
	require.Equal(t, "google/gemini-2.5-pro@always/batch", price.Row())
	cost, err := price.Cost(task.Usage{Input: 200_001, Output: 10})
	require.NoError(t, err)
	require.Equal(t, task.Pico(200_001*1_250_000+10*7_500_000), cost.Total)
	require.Equal(t, "google/gemini-2.5-pro@always/batch#2", cost.Row)
	_, err = price.Cost(task.Usage{Input: 1, CacheRead: 1})
	require.ErrorIs(t, err, pricing.ErrUnpriced, "what a batch does to cached tokens is not known")
}

func TestPrice_Windows(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	for clock, want := range map[string]task.Pico{
		"00:59:59": 220_000, "01:00:00": 440_000, "03:59:59": 440_000, "04:00:00": 220_000,
		"05:59:59": 220_000, "06:00:00": 440_000, "10:00:00": 220_000,
	} {
		at, err := time.Parse(time.DateTime, "2026-11-23 "+clock)
		require.NoError(t, err)
		q := pricing.Query{Provider: "deepseek", Model: "deepseek-v4-flash", At: at.In(time.FixedZone("", 3*3600))}
		require.Equal(t, want, mustCost(t, book, q, task.Usage{Input: 1}), clock)
	}
}

func TestPrice_Unpriced(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	tests := []struct {
		name   string
		change func(*pricing.Query)
	}{
		{"UnknownProvider", func(q *pricing.Query) { q.Provider = "acme" }},
		{"EmptyModel", func(q *pricing.Query) { q.Model = "" }},
		{"PrefixOfAModel", func(q *pricing.Query) { q.Model = "claude-haiku" }},
		{"LongerThanAModel", func(q *pricing.Query) { q.Model = "claude-haiku-5-5-mini" }},
		{"LongerThanADatedModel", func(q *pricing.Query) { q.Model = "claude-haiku-5-5-202610070" }},
		{"NewLineAfterAModel", func(q *pricing.Query) { q.Model = "claude-haiku-5-5-20261007\n" }},
		{"OtherCase", func(q *pricing.Query) { q.Model = "Claude-Haiku-5-5" }},
		{"BeforeItsFirstPrice", func(q *pricing.Query) { q.At = time.Date(2026, 10, 6, 23, 59, 59, 0, time.UTC) }},
		{"NoTime", func(q *pricing.Query) { q.Provider, q.Model, q.At = "voyageai", "voyage-4", time.Time{} }},
		{"OnlyAnnounced", func(q *pricing.Query) { q.Model = "claude-fable-5-2" }},
		{"AfterAPromotion", func(q *pricing.Query) {
			q.Provider, q.Model, q.At = "google", "gemini-3.8-flash", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		}},
		{"UnknownMode", func(q *pricing.Query) { q.Mode = "turbo" }},
		{"ModeThatTheModelHasNot", func(q *pricing.Query) { q.Mode = pricing.ModeFlex }},
		{"UnknownTier", func(q *pricing.Query) { q.ServiceTier = "scale" }},
		{"TierThatTheModelHasNot", func(q *pricing.Query) { q.ServiceTier = "priority" }},
		{"OtherTierInABatch", func(q *pricing.Query) { q.Mode, q.ServiceTier = pricing.ModeBatch, "flex" }},
		{"UnknownSpeed", func(q *pricing.Query) { q.Speed = "slow" }},
		{"ModeAsSpeed", func(q *pricing.Query) { q.Speed = "batch" }},
		{"SpeedThatTheModelHasNot", func(q *pricing.Query) { q.Speed = "fast" }},
		{"FastBatch", func(q *pricing.Query) { q.Model, q.Speed, q.Mode = "claude-opus-5-5", "fast", pricing.ModeBatch }},
		{"UnknownRegion", func(q *pricing.Query) { q.Geo = "eu" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := haiku()
			tt.change(&q)
			_, err := book.Price(q)
			require.ErrorIs(t, err, pricing.ErrUnpriced)
		})
	}
}

func TestPrice_ZeroValuePricesNothing(t *testing.T) {
	t.Parallel()
	var price pricing.Price
	_, err := price.Cost(task.Usage{})
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	_, err = price.Bound(0, 0)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	_, err = price.Expected(0, 0)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	require.Empty(t, price.Row())
	_, ok := pricing.BreakEven(price, time.Hour)
	require.False(t, ok)
}

func TestCost_ClassesWithoutARate(t *testing.T) {
	t.Parallel()
	price := mustPrice(t, mustBook(t, acme("")), small())
	for name, usage := range map[string]task.Usage{
		"cache_write_30m": {CacheWrite30m: 1}, "cache_write_1h": {CacheWrite1h: 1}, "cache_write_12h": {CacheWrite12h: 1},
		"input_audio": {InputAudio: 1}, "input_image": {InputImage: 1}, "output_audio": {OutputAudio: 1},
		"web_search": {WebSearches: 1}, "characters": {Characters: 1},
	} {
		usage.Input = 1
		cost, err := price.Cost(usage)
		require.ErrorIs(t, err, pricing.ErrUnpriced, name)
		require.ErrorContains(t, err, name)
		require.Zero(t, cost.Total)
	}
	cost, err := price.Cost(task.Usage{})
	require.NoError(t, err, "what was not used needs no rate")
	require.Equal(t, pricing.Cost{Row: "acme/small@2026-01-01#1"}, cost)
}

func TestCost_WrongCounts(t *testing.T) {
	t.Parallel()
	price := mustPrice(t, mustBook(t, acme("        per_unit: {web_search_1k: \"10\"}\n")), small())
	for _, usage := range []task.Usage{
		{Input: -1},
		{CacheRead: -1},
		{CacheWrite5m: -1},
		{CacheWrite30m: -1},
		{CacheWrite1h: -1},
		{CacheWrite12h: -1},
		{InputAudio: -1},
		{InputImage: -1},
		{Output: -1},
		{OutputAudio: -1},
		{Reasoning: -1},
		{WebSearches: -1},
		{Characters: -1},
	} {
		_, err := price.Cost(usage)
		require.ErrorContains(t, err, "negative", "%+v", usage)
	}
	for _, usage := range []task.Usage{
		{Output: math.MaxInt64},                               // a line
		{Output: math.MaxInt64/4_000_000 + 1},                 // just past a line
		{Input: math.MaxInt64, CacheRead: math.MaxInt64},      // the prompt
		{Input: 2_500_000_000_000, Output: 1_200_000_000_000}, // the sum
		{WebSearches: math.MaxInt64},                          // the searches
		{Output: math.MaxInt64 / 4_000_000, WebSearches: 100}, // the sum with them
	} {
		_, err := price.Cost(usage)
		require.ErrorIs(t, err, pricing.ErrOverflow, "%+v", usage)
		require.NotErrorIs(t, err, pricing.ErrUnpriced)
	}
	cost, err := price.Cost(task.Usage{Output: math.MaxInt64 / 4_000_000})
	require.NoError(t, err)
	require.Equal(t, task.Pico(math.MaxInt64/4_000_000*4_000_000), cost.Total)
}

func TestBound(t *testing.T) {
	t.Parallel()
	book := mustBook(t, acme(`
        modes: {batch: "1/2", flex: "1/2", priority: "2"}
        geo: {us: "11/10", global: "1"}
`))
	tests := []struct {
		name           string
		q              pricing.Query
		prompt, output int64
		want           task.Pico
	}{
		{"FirstBand", pricing.Query{Geo: "global"}, 1000, 10, 1000*1_250_000 + 10*4_000_000},
		{"SecondBand", pricing.Query{Geo: "global"}, 1001, 10, 1001*2_500_000 + 10*6_000_000},
		{"OpenRegion", pricing.Query{}, 1000, 0, 1000 * 1_250_000 * 11 / 10},
		{"Region", pricing.Query{Geo: "us"}, 1000, 0, 1000 * 1_250_000 * 11 / 10},
		{"Batch", pricing.Query{Mode: pricing.ModeBatch, Geo: "global"}, 1000, 0, 1000 * 1_250_000 / 2},
		{"FlexThatMayBeServedAsDefault", pricing.Query{Mode: pricing.ModeFlex, Geo: "global"}, 1000, 0, 1000 * 1_250_000},
		{"FlexServed", pricing.Query{Mode: pricing.ModeFlex, ServiceTier: "flex", Geo: "global"}, 1000, 0, 1000 * 1_250_000 / 2},
		{"Priority", pricing.Query{ServiceTier: "priority", Geo: "global"}, 1000, 0, 1000 * 1_250_000 * 2},
		{"Nothing", pricing.Query{}, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.q.Provider, tt.q.Model, tt.q.At = "acme", "small", november()
			bound, err := mustPrice(t, book, tt.q).Bound(tt.prompt, tt.output)
			require.NoError(t, err)
			require.Equal(t, tt.want, bound)
		})
	}
}

func TestBound_TakesADearerBandBelow(t *testing.T) {
	t.Parallel()
	price := mustPrice(t, mustBook(t, head+row+`
        boundary: gte
        bands:
          - {max_prompt: 1000, input: "9", output: "9"}
          - {input: "1", output: "1"}
`), small())
	bound, err := price.Bound(2000, 10)
	require.NoError(t, err)
	require.Equal(t, task.Pico((999+10)*9_000_000), bound, "a prompt of 999 tokens is the dearest up to 2,000")
}

func TestEstimates_WrongCounts(t *testing.T) {
	t.Parallel()
	price := mustPrice(t, mustBook(t, acme("")), small())
	for name, estimate := range map[string]func(int64, int64) (task.Pico, error){"bound": price.Bound, "expected": price.Expected} {
		_, err := estimate(-1, 0)
		require.ErrorContains(t, err, "negative", name)
		_, err = estimate(0, -1)
		require.ErrorContains(t, err, "negative", name)
		_, err = estimate(math.MaxInt64, 0)
		require.ErrorIs(t, err, pricing.ErrOverflow, name)
		_, err = estimate(2_500_000_000_000, 1_200_000_000_000)
		require.ErrorIs(t, err, pricing.ErrOverflow, name)
	}
}

func TestPrice_Keeps(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	sonnet := mustPrice(t, book, pricing.Query{Provider: "anthropic", Model: "claude-sonnet-5-5", At: november()})
	require.True(t, sonnet.Keeps(5*time.Minute))
	require.True(t, sonnet.Keeps(time.Hour))
	require.False(t, sonnet.Keeps(30*time.Minute))
	old := mustPrice(t, book, pricing.Query{Provider: "openai", Model: "gpt-4o-mini", At: november()})
	require.False(t, old.Keeps(30*time.Minute), "it reads for a price and writes for none")
	require.False(t, pricing.Price{}.Keeps(time.Hour))
}

func TestBreakEven(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	tests := []struct {
		name     string
		provider string
		model    string
		ttl      time.Duration
		want     int64
	}{
		{"FiveMinutesAtATenth", "anthropic", "claude-sonnet-4-6", 5 * time.Minute, 2},
		{"HourAtATenth", "anthropic", "claude-sonnet-4-6", time.Hour, 3},
		{"HourAtATwentieth", "anthropic", "claude-sonnet-5-5", time.Hour, 3},
		{"HalfHour", "openai", "gpt-6.2-sol", 30 * time.Minute, 2},
		{"TwelveHours", "openai", "gpt-6.2-sol", 12 * time.Hour, 3},
		{"NoSuchLifetime", "anthropic", "claude-sonnet-5-5", 30 * time.Minute, 0},
		{"UnknownLifetime", "anthropic", "claude-sonnet-5-5", time.Minute, 0},
		{"NoWriteRate", "openai", "gpt-4o-mini", 30 * time.Minute, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			uses, ok := pricing.BreakEven(mustPrice(t, book, pricing.Query{Provider: tt.provider, Model: tt.model, At: november()}), tt.ttl)
			require.Equal(t, tt.want, uses)
			require.Equal(t, tt.want > 0, ok)
		})
	}
}

func TestBreakEven_IsTheSmallestNumberOfUses(t *testing.T) {
	t.Parallel()
	for _, rates := range [][3]string{ // input, read, write
		{"1", "0.1", "1.25"}, {"1", "0.1", "2"}, {"1", "0", "3"}, {"1", "0.9", "5"}, {"2", "1", "1"}, {"2", "1", "2"}, {"1", "0.5", "0.1"},
	} {
		book := mustBook(t, head+row+`
        bands: [{input: "`+rates[0]+`", cache_read: "`+rates[1]+`", cache_write_1h: "`+rates[2]+`", output: "1"}]
`)
		cached := func(uses int64) task.Pico {
			return mustCost(t, book, small(), task.Usage{CacheWrite1h: 1, CacheRead: uses - 1})
		}
		plain := func(uses int64) task.Pico { return mustCost(t, book, small(), task.Usage{Input: uses}) }
		uses, ok := pricing.BreakEven(mustPrice(t, book, small()), time.Hour)
		require.True(t, ok)
		require.Less(t, cached(uses), plain(uses), "%v", rates)
		if uses > 1 {
			require.GreaterOrEqual(t, cached(uses-1), plain(uses-1), "%v", rates)
		}
	}
	for _, read := range []string{"1", "1.5"} {
		book := mustBook(t, head+row+`
        bands: [{input: "1", cache_read: "`+read+`", cache_write_1h: "1", output: "1"}]
`)
		_, ok := pricing.BreakEven(mustPrice(t, book, small()), time.Hour)
		require.False(t, ok, "reads at %s never pay", read)
	}
}
