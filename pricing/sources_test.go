package pricing_test

import (
	"encoding/csv"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// TestEmbedded_AgreesWithTheCollectedPrices compares every figure of the table that the book was filled from. The rates
// in that table are read on a way of their own, through Cost and Rows.
func TestEmbedded_AgreesWithTheCollectedPrices(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	lines := collectedPrices(t)
	require.NotEmpty(t, lines)
	listed := map[string]bool{}
	for _, line := range lines {
		name := line["provider"] + "/" + line["model"] + "@" + orAlways(line["effective_from"])
		listed[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := findRow(t, book, name+"#1")
			require.Equal(t, line["effective_until"], date(first.Until))
			compareRates(t, first, line, "")
			if line["tier_threshold"] != "" {
				require.Equal(t, line["tier_threshold"], decimal(first.MaxPrompt))
				require.Equal(t, line["tier_boundary"], first.Boundary)
				compareRates(t, findRow(t, book, name+"#2"), line, "tier_")
			} else {
				require.Zero(t, first.MaxPrompt)
			}
			compareTraits(t, book, line)
			compareBatch(t, book, first, line)
		})
	}
	for _, row := range book.Rows() {
		if row.Provider == "xai" { // found after the table was; TestEmbedded_XAI has its figures
			continue
		}
		if row.Provider == "self-hosted" { // nobody's list; TestEmbedded_SelfHosted
			continue
		}
		if _, ok := row.Rates["characters"]; ok {
			continue // the table has prices of tokens only
		}
		require.True(t, listed[row.Provider+"/"+row.Model+"@"+orAlways(date(row.From))], "%s is nowhere in the table", row.Key)
	}
}

func compareRates(t *testing.T, row pricing.Row, line map[string]string, prefix string) {
	t.Helper()
	for _, kind := range []string{
		"input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_30m", "cache_write_12h",
	} {
		want, inTable := line[prefix+kind]
		got, known := row.Rates[kind]
		if !inTable { // the table has no column for 12-hour writes above an edge
			continue
		}
		require.Equal(t, want != "", known, "%s%s", prefix, kind)
		if known {
			require.Equal(t, perToken(t, want), got, "%s%s", prefix, kind)
		}
	}
}

func compareTraits(t *testing.T, book *pricing.Book, line map[string]string) {
	t.Helper()
	traits, ok := book.Traits(line["provider"], line["model"])
	require.True(t, ok)
	require.Equal(t, line["context_window"], decimal(traits.Window))
	require.Equal(t, line["max_output"], decimal(traits.MaxOutput))
	require.Equal(t, line["min_cacheable_tokens"], decimal(traits.MinCacheable))
}

// compareBatch prices a million tokens in a batch, which in USD is the figure in the table.
func compareBatch(t *testing.T, book *pricing.Book, row pricing.Row, line map[string]string) {
	t.Helper()
	if row.Status == pricing.Announced {
		_, err := book.Price(pricing.Query{Provider: row.Provider, Model: row.Model, At: row.Checked.AddDate(9, 0, 0)})
		require.ErrorIs(t, err, pricing.ErrUnpriced)
		return
	}
	at := row.Checked
	if row.From != nil {
		at = *row.From
	}
	price, err := book.Price(pricing.Query{Provider: row.Provider, Model: row.Model, At: at, Mode: pricing.ModeBatch})
	if line["batch_input"] == "" {
		require.ErrorIs(t, err, pricing.ErrUnpriced)
		return
	}
	require.NoError(t, err)
	const tokens = 50_000 // below every edge
	for column, usage := range map[string]task.Usage{"batch_input": {Input: tokens}, "batch_output": {Output: tokens}} {
		cost, err := price.Cost(usage)
		require.NoError(t, err)
		require.Equal(t, tokens*perToken(t, line[column]), cost.Total, column)
	}
}

func perToken(t *testing.T, perMillion string) task.Pico {
	t.Helper()
	usd, err := task.ParseUSD(perMillion)
	require.NoError(t, err)
	require.Zero(t, usd%1_000_000)
	return usd / 1_000_000
}

func findRow(t *testing.T, book *pricing.Book, key string) pricing.Row {
	t.Helper()
	for _, row := range book.Rows() {
		if row.Key == key {
			return row
		}
	}
	require.FailNow(t, "no row "+key)
	return pricing.Row{}
}

func orAlways(from string) string {
	if from == "" {
		return "always"
	}
	return from
}

func date(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.DateOnly)
}

// decimal writes a number as the table does, where what is not known is empty.
func decimal(n int64) string {
	if n == 0 {
		return ""
	}
	return task.Pico(n * int64(task.USD)).String()
}

// collectedPrices reads the table beside the repository, and skips the test where it is absent.
func collectedPrices(t *testing.T) []map[string]string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		file, err := os.Open(filepath.Join(dir, "shared", "data", "prices.csv"))
		if err == nil {
			defer file.Close()
			records, err := csv.NewReader(file).ReadAll()
			require.NoError(t, err)
			return withNames(records)
		}
		require.ErrorIs(t, err, fs.ErrNotExist)
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Skip("the table of collected prices is not beside the repository")
		}
		dir = parent
	}
}

func withNames(records [][]string) []map[string]string {
	var out []map[string]string
	for _, record := range records[1:] {
		line := map[string]string{}
		for i, value := range record {
			line[records[0][i]] = value
		}
		out = append(out, line)
	}
	return out
}
