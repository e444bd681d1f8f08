package store_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
)

func TestVectors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two, three := store.TextHash(sha256.Sum256([]byte("one"))), store.TextHash(sha256.Sum256([]byte("two"))), store.TextHash{}
	day := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	keep := func(at time.Time, embedder string, vectors map[store.TextHash][]float32) {
		require.NoError(t, store.KeepVectors(t.Context(), b.pool, at, embedder, vectors))
	}
	kept := func(embedder string) map[store.TextHash][]float32 {
		vectors, err := store.Vectors(t.Context(), b.pool, embedder, []store.TextHash{one, two, three})
		require.NoError(t, err)
		return vectors
	}
	keep(day, "m:2", map[store.TextHash][]float32{one: {0.5, -2e-7}})
	keep(day.Add(time.Hour), "m:2", map[store.TextHash][]float32{one: {9, 9}, two: {3, 4}})
	require.Equal(t, map[store.TextHash][]float32{one: {0.5, -2e-7}, two: {3, 4}}, kept("m:2"), "the first stays")
	require.Empty(t, kept("m:3"))

	deleted, err := store.ForgetVectors(t.Context(), b.pool, day.Add(time.Minute), 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, deleted)
	require.Equal(t, map[store.TextHash][]float32{two: {3, 4}}, kept("m:2"))
}
