package feed

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// Proposal is how feeds differ from a book at an instant.
type Proposal struct {
	// Models are those that the book has and a feed lists, where there is something to say.
	Models []Model `json:"models"`
	// Compared is how many models were compared.
	Compared int `json:"compared"`
	// Unknown are the names that feeds list and the book does not know, as feed: provider/name.
	Unknown []string `json:"unknown"`
}

// Model is what feeds say of a model of the book.
type Model struct {
	Provider string `json:"provider"`
	ID       string `json:"model"`
	// Row is the key of the row in force, without its band.
	Row     string   `json:"row"`
	Changes []Change `json:"changes"`
	// Disagreements are rates on which the feeds differ from each other: none of them is proposed.
	Disagreements []string `json:"disagreements"`
	// Lacks are rates of the book that a feed does not list.
	Lacks []string `json:"lacks"`
	// Doubts are sentences on what could not be read or is another name's price.
	Doubts []string `json:"doubts"`
	// Retires is a day that a feed lists and the book does not; nil without one.
	Retires *time.Time `json:"retires"`
	// NotProposed says why the changes make no row; empty where they do.
	NotProposed string `json:"not_proposed"`

	rows    []pricing.Row // the bands in force
	sources []string
}

// Change is a rate that differs.
type Change struct {
	// Kind is a rate of the book; of a mode, its name stands before it.
	Kind string `json:"kind"`
	// Above is the edge above which the rate counts; 0 is none.
	Above int64 `json:"above"`
	// Old and New are USD for a million tokens.
	Old task.Pico `json:"old_usd"`
	New task.Pico `json:"new_usd"`
	// Percent is the change in percent with one decimal; empty where the old rate is 0.
	Percent string `json:"percent"`
	// Large says that it is of more than 20 percent.
	Large bool `json:"large"`
}

// Compare holds feeds against a book at an instant.
func Compare(book *pricing.Book, at time.Time, feeds ...*Feed) *Proposal {
	p := &Proposal{Models: []Model{}, Unknown: []string{}}
	listed := map[string]map[string]Listing{} // by model and feed
	for _, f := range feeds {
		for _, l := range f.Models {
			id, known := book.ID(l.Provider, l.Name)
			if !known {
				p.Unknown = append(p.Unknown, f.Name+": "+l.Provider+"/"+l.Name)
				continue
			}
			key := l.Provider + "/" + id
			if listed[key] == nil {
				listed[key] = map[string]Listing{}
			}
			if first, twice := listed[key][f.Name]; !twice || l.Name == id || first.Name != id && l.Name > first.Name {
				listed[key][f.Name] = l // the model's own name, else the latest of its others
			}
		}
	}
	for _, known := range book.Models() {
		of := listed[known.Provider+"/"+known.ID]
		m := Model{Provider: known.Provider, ID: known.ID, rows: inForce(book, known, at)}
		if len(of) == 0 || len(m.rows) == 0 {
			continue
		}
		p.Compared++
		m.compare(feeds, of)
		m.retirement(known, of[LiteLLM].Retires)
		m.check(book, at)
		if len(m.Changes)+len(m.Disagreements)+len(m.Lacks)+len(m.Doubts) > 0 || m.Retires != nil {
			p.Models = append(p.Models, m)
		}
	}
	return p
}

// inForce are the bands of a model's list price.
func inForce(book *pricing.Book, m pricing.Model, at time.Time) []pricing.Row {
	return slices.DeleteFunc(book.Rows(), func(r pricing.Row) bool {
		return r.Provider != m.Provider || r.Model != m.ID || r.Variant != "" || r.Status != pricing.InForce ||
			r.From != nil && at.Before(*r.From) || r.Until != nil && !at.Before(*r.Until) || r.Rates["characters"] != 0
	})
}

func (m *Model) compare(feeds []*Feed, of map[string]Listing) {
	m.Row = m.rows[0].Key[:len(m.rows[0].Key)-len("#1")]
	for _, f := range feeds {
		if l, ok := of[f.Name]; ok {
			m.sources = append(m.sources, f.Name)
			for _, doubt := range l.Doubts {
				m.Doubts = append(m.Doubts, f.Name+": "+doubt)
			}
		}
	}
	edge := int64(0)
	for i := range m.rows {
		for _, kind := range pricing.RateKinds() {
			m.rate(feeds, of, i, edge, kind)
		}
		edge = m.rows[i].MaxPrompt
	}
	if l, ok := of[LiteLLM]; ok {
		m.modes(l)
	}
	for _, f := range feeds {
		l := of[f.Name]
		for _, b := range l.Bands {
			known := slices.ContainsFunc(m.rows, func(r pricing.Row) bool { return r.MaxPrompt == b.Above })
			if b.Above > 0 && !known {
				m.Doubts = append(m.Doubts, fmt.Sprintf("%s: other prices above %d tokens, where the book has no edge", f.Name, b.Above))
				m.NotProposed = "the bands differ"
			}
		}
	}
}

