package embed_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/embed"
)

func TestNewProvider_Refuses(t *testing.T) {
	t.Parallel()
	call := func(context.Context, []string) ([][]float32, error) { return nil, nil }
	_, err := embed.NewProvider("", 2, call)
	require.ErrorContains(t, err, "without an id")
	for _, dim := range []int{0, 4097} {
		_, err = embed.NewProvider("m", dim, call)
		require.ErrorContains(t, err, "must be from 1 to 4096")
	}
	_, err = embed.NewProvider("m", 2, nil)
	require.ErrorIs(t, err, embed.ErrNoFunction)
}

func TestProvider_Normalises(t *testing.T) {
	t.Parallel()
	returned := [][]float32{{3, -4}, {0, 0}, {math.MaxFloat32, math.MaxFloat32}}
	var asked []string
	p, err := embed.NewProvider("text-embedding-3-small", 2, func(_ context.Context, texts []string) ([][]float32, error) {
		asked = texts
		return returned, nil
	})
	require.NoError(t, err)
	require.Equal(t, "provider:text-embedding-3-small:2", p.ID())
	require.Equal(t, 2, p.Dim())

	vectors, err := p.Embed(t.Context(), []string{"a", "b", "c"})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, asked)
	half := float32(math.Sqrt(0.5))
	require.Equal(t, [][]float32{{0.6, -0.8}, {0, 0}, {half, half}}, vectors)
	require.Equal(t, []float32{3, -4}, returned[0], "the function's vectors stay as they are")
}

func TestProvider_WithoutTextsCallsNothing(t *testing.T) {
	t.Parallel()
	p, err := embed.NewProvider("m", 2, func(context.Context, []string) ([][]float32, error) {
		return nil, errors.New("called")
	})
	require.NoError(t, err)
	vectors, err := p.Embed(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, vectors)
}

func TestProvider_RefusesVectors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		vectors [][]float32
		want    string
	}{
		"TooFew":     {[][]float32{{1, 0}}, "embedder provider:m:2: 1 vectors for 2 texts"},
		"TooMany":    {[][]float32{{1, 0}, {1, 0}, {1, 0}}, "3 vectors for 2 texts"},
		"WrongDim":   {[][]float32{{1, 0}, {1, 0, 0}}, "vector 1 has 3 dimensions, not 2"},
		"Missing":    {[][]float32{{1, 0}, nil}, "vector 1 has 0 dimensions, not 2"},
		"NotANumber": {[][]float32{{0, float32(math.NaN())}, {1, 0}}, "vector 0 has NaN in dimension 1"},
		"Infinite":   {[][]float32{{1, 0}, {float32(math.Inf(-1)), 0}}, "vector 1 has -Inf in dimension 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := embed.NewProvider("m", 2, func(context.Context, []string) ([][]float32, error) {
				return test.vectors, nil
			})
			require.NoError(t, err)
			_, err = p.Embed(t.Context(), []string{"a", "b"})
			var refused *embed.VectorsError
			require.ErrorAs(t, err, &refused)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestProvider_ReturnsTheFunctionsError(t *testing.T) {
	t.Parallel()
	cause := errors.New("rate limited")
	p, err := embed.NewProvider("m", 2, func(context.Context, []string) ([][]float32, error) { return nil, cause })
	require.NoError(t, err)
	_, err = p.Embed(t.Context(), []string{"a"})
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "provider:m:2")
}

// counting embeds every text alike, and counts what it was asked.
func counting(t *testing.T, asked *[]string) *embed.Provider {
	t.Helper()
	p, err := embed.NewProvider("m", 2, func(_ context.Context, texts []string) ([][]float32, error) {
		*asked = append(*asked, texts...)
		vectors := make([][]float32, len(texts))
		for i, text := range texts {
			vectors[i] = []float32{float32(len(text)), 1}
		}
		return vectors, nil
	})
	require.NoError(t, err)
	return p
}

func TestProvider_Remembers(t *testing.T) {
	t.Parallel()
	var asked []string
	p := counting(t, &asked)
	got := make([]float32, 2)
	require.False(t, p.Recall(got, "a"), "nobody has embedded it")
	first, err := p.Embed(t.Context(), []string{"a", "bb"})
	require.NoError(t, err)
	require.True(t, p.Recall(got, " a\n"), "blanks around a text are no part of it")
	require.Equal(t, first[0], got)
	second, err := p.Embed(t.Context(), []string{"bb", "ccc"})
	require.NoError(t, err)
	require.Equal(t, first[1], second[0])
	require.Equal(t, []string{"a", "bb", "ccc"}, asked)

	// a blank text is nothing anywhere
	blank, err := p.Embed(t.Context(), []string{" \n"})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0, 0}}, blank)
	require.True(t, p.Recall(got, ""))
	require.Equal(t, []float32{0, 0}, got)
	require.Len(t, asked, 3)
}

func TestProvider_ForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var asked []string
	p := counting(t, &asked)
	texts := make([]string, 1<<14+1)
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	_, err := p.Embed(t.Context(), texts)
	require.NoError(t, err)
	got := make([]float32, 2)
	require.False(t, p.Recall(got, "0"))
	require.True(t, p.Recall(got, "1"))
	require.True(t, p.Recall(got, texts[len(texts)-1]))
}

func TestProvider_ShowsTheEndsOfALongText(t *testing.T) {
	t.Parallel()
	var asked []string
	p := counting(t, &asked)
	_, err := p.Embed(t.Context(), []string{"start" + strings.Repeat("ä", 1<<20) + "end"})
	require.NoError(t, err)
	require.True(t, utf8.ValidString(asked[0]))
	require.True(t, strings.HasPrefix(asked[0], "start") && strings.HasSuffix(asked[0], "end"))
	require.InDelta(t, embed.ProviderHead+embed.ProviderTail, len(asked[0]), 3)
}
