package pricing_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// FuzzLoad feeds the parser anything. What it takes must hold together: a stable hash, and a price in every row.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(acme("        windows: [{from: \"01:00\", to: \"04:00\", bands: [{input: \"2\", output: \"8\"}]}]\n")))
	f.Add([]byte(acme("        until: 2026-06-01\n") + strings.Replace(row, "2026-01-01", "2026-06-01", 1) +
		"\n        bands: [{input: \"1\", output: \"1\"}]\n"))
	f.Add([]byte(acme("        modes: {batch: {bands: [{input: \"1\", output: \"2\"}]}}\n")))
	f.Add([]byte(spoken("25", "        modes: {batch: \"1/2\"}\n")))
	f.Fuzz(func(t *testing.T, content []byte) {
		files := fstest.MapFS{"a.yaml": {Data: content}}
		book, err := pricing.Load(files)
		if err != nil {
			return
		}
		again, err := pricing.Load(files)
		require.NoError(t, err)
		require.Equal(t, book.Hash(), again.Hash())
		book.Lint(november())
		keys := map[string]bool{}
		for _, row := range book.Rows() {
			require.False(t, keys[row.Key], "%s", row.Key)
			keys[row.Key] = true
			usage := task.Usage{Input: 1, Output: 1}
			if _, ok := row.Rates["characters"]; ok {
				require.Len(t, row.Rates, 1, "characters or tokens")
				usage = task.Usage{Characters: 1}
			} else {
				require.Contains(t, row.Rates, "input")
			}
			_, ok := book.Traits(row.Provider, row.Model)
			require.True(t, ok)
			if row.Status == pricing.InForce && row.From != nil {
				price, err := book.Price(pricing.Query{Provider: row.Provider, Model: row.Model, At: *row.From})
				require.NoError(t, err)
				_, err = price.Cost(usage)
				require.NoError(t, err)
			}
		}
	})
}

// FuzzCompose lays anything over the embedded book. What it takes has one price at most at any time, and loses no model.
func FuzzCompose(f *testing.F) {
	for _, rows := range []string{
		flatRow("2026-12-01", "in_force", "1", "2"), flatRow("always", "in_force", "1", "2"),
		flatRow("2026-10-01", "announced", "1", "2"),
		flatRow("2026-12-01", "in_force", "1", "2") + flatRow("2026-11-01", "announced", "1", "2"),
	} {
		f.Add(haikuFile("    prices:\n" + rows).File)
	}
	f.Add([]byte(acme("")))
	known := mustEmbedded(f).Models()
	f.Fuzz(func(t *testing.T, content []byte) {
		book, err := pricing.Compose(pricing.Override{Name: "own.yaml", File: content})
		if err != nil {
			return
		}
		for _, m := range known {
			_, ok := book.Traits(m.Provider, m.ID)
			require.True(t, ok)
		}
		var last pricing.Row
		for _, row := range book.Rows() {
			if row.Status != pricing.InForce || row.Variant != "" || row.Band > 1 {
				continue
			}
			if row.Provider == last.Provider && row.Model == last.Model {
				require.NotNil(t, last.Until)
				require.False(t, row.From.Before(*last.Until), "%s is in force when %s begins", last.Key, row.Key)
			}
			last = row
		}
	})
}

// FuzzParseRate holds the parser to the rational that the text means.
func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"0.125", "1000000", "0.0000001", "-1", "1e3", ".5", "5.", "1/2", "٣", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rate, err := pricing.ParseRate(s)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(s)
		require.True(t, ok)
		require.Zero(t, exact.Mul(exact, big.NewRat(1_000_000, 1)).Cmp(new(big.Rat).SetInt64(int64(rate))), "%q is not %d", s, rate)
	})
}

// FuzzCost holds costs to rationals at every size, overflow included: an exact cost or an error, never a wrapped one.
func FuzzCost(f *testing.F) {
	f.Add(uint64(1), int64(20_000), int64(90_000), int64(10_000), int64(1_000))
	f.Add(uint64(2), int64(math.MaxInt64), int64(1), int64(0), int64(0))
	f.Add(uint64(3), int64(0), int64(0), int64(-1), int64(math.MaxInt64/7))
	f.Fuzz(func(t *testing.T, seed uint64, input, read, write, output int64) {
		random := rand.New(rand.NewPCG(seed, 1))
		o := randomOracle(random)
		q, mode := randomQuery(random)
		usage := task.Usage{Input: input, CacheRead: read, CacheWrite5m: write, Output: output}
		cost, err := mustPrice(t, mustBook(t, o.yaml()), q).Cost(usage)
		if min(input, read, write, output) < 0 {
			require.ErrorContains(t, err, "negative")
			return
		}
		if list, known := o.list(usage); !o.prompt(usage).IsInt64() {
			require.ErrorIs(t, err, pricing.ErrOverflow)
			return
		} else if !known {
			require.Error(t, err)
			return
		} else if !list.Num().IsInt64() {
			require.ErrorIs(t, err, pricing.ErrOverflow)
			return
		}
		want, _ := o.cost(usage, mode, q.Geo)
		if !want.IsInt64() {
			require.ErrorIs(t, err, pricing.ErrOverflow)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want.Int64(), int64(cost.Total))
	})
}
