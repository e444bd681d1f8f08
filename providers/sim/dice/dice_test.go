package dice_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim/dice"
)

func TestHash_IsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	require.Equal(t, dice.Hash(1, "weir"), dice.Hash(1, []byte("weir")))
	seen := map[uint64]string{}
	for i := range 200 {
		for _, text := range []string{"", "a", "b", "0123456789abcdef", "0123456789abcdef0"} {
			h := dice.Hash(uint64(i), text)
			require.NotContains(t, seen, h)
			seen[h] = text
		}
	}
	require.NotEqual(t, dice.Hash(1, "a"), dice.Hash(1, "a\x00"), "what is missing at the end is no zero")
}

func TestDice_SameStream(t *testing.T) {
	t.Parallel()
	a, b, other := dice.New(7, "x"), dice.New(7, "x"), dice.New(7, "y")
	same := 0
	for range 100 {
		v := a.Uint64()
		require.Equal(t, v, b.Uint64())
		if v == other.Uint64() {
			same++
		}
	}
	require.Zero(t, same)
}

func TestDice_IsFair(t *testing.T) {
	t.Parallel()
	const rounds = 60_000
	d := dice.New(1, "fair")
	counts := make([]int, 6)
	hits := 0
	for range rounds {
		counts[d.Below(6)]++
		if d.Hits(250) {
			hits++
		}
	}
	for _, n := range counts {
		require.InDelta(t, rounds/6, n, rounds/100)
	}
	require.InDelta(t, rounds/4, hits, rounds/100)
	require.Zero(t, d.Below(0))
	require.Zero(t, d.Below(-3))
	require.False(t, d.Hits(0))
	require.True(t, d.Hits(1000))
	for range 100 {
		n := d.Between(3, 5)
		require.True(t, n >= 3 && n <= 5)
	}
}

func TestDice_LogNormal(t *testing.T) {
	t.Parallel()
	d := dice.New(1, "length")
	values := make([]int, 20_001)
	for i := range values {
		values[i] = d.LogNormal(1000, 500)
	}
	slices.Sort(values)
	for _, tc := range []struct {
		name string
		rank int
		want int
	}{
		{"Median", 10_000, 1000},
		{"OneDeviationAbove", 16_826, 1649},
		{"OneDeviationBelow", 3_173, 607},
		{"TwoDeviationsAbove", 19_545, 2718},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.InEpsilon(t, tc.want, values[tc.rank], 0.05, strconv.Itoa(values[tc.rank]))
		})
	}
	require.Equal(t, 400, d.LogNormal(400, 0), "without spread there is the median alone")
}

func TestPickAndShuffle(t *testing.T) {
	t.Parallel()
	d := dice.New(3, "pick")
	from := []string{"a", "b", "c", "d"}
	seen := map[string]bool{}
	for range 100 {
		seen[dice.Pick(d, from)] = true
	}
	require.Len(t, seen, 4)
	shuffled := slices.Clone(from)
	dice.Shuffle(d, shuffled)
	require.ElementsMatch(t, from, shuffled)
}

func BenchmarkHash(b *testing.B) {
	data := make([]byte, 1024)
	text := string(data)
	b.Run("Bytes", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			_ = dice.Hash(1, data)
		}
	})
	b.Run("Text", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			_ = dice.Hash(1, text)
		}
	})
}
