package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/pricing"
)

type pricesCmd struct {
	List      pricesListCmd      `cmd:"" help:"List the prices in force."`
	Show      pricesShowCmd      `cmd:"" help:"Show everything that the book has of a model in force."`
	Cost      pricesCostCmd      `cmd:"" help:"Price a usage object as a provider sends it."`
	Breakeven pricesBreakevenCmd `cmd:"" help:"From how many uses on keeping a prefix in a model's cache pays."`
	Reprice   pricesRepriceCmd   `cmd:"" help:"Correct the cost of attempts by the present book; what was booked stays."`
	Sync      pricesSyncCmd      `cmd:"" help:"Hold the book against price lists of others and propose rows; changes nothing."`
	Lint      pricesLintCmd      `cmd:"" help:"Name what in the book a person should look at; exit code 1 when something is wrong."`
}

// instant is a time on the command line: RFC 3339, or a day.
type instant struct{ time.Time }

// UnmarshalText reads either form.
func (i *instant) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, string(text)); err == nil {
			i.Time = at
			return nil
		}
	}
	return fmt.Errorf("%q is no time; write 2026-11-25 or 2026-11-25T14:00:00Z", text)
}

// or is the instant, or now when none was given.
func (i instant) or(now time.Time) time.Time {
	if i.IsZero() {
		return now
	}
	return i.Time
}

type pricesListCmd struct {
	bookFlags

	At   instant `help:"In force at this time; now when absent."`
	JSON bool    `help:"Print one JSON array."`
}

// Run lists the rows in force, a line for each band.
func (c *pricesListCmd) Run(a *app) error {
	book, err := c.book(a)
	if err != nil {
		return err
	}
	at := c.At.or(time.Now())
	rows := inForce(book, at)
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(rows)
	}
	t := table{columns: []column{
		words("model"), words("when"), figures("prompt up to"), figures("input"), figures("read"), figures("output"),
		figures("characters"), words("checked"), words("retires"), words("origin"),
	}}
	for _, r := range rows {
		edge := ""
		if r.MaxPrompt > 0 {
			edge = fmt.Sprint(r.MaxPrompt)
		}
		t.rows = append(t.rows, []string{
			r.Provider + "/" + r.Model, r.Variant, edge, perMillion(r, "input"), perMillion(r, "cache_read"),
			perMillion(r, "output"), perMillion(r, "characters"), r.Checked.Format(time.DateOnly), retires(r, at), r.Origin,
		})
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "\nUSD per million tokens or characters, list prices; book %.12s\n", book.Hash())
	return err
}

// retires is the day on which a model ends, and whether that is past; empty when none is known.
func retires(r pricing.Row, at time.Time) string {
	if r.Retires == nil {
		return ""
	}
	day := r.Retires.Format(time.DateOnly)
	if at.Before(*r.Retires) {
		return day
	}
	return day + ", retired"
}

// inForce are the rows of the book in force at an instant.
func inForce(book *pricing.Book, at time.Time) []pricing.Row {
	return slices.DeleteFunc(book.Rows(), func(r pricing.Row) bool {
		return r.Status != pricing.InForce || r.From != nil && at.Before(*r.From) || r.Until != nil && !at.Before(*r.Until)
	})
}

type pricesShowCmd struct {
	bookFlags

	Model string  `arg:"" help:"provider/id, or an id that is unique."`
	At    instant `help:"In force at this time; now when absent."`
	JSON  bool    `help:"Print one JSON array of rows; rates are pico-USD per token or character."`
}

