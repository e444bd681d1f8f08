package embeddings

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCut: requests cover the texts in order, keep to the limits, and none could take the next text as well.
func TestCut(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		l := Limits{Inputs: 1 + random.IntN(8), RequestTokens: int64(1 + random.IntN(400))}
		counts := make([]int64, random.IntN(40))
		for i := range counts {
			counts[i] = int64(1 + random.IntN(100))
		}
		sum := func(s span) (total int64) {
			for _, n := range counts[s.from:s.to] {
				total += n
			}
			return total
		}
		fits := func(s span) bool {
			return s.size() <= l.Inputs && (s.size() == 1 || sum(s) <= l.RequestTokens*fillTo/100)
		}
		spans := cut(counts, l)
		at := 0
		for _, s := range spans {
			require.Equal(t, at, s.from)
			require.Positive(t, s.size())
			require.True(t, fits(s))
			if s.to < len(counts) {
				require.False(t, fits(span{s.from, s.to + 1}))
			}
			at = s.to
		}
		require.Equal(t, len(counts), at)
	}
}

func TestHalves(t *testing.T) {
	t.Parallel()
	for size := 2; size < 20; size++ {
		whole := span{3, 3 + size}
		first, second := whole.halves()
		require.Equal(t, []int{3, second.from, 3 + size}, []int{first.from, first.to, second.to})
		require.Positive(t, first.size())
		require.LessOrEqual(t, second.size()-first.size(), 1)
	}
}
