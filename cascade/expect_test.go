package cascade_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
)

// fixedRates are the same for all tasks and for those that others have failed.
func fixedRates(rates map[string]cascade.Rate) func(string, bool) cascade.Rate {
	return func(model string, _ bool) cascade.Rate { return rates[model] }
}

func TestExpect(t *testing.T) {
	t.Parallel()
	e := cascade.Expect([]string{"mini", "mid"}, func(model string, first bool) cascade.Rate {
		switch {
		case model == "mini" && first:
			return cascade.Rate{Pass: 0.8, Cost: 1}
		case model == "mid" && !first:
			return cascade.Rate{Pass: 0.5, Cost: 10}
		}
		return cascade.Rate{Pass: 1, Cost: 1000} // is not asked for
	})
	require.InDelta(t, 0.9, e.Pass, 1e-12)
	require.InDelta(t, 3, e.Cost, 1e-12)
	require.Equal(t, cascade.Expectation{}, cascade.Expect(nil, nil))
}

func TestCheapest(t *testing.T) {
	t.Parallel()

	order := []string{"mini", "mid", "flagship"}
	tests := []struct {
		name  string
		rates map[string]cascade.Rate
		least float64
		want  []string
	}{
		{
			name: "AMiniThatPassesStays", least: 0.9, want: order,
			rates: map[string]cascade.Rate{"mini": {0.8, 1}, "mid": {0.9, 10}, "flagship": {0.95, 100}},
		},
		{
			name: "AMiniThatFailsIsSkipped", least: 0.9, want: []string{"mid", "flagship"},
			rates: map[string]cascade.Rate{"mini": {0.03, 1}, "mid": {0.9, 10}, "flagship": {0.95, 100}},
		},
		{
			name: "PassingRarerThanThePriceRatioToTheNextIsSkipped", least: 0, want: []string{"mini", "flagship"},
			rates: map[string]cascade.Rate{"mini": {0.8, 1}, "mid": {0.09, 10}, "flagship": {0.95, 100}},
		},
		{
			name: "PassingMoreOftenStays", least: 0, want: order,
			rates: map[string]cascade.Rate{"mini": {0.8, 1}, "mid": {0.11, 10}, "flagship": {0.95, 100}},
		},
		{
			name: "TheBarKeepsWhatCostsMore", least: 0.9902, want: order,
			rates: map[string]cascade.Rate{"mini": {0.05, 1}, "mid": {0.8, 10}, "flagship": {0.95, 10}},
		},
		{
			name: "NothingReachesTheBar", least: 1, want: order,
			rates: map[string]cascade.Rate{"mini": {0.1, 1}, "mid": {0.1, 10}, "flagship": {0.1, 100}},
		},
		{
			name: "NothingIsSkippedForNothing", least: 0, want: order,
			rates: map[string]cascade.Rate{"mini": {0, 0}, "mid": {0, 0}, "flagship": {1, 100}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, e := cascade.Cheapest(order, tt.least, fixedRates(tt.rates))
			require.Equal(t, tt.want, got)
			require.Equal(t, cascade.Expect(got, fixedRates(tt.rates)), e)
		})
	}
	got, _ := cascade.Cheapest([]string{"only"}, 1, fixedRates(nil))
	require.Equal(t, []string{"only"}, got)
}

// No part of a random cascade that keeps to the bar costs less than the one that is chosen, and the last model is in it.
func TestCheapest_Exhaustive(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "c", "d", "e"}
	for range 2_000 {
		n, least := 1+random.IntN(len(names)), random.Float64()
		order, rates := names[:n], map[string]cascade.Rate{}
		for _, name := range order {
			rates[name] = cascade.Rate{Pass: random.Float64(), Cost: float64(random.IntN(50))}
		}
		got, e := cascade.Cheapest(order, least, fixedRates(rates))
		require.Equal(t, order[n-1], got[len(got)-1])
		whole := cascade.Expect(order, fixedRates(rates))
		if whole.Pass < least { // the whole passes most
			require.InDelta(t, whole.Pass, e.Pass, 1e-12)
			continue
		}
		require.GreaterOrEqual(t, e.Pass, least)
		for bits := range 1 << (n - 1) {
			var part []string
			for i := range n - 1 {
				if bits&(1<<i) != 0 {
					part = append(part, order[i])
				}
			}
			other := cascade.Expect(append(part, order[n-1]), fixedRates(rates))
			require.False(t, other.Pass >= least && other.Cost < e.Cost-1e-9, "%v is cheaper than %v", part, got)
		}
	}
	long := make([]string, cascade.MaxOrder+1)
	for i := range long {
		long[i] = string(rune('a' + i))
	}
	got, _ := cascade.Cheapest(long, 0, func(model string, _ bool) cascade.Rate {
		if model < "c" {
			return cascade.Rate{Cost: 1}
		}
		return cascade.Rate{Pass: 1, Cost: 1}
	})
	require.Equal(t, long[2:], got)
}
