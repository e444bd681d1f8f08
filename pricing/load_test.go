package pricing_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
)

func TestLoad_Mistakes(t *testing.T) {
	t.Parallel()
	good := acme(`
        modes: {batch: "1/2"}
        geo: {us: "11/10"}
        per_unit: {web_search_1k: "10"}
        windows:
          - {from: "01:00", to: "04:00", bands: [{input: "2", output: "8"}]}
`)
	mustBook(t, good)
	row2 := func(from, rest string) string {
		return good + strings.Replace(row, "2026-01-01", from, 1) + "\n        bands: [{input: \"1\", output: \"1\"}]\n" + rest
	}
	replace := func(old, with string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, with, 1)
	}
	tests := []struct {
		name    string
		content string
		want    string // is in the error
	}{
		{"Empty", "", "acme.yaml: the file is empty"},
		{"NoMapping", "prices", "acme.yaml:1: the file is text; it must be a mapping of keys to values"},
		{"NoYAML", "a: [", "acme.yaml:2: this is not YAML: did not find expected node content while parsing a flow node\n"},
		{"OnlyComments", "# nothing\n", "acme.yaml: the file is empty"},
		{"TwoDocuments", good + "\n---\nschema: 1\n", "acme.yaml: the file holds more than one YAML document"},
		{"TooLarge", strings.Repeat("#", 1<<20+1), "acme.yaml: the file has 1048577 bytes; at most 1048576 are read"},
		{"OtherSchema", replace("schema: 1", "schema: 2"), `acme.yaml:2: schema is "2"; this weir reads 1`},
		{"OtherCurrency", replace("USD", "EUR"), `acme.yaml:4: currency is "EUR"; it must be USD`},
		{"NoProvider", replace("provider: acme\n", ""), "acme.yaml:2: provider is missing"},
		{"BlankProvider", replace("provider: acme", `provider: " "`), "acme.yaml:3: provider is empty"},
		{"UnknownKeyAtTheTop", good + "color: red\n", "color is unknown; the keys here are currency, models, provider, schema, usage"},
		{"UnknownKeyInARow", replace("source:", "sources:"), "small.prices[0].source is missing\n"},
		{"UnknownRate", replace("cache_read:", "cache_raed:"), "small.prices[0].bands[0].cache_raed is unknown"},
		{"UnknownMode", replace("batch:", "bulk:"), "acme.yaml:20: small.prices[0].modes.bulk is unknown; the keys here are batch, fast, flex, priority"},
		{"UnknownUnit", replace("web_search_1k", "request"), "small.prices[0].per_unit.request is unknown; the only unit is web_search_1k"},
		{"KeyTwice", good + "currency: USD\n", "currency is given twice"},
		{"KeyThatIsNoWord", good + "[a]: b\n", "acme.yaml:25: the file has a key that is no word"},
		{"ModelTwice", good + modelOf(good), "acme.yaml:25: small is given twice"},
		{"NoModels", "schema: 1\nprovider: acme\ncurrency: USD\nmodels: []\n", "acme.yaml:4: models is empty"},
		{"ModelsMissing", "schema: 1\nprovider: acme\ncurrency: USD\n", "acme.yaml:1: models is missing"},
		{"ModelsNoList", "schema: 1\nprovider: acme\ncurrency: USD\nmodels: {}\n", "acme.yaml:4: models is a mapping; it must be a list"},
		{"ModelNoMapping", "schema: 1\nprovider: acme\ncurrency: USD\nmodels: [small]\n", "acme.yaml:4: models[0] is text; it must be a mapping of keys to values"},
		{"PrefixPattern", replace("[0-9]{8}", "[0-9]*"), "small.match[0] is a pattern with * or +; name the exact number of characters, such as [0-9]{8}"},
		{"EndlessRepetition", replace("[0-9]{8}", "[0-9]{8,}"), "small.match[0] is a pattern with * or +"},
		{"BrokenPattern", replace("[0-9]{8}", "[0-9"), "small.match[0] is no regular expression"},
		{"EmptyPattern", replace("small-[0-9]{8}", "a?"), "small.match[0] is a pattern that matches the empty name"},
		{"LongPattern", replace("small-[0-9]{8}", strings.Repeat("a", 201)), "small.match[0] is longer than 200 characters"},
		{"PatternNoText", replace(`["small-[0-9]{8}"]`, "[5]"), `small.match[0] is a number; put it in quotes: "5"`},
		{"PatternsNoList", replace(`["small-[0-9]{8}"]`, "small"), "small.match is text; it must be a list"},
		{"LongID", replace("id: small", "id: "+strings.Repeat("a", 129)), ".id is longer than 128 characters"},
		{"NameOfTwoModels", good + strings.ReplaceAll(modelOf(good), "id: small", "id: small-12345678"), "small-12345678 is also matched by a pattern of small"},
		{"WindowNoNumber", replace("window: 5000", "window: big"), `small.limits.window is "big"; it must be a whole number of tokens`},
		{"WindowNegative", replace("window: 5000", "window: -1"), `small.limits.window is "-1"; it must be a whole number of tokens`},
		{"FactorMissing", replace(`    tokenizer: {o200k_factor: "1.5"}`, ""), "small.tokenizer is missing"},
		{"FactorZero", replace(`"1.5"`, `"0"`), `small.tokenizer.o200k_factor is "0"; write a decimal in quotes`},
		{"RefusalUnknown", replace("    tokenizer:", "    caps: {refuses: [haste]}\n    tokenizer:"), `small.caps.refuses[0] is "haste"; it must be one of temperature, thinking_tokens, effort`},
		{"FlagNoFlag", replace("schema: 1", "schema: 1\nusage: {input_includes_cached: maybe}"), `usage.input_includes_cached is "maybe"; it must be true or false`},
		{"RetiresNoMapping", replace("    limits:", "    retires: 2026-11-30\n    limits:"), "acme.yaml:8: small.retires is a date; it must be a mapping of keys to values"},
		{"RetiresWithoutDay", replace("    limits:", "    retires: {source: a, checked: 2026-01-01}\n    limits:"), "small.retires.on is missing"},
		{"RetiresWithoutSource", replace("    limits:", "    retires: {on: 2026-01-01, checked: 2026-01-01}\n    limits:"), "small.retires.source is missing"},
		{"RetiresUnchecked", replace("    limits:", "    retires: {on: 2026-01-01, source: a}\n    limits:"), "small.retires.checked is missing"},
		{"FromNoDate", replace("from: 2026-01-01", "from: soon"), `acme.yaml:12: small.prices[0].from is "soon"; write a date such as 2026-10-07`},
		{"FromNotUTC", replace("from: 2026-01-01", "from: 2026-01-01T00:00:00+02:00"), `small.prices[0].from is "2026-01-01T00:00:00+02:00"; write a date`},
		{"UntilBeforeFrom", replace("status:", "until: 2026-01-01\n        status:"), "small.prices[0].until is not after from"},
		{"StatusMissing", replace("        status: in_force\n", ""), "small.prices[0].status is missing"},
		{"StatusUnknown", replace("in_force", "rumoured"), `small.prices[0].status is "rumoured"; it must be in_force or announced`},
		{"CheckedMissing", replace("        checked: 2026-01-02\n", ""), "small.prices[0].checked is missing"},
		{"SourceEmpty", replace("price list", `""`), "small.prices[0].source is empty"},
		{"BoundaryUnknown", good + "        boundary: above\n", `small.prices[0].boundary is "above"; it must be gt or gte`},
		{"BandsMissing", head + row + "\n", "small.prices[0].bands is missing"},
		{"RateUnquoted", replace(`input: "1"`, "input: 1"), `small.prices[0].bands[0].input is a number; put it in quotes: "1"`},
		{"RateTooFine", replace(`input: "1"`, `input: "0.1234567"`), "small.prices[0].bands[0].input is not a price in USD per million tokens or characters: \"0.1234567\" has more than 6 decimals"},
		{"RateNegative", replace(`input: "1"`, `input: "-1"`), "small.prices[0].bands[0].input is not a price in USD per million tokens"},
		{"RateAbsurd", replace(`input: "1"`, `input: "1000001"`), `"1000001" is more than one USD per token`},
		{"RateNull", replace(`input: "1"`, `input: null`), "small.prices[0].bands[0].input is nothing; put it in quotes"},
		{"RateAlias", replace(`input: "1", cache_read: "0.1"`, `input: &a "1", cache_read: *a`), "small.prices[0].bands[0].cache_read is an alias; it must be text"},
		{"InputMissing", replace(`input: "2", cache_read: "0.2"`, `cache_read: "0.2"`), "small.prices[0].bands[1].input is missing"},
		{"RateInOneBandOnly", replace(`cache_read: "0.2", `, ""), "small.prices[0].bands[1] and the first band do not both have a rate for cache_read"},
		{"EdgeOnLastBand", replace(`- {input: "2"`, `- {max_prompt: 2000, input: "2"`), "small.prices[0].bands[1] is the last band, so it must have no max_prompt"},
		{"EdgeMissing", replace("max_prompt: 1000, ", ""), "small.prices[0].bands[0] needs a max_prompt, because another band follows"},
		{"EdgesOutOfOrder", replace(`- {input: "2"`, "- {max_prompt: 1000, input: \"1\", cache_read: \"1\", cache_write_5m: \"1\", output: \"1\"}\n          - {input: \"2\""), "small.prices[0].bands[1] has a max_prompt that is not above that of the band before"},
		{"Multiplier", replace(`"1/2"`, `"0.5"`), `small.prices[0].modes.batch is not a multiplier: "0.5"; write one such as "1/2" or "2"`},
		{"MultiplierZero", replace(`"1/2"`, `"0"`), "small.prices[0].modes.batch is not a multiplier"},
		{"MultiplierByZero", replace(`"1/2"`, `"1/0"`), "small.prices[0].modes.batch is not a multiplier"},
		{"MultiplierNegative", replace(`"1/2"`, `"-1/2"`), "small.prices[0].modes.batch is not a multiplier"},
		{"MultiplierHuge", replace(`"1/2"`, `"10001"`), "small.prices[0].modes.batch is not a multiplier"},
		{"Geo", replace(`"11/10"`, `"1.1"`), "small.prices[0].geo.us is not a multiplier"},
		{"SearchTooFine", replace(`"10"`, `"0.0000000001"`), "small.prices[0].per_unit.web_search_1k is 0.0000000001 USD per thousand, which is no whole number of pico-USD each"},
		{"SearchNegative", replace(`"10"`, `"-1"`), "small.prices[0].per_unit.web_search_1k is -1 USD per thousand; it must be from 0 to 1000"},
		{"WindowBackwards", replace(`from: "01:00"`, `from: "05:00"`), `small.prices[0].windows[0] is from "05:00" to "04:00"; write two times of day in UTC`},
		{"WindowNoTime", replace(`to: "04:00"`, `to: "25:00"`), `small.prices[0].windows[0] is from "01:00" to "25:00"`},
		{"WindowsOverlap", good + "          - {from: \"03:59\", to: \"24:00\", bands: [{input: \"2\", output: \"8\"}]}\n", "small.prices[0].windows overlap"},
		{"WindowsAndOwnRates", replace(`batch: "1/2"`, `batch: {bands: [{input: "1", output: "1"}]}`), "small.prices[0].modes.batch has bands of its own, which windows cannot be combined with"},
		{"RowsOverlap", row2("2026-06-01", ""), "small.prices has rows from 2026-01-01 and from 2026-06-01 that overlap"},
		{"RowsOverlapFromAlways", row2("always", "        until: 2026-01-02\n"), "small.prices has rows from always and from 2026-01-01 that overlap"},
		{"RowsBeginTogether", row2("2026-01-01T00:00:00Z", ""), "small.prices has two rows from 2026-01-01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := pricing.Load(fstest.MapFS{"acme.yaml": {Data: []byte(tt.content)}})
			require.Error(t, err)
			require.Contains(t, err.Error()+"\n", tt.want)
		})
	}
}

