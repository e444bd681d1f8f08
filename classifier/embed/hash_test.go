package embed_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/embed"
)

func mustHash(tb testing.TB) *embed.Hash {
	tb.Helper()
	h, err := embed.NewHash(embed.HashDim)
	require.NoError(tb, err)
	return h
}

func cosine(a, b []float32) float64 {
	var dot float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
	}
	return dot
}

func TestNewHash_RefusesDimensions(t *testing.T) {
	t.Parallel()
	for _, dim := range []int{-1, 0, 4097} {
		_, err := embed.NewHash(dim)
		require.ErrorContains(t, err, "from 1 to 4096")
	}
}

func TestHash_Embed(t *testing.T) {
	t.Parallel()
	h := mustHash(t)
	require.Equal(t, "hash:1:256", h.ID())
	require.Equal(t, 256, h.Dim())

	texts := []string{"Cancel my subscription", "cancel my subscriptions!", "quantum field theory", "", " \x00\t"}
	vectors, err := h.Embed(t.Context(), texts)
	require.NoError(t, err)
	require.Len(t, vectors, len(texts))
	for _, v := range vectors[:3] {
		require.InDelta(t, 1, cosine(v, v), 1e-6)
	}
	require.Greater(t, cosine(vectors[0], vectors[1]), 0.5)
	require.Less(t, math.Abs(cosine(vectors[0], vectors[2])), 0.3)
	require.Equal(t, make([]float32, 256), vectors[3])
	require.Equal(t, make([]float32, 256), vectors[4])
}

func TestHash_LongTextsCountAtBothEnds(t *testing.T) {
	t.Parallel()
	h := mustHash(t)
	middle := strings.Repeat("lorem ipsum ", 100_000)
	vectors, err := h.Embed(t.Context(), []string{
		middle, "translate this: " + middle, middle + " translate this", middle + "translate this " + middle,
	})
	require.NoError(t, err)
	require.NotEqual(t, vectors[0], vectors[1])
	require.NotEqual(t, vectors[0], vectors[2])
	require.Equal(t, vectors[0], vectors[3])
}

func TestHash_IntoAllocatesNothing(t *testing.T) { //nolint:paralleltest // counts the process's allocations
	h := mustHash(t)
	v := make([]float32, h.Dim())
	require.Zero(t, testing.AllocsPerRun(100, func() { h.Into(v, "Where is my café, naïvely? 你好 "+prompt) }))
}

func BenchmarkHash(b *testing.B) {
	h := mustHash(b)
	v := make([]float32, h.Dim())
	b.SetBytes(int64(len(prompt)))
	b.ReportAllocs()
	for b.Loop() {
		h.Into(v, prompt)
	}
}
