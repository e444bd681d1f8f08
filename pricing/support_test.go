package pricing_test

import (
	"math/big"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// november is an instant at which every current price of the embedded book is in force.
func november() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func mustEmbedded(tb testing.TB) *pricing.Book {
	tb.Helper()
	book, err := pricing.Embedded()
	require.NoError(tb, err)
	return book
}

// mustBook loads one file.
func mustBook(tb testing.TB, content string) *pricing.Book {
	tb.Helper()
	book, err := pricing.Load(fstest.MapFS{"acme.yaml": {Data: []byte(content)}})
	require.NoError(tb, err)
	return book
}

// acme is a file with one model whose one row has the given lines after its bands.
func acme(rest string) string {
	return head + row + `
        bands:
          - {max_prompt: 1000, input: "1", cache_read: "0.1", cache_write_5m: "1.25", output: "4"}
          - {input: "2", cache_read: "0.2", cache_write_5m: "2.5", output: "6"}
` + rest
}

// retiring is acme whose model retires on a day.
func retiring(day, rest string) string {
	return strings.Replace(acme(rest), "    limits:", "    retires: {on: "+day+", checked: 2026-01-02, source: release notes}\n    limits:", 1)
}

const (
	head = `
schema: 1
provider: acme
currency: USD
models:
  - id: small
    match: ["small-[0-9]{8}"]
    limits: {window: 5000, max_output: 100}
    tokenizer: {o200k_factor: "1.5"}
    prices:
`
	row = `
      - from: 2026-01-01
        status: in_force
        checked: 2026-01-02
        source: price list`
)

func mustPrice(tb testing.TB, book *pricing.Book, q pricing.Query) pricing.Price {
	tb.Helper()
	price, err := book.Price(q)
	require.NoError(tb, err)
	return price
}

func mustCost(tb testing.TB, book *pricing.Book, q pricing.Query, u task.Usage) task.Pico {
	tb.Helper()
	cost, err := mustPrice(tb, book, q).Cost(u)
	require.NoError(tb, err)
	return cost.Total
}

func small() pricing.Query {
	return pricing.Query{Provider: "acme", Model: "small", At: november()}
}

func haiku() pricing.Query {
	return pricing.Query{Provider: "anthropic", Model: "claude-haiku-5-5", At: november()}
}

// halfEven rounds an exact value to an integer by the definition of half to even, on its own way.
func halfEven(r *big.Rat) *big.Int {
	half := big.NewRat(1, 2)
	shifted := new(big.Rat).Add(r, half)
	floor := new(big.Int).Div(shifted.Num(), shifted.Denom()) // Euclidean: rounds down, the denominator is positive
	tie := new(big.Rat).Sub(new(big.Rat).SetInt(floor), r).Cmp(half) == 0
	if tie && floor.Bit(0) == 1 {
		floor.Sub(floor, big.NewInt(1))
	}
	return floor
}
