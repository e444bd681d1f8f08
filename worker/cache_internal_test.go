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

func TestCachingOf(t *testing.T) {
	t.Parallel()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	const long, short = 5_000, 100 // tokens
	const marks, unasked, chat, implicit = catalog.APIAnthropic, catalog.APIResponses, catalog.APIOpenAI, catalog.APIGemini
	tests := []struct {
		name   string
		api    string
		model  string
		policy catalog.Cache
		tokens int
		calls  int
		want   providers.Cache
	}{
		{"Auto", marks, "claude-sonnet-5-5", catalog.CacheAuto, long, 2, providers.Cache5m},
		{"AutoForOneCall", marks, "claude-sonnet-5-5", catalog.CacheAuto, long, 1, providers.CacheUnasked},
		{"AutoWithAShortPrefix", marks, "claude-sonnet-5-5", catalog.CacheAuto, short, 100, providers.CacheUnasked},
		{"AutoWhereTheLeastIsUnknown", marks, "claude-haiku-5-5", catalog.CacheAuto, 4_000, 100, providers.CacheUnasked},
		{"AutoWhereWritesAreBilledUnasked", unasked, "gpt-6-luna", catalog.CacheAuto, long, 2, providers.Cache30m},
		{"AutoForOneCallWhereWritesAreBilledUnasked", unasked, "gpt-6-luna", catalog.CacheAuto, long, 1, providers.CacheNone},
		{"AutoWithAShortPrefixWhereWritesAreBilledUnasked", chat, "gpt-6-luna", catalog.CacheAuto, short, 9, providers.CacheNone},
		{"None", marks, "claude-sonnet-5-5", catalog.CacheNone, long, 100, providers.CacheUnasked},
		{"NoneWhereWritesAreBilledUnasked", unasked, "gpt-6-luna", catalog.CacheNone, long, 100, providers.CacheNone},
		{"FiveMinutes", marks, "claude-sonnet-5-5", catalog.Cache5m, short, 1, providers.Cache5m},
		{"AnHour", marks, "claude-sonnet-5-5", catalog.Cache1h, short, 1, providers.Cache1h},
		{"HalfAnHourOfMarks", marks, "claude-sonnet-5-5", catalog.Cache30m, long, 1, providers.Cache5m},
		{"TwelveHoursOfMarks", marks, "claude-sonnet-5-5", catalog.Cache12h, long, 1, providers.Cache1h},
		{"FiveMinutesOfUnasked", unasked, "gpt-6.2-sol", catalog.Cache5m, long, 1, providers.Cache30m},
		{"AnHourOfUnasked", unasked, "gpt-6.2-sol", catalog.Cache1h, long, 1, providers.Cache30m},
		{"TwelveHours", unasked, "gpt-6.2-sol", catalog.Cache12h, long, 1, providers.Cache12h},
		{"TwelveHoursWithoutARate", unasked, "gpt-6-luna", catalog.Cache12h, long, 1, providers.Cache30m},
		{"TwelveHoursOfChat", chat, "gpt-6.2-sol", catalog.Cache12h, long, 1, providers.Cache30m},
		{"WithoutARate", chat, "gpt-5.4-mini", catalog.Cache30m, long, 1, providers.CacheUnasked},
		{"WithoutMarks", implicit, "gemini-3.8-flash", catalog.Cache1h, long, 100, providers.CacheUnasked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			biller := map[string]string{marks: "anthropic", unasked: "openai", chat: "openai", implicit: "google"}[tt.api]
			price, err := book.Price(pricing.Query{
				Provider: biller, Model: tt.model, At: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
			})
			require.NoError(t, err)
			traits, _ := book.Traits(biller, tt.model)
			quarter := strings.Repeat("word", tt.tokens/4)
			f := catalog.Feature{
				Cache: tt.policy, System: quarter, Context: []string{quarter},
				Examples: []catalog.Example{{Input: quarter, Output: quarter}},
			}
			require.Equal(t, tt.want, cachingOf(f, price, traits, Lifetimes(tt.api, price), tt.calls, never).ask)
		})
	}
}

func never(providers.Cache) bool { return false }

func TestCachingOf_AWarmPrefixIsRead(t *testing.T) {
	t.Parallel()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	price, err := book.Price(pricing.Query{
		Provider: "anthropic", Model: "claude-sonnet-5-5", At: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
	})
	require.NoError(t, err)
	f := catalog.Feature{Cache: catalog.CacheAuto, System: strings.Repeat("word", 1_000)}
	traits := pricing.Traits{MinCacheable: 512}
	lifetimes := Lifetimes(catalog.APIAnthropic, price)
	require.Equal(t, providers.CacheUnasked, cachingOf(f, price, traits, lifetimes, 1, never).ask)
	warm := func(c providers.Cache) bool { return c == providers.Cache5m }
	require.Equal(t, providers.Cache5m, cachingOf(f, price, traits, lifetimes, 1, warm).ask)
}

func TestCaching_ToolsOfTheTask(t *testing.T) {
	t.Parallel()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	tools := []task.Tool{{Name: "lookup"}}
	of := func(api, biller, model string, policy catalog.Cache) caching {
		price, err := book.Price(pricing.Query{
			Provider: biller, Model: model, At: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
		})
		require.NoError(t, err)
		f := catalog.Feature{Cache: policy, System: strings.Repeat("word", 5_000)}
		return cachingOf(f, price, pricing.Traits{MinCacheable: 512}, Lifetimes(api, price), 9, never)
	}
	auto := of(catalog.APIAnthropic, "anthropic", "claude-sonnet-5-5", catalog.CacheAuto)
	require.Equal(t, providers.Cache5m, auto.with(nil))
	require.Equal(t, providers.CacheUnasked, auto.with(tools))
	asked := of(catalog.APIAnthropic, "anthropic", "claude-sonnet-5-5", catalog.Cache1h)
	require.Equal(t, providers.Cache1h, asked.with(tools))
	billed := of(catalog.APIResponses, "openai", "gpt-6-luna", catalog.CacheAuto)
	require.Equal(t, providers.Cache30m, billed.with(nil))
	require.Equal(t, providers.CacheNone, billed.with(tools))
}