// rate compares one rate of one band. What feeds agree on counts; a listed 0 that the book does not have is not known.
func (m *Model) rate(feeds []*Feed, of map[string]Listing, band int, edge int64, kind string) {
	old, known := m.rows[band].Rates[kind]
	var found []task.Pico
	var said strings.Builder
	for _, f := range feeds {
		l, ok := of[f.Name]
		if !ok {
			continue
		}
		rate, ok := l.at(edge)[kind]
		if !ok || rate == 0 && old != 0 {
			if known {
				m.Lacks = append(m.Lacks, f.Name+": "+named(kind, edge))
			}
			continue
		}
		found = append(found, rate)
		fmt.Fprintf(&said, ", %s %s", f.Name, rate*perMillion)
	}
	switch {
	case len(found) == 0:
	case found[0] != found[len(found)-1]:
		m.Disagreements = append(m.Disagreements, named(kind, edge)+said.String())
	case !known && found[0] != 0:
		m.Doubts = append(m.Doubts, "the book has no rate for "+named(kind, edge)+said.String())
	case known && found[0] != old:
		m.Changes = append(m.Changes, newChange(kind, edge, old, found[0]))
	}
}

func newChange(kind string, edge int64, old, rate task.Pico) Change {
	c := Change{Kind: kind, Above: edge, Old: old * perMillion, New: rate * perMillion, Large: true}
	if old != 0 {
		share := big.NewRat(int64(rate-old), int64(old))
		c.Percent = new(big.Rat).Mul(share, big.NewRat(100, 1)).FloatString(1)
		c.Large = share.Abs(share).Cmp(big.NewRat(1, 5)) > 0
	}
	return c
}

// named is a rate as people read it.
func named(kind string, edge int64) string {
	if edge == 0 {
		return kind
	}
	return fmt.Sprintf("%s above %d", kind, edge)
}

// modes compares the multipliers of the book with the rates of modes. Batches without one are what LiteLLM mostly has.
func (m *Model) modes(l Listing) {
	first := m.rows[0]
	for _, mode := range []string{"batch", "flex", "priority"} {
		times, ok := new(big.Rat).SetString(first.Modes[mode])
		if !ok {
			continue
		}
		if len(l.Modes[mode]) == 0 {
			m.Lacks = append(m.Lacks, LiteLLM+": "+mode)
			continue
		}
		for _, kind := range pricing.RateKinds() {
			listed, both := l.Modes[mode][kind]
			list, known := l.at(0)[kind]
			if !both || !known {
				continue
			}
			want := new(big.Rat).Mul(times, big.NewRat(int64(list), 1))
			if want.Cmp(big.NewRat(int64(listed), 1)) != 0 {
				m.Doubts = append(m.Doubts, fmt.Sprintf("%s: %s of %s costs %s, which is not %s times %s", LiteLLM, mode, kind,
					listed*perMillion, first.Modes[mode], list*perMillion))
				m.NotProposed = "the mode " + mode + " differs"
			}
		}
	}
}

func (m *Model) retirement(known pricing.Model, day time.Time) {
	if !day.IsZero() && (known.Retires == nil || !known.Retires.On.Equal(day)) {
		m.Retires = &day
	}
}

// check says why changes make no row: what a row would have to say beside them is not known, or would be lost.
func (m *Model) check(book *pricing.Book, at time.Time) {
	for _, r := range book.Rows() {
		switch {
		case r.Provider != m.Provider || r.Model != m.ID:
		case r.Variant != "" && r.From != nil == (m.rows[0].From != nil) && (r.From == nil || r.From.Equal(*m.rows[0].From)):
			m.NotProposed = r.Variant + " has rates of its own"
		case r.From != nil && r.From.After(at):
			m.NotProposed = "a later price is in the book"
		}
	}
	above := func(c Change) bool { return c.Above > 0 }
	if len(m.rows) > 1 && len(m.Changes) > 0 && !slices.ContainsFunc(m.Changes, above) {
		m.NotProposed = "only the prices of small prompts are said to have changed"
	}
	if len(m.Disagreements) > 0 {
		m.NotProposed = "the sources disagree"
	}
	if len(m.Changes) == 0 {
		m.NotProposed = ""
	}
}

// Proposed says that the changes make a row.
func (m *Model) Proposed() bool { return len(m.Changes) > 0 && m.NotProposed == "" }