// modelOf is the entry of the only model.
func modelOf(content string) string { return content[strings.Index(content, "  - id:"):] }

func TestLoad_EveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	broken := strings.NewReplacer("currency: USD", "currency: EUR", `output: "4"`, "output: 4", "in_force", "soon").Replace(acme(""))
	_, err := pricing.Load(fstest.MapFS{
		"acme.yaml":  {Data: []byte(broken)},
		"other.yaml": {Data: []byte("schema: 7\n")},
	})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Equal(t, []string{
		`acme.yaml:4: currency is "EUR"; it must be USD`,
		`acme.yaml:13: small.prices[0].status is "soon"; it must be in_force or announced`,
		`acme.yaml:17: small.prices[0].bands[0].output is a number; put it in quotes: "4"`,
		`other.yaml:1: schema is "7"; this weir reads 1`,
		"other.yaml:1: currency is missing",
		"other.yaml:1: provider is missing",
		"other.yaml:1: models is missing",
	}, lines)
}

func TestLoad_NamesAtMostAHundredMistakes(t *testing.T) {
	t.Parallel()
	_, err := pricing.Load(fstest.MapFS{"acme.yaml": {Data: []byte(acme("") + strings.Repeat("? [a]\n: b\n", 120))}})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 101)
	require.Equal(t, "and 20 more mistakes", lines[100])
}

