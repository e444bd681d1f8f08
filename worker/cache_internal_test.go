package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
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
			require.Equal(t, tt.want, cacheOf(f, price, traits, tt.calls, false))
		})
	}
}

func TestCacheOf_AWarmPrefixIsRead(t *testing.T) {
	t.Parallel()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	price, err := book.Price(pricing.Query{
		Provider: "anthropic", Model: "claude-sonnet-5-5", At: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
	})
	require.NoError(t, err)
	f := catalog.Feature{Cache: catalog.CacheAuto, System: strings.Repeat("word", 1_000)}
	traits := pricing.Traits{MinCacheable: 512}
	require.Equal(t, providers.CacheUnasked, cacheOf(f, price, traits, 1, false))
	require.Equal(t, providers.Cache5m, cacheOf(f, price, traits, 1, true))
}

func TestCacheWith_ToolsOfTheTask(t *testing.T) {
	t.Parallel()
	tools := []task.Tool{{Name: "lookup"}}
	auto, asked := catalog.Feature{Cache: catalog.CacheAuto}, catalog.Feature{Cache: catalog.Cache5m}
	require.Equal(t, providers.Cache5m, cacheWith(nil, auto, providers.Cache5m))
	require.Equal(t, providers.CacheUnasked, cacheWith(tools, auto, providers.Cache5m))
	require.Equal(t, providers.Cache5m, cacheWith(tools, asked, providers.Cache5m))
}
