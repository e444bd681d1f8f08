package pricing

import (
	"fmt"
	"time"
)

// maxAge is how long a comparison with the source is good for.
const maxAge = 45 * 24 * time.Hour

// Lint names what a person should look at, one sentence each: prices that were not compared with their source for 45
// days, announced ones whose day has come or that run into one in force, ones that end within 60 days without a successor,
// models that retire within 60 days or have and still have a price, and bands that get cheaper as prompts grow. Rows that
// have ended are history and not looked at.
func (b *Book) Lint(now time.Time) []string {
	var out []string
	for _, p := range b.providers {
		for _, m := range p.models {
			if text := m.retiring(now); text != "" && m.at(now) != nil {
				out = append(out, p.name+"/"+m.id+": "+text)
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

func (m *model) lint(r *row, now time.Time) []string {
	var out []string
	note := func(format string, args ...any) { out = append(out, r.key+": "+fmt.Sprintf(format, args...)) }
	if now.Sub(r.checked) > maxAge {
		note("last checked on %s, more than 45 days ago", stamp(r.checked))
	}
	if r.status == Announced && !r.from.IsZero() && !r.from.After(now) {
		note("announced for %s, which has come: put it in force or take it out", stamp(r.from))
	}
	if other := m.running(r); other != nil {
		note("announced for a time when %s is in force: give that one an until", other.key)
	}
	if text := m.priceEnd(r, now); text != "" {
		note("%s", text)
	}
	for _, t := range r.tables() {
		if i, cheaper := t.cheaperBand(); cheaper {
			note("band %d is cheaper than the band before it", i+1)
		}
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
