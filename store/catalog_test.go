package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func oneModel(provider catalog.Provider, id string) *catalog.Catalog {
	return &catalog.Catalog{
		Hash:      "hash",
		Providers: map[string]catalog.Provider{"account": provider},
		Models:    map[string]catalog.Model{"m": {Provider: "account", ID: id, Tier: catalog.Mid}},
	}
}

func onePrice(model string, match ...string) store.Price {
	return store.Price{
		Key: "acme/" + model, Provider: "acme", Model: model, Match: match, Status: "in_force", Band: 1, Source: "test",
		Checked: firstDay,
	}
}

func TestSaveCatalog(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	save := func(features map[string]catalog.Feature, prices ...store.Price) {
		c := oneModel(catalog.Provider{API: "acme"}, "m-1")
		c.Features = features
		require.NoError(t, store.SaveCatalog(t.Context(), l.pool, firstDay, c, prices))
	}
	save(map[string]catalog.Feature{
		"stays":   {Success: catalog.SuccessValidated},
		"changes": {Success: catalog.SuccessValidated, FailureCost: task.USD},
	}, onePrice("m-1"), onePrice("m-2"))
	save(map[string]catalog.Feature{
		"changes": {Success: catalog.SuccessOutcome, FailureCost: 2 * task.USD},
	}, onePrice("m-2"), onePrice("m-3"))

	require.Equal(t, []map[string]string{
		{"name": "changes", "success": "outcome", "failure_cost_pusd": "2000000000000"},
		{"name": "stays", "success": "validated", "failure_cost_pusd": "0"},
	}, l.rows(`SELECT name, success, failure_cost_pusd FROM weir.features ORDER BY name`))
	require.Equal(t, []map[string]string{{
		"name": "m", "provider": "account", "model_id": "m-1", "tier": "mid", "price_provider": "acme", "price_model": "NULL",
	}}, l.rows(`SELECT name, provider, model_id, tier, price_provider, price_model FROM weir.models`),
		"the second book has no price of m-1 any more")
	require.Equal(t, []map[string]string{{"key": "acme/m-2"}, {"key": "acme/m-3"}},
		l.rows(`SELECT key FROM weir.prices ORDER BY key`))
}

func TestSaveCatalog_Prices(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	until := secondDay.Add(time.Hour)
	banded := func(key, variant string, band int, edge int64, above bool) store.Price {
		p := onePrice("m-1")
		p.Key, p.Variant, p.Band, p.MaxPrompt, p.EdgeAbove = key, variant, band, edge, above
		return p
	}
	full := banded("full", "", 1, 0, false)
	full.Model, full.From, full.Until, full.Status = "m-2", &secondDay, &until, "announced"
	full.Modes, full.Geo, full.WebSearch = map[string]string{"batch": "1/2"}, map[string]string{"us": "11/10"}, new(task.Pico(7))
	full.Rates = map[string]task.Pico{
		"input": 1, "cache_read": 2, "cache_write_5m": 3, "cache_write_30m": 4, "cache_write_1h": 5, "cache_write_12h": 6,
		"input_audio": 7, "input_image": 8, "output": 0, "output_audio": 10, "characters": 11,
	}
	prices := []store.Price{
		banded("a1", "", 1, 100, false), banded("a2", "", 2, 200, false), banded("a3", "", 3, 0, false),
		banded("b1", "batch", 1, 100, true), banded("b2", "batch", 2, 0, true),
		full,
	}
	err := store.SaveCatalog(t.Context(), l.pool, firstDay, oneModel(catalog.Provider{API: "acme"}, "m-1"), prices)
	require.NoError(t, err)

	require.Equal(t, []map[string]string{
		{"key": "a1", "prompt_from": "0", "prompt_to": "100"},
		{"key": "a2", "prompt_from": "101", "prompt_to": "200"},
		{"key": "a3", "prompt_from": "201", "prompt_to": "NULL"},
		{"key": "b1", "prompt_from": "0", "prompt_to": "99"},
		{"key": "b2", "prompt_from": "100", "prompt_to": "NULL"},
		{"key": "full", "prompt_from": "0", "prompt_to": "NULL"},
	}, l.rows(`SELECT key, prompt_from, prompt_to FROM weir.prices ORDER BY key`))
	require.Equal(t, []map[string]string{{
		"input_pusd": "1", "cache_read_pusd": "2", "cache_write_5m_pusd": "3", "cache_write_30m_pusd": "4",
		"cache_write_1h_pusd": "5", "cache_write_12h_pusd": "6", "input_audio_pusd": "7", "input_image_pusd": "8",
		"output_pusd": "0", "output_audio_pusd": "10", "web_search_pusd": "7", "characters_pusd": "11",
		"status":     "announced",
		"valid_from": "2026-03-11T00:00:00+00:00", "valid_until": "2026-03-11T01:00:00+00:00", "modes": `{"batch": "1/2"}`,
		"geo": `{"us": "11/10"}`, "checked": "2026-03-10",
	}}, l.rows(`
		SELECT input_pusd, cache_read_pusd, cache_write_5m_pusd, cache_write_30m_pusd, cache_write_1h_pusd,
		       cache_write_12h_pusd, input_audio_pusd, input_image_pusd, output_pusd, output_audio_pusd, web_search_pusd,
		       characters_pusd, status, valid_from, valid_until, modes, geo, checked
		FROM weir.prices WHERE key = 'full'`))
	require.Equal(t, []map[string]string{
		{"valid_from": "-infinity", "valid_until": "infinity", "input_pusd": "NULL", "web_search_pusd": "NULL", "modes": "{}"},
	}, l.rows(`SELECT valid_from, valid_until, input_pusd, web_search_pusd, modes FROM weir.prices WHERE key = 'a1'`))
}

