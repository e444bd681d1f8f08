package pricing

import (
	"fmt"
	"time"
)

// Retirement is the end of a model: from On on its provider is to serve it no longer. Its prices may go on, for what is
// answered all the same.
type Retirement struct {
	On time.Time `json:"on"`
	// Source says where that stands, Checked when it was last compared.
	Source  string    `json:"source"`
	Checked time.Time `json:"checked"`
}

// notice is how early the end of a price or a model is worth a word.
const notice = 60 * 24 * time.Hour

// readRetirement reads retires; nil without the key.
func readRetirement(o *object) *Retirement {
	section := o.object("retires")
	if section == nil {
		return nil
	}
	defer section.close()
	return &Retirement{
		On:      section.time("on", section.need("on")),
		Source:  section.needText("source"),
		Checked: section.time("checked", section.need("checked")),
	}
}

// Retires is when a provider stops serving a model; nil when that is not known, or the model is not.
func (b *Book) Retires(provider, model string) *Retirement {
	m, err := b.find(provider, model)
	if err != nil || m.retires == nil {
		return nil
	}
	copied := *m.retires
	return &copied
}

// Ending names what ends for a model within 60 days of now, or has ended: the model itself, and the price in force where no
// other follows it. It is empty for a model that the book does not know.
func (b *Book) Ending(provider, model string, now time.Time) []string {
	m, err := b.find(provider, model)
	if err != nil {
		return nil
	}
	var out []string
	if text := m.retiring(now); text != "" {
		out = append(out, provider+"/"+m.id+" "+text)
	}
	if r := m.at(now); r != nil {
		if text := m.priceEnd(r, now); text != "" {
			out = append(out, "the price "+r.key+" "+text)
		}
	}
	return out
}

// retiring says that the model retires soon or has; empty otherwise.
func (m *model) retiring(now time.Time) string {
	switch {
	case m.retires == nil || m.retires.On.Sub(now) > notice:
		return ""
	case m.retires.On.After(now):
		return "retires on " + stamp(m.retires.On)
	}
	return "retired on " + stamp(m.retires.On)
}

// priceEnd says that a price in force ends soon without another; empty otherwise, and where the model ends with it.
func (m *model) priceEnd(r *row, now time.Time) string {
	withModel := m.retires != nil && !r.until.Before(m.retires.On)
	if r.status != InForce || r.until.IsZero() || withModel || r.until.Sub(now) > notice || m.at(r.until) != nil {
		return ""
	}
	text := fmt.Sprintf("ends on %s, and no price in force follows", stamp(r.until))
	if next := m.announced(r.until); next != nil {
		text += fmt.Sprintf(": %s is only announced", next.key)
	}
	return text
}

// announced is the announced row that would cover an instant, nil without one.
func (m *model) announced(t time.Time) *row {
	for _, r := range m.rows {
		if r.status == Announced && r.covers(t) {
			return r
		}
	}
	return nil
}
