package pricing_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// spoken is a file with one model whose one row has a price by characters, and the given lines after it.
func spoken(usd, rest string) string {
	return strings.Replace(head, "    tokenizer: {o200k_factor: \"1.5\"}\n", "", 1) + row +
		"\n        per_million_characters: \"" + usd + "\"\n" + rest
}

func TestCost_OfCharactersAgreesWithRationals(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(19, 23))
	for range 200 {
		usd := decimalOf(random.Int64N(40_000_000))
		times, geo := randomRatio(random), randomRatio(random)
		book := mustBook(t, spoken(usd, "        modes: {batch: \""+times+"\"}\n        geo: {us: \""+geo+"\"}\n"))
		q := small()
		q.Geo = []string{"", "us"}[random.IntN(2)]
		exact := new(big.Rat).Mul(rational(usd), big.NewRat(1_000_000, 1))
		if random.IntN(2) == 0 {
			q.Mode = pricing.ModeBatch
			exact.Mul(exact, rational(times))
		}
		if q.Geo == "us" {
			exact.Mul(exact, rational(geo))
		}
		n := random.Int64N(200_000)
		price := mustPrice(t, book, q)
		cost, err := price.Cost(task.Usage{Characters: n})
		require.NoError(t, err)
		require.Equal(t, halfEven(exact.Mul(exact, big.NewRat(n, 1))).Int64(), int64(cost.Total))
		before, err := price.Characters(n)
		require.NoError(t, err)
		require.GreaterOrEqual(t, before, cost.Total)
		if q.Geo == "us" {
			require.Equal(t, cost.Total, before, "nothing is left open")
		}
	}
}

// decimalOf is so many millionths as a decimal.
func decimalOf(millionths int64) string { return task.Pico(millionths * 1_000_000).String() }

func TestPrice_DeepL(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	for _, model := range []string{"deepl", "latency_optimized", "quality_optimized", "prefer_quality_optimized"} {
		price := mustPrice(t, book, pricing.Query{Provider: "deepl", Model: model, At: november()})
		require.True(t, price.ByCharacter())
		cost, err := price.Cost(task.Usage{Characters: 1_000_001})
		require.NoError(t, err)
		require.Equal(t, "25.000025", cost.Total.String())
		require.Equal(t, []pricing.Line{{
			Kind: "characters", Count: 1_000_001, RatePico: 25_000_000, CostPico: cost.Total,
		}}, cost.Lines)
		before, err := price.Characters(1_000_001)
		require.NoError(t, err)
		require.Equal(t, cost.Total, before)

		free, err := mustPrice(t, book, pricing.Query{Provider: "deepl-free", Model: model, At: november()}).Characters(500_000)
		require.NoError(t, err)
		require.Zero(t, free)
		traits, ok := book.Traits("deepl", model)
		require.True(t, ok)
		require.EqualValues(t, 128<<10, traits.MaxRequestBytes)
	}
	for _, name := range []string{"libretranslate", "nllb-200-distilled-600M", "facebook/nllb-200:3.3B"} {
		free, err := mustPrice(t, book, pricing.Query{Provider: "libretranslate", Model: name, At: november()}).Characters(1)
		require.NoError(t, err)
		require.Zero(t, free)
	}
}

// TestPrice_UnitsDoNotMix: what is priced by characters has no price for tokens, and the other way around.
func TestPrice_UnitsDoNotMix(t *testing.T) {
	t.Parallel()
	characters := mustPrice(t, mustBook(t, spoken("25", "")), small())
	for _, usage := range []task.Usage{{Input: 1}, {Output: 1}, {CacheRead: 1, Characters: 1}} {
		_, err := characters.Cost(usage)
		require.ErrorIs(t, err, pricing.ErrUnpriced)
	}
	_, err := characters.Bound(1, 1)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	_, err = characters.Expected(1, 1)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	_, err = characters.Characters(math.MaxInt64)
	require.ErrorIs(t, err, pricing.ErrOverflow)
	_, err = characters.Characters(-1)
	require.ErrorContains(t, err, "negative")

	tokens := mustPrice(t, mustBook(t, acme("")), small())
	require.False(t, tokens.ByCharacter())
	_, err = tokens.Characters(1)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
	require.False(t, pricing.Price{}.ByCharacter())
	_, err = pricing.Price{}.Characters(1)
	require.ErrorIs(t, err, pricing.ErrUnpriced)
}

func TestLoad_MistakesWithCharacters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, content, want string }{
		{"Bands", spoken("25", "        bands: [{input: \"1\", output: \"1\"}]\n"), "small.prices[0].bands cannot be combined with per_million_characters: a price is for tokens or for characters"},
		{"Windows", spoken("25", "        windows: [{from: \"01:00\", to: \"04:00\", bands: [{input: \"1\", output: \"1\"}]}]\n"), "small.prices[0].windows cannot be combined with per_million_characters"},
		{"OwnRates", spoken("25", "        modes: {batch: {bands: [{input: \"1\", output: \"1\"}]}}\n"), "small.prices[0].modes.batch has bands of its own, which per_million_characters cannot be combined with"},
		{"Rate", spoken("0.0000001", ""), "small.prices[0].per_million_characters is not a price in USD per million tokens or characters"},
		{"Unquoted", strings.Replace(spoken("25", ""), `"25"`, "25", 1), `small.prices[0].per_million_characters is a number; put it in quotes: "25"`},
		{"InABand", strings.Replace(acme(""), "cache_read:", "characters:", 1), "small.prices[0].bands[0].characters is unknown"},
		{"Bytes", strings.Replace(spoken("25", ""), "max_output: 100", "max_request_bytes: -1", 1), `small.limits.max_request_bytes is "-1"; it must be a whole number of bytes`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := pricing.Load(fstest.MapFS{"acme.yaml": {Data: []byte(tt.content)}})
			require.ErrorContains(t, err, tt.want)
		})
	}
}
