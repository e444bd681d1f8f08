package pricing_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// haikuFile is a price file about Claude Haiku 5.5 with the given lines in its entry.
func haikuFile(entry string) pricing.Override {
	return pricing.Override{Name: "own/anthropic.yaml", File: []byte(
		"schema: 1\nprovider: anthropic\ncurrency: USD\nmodels:\n  - id: claude-haiku-5-5\n" + entry,
	)}
}

// flatRow is a row of one band.
func flatRow(from, status, input, output string) string {
	return "      - {from: " + from + ", status: " + status + ", checked: 2026-11-20, source: contract, bands: [{input: \"" +
		input + "\", output: \"" + output + "\"}]}\n"
}

func mustCompose(tb testing.TB, overrides ...pricing.Override) *pricing.Book {
	tb.Helper()
	book, err := pricing.Compose(overrides...)
	require.NoError(tb, err)
	return book
}

// onDay is a query of a Haiku call on a day.
func onDay(t *testing.T, day string) pricing.Query {
	t.Helper()
	at, err := time.Parse(time.DateOnly, day)
	require.NoError(t, err)
	return pricing.Query{Provider: "anthropic", Model: "claude-haiku-5-5-20261007", At: at}
}

func TestCompose_ReplacesFromItsFirstPriceOn(t *testing.T) {
	t.Parallel()
	book := mustCompose(t, haikuFile("    prices:\n"+flatRow("2026-12-01", "in_force", "0.08", "0.40")))
	one := task.Usage{Input: 1, Output: 1}
	require.EqualValues(t, 600_000, mustCost(t, book, onDay(t, "2026-11-30"), one), "what was before, stays")
	price := mustPrice(t, book, onDay(t, "2026-12-01"))
	require.Equal(t, "anthropic/claude-haiku-5-5@2026-12-01", price.Row())
	cost, err := price.Cost(one)
	require.NoError(t, err)
	require.EqualValues(t, 480_000, cost.Total)

	before := findRow(t, book, "anthropic/claude-haiku-5-5@2026-10-07#1")
	require.Equal(t, "2026-12-01", date(before.Until))
	require.Equal(t, "embedded", before.Origin)
	own := findRow(t, book, "anthropic/claude-haiku-5-5@2026-12-01#1")
	require.Equal(t, "own/anthropic.yaml", own.Origin)
	require.Equal(t, []string{"claude-haiku-5-5-[0-9]{8}"}, own.Match, "what is not said, stays")
	traits, _ := book.Traits("anthropic", "claude-haiku-5-5")
	known, _ := mustEmbedded(t).Traits("anthropic", "claude-haiku-5-5")
	require.Equal(t, known, traits)
	require.Nil(t, findRow(t, mustEmbedded(t), before.Key).Until, "the embedded book is as it was")
}

func TestCompose_AlwaysReplacesAll(t *testing.T) {
	t.Parallel()
	book := mustCompose(t, haikuFile("    prices:\n"+flatRow("always", "in_force", "7", "7")))
	require.Equal(t, "anthropic/claude-haiku-5-5@always", mustPrice(t, book, onDay(t, "2020-01-01")).Row())
	for _, row := range book.Rows() {
		require.False(t, row.Model == "claude-haiku-5-5" && row.Origin == "embedded", "%s", row.Key)
	}
}

// TestCompose_PutsAnAnnouncedPriceInForce: the row that is pasted on the day a price is confirmed.
func TestCompose_PutsAnAnnouncedPriceInForce(t *testing.T) {
	t.Parallel()
	file := pricing.Override{Name: "google.yaml", File: []byte(
		"schema: 1\nprovider: google\ncurrency: USD\nmodels:\n  - id: gemini-3.8-flash\n    prices:\n" +
			flatRow("2027-01-01", "in_force", "1.50", "7.50"),
	)}
	book := mustCompose(t, file)
	q := pricing.Query{Provider: "google", Model: "gemini-3.8-flash", At: time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)}
	require.Equal(t, "google/gemini-3.8-flash@2026-09-02", mustPrice(t, book, q).Row())
	q.At = q.At.Add(time.Hour)
	require.Equal(t, "google/gemini-3.8-flash@2027-01-01", mustPrice(t, book, q).Row())
	require.Empty(t, book.Ending("google", "gemini-3.8-flash", november()))
}

