package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
)

func TestCacheOf(t *testing.T) {
	t.Parallel()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	const long, short = 5_000, 100 // tokens
	tests := []struct {
		name     string
		provider string
		model    string
		policy   catalog.Cache
		tokens   int
		calls    int
		want     providers.Cache
	}{
		{"Auto", "anthropic", "claude-sonnet-5-5", catalog.CacheAuto, long, 2, providers.Cache5m},
		{"AutoForOneCall", "anthropic", "claude-sonnet-5-5", catalog.CacheAuto, long, 1, providers.CacheUnasked},
		{"AutoWithAShortPrefix", "anthropic", "claude-sonnet-5-5", catalog.CacheAuto, short, 100, providers.CacheUnasked},
		{"AutoWhereTheLeastIsUnknown", "anthropic", "claude-haiku-5-5", catalog.CacheAuto, 4_000, 100, providers.CacheUnasked},
		{"None", "anthropic", "claude-sonnet-5-5", catalog.CacheNone, long, 100, providers.CacheUnasked},
		{"NoneWhereWritesAreBilledUnasked", "openai", "gpt-6-luna", catalog.CacheNone, long, 100, providers.CacheNone},
		{"FiveMinutes", "anthropic", "claude-sonnet-5-5", catalog.Cache5m, short, 1, providers.Cache5m},
		{"AnHour", "anthropic", "claude-sonnet-5-5", catalog.Cache1h, short, 1, providers.Cache1h},
		{"WithoutMarks", "openai", "gpt-6-luna", catalog.Cache1h, long, 100, providers.CacheUnasked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			price, err := book.Price(pricing.Query{
				Provider: tt.provider, Model: tt.model, At: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
			})
			require.NoError(t, err)
			traits, _ := book.Traits(tt.provider, tt.model)
			f := catalog.Feature{Cache: tt.policy, System: strings.Repeat("word", tt.tokens/2), Context: []string{
				strings.Repeat("word", tt.tokens/2),
			}}
			require.Equal(t, tt.want, cacheOf(f, price, traits, tt.calls))
		})
	}
}

func TestWarmth(t *testing.T) {
	t.Parallel()
	w, now := newWarmth(), time.Now()
	p := prefixOf{feature: "triage", model: "sonnet", cache: providers.Cache5m}

	first, alone := w.enter(p, now)
	require.True(t, alone)
	second, alone := w.enter(p, now.Add(time.Second))
	require.False(t, alone)
	select {
	case <-second.ready:
		require.Fail(t, "the prefix is not written yet")
	default:
	}
	first.warm()
	first.warm() // when the call is over, and when the bundle is
	second.wait()

	_, alone = w.enter(p, now.Add(shortLife))
	require.False(t, alone, "the second one has renewed it")
	_, alone = w.enter(p, now.Add(3*shortLife))
	require.True(t, alone, "it is forgotten")

	other := p
	other.model = "opus"
	_, alone = w.enter(other, now)
	require.True(t, alone, "each model has its own")
	unasked, alone := w.enter(prefixOf{feature: "triage", model: "sonnet"}, now)
	require.False(t, alone)
	unasked.wait()
}