func TestSaveCatalog_NamesInThePriceBook(t *testing.T) {
	t.Parallel()
	prices := []store.Price{
		onePrice("big", "big-[0-9]{8}", "best"), onePrice("big-20260101"), onePrice("small", "small-.*", "best"),
		onePrice("other", "b.*"),
	}
	prices[3].Provider = "umbrella"
	tests := []struct {
		name     string
		provider catalog.Provider
		id       string
		want     string
	}{
		{name: "ItsOwn", provider: catalog.Provider{API: "acme"}, id: "big", want: "big"},
		{name: "APattern", provider: catalog.Provider{API: "acme"}, id: "big-20251212", want: "big"},
		{name: "ItsOwnBeforeAPattern", provider: catalog.Provider{API: "acme"}, id: "big-20260101", want: "big-20260101"},
		{name: "APatternFromEndToEnd", provider: catalog.Provider{API: "acme"}, id: "a-big-20251212-b", want: "NULL"},
		{name: "TwoPatterns", provider: catalog.Provider{API: "acme"}, id: "best", want: "NULL"},
		{name: "Unknown", provider: catalog.Provider{API: "acme"}, id: "huge", want: "NULL"},
		{name: "PricesOfAnotherName", provider: catalog.Provider{API: "openai", Prices: "umbrella"}, id: "best", want: "other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			err := store.SaveCatalog(t.Context(), l.pool, firstDay, oneModel(test.provider, test.id), prices)
			require.NoError(t, err)
			require.Equal(t, []map[string]string{{"price_model": test.want}}, l.rows(`SELECT price_model FROM weir.models`))
		})
	}
}

func TestSaveCatalog_AllOrNothing(t *testing.T) {
	t.Parallel()
	wrong := onePrice("m-2")
	wrong.Status = "guessed"
	tests := []struct {
		name  string
		price store.Price
	}{
		{name: "RefusedByPostgres", price: wrong},
		{name: "PatternThatDoesNotCompile", price: onePrice("m-2", "(")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			c := oneModel(catalog.Provider{API: "acme"}, "m-1")
			require.Error(t, store.SaveCatalog(t.Context(), l.pool, firstDay, c, []store.Price{onePrice("m-1"), test.price}))
			require.Empty(t, l.rows(`SELECT name FROM weir.models`))
			require.Empty(t, l.rows(`SELECT key FROM weir.prices`))
		})
	}
}

func TestSaveCatalog_ProcessesThatStartTogether(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	var group errgroup.Group
	for i := range 8 {
		group.Go(func() error {
			prices := []store.Price{onePrice("m-1"), onePrice("m-2"), onePrice("m-3")}
			prices = append(prices[i%3:], prices[:i%3]...)
			return store.SaveCatalog(t.Context(), l.pool, firstDay, oneModel(catalog.Provider{API: "acme"}, "m-1"), prices)
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, l.rows(`SELECT key FROM weir.prices`), 3)
}
