package backlog

import (
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// categories are the labels of tickets.
func categories() []string {
	return []string{
		"billing", "refund", "delivery", "return", "account_access", "bug", "outage", "cancellation", "upgrade",
		"how_to", "data_privacy", "complaint",
	}
}

// priorities are the urgencies of tickets, lowest first.
func priorities() []string { return []string{"low", "normal", "high", "urgent"} }

const english = "en"

// ticket writes a customer's message. It is about the first matter in it, unless a later one is called the real one;
// what stands in brackets or is quoted from an earlier mail is about something else.
func (w *writer) ticket(d *dice.Dice) (string, answer) {
	t := ticketWriter{writer: w, d: d, language: english}
	switch kind := d.Below(1000); {
	case kind < 80:
		t.language = "de"
	case kind < 130:
		t.language = "fr"
	case kind < 180:
		t.language = "es"
	}
	truth := &ticketAnswer{Category: dice.Pick(d, categories()), Priority: "normal"}
	switch kind := d.Below(1000); {
	case kind < 110:
		truth.Priority = "urgent"
	case kind < 270:
		truth.Priority = "high"
	case kind < 420:
		truth.Priority = "low"
	}
	return t.write(truth), truth
}

// ticketWriter writes one message.
type ticketWriter struct {
	*writer
	d        *dice.Dice
	language string
	lines    []string
}

func (t *ticketWriter) write(truth *ticketAnswer) string {
	noise := t.d.LogNormal(2, 900)
	t.add(t.sentence("greeting"))
	t.add("")
	t.noise(noise / 2)
	t.matter(truth.Category)
	if t.d.Hits(120) {
		t.add("(" + t.sentence("dismiss") + " " + t.sentence("category "+t.other(truth.Category)) + ")")
	}
	if truth.Priority != "normal" {
		t.add(t.sentence("priority " + truth.Priority))
	}
	t.noise(noise - noise/2)
	if t.language == english && t.d.Hits(150) {
		t.add(t.sentence("second") + " " + t.sentence("category "+t.other(truth.Category)))
	}
	t.add("")
	t.add(t.sentence("closing") + "\n" + dice.Pick(t.d, t.texts.of("slot name")))
	if t.d.Hits(60) {
		t.lines = strings.Split(strings.ToUpper(strings.Join(t.lines, "\n")), "\n")
	}
	t.history(truth.Category)
	return t.join()
}

// matter writes what the message is about, in one sentence or two, and sometimes something else before it.
func (t *ticketWriter) matter(category string) {
	if t.language == english && t.d.Hits(130) {
		t.add(t.sentence("aside") + " " + t.sentence("category "+t.other(category)))
		t.add(t.sentence("main"))
	}
	for range 1 + t.d.Below(2) {
		t.add(t.sentence("category " + category))
	}
}

// history quotes an earlier mail about another matter.
func (t *ticketWriter) history(category string) {
	if !t.d.Hits(150) {
		return
	}
	t.add("")
	for range 1 + t.d.Below(2) {
		t.add("> " + t.sentence("category "+t.other(category)))
	}
	t.add("> " + t.sentence("noise"))
}

func (t *ticketWriter) noise(n int) {
	for range min(n, 30) {
		t.add(t.sentence("noise"))
	}
}

func (t *ticketWriter) sentence(section string) string {
	return t.texts.write(t.d, section+" "+t.language)
}

func (t *ticketWriter) other(category string) string { return otherThan(t.d, categories(), category) }

func (t *ticketWriter) add(line string) { t.lines = append(t.lines, line) }

// join puts sentences into paragraphs.
func (t *ticketWriter) join() string {
	var b strings.Builder
	for i, line := range t.lines {
		switch {
		case i == 0:
		case line == "" || t.lines[i-1] == "" || line[0] == '>' || t.d.Hits(250):
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(line)
	}
	return b.String()
}

// otherThan is one of the values, but not this one.
func otherThan(d *dice.Dice, values []string, value string) string {
	for {
		if other := dice.Pick(d, values); other != value {
			return other
		}
	}
}
