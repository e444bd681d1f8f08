package pricing

import (
	"maps"
	"slices"
	"time"

	"github.com/weirhq/weir/task"
)

// Row is one band of one price, flat, as it stands in the table prices.
type Row struct {
	// Key is what Cost.Row names.
	Key      string `json:"key"`
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// Match are the patterns of the other names of the model.
	Match []string `json:"match"`
	// From and Until bound the period, half-open; nil is no bound.
	From   *time.Time `json:"from"`
	Until  *time.Time `json:"until"`
	Status Status     `json:"status"`
	// Retires is when the provider stops serving the model, nil when that is not known.
	Retires *time.Time `json:"retires"`
	Source  string     `json:"source"`
	// Origin is where the row stands: embedded in weir, or the file that overrides it.
	Origin string `json:"origin"`
	// Checked is the day of the last comparison with the source.
	Checked time.Time `json:"checked"`
	// Variant is a mode with rates of its own, or a time of day such as 01:00-04:00 (UTC); empty for the list price.
	Variant string `json:"variant"`
	// Band counts from 1. The band goes up to MaxPrompt tokens; 0 is no edge.
	Band      int   `json:"band"`
	MaxPrompt int64 `json:"max_prompt"`
	// Boundary is gt when a prompt of exactly MaxPrompt tokens is still in this band, and gte when it is in the next.
	Boundary string `json:"boundary"`
	// Rates are pico-USD per token by kind, or per character for the kind characters; one that is absent is not known.
	Rates map[string]task.Pico `json:"rates"`
	// Modes and Geo are multipliers such as 1/2 by name. A mode with rates of its own is a variant instead.
	Modes map[string]string `json:"modes"`
	Geo   map[string]string `json:"geo"`
	// WebSearch is the price of one search, nil when it is not known.
	WebSearch *task.Pico `json:"web_search"`
}

// Rows are all rows of the book, announced ones too, by provider, model, beginning, variant and band.
func (b *Book) Rows() []Row {
	var out []Row
	for _, p := range b.providers {
		for _, m := range p.models {
			for _, r := range m.rows {
				for _, t := range r.tables() {
					out = append(out, flatten(p.name, m, r, t)...)
				}
			}
		}
	}
	return out
}

// tables are the list price and every variant, in a fixed order.
func (r *row) tables() []table {
	out := []table{r.list}
	for _, w := range r.windows {
		out = append(out, w.list)
	}
	for _, name := range slices.Sorted(maps.Keys(r.modes)) {
		if own := r.modes[name].own; own != nil {
			out = append(out, *own)
		}
	}
	return out
}

func flatten(provider string, m *model, r *row, t table) []Row {
	out := make([]Row, 0, len(t.bands))
	for i, b := range t.bands {
		flat := Row{
			Key: r.bandKey(t, i), Provider: provider, Model: m.id, Match: slices.Clone(m.patterns),
			From: optional(r.from), Until: optional(r.until),
			Status: r.status, Source: r.source, Origin: r.origin, Checked: r.checked,
			Variant: t.variant, Band: i + 1, MaxPrompt: b.maxPrompt, Boundary: t.boundary(),
			Rates: b.rates.byName(), Modes: r.multipliers(), Geo: texts(r.geo),
		}
		if m.retires != nil {
			flat.Retires = optional(m.retires.On)
		}
		if r.search.known {
			search := r.search.pico
			flat.WebSearch = &search
		}
		out = append(out, flat)
	}
	return out
}

func (t table) boundary() string {
	if t.gte {
		return "gte"
	}
	return "gt"
}

func (r rates) byName() map[string]task.Pico {
	out := map[string]task.Pico{}
	for k, rate := range r {
		if rate.known {
			out[kind(k).String()] = rate.pico
		}
	}
	return out
}

func (r *row) multipliers() map[string]string {
	out := map[string]string{}
	for name, m := range r.modes {
		if m.own == nil {
			out[name] = m.times.String()
		}
	}
	return out
}

func texts(ratios map[string]ratio) map[string]string {
	out := map[string]string{}
	for name, r := range ratios {
		out[name] = r.String()
	}
	return out
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
