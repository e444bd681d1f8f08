package tokens_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/tokens"
)

func TestRatios_Quantile(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	var r tokens.Ratios
	require.Zero(t, r.Quantile(0.99))
	require.Zero(t, r.Mean())
	seen := make([]float64, tokens.RatioLife)
	sum := 0.0
	for i := range seen {
		seen[i] = 1.3 * math.Exp(0.2*random.NormFloat64())
		sum += seen[i]
		r.Add(seen[i])
	}
	slices.Sort(seen)
	require.InDelta(t, sum/float64(len(seen)), r.Mean(), 1e-9)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		exact := seen[int(math.Ceil(q*float64(len(seen))))-1]
		require.GreaterOrEqual(t, r.Quantile(q), exact, q)
		require.LessOrEqual(t, r.Quantile(q), 1.05*exact, q)
	}
}

func TestRatios_OldOnesFade(t *testing.T) {
	t.Parallel()
	var r tokens.Ratios
	for range tokens.RatioLife {
		r.Add(1)
	}
	for range 6 * tokens.RatioLife {
		r.Add(2)
	}
	require.Greater(t, r.Mean(), 1.95)
	require.Less(t, r.Samples, int64(2*tokens.RatioLife))
	require.InDelta(t, 2, r.Quantile(0.99), 0.1)
}

func TestRatios_Merge(t *testing.T) {
	t.Parallel()
	var one, two, both tokens.Ratios
	for i := range 900 {
		ratio := 0.5 + float64(i)/500
		both.Add(ratio)
		if i%3 == 0 {
			one.Add(ratio)
		} else {
			two.Add(ratio)
		}
	}
	one.Merge(two)
	require.Equal(t, both.Steps, one.Steps)
	require.InDelta(t, both.Mean(), one.Mean(), 1e-9)
}

func TestRatios_TakesAnything(t *testing.T) {
	t.Parallel()
	var r tokens.Ratios
	for _, ratio := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		r.Add(ratio)
	}
	require.Zero(t, r.Samples)
	r.Add(1e-9)
	r.Add(1e9)
	require.EqualValues(t, 2, r.Samples)
	require.InDelta(t, 16, r.Quantile(1), 1e-9, "what is beyond counts as the last step")
}
