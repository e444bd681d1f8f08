package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

// Prices are list prices by model: USD for a million input tokens, and for a million output tokens.
type Prices map[string][2]json.Number

// maxPriceBytes bounds a price list.
const maxPriceBytes = 1 << 20

// ReadPrices reads a JSON object such as {"model": [0.2, 0.6]}.
func ReadPrices(in io.Reader) (Prices, error) {
	var prices Prices
	if err := json.NewDecoder(io.LimitReader(in, maxPriceBytes)).Decode(&prices); err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	return prices, nil
}

// Price gives every answer without a recorded cost that of its tokens. Tokens that were not recorded are counted, those of
// an answer without a text as none: then only the prompt is priced. The error names a model without a price.
func Price(r *Recordings, prices Prices) error {
	const perMTok = 1_000_000
	counter := tokens.NewCounter()
	for m, name := range r.Models {
		if !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Answers[m].Cost == nil }) {
			continue
		}
		listed, ok := prices[name]
		if !ok {
			return fmt.Errorf("no price for model %s, whose costs were not recorded", name)
		}
		var rates [2]task.Pico
		for i, amount := range listed {
			rate, err := readUSD(string(amount))
			if err != nil {
				return fmt.Errorf("price of model %s: %w", name, err)
			}
			rates[i] = rate / perMTok
		}
		for i := range r.Rows {
			answer := &r.Rows[i].Answers[m]
			if answer.Cost != nil {
				continue
			}
			in, out := answer.tokens(counter, r.Rows[i].Prompt)
			cost := task.Pico(in)*rates[0] + task.Pico(out)*rates[1]
			answer.Cost = &cost
		}
	}
	return nil
}

func (a *Answer) tokens(counter *tokens.Counter, prompt string) (in, out int64) {
	if a.In != nil {
		in = *a.In
	} else {
		in = counter.Count(prompt)
	}
	switch {
	case a.Out != nil:
		out = *a.Out
	case a.Text != nil:
		out = counter.Count(*a.Text)
	}
	return in, out
}
