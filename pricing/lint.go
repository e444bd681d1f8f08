package pricing

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// maxAge is how long a comparison with the source is good for.
const maxAge = 45 * 24 * time.Hour

// Severity is how bad a finding is.
type Severity string

// The severities. What only time brings about is never an error, so that a book without errors stays one.
const (
	Warning Severity = "warning" // a person should look
	Error   Severity = "error"   // the book contradicts itself, or is not as any provider's prices are
)

// Finding is something in the book that a person should look at.
type Finding struct {
	Severity Severity `json:"severity"`
	// Key names a row, or a model as provider/id.
	Key string `json:"key"`
	// Text is what was found, to be read after the key.
	Text string `json:"text"`
	// Origin is where the row stands: embedded, or a file; empty for a model.
	Origin string `json:"origin,omitempty"`
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Severity, f.Key, f.Text) }

// Lint looks at all rows that have not ended.
//
// Errors are announced rows that run into one in force, bands that get cheaper as prompts grow, cache reads that are dearer
// than the input, and batch and flex that are dearer than the list price. Warnings are prices that were not compared with
// their source for 45 days, or only in the future, announced ones whose day has come, prices that end within 60 days without
// a successor, models that retire within 60 days or have and still have a price, and rows without a rate or a mode that the
// row before them has.
func (b *Book) Lint(now time.Time) []Finding {
	var out []Finding
	for _, p := range b.providers {
		for _, m := range p.models {
			if text := m.retiring(now); text != "" && m.at(now) != nil {
				out = append(out, Finding{Severity: Warning, Key: p.name + "/" + m.id, Text: text})
			}
			for _, r := range m.rows {
				if r.until.IsZero() || r.until.After(now) {
					out = append(out, m.lint(r, now)...)
				}
			}
		}
	}
	return out
}

func (m *model) lint(r *row, now time.Time) []Finding {
	var out []Finding
	note := func(s Severity, format string, args ...any) {
		out = append(out, Finding{Severity: s, Key: r.key, Text: fmt.Sprintf(format, args...), Origin: r.origin})
	}
	switch age := now.Sub(r.checked); {
	case age > maxAge:
		note(Warning, "last checked on %s, more than 45 days ago", stamp(r.checked))
	case age < -24*time.Hour: // a day more than any time zone
		note(Warning, "checked on %s, which is still to come", stamp(r.checked))
	}
	if r.status == Announced && !r.from.IsZero() && !r.from.After(now) {
		note(Warning, "announced for %s, which has come: put it in force or take it out", stamp(r.from))
	}
	if other := m.running(r); other != nil {
		note(Error, "announced for a time when %s is in force: give that one an until", other.key)
	}
	if text := m.priceEnd(r, now); text != "" {
		note(Warning, "%s", text)
	}
	if before := m.before(r); before != nil {
		for _, name := range before.lostIn(r) {
			note(Warning, "has no %s, which %s has", name, before.key)
		}
	}
	for _, t := range r.tables() {
		if i, cheaper := t.cheaperBand(); cheaper {
			note(Error, "band %d is cheaper than the band before it", i+1)
		}
		if t.dearReads() {
			note(Error, "cache reads are dearer than the input")
		}
	}
	for _, name := range r.dearModes() {
		note(Error, "%s is dearer than the list price", name)
	}
	return out
}

// running is the row in force that an announced row with a day runs into, nil when there is none.
func (m *model) running(announced *row) *row {
	if announced.status != Announced || announced.from.IsZero() {
		return nil
	}
	for _, r := range m.rows {
		first, second := r, announced
		if second.from.Before(first.from) {
			first, second = second, first
		}
		if r.status == InForce && first.overlaps(second) {
			return r
		}
	}
	return nil
}

// before is the row in force that a row takes over from, nil when there is none.
func (m *model) before(r *row) *row {
	for _, other := range m.rows {
		if r.status == InForce && other.status == InForce && !other.until.IsZero() && other.until.Equal(r.from) {
			return other
		}
	}
	return nil
}

// lostIn names the rates and modes that a row has and its successor does not.
func (r *row) lostIn(next *row) []string {
	var out []string
	for k, rate := range r.list.bands[0].rates {
		if rate.known && !next.list.bands[0].rates[k].known {
			out = append(out, "rate for "+kind(k).String())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.modes)) {
		if _, ok := next.modes[name]; !ok {
			out = append(out, "mode "+name)
		}
	}
	if r.search.known && !next.search.known {
		out = append(out, "price of searches")
	}
	return out
}

func (t table) cheaperBand() (int, bool) {
	for i := 1; i < len(t.bands); i++ {
		for k, r := range t.bands[i].rates {
			if before := t.bands[i-1].rates[k]; r.known && before.known && r.pico < before.pico {
				return i, true
			}
		}
	}
	return 0, false
}

func (t table) dearReads() bool {
	return slices.ContainsFunc(t.bands, func(b band) bool {
		input, read := b.rates[kindInput], b.rates[kindCacheRead]
		return read.known && input.known && read.pico > input.pico
	})
}

// dearModes names the modes that are made to be cheaper and are not.
func (r *row) dearModes() []string {
	var out []string
	for _, name := range []string{string(ModeBatch), string(ModeFlex)} {
		m, ok := r.modes[name]
		switch {
		case !ok:
		case m.own == nil && m.times.above(one()), m.own != nil && m.own.dearerThan(r.list):
			out = append(out, name)
		}
	}
	return out
}

// dearerThan says that a rate of the first band is above that of another table.
func (t table) dearerThan(list table) bool {
	for k, r := range t.bands[0].rates {
		if known := list.bands[0].rates[k]; r.known && known.known && r.pico > known.pico {
			return true
		}
	}
	return false
}