func TestLoad_Files(t *testing.T) {
	t.Parallel()
	_, err := pricing.Load(fstest.MapFS{"prices.yml": {Data: []byte(acme(""))}, "sub/acme.yaml": {Data: []byte(acme(""))}})
	require.EqualError(t, err, "the price book has no *.yaml file")
	_, err = pricing.Load(fstest.MapFS{"a.yaml": {Data: []byte(acme(""))}, "b.yaml": {Data: []byte(acme(""))}})
	require.EqualError(t, err, `b.yaml:3: provider is "acme", which another file has already`)
	_, err = pricing.Load(fstest.MapFS{"a.yaml/b": {Data: []byte(acme(""))}})
	require.ErrorContains(t, err, "read price file")
}

func TestLoad_RowsMayMeetAndAnnouncedOnesMayReplace(t *testing.T) {
	t.Parallel()
	book := mustBook(t, head+
		row+"\n        until: 2026-06-01\n        bands: [{input: \"1\", output: \"1\"}]\n"+
		strings.Replace(row, "2026-01-01", "2026-06-01", 1)+"\n        bands: [{input: \"2\", output: \"2\"}]\n"+
		strings.NewReplacer("2026-01-01", "2026-09-01", "in_force", "announced").Replace(row)+"\n        bands: [{input: \"9\", output: \"9\"}]\n")
	cost, err := mustPrice(t, book, small()).Expected(1, 0)
	require.NoError(t, err)
	require.EqualValues(t, 2_000_000, cost, "the announced price is never used")
}
