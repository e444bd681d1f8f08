package pricing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// TestPrice_ImagesAsInput: providers that count images by themselves and bill them as input are said to do so.
func TestPrice_ImagesAsInput(t *testing.T) {
	t.Parallel()
	with := strings.Replace(acme(`
        modes:
          batch:
            bands: [{input: "0.25", output: "1"}]
`), "schema: 1", "schema: 1\nusage: {images_as_input: true}", 1)
	for _, mode := range []pricing.Mode{pricing.ModeSync, pricing.ModeBatch} {
		q := small()
		q.Mode = mode
		price, err := mustBook(t, with).Price(q)
		require.NoError(t, err)
		text, err := price.Cost(task.Usage{Input: 1000, Output: 10})
		require.NoError(t, err)
		images, err := price.Cost(task.Usage{Input: 300, InputImage: 700, Output: 10})
		require.NoError(t, err)
		require.Equal(t, text.Total, images.Total)
	}

	dearer := strings.ReplaceAll(with, "cache_read: ", `input_image: "9", cache_read: `)
	price, err := mustBook(t, dearer).Price(small())
	require.NoError(t, err)
	cost, err := price.Cost(task.Usage{InputImage: 1_000_000})
	require.NoError(t, err)
	require.Equal(t, 9*task.USD, cost.Total, "a rate of their own comes first")
}

func TestBook_ImagesHaveAPrice(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	for _, m := range book.Models() {
		if !m.Traits.Images || m.Provider == "anthropic" { // whose usage does not tell images from text
			continue
		}
		price, err := book.Price(pricing.Query{Provider: m.Provider, Model: m.ID, At: november()})
		if err != nil { // not in force
			continue
		}
		_, err = price.Cost(task.Usage{InputImage: 258})
		require.NoError(t, err, m.ID)
	}
}
