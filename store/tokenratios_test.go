package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/tokens"
)

func seenRatios(n int, ratio float64) store.TokenRatios {
	var r tokens.Ratios
	for range n {
		r.Add(ratio)
	}
	return store.TokenRatios{Model: "haiku", Feature: "triage", Steps: r.Steps[:], Samples: r.Samples, Sum: r.Sum}
}

func TestTokenRatios_AddUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	merge := func(seen store.TokenRatios) {
		require.NoError(t, store.MergeTokenRatios(t.Context(), b.pool, time.Now(), []store.TokenRatios{seen}, planner.MergeRatios))
	}
	merge(seenRatios(60, 1.25))
	merge(seenRatios(40, 1.75))
	rows, err := store.ReadTokenRatios(t.Context(), b.pool, 100, 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.EqualValues(t, 100, rows[0].Samples)
	rows, err = store.ReadTokenRatios(t.Context(), b.pool, 101, 10)
	require.NoError(t, err)
	require.Empty(t, rows)

	// the view says what plans go by
	var factor, high float64
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT factor::float8, factor_p99::float8 FROM weir.token_factors`).Scan(&factor, &high))
	require.InDelta(t, 1.45, factor, 1e-9)
	var r tokens.Ratios
	copy(r.Steps[:], seenRatios(60, 1.25).Steps)
	r.Samples = 60
	r.Merge(tokens.Ratios{Steps: [tokens.RatioSteps]int32(seenRatios(40, 1.75).Steps), Samples: 40})
	require.InDelta(t, r.Quantile(0.99), high, 0.001)
}
