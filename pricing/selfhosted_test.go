package pricing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// TestEmbedded_SelfHosted: a server of one's own costs nothing by the call, whatever its model is called.
func TestEmbedded_SelfHosted(t *testing.T) {
	t.Parallel()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	for _, name := range []string{"bge-m3", "qwen3-embedding:0.6b", "BAAI/bge-m3", "/models/llama-3.1-8b.gguf"} {
		cost, err := mustPrice(t, book, pricing.Query{Provider: "self-hosted", Model: name, At: november()}).Cost(
			task.Usage{Input: 1_000_000, CacheRead: 10, Output: 1_000_000},
		)
		require.NoError(t, err)
		require.Zero(t, cost.Total, name)
		require.Equal(t, "self-hosted/any@always#1", cost.Row)
	}
}