func TestCompose_AnnouncedPricesReplaceOnlyAnnouncedOnes(t *testing.T) {
	t.Parallel()
	book := mustCompose(t, pricing.Override{Name: "google.yaml", File: []byte(
		"schema: 1\nprovider: google\ncurrency: USD\nmodels:\n  - id: gemini-3.8-flash\n    prices:\n" +
			flatRow("2027-02-01", "announced", "1.20", "6"),
	)})
	var keys []string
	for _, row := range book.Rows() {
		if row.Model == "gemini-3.8-flash" && row.Variant == "" {
			keys = append(keys, row.Key+" "+string(row.Status))
		}
	}
	require.Equal(t, []string{
		"google/gemini-3.8-flash@2026-09-02#1 in_force", "google/gemini-3.8-flash@2027-02-01#1 announced",
	}, keys)
}

func TestCompose_WhatIsSaidReplacesAsAWhole(t *testing.T) {
	t.Parallel()
	book := mustCompose(t, haikuFile(`    match: [our-haiku]
    limits: {window: 9000}
    caps: {refuses: [effort]}
    tokenizer: {o200k_factor: "2"}
    retires: {on: 2027-03-01, checked: 2026-11-20, source: a letter}
`))
	traits, ok := book.Traits("anthropic", "our-haiku")
	require.True(t, ok)
	require.Equal(t, pricing.Traits{
		Window: 9000, MaxInput: 9000, TokenFactor: 2, Refused: []string{"effort"}, OutputIncludesReasoning: true,
	}, traits)
	_, ok = book.Traits("anthropic", "claude-haiku-5-5-20261007")
	require.False(t, ok, "the patterns are replaced")
	require.Equal(t, "2027-03-01", book.Retires("anthropic", "our-haiku").On.Format(time.DateOnly))
	q := onDay(t, "2026-11-20")
	q.Model = "our-haiku"
	require.Equal(t, "anthropic/claude-haiku-5-5@2026-10-07", mustPrice(t, book, q).Row(), "the prices stay")
}

func TestCompose_LaterOverridesLieOver(t *testing.T) {
	t.Parallel()
	first := haikuFile("    prices:\n" + flatRow("2026-12-01", "in_force", "1", "1"))
	second := haikuFile("    prices:\n" + flatRow("2027-01-01", "in_force", "2", "2"))
	second.Name = "own/later.yaml"
	book := mustCompose(t, first, second, section(t, "anthropic", "models:\n  - id: claude-haiku-5-5\n    prices:\n"+
		flatRow("2027-02-01", "in_force", "3", "3")))
	for day, row := range map[string]string{
		"2026-11-30": "2026-10-07", "2026-12-01": "2026-12-01", "2027-01-01": "2027-01-01", "2027-02-01": "2027-02-01",
	} {
		require.Equal(t, "anthropic/claude-haiku-5-5@"+row, mustPrice(t, book, onDay(t, day)).Row())
	}
	require.Equal(t, "weir.yaml", findRow(t, book, "anthropic/claude-haiku-5-5@2027-02-01#1").Origin)
}

// section is a provider's section of weir.yaml.
func section(tb testing.TB, provider, content string) pricing.Override {
	tb.Helper()
	var doc yaml.Node
	require.NoError(tb, yaml.Unmarshal([]byte(content), &doc))
	return pricing.Override{Name: "weir.yaml", Provider: provider, Section: doc.Content[0]}
}

func TestCompose_NewModelsAndProviders(t *testing.T) {
	t.Parallel()
	const entry = "    tokenizer: {o200k_factor: \"1.3\"}\n    prices:\n"
	book := mustCompose(
		t,
		section(t, "anthropic", "models:\n  - id: claude-next\n"+entry+flatRow("always", "in_force", "1", "1")),
		section(t, "own", "usage: {input_includes_cached: true}\nmodels:\n  - id: qwen\n"+entry+flatRow("always", "in_force", "0.1", "0.2")),
	)
	traits, ok := book.Traits("anthropic", "claude-next")
	require.True(t, ok)
	require.True(t, traits.OutputIncludesReasoning, "counted as the provider counts")
	traits, ok = book.Traits("own", "qwen")
	require.True(t, ok)
	require.Equal(t, pricing.Traits{TokenFactor: 1.3, InputIncludesCached: true}, traits)
	require.EqualValues(t, 300_000, mustCost(t, book, pricing.Query{Provider: "own", Model: "qwen", At: november()},
		task.Usage{Input: 1, Output: 1}))
}

