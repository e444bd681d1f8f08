package pricing

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/task"
)

// perMillionCharacters is the key of a price by characters, which a row has in place of bands.
const perMillionCharacters = "per_million_characters"

// readCharacters reads a price by characters as a table of one band with one rate.
func readCharacters(o *object, n *yaml.Node) table {
	pico, err := textAs(n, ParseRate)
	if err != nil {
		o.bad(n, perMillionCharacters, "is %s", err)
	}
	var b band
	b.rates[kindCharacters] = rate{pico: pico, known: true}
	return table{bands: []band{b}}
}

// checkUnit notes what would price tokens in a row that prices characters.
func (r *row) checkUnit(o *object) {
	if !r.byCharacter() {
		return
	}
	if bands := o.get("bands"); bands != nil {
		o.bad(bands, "bands", "cannot be combined with %s: a price is for tokens or for characters", perMillionCharacters)
	}
	if len(r.windows) > 0 {
		o.r.add(o.line, o.at("windows"), "cannot be combined with %s", perMillionCharacters)
	}
	for name, m := range r.modes {
		if m.own != nil {
			o.r.add(o.line, o.at("modes."+name), "has bands of its own, which %s cannot be combined with", perMillionCharacters)
		}
	}
}

func (r *row) byCharacter() bool {
	return len(r.list.bands) > 0 && r.list.bands[0].rates[kindCharacters].known
}

// byCharacter says that every price of the model is by characters, so that nobody asks for its tokenizer.
func (m *model) byCharacter() bool {
	for _, r := range m.rows {
		if !r.byCharacter() {
			return false
		}
	}
	return len(m.rows) > 0
}

// ByCharacter says that the price is of characters, and that tokens have none.
func (p Price) ByCharacter() bool { return p.row != nil && p.row.byCharacter() }

// Characters is what the translation of so many characters costs. It is exact: providers that are paid by the character
// count the text that they are sent, so it is what is expected of a call and the most that it can cost. An error wraps
// ErrUnpriced when the price is of tokens; a negative number and a cost out of range (ErrOverflow) are errors too.
func (p Price) Characters(n int64) (task.Pico, error) {
	if p.row == nil {
		return 0, ErrUnpriced
	}
	if !p.ByCharacter() {
		return 0, fmt.Errorf("%w: %s has no rate for characters", ErrUnpriced, p.Row())
	}
	var most task.Pico
	for _, c := range p.ceilings {
		cost, err := Price{row: p.row, list: c.list, times: c.times}.Cost(task.Usage{Characters: n})
		if err != nil {
			return 0, err
		}
		most = max(most, cost.Total)
	}
	return most, nil
}
