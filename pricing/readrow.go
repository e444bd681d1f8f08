package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// Status says whether a price may be used.
type Status string

// The states of a price row. What is only announced is never used: announced prices get cancelled.
const (
	InForce   Status = "in_force"
	Announced Status = "announced"
)

// always is the word for a price without a known beginning.
const always = "always"

func readRow(o *object, name string) *row {
	r := &row{
		from:    readFrom(o),
		until:   o.time("until", o.get("until")),
		source:  o.needText("source"),
		checked: o.time("checked", o.need("checked")),
		status:  readStatus(o),
	}
	r.key = name + "@" + stamp(r.from)
	r.origin = cmp.Or(o.r.origin, o.r.file)
	if !r.until.IsZero() && !r.until.After(r.from) {
		o.r.add(o.line, o.at("until"), "is not after from")
	}
	gte := o.word("boundary", "gt", "gte") == "gte"
	if n := o.get(perMillionCharacters); n != nil {
		r.list = readCharacters(o, n)
	} else {
		r.list = readTable(o, "", gte)
	}
	r.readModes(o, gte)
	r.geo = map[string]ratio{}
	o.entries("geo", func(name string, n *yaml.Node) (err error) {
		r.geo[name], err = textAs(n, parseRatio)
		return err
	})
	r.readWindows(o, gte)
	r.checkUnit(o)
	o.entries("per_unit", func(name string, n *yaml.Node) (err error) {
		if name != "web_search_1k" {
			return errors.New("unknown; the only unit is web_search_1k")
		}
		r.search.pico, err = textAs(n, perThousand)
		r.search.known = true
		return err
	})
	return r
}

func readFrom(o *object) time.Time {
	n := o.get("from")
	if n != nil && n.Value == always {
		return time.Time{}
	}
	return o.time("from", n)
}

func readStatus(o *object) Status {
	if o.need("status") == nil {
		return ""
	}
	return Status(o.word("status", string(InForce), string(Announced)))
}

// stamp is an instant as it stands in row keys.
func stamp(t time.Time) string {
	switch {
	case t.IsZero():
		return always
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.UTC().Format(time.DateOnly)
	}
	return t.UTC().Format(time.RFC3339)
}

func readTable(o *object, variant string, gte bool) table {
	t := table{variant: variant, gte: gte}
	o.list("bands", true, func(o *object) { t.bands = append(t.bands, readBand(o)) })
	for i, b := range t.bands {
		path := fmt.Sprintf("%s[%d]", o.at("bands"), i)
		last := i == len(t.bands)-1
		switch {
		case last && b.maxPrompt != 0:
			o.r.add(o.line, path, "is the last band, so it must have no max_prompt")
		case !last && b.maxPrompt == 0:
			o.r.add(o.line, path, "needs a max_prompt, because another band follows")
		case !last && i > 0 && b.maxPrompt <= t.bands[i-1].maxPrompt:
			o.r.add(o.line, path, "has a max_prompt that is not above that of the band before")
		}
		t.checkSameKinds(o, i, path)
	}
	return t
}

// checkSameKinds notes a rate that only some bands have: beyond an edge, calls would suddenly have no price.
func (t table) checkSameKinds(o *object, band int, path string) {
	for k, r := range t.bands[band].rates {
		if r.known != t.bands[0].rates[k].known {
			o.r.add(o.line, path, "and the first band do not both have a rate for %s", kind(k))
		}
	}
}

func readBand(o *object) band {
	b := band{maxPrompt: o.tokens("max_prompt")}
	for k := range kindCharacters {
		n := o.get(k.String())
		if n == nil {
			continue
		}
		pico, err := textAs(n, ParseRate)
		if err != nil {
			o.bad(n, k.String(), "is %s", err)
		}
		b.rates[k] = rate{pico: pico, known: true}
	}
	for _, k := range []kind{kindInput, kindOutput} {
		if !b.rates[k].known {
			o.r.add(o.line, o.at(k.String()), "is missing")
		}
	}
	return b
}

// readModes reads the modes: a multiplier each, or bands of its own where a multiplier does not fit all rates.
func (r *row) readModes(o *object, gte bool) {
	r.modes = map[string]mode{}
	section := o.object("modes")
	if section == nil {
		return
	}
	for _, name := range []string{string(ModeBatch), string(ModeFlex), modePriority, speedFast} {
		n := section.get(name)
		if n == nil {
			continue
		}
		var m mode
		var err error
		if n.Kind == yaml.MappingNode {
			block := readObject(o.r, section.at(name), n)
			own := readTable(block, name, gte)
			block.close()
			m.own = &own
		} else if m.times, err = textAs(n, parseRatio); err != nil {
			section.bad(n, name, "is %s", err)
		}
		r.modes[name] = m
	}
	section.close()
}

func (r *row) readWindows(o *object, gte bool) {
	o.list("windows", false, func(o *object) {
		from, to := o.needText("from"), o.needText("to")
		w := window{from: minuteOf(from), to: minuteOf(to), list: readTable(o, from+"-"+to, gte)}
		if w.from < 0 || w.to < 0 || w.from >= w.to {
			o.r.add(o.line, o.path, "is from %q to %q; write two times of day in UTC, the later one last, up to \"24:00\"", from, to)
		}
		r.windows = append(r.windows, w)
	})
	slices.SortFunc(r.windows, func(a, b window) int { return a.from - b.from })
	for i := 1; i < len(r.windows); i++ {
		if r.windows[i].from < r.windows[i-1].to {
			o.r.add(o.line, o.at("windows"), "overlap")
		}
	}
	for name, m := range r.modes {
		if m.own != nil && len(r.windows) > 0 {
			o.r.add(o.line, o.at("modes."+name), "has bands of its own, which windows cannot be combined with")
		}
	}
}

// minuteOf is the minute of the day of "01:30", and of "24:00" the last one's end; -1 for anything else.
func minuteOf(s string) int {
	const minutesOfDay = 24 * 60
	if s == "24:00" {
		return minutesOfDay
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return -1
	}
	return t.Hour()*60 + t.Minute()
}

// checkRows notes rows that are in force at the same time, and rows that begin together, which would share a key.
func (m *model) checkRows(o *object) {
	for i, a := range m.rows {
		for _, b := range m.rows[i+1:] {
			switch {
			case a.from.Equal(b.from):
				o.r.add(o.line, o.at("prices"), "has two rows from %s", stamp(a.from))
			case a.status == b.status && a.overlaps(b):
				o.r.add(o.line, o.at("prices"), "has rows from %s and from %s that overlap", stamp(a.from), stamp(b.from))
			}
		}
	}
}

// overlaps says whether a row that begins earlier still runs when the other begins.
func (r *row) overlaps(later *row) bool { return r.until.IsZero() || r.until.After(later.from) }