// Run shows a model's rows in force with every rate.
func (c *pricesShowCmd) Run(a *app) error {
	book, provider, model, err := c.find(a, c.Model)
	if err != nil {
		return err
	}
	rows := slices.DeleteFunc(inForce(book, c.At.or(time.Now())), func(r pricing.Row) bool {
		return r.Provider != provider || r.Model != model
	})
	if len(rows) == 0 {
		return fmt.Errorf("%s/%s has no price in force then", provider, model)
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(rows)
	}
	if end := book.Retires(provider, model); end != nil {
		_, err := fmt.Fprintf(a.stdout, "%s/%s retires on %s, checked %s, source: %s\n\n", provider, model,
			end.On.Format(time.DateOnly), end.Checked.Format(time.DateOnly), end.Source)
		if err != nil {
			return err
		}
	}
	for _, r := range rows {
		t := table{columns: []column{words("rate"), figures("USD per million")}}
		for _, kind := range slices.Sorted(maps.Keys(r.Rates)) {
			t.rows = append(t.rows, []string{kind, perMillion(r, kind)})
		}
		_, _ = fmt.Fprintf(a.stdout, "%s, checked %s, source: %s, origin: %s\n", r.Key, r.Checked.Format(time.DateOnly),
			r.Source, r.Origin)
		if err := t.write(a.stdout); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(a.stdout, "times: modes %s, regions %s\n\n", multipliers(r.Modes), multipliers(r.Geo)); err != nil {
			return err
		}
	}
	return nil
}

// multipliers are such as "batch 1/2, flex 1/2".
func multipliers(m map[string]string) string {
	if len(m) == 0 {
		return "none"
	}
	parts := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+" "+m[name])
	}
	return strings.Join(parts, ", ")
}

// perMillion is a rate as providers print it: pico-USD for one token or character is micro-USD for a million.
func perMillion(r pricing.Row, kind string) string {
	rate, ok := r.Rates[kind]
	if !ok {
		return "-"
	}
	return (rate * perMTok).String()
}

const perMTok = 1_000_000

// find finds provider/id in the book in force, or an id that one provider alone has.
func (f *bookFlags) find(a *app, name string) (book *pricing.Book, provider, model string, err error) {
	if book, err = f.book(a); err != nil {
		return nil, "", "", err
	}
	var found []string
	for _, m := range book.Models() {
		full := m.Provider + "/" + m.ID
		if name == full {
			return book, m.Provider, m.ID, nil
		}
		if name == m.ID {
			found = append(found, full)
			provider, model = m.Provider, m.ID
		}
	}
	switch len(found) {
	case 0:
		return nil, "", "", fmt.Errorf("the price book has no model %q; 'weir prices list' shows those that it has", name)
	case 1:
		return book, provider, model, nil
	}
	return nil, "", "", fmt.Errorf("several providers have a model %q; name one of %s", name, strings.Join(found, ", "))
}

type pricesBreakevenCmd struct {
	bookFlags

	Model string  `arg:"" help:"provider/id, or an id that is unique."`
	At    instant `help:"At the prices of this time; now when absent."`
	JSON  bool    `help:"Print one JSON object: uses by lifetime."`
}

// Run prints the least number of uses for each lifetime that the model has.
func (c *pricesBreakevenCmd) Run(a *app) error {
	book, provider, model, err := c.find(a, c.Model)
	if err != nil {
		return err
	}
	price, err := book.Price(pricing.Query{Provider: provider, Model: model, At: c.At.or(time.Now())})
	if err != nil {
		return err
	}
	uses := map[string]int64{}
	lives := []struct {
		name string
		life time.Duration
	}{{"5m", 5 * time.Minute}, {"30m", 30 * time.Minute}, {"1h", time.Hour}, {"12h", 12 * time.Hour}}
	var lines []string
	for _, l := range lives {
		if n, ok := pricing.BreakEven(price, l.life); ok {
			uses[l.name] = n
			lines = append(lines, fmt.Sprintf("kept for %s: pays from use %d on\n", l.name, n))
		}
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(uses)
	}
	if len(lines) == 0 {
		lines = []string{"the price has no rate for cache writes: what is cached, is cached unasked and for nothing\n"}
	}
	_, err = fmt.Fprintf(a.stdout, "%s by %s\n%s", c.Model, price.Row(), strings.Join(lines, ""))
	return err
}
