package cascade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

// ratesOfTwo has a cheap and a dear model: on "easy" both are as good, on "hard" the dear one is better, and "rare" saw the
// cheap one fail once.
func ratesOfTwo(t *testing.T) *cascade.Rates {
	t.Helper()
	return &cascade.Rates{
		Policies: []cascade.Policy{mustPolicy(t, "single:cheap"), mustPolicy(t, "single:dear"), mustPolicy(t, "single:bad")},
		Paths:    []string{"easy", "hard", "rare"},
		Tallies: [][]cascade.Tally{
			{{Tried: 100, Passed: 95, Cost: 100 * usd1}, {Tried: 100, Passed: 95, Cost: 1000 * usd1}, {Tried: 100, Cost: 5000 * usd1}},
			{{Tried: 100, Passed: 40, Cost: 100 * usd1}, {Tried: 100, Passed: 90, Cost: 1000 * usd1}, {Tried: 100, Cost: 5000 * usd1}},
			{{Tried: 1, Passed: 0, Cost: usd1}, {Tried: 1, Passed: 1, Cost: 10 * usd1}, {Tried: 1, Cost: 50 * usd1}},
		},
	}
}

const usd1 = task.USD

func TestChoose_TradesAtOneRate(t *testing.T) {
	t.Parallel()
	rates := ratesOfTwo(t)
	models := func(worth task.Pico) map[string]string {
		chosen := cascade.Choose(rates, worth, 0)
		got := map[string]string{"": chosen.For("never seen").String()}
		for path := range chosen.Paths {
			got[path] = chosen.For(path).String()
		}
		return got
	}
	const cheap, dear = "single:cheap", "single:dear"
	// On hard, 9 USD more buy half an answer: worth it from 18 USD on. Over all, they buy a quarter.
	require.Equal(t, map[string]string{"easy": cheap, "hard": cheap, "rare": cheap, "": cheap}, models(8*usd1))
	require.Equal(t, map[string]string{"easy": cheap, "hard": cheap, "rare": dear, "": cheap}, models(17*usd1))
	require.Equal(t, map[string]string{"easy": cheap, "hard": dear, "rare": dear, "": cheap}, models(19*usd1))
	require.Equal(t, map[string]string{"easy": cheap, "hard": dear, "rare": dear, "": dear}, models(40*usd1))
}

func TestChoose_ShrinksWhatWasHardlyTried(t *testing.T) {
	t.Parallel()
	rates := ratesOfTwo(t)
	require.Equal(t, "single:dear", cascade.Choose(rates, 19*usd1, 0).For("rare").String())
	chosen := cascade.Choose(rates, 19*usd1, 100).Paths["rare"]
	require.Equal(t, "single:cheap", chosen.Policy.String())
	require.Equal(t, int64(1), chosen.Estimate.Tried)
	require.InDelta(t, 100*135.0/201/101, chosen.Estimate.Pass, 1e-12)
	require.Equal(t, usd1, chosen.Estimate.Cost)
}

func TestChoose_TakesTheFirstOfEquals(t *testing.T) {
	t.Parallel()
	rates := ratesOfTwo(t)
	rates.Policies[1] = mustPolicy(t, "single:twin")
	for _, tallies := range rates.Tallies {
		tallies[1] = tallies[0]
	}
	require.Equal(t, "single:cheap", cascade.Choose(rates, 19*usd1, 0).For("hard").String())
}

func TestChoose_WithoutTallies(t *testing.T) {
	t.Parallel()
	rates := ratesOfTwo(t)
	for _, tallies := range rates.Tallies {
		clear(tallies)
	}
	chosen := cascade.Choose(rates, usd1, 10)
	require.Equal(t, "single:cheap", chosen.For("easy").String())
	require.Zero(t, chosen.Otherwise.Estimate)
}

func TestTally(t *testing.T) {
	t.Parallel()
	var tally cascade.Tally
	tally.Add(1, 2)
	tally.Add(0.5, 3)
	require.Equal(t, cascade.Tally{Tried: 2, Passed: 1.5, Cost: 5}, tally)
	require.Equal(t, tally, tally.Plus(tally).Minus(tally))
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	models := []cascade.Priced{
		{Model: "dear", Cost: 100, Valid: 1}, {Model: "mid", Cost: 20, Valid: 0.9}, {Model: "cheap", Cost: 10, Valid: 0.4},
	}
	names := func(values ...string) []string {
		var all []string
		for _, p := range cascade.Candidates(models, values) {
			require.NoError(t, p.Check())
			all = append(all, p.String())
		}
		return all
	}
	// Cheap answers are valid too rarely for its price to come before mid's.
	require.Equal(t, []string{
		"single:cheap", "single:mid", "single:dear", "cascade:cheap>dear", "cascade:mid>dear", "agreement:cheap+mid>dear",
	}, names())
	require.Subset(t, names("A", "B", "C"), []string{"agreement:cheap+mid@A>dear", "agreement:cheap+mid@A|C>dear"})

	models = append(models, cascade.Priced{Model: "dearest", Cost: 1000, Valid: 1})
	require.Subset(t, names(), []string{
		"cascade:mid>dear>dearest", "agreement:2:cheap+mid+dear>dearest", "agreement:2:mid+dear+cheap>dearest",
		"agreement:cheap+mid+dear>dearest",
	})
	require.NotContains(t, names(), "cascade:cheap>mid>dear")
}

func TestWorthwhile(t *testing.T) {
	t.Parallel()
	require.True(t, cascade.Worthwhile(0.2, 10, 100))
	require.False(t, cascade.Worthwhile(0.1, 10, 100), "as often as the ratio of prices: it saves nothing")
}