func TestCompose_Hash(t *testing.T) {
	t.Parallel()
	rows := "    prices:\n" + flatRow("2026-12-01", "in_force", "0.08", "0.40")
	file := mustCompose(t, haikuFile(rows))
	require.NotEqual(t, mustEmbedded(t).Hash(), file.Hash())
	inline := mustCompose(t, section(t, "anthropic", "models:\n  - id: claude-haiku-5-5\n"+rows))
	require.Equal(t, file.Hash(), inline.Hash(), "where a price stands does not count")
	dearer := mustCompose(t, haikuFile(strings.Replace(rows, "0.08", "0.09", 1)))
	require.NotEqual(t, file.Hash(), dearer.Hash())
}

func TestCompose_EveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	_, err := pricing.Compose(
		haikuFile("    prices:\n"+flatRow("2026-12-01", "in_force", "1", "1")+flatRow("2027-01-01", "in_force", "1", "1")),
		pricing.Override{Name: "own/broken.yaml", File: []byte("schema: 1\nprovider: [\n")},
		pricing.Override{Name: "own/openai.yaml", File: []byte("schema: 1\nprovider: openai\ncurrency: USD\nmodels:\n" +
			"  - id: gpt-4o-mini-2024-07-18\n    tokenizer: {o200k_factor: \"1\"}\n    prices:\n" + flatRow("always", "in_force", "1", "1") +
			"  - id: gpt-4o-mini\n    limits: {window: all}\n  - id: gpt-4o-mini\n")},
		section(t, "own", "models:\n  - id: qwen\n    prices:\n      - {from: always, bands: [{input: 1, output: \"1\"}]}\ncolor: red\n"),
	)
	require.Error(t, err)
	require.Equal(t, []string{
		"own/anthropic.yaml:5: claude-haiku-5-5.prices has rows from 2026-12-01 and from 2027-01-01 that overlap",
		"own/broken.yaml:3: this is not YAML: did not find expected node content while parsing a flow node",
		"own/openai.yaml: gpt-4o-mini-2024-07-18 is also matched by a pattern of gpt-4o-mini",
		`own/openai.yaml:10: gpt-4o-mini.limits.window is "all"; it must be a whole number of tokens from 1 to 1000000000`,
		"own/openai.yaml:11: gpt-4o-mini is given twice",
		"weir.yaml:2: qwen.tokenizer is missing",
		"weir.yaml:4: qwen.prices[0].source is missing",
		"weir.yaml:4: qwen.prices[0].checked is missing",
		"weir.yaml:4: qwen.prices[0].status is missing",
		`weir.yaml:4: qwen.prices[0].bands[0].input is a number; put it in quotes: "1"`,
		"weir.yaml:5: price_book.own.color is unknown; the keys here are models, usage",
	}, strings.Split(err.Error(), "\n"))
}

func TestCompose_TokensNeedATokenizer(t *testing.T) {
	t.Parallel()
	_, err := pricing.Compose(pricing.Override{Name: "deepl.yaml", File: []byte(
		"schema: 1\nprovider: deepl\ncurrency: USD\nmodels:\n  - id: deepl\n    prices:\n" + flatRow("always", "in_force", "1", "1"),
	)})
	require.EqualError(t, err, "deepl.yaml:5: deepl.tokenizer is missing")
}

func TestReadOverrides(t *testing.T) {
	t.Parallel()
	files, err := pricing.ReadOverrides(fstest.MapFS{
		"b.yaml": {Data: []byte("b")}, "a.yaml": {Data: []byte("a")}, "notes.txt": {}, "old/c.yaml": {},
	}, "/etc/prices")
	require.NoError(t, err)
	require.Equal(t, []pricing.Override{{Name: "/etc/prices/a.yaml", File: []byte("a")}, {Name: "/etc/prices/b.yaml", File: []byte("b")}}, files)

	_, err = pricing.ReadOverrides(fstest.MapFS{"notes.txt": {}}, "/etc/prices")
	require.EqualError(t, err, "the directory /etc/prices has no *.yaml file with prices")
	_, err = pricing.ReadOverrides(fstest.MapFS{"a.yml": {}, "b.yml": {}, "c.yaml": {Data: []byte("c")}}, "/etc/prices")
	require.EqualError(t, err, "/etc/prices/a.yml is not read as prices; name it a.yaml\n/etc/prices/b.yml is not read as prices; name it b.yaml")
	missing, err := fstest.MapFS{"a": {}}.Sub("b")
	require.NoError(t, err)
	_, err = pricing.ReadOverrides(missing, "/etc/prices")
	require.EqualError(t, err, "there is no directory /etc/prices with prices")
}
