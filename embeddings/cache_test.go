package embeddings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/embeddings"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// A text is paid once, also when it stands twice in one list, and another process finds what this one made.
func TestCache(t *testing.T) {
	t.Parallel()
	b := setup(t, openAI, catalog.Embedder{ID: "text-embedding-3-small", Dimensions: 8}, sim.Config{})
	cache := func(key string) *embeddings.Cache {
		return embeddings.NewCache(b.embedder(t), b.pool, key, embeddings.Options{Feature: "classifier"})
	}
	first, err := cache("small:8").Embed(t.Context(), []string{"one", "two", "one"})
	require.NoError(t, err)
	require.Equal(t, "2", b.usage(t, "inputs"))
	again, err := cache("small:8").Embed(t.Context(), []string{"two", "one"})
	require.NoError(t, err)
	require.Equal(t, "2", b.usage(t, "inputs"), "both are known")
	require.Equal(t, [][]float32{first[1], first[0]}, again)
	require.Equal(t, first[0], first[2])
	more, err := cache("small:8").Embed(t.Context(), []string{"one", "three"})
	require.NoError(t, err)
	require.Equal(t, "3", b.usage(t, "inputs"), "one is known, one is not")
	require.Equal(t, first[0], more[0])
	require.Equal(t, b.vectors(t, []string{"one", "two"}), first[:2])
	_, err = cache("other:8").Embed(t.Context(), []string{"one"})
	require.NoError(t, err)
	require.Equal(t, "4", b.usage(t, "inputs"), "another key knows nothing")
	none, err := cache("small:8").Embed(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

// What was made before a call failed is kept.
func TestCache_KeepsWhatWasPaid(t *testing.T) {
	t.Parallel()
	b := setup(t, openAI, catalog.Embedder{ID: "text-embedding-3-small", Dimensions: 8, Inputs: 1, Concurrency: 1}, sim.Config{
		Scripts: []sim.Script{{Fault: sim.FaultQuota, After: 1}},
	})
	cache := embeddings.NewCache(b.embedder(t), b.pool, "small:8", embeddings.Options{})
	_, err := cache.Embed(t.Context(), []string{"one", "two"})
	require.ErrorContains(t, err, string(task.FailQuota))
	require.Equal(t, "1", b.usage(t, "inputs"))
	_, err = cache.Embed(t.Context(), []string{"one"})
	require.NoError(t, err)
	require.Equal(t, "1", b.usage(t, "inputs"))
}
