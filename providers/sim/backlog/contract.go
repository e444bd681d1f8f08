package backlog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// clauseTypes are the kinds of contract clauses.
func clauseTypes() []string {
	return []string{
		"limitation_of_liability", "indemnification", "confidentiality", "termination", "payment_terms", "governing_law",
		"intellectual_property", "data_protection", "warranty", "assignment",
	}
}

// risks are the risks of a clause for the buyer, lowest first.
func risks() []string { return []string{"low", "medium", "high"} }

const (
	contractMedian = 550 // words
	contractSpread = 850 // thousandths of the logarithm
	contractLeast  = 80
	contractMost   = 5_950
	scanColumns    = 78
)

// contract writes an extract of a contract and names the clause that is to be reviewed. Other clauses have sentences of
// the same kind, so the right one has to be found first.
func (w *writer) contract(d *dice.Dice) (string, answer) {
	c := &contractWriter{writer: w, d: d, words: min(max(d.LogNormal(contractMedian, contractSpread), contractLeast), contractMost)}
	truth := c.write()
	text := strings.TrimSpace(c.text.String())
	if d.Hits(220) {
		text = wrap(text, scanColumns)
	}
	return text, truth
}

// contractWriter writes one extract.
type contractWriter struct {
	*writer
	d     *dice.Dice
	words int
	text  strings.Builder
}

func (c *contractWriter) write() *contractAnswer {
	types := clauseTypes()
	dice.Shuffle(c.d, types)
	count := min(max(1, c.words/220), len(types))
	first := 1 + c.d.Below(14)
	target := c.d.Below(count)
	c.opening(first + target)
	truth := &contractAnswer{ClauseType: types[target], Risk: dice.Pick(c.d, risks())}
	for i := range count {
		heading := "heading " + types[i]
		if i == target && c.d.Hits(350) {
			heading = "heading general"
		}
		c.paragraph(fmt.Sprintf("%d. %s", first+i, c.texts.write(c.d, heading)))
		risk := truth.Risk
		if i != target {
			risk = dice.Pick(c.d, risks())
		}
		decisive := c.clause(first+i, types[i], risk, c.words/count)
		if i == target {
			truth.Quote = decisive
		}
	}
	truth.Summary = summary(truth.ClauseType, truth.Risk)
	return truth
}

func (c *contractWriter) opening(number int) {
	supplier := dice.Pick(c.d, c.texts.of("slot company"))
	customer := otherThan(c.d, c.texts.of("slot company"), supplier)
	title := dice.Pick(c.d, []string{"Master Services Agreement", "Supply Agreement", "Software Licence Agreement", "Framework Contract"})
	c.paragraph(fmt.Sprintf("%s between %s (Supplier) and %s (Customer), extract", title, supplier, customer))
	c.paragraph(fmt.Sprintf("Clause under review: %d", number))
}

func (c *contractWriter) paragraph(text string) {
	c.text.WriteString(text)
	c.text.WriteString("\n\n")
}

// clause writes one clause of about so many words and gives back the sentence that decides it.
func (c *contractWriter) clause(number int, clauseType, risk string, words int) string {
	decisive := c.texts.write(c.d, "clause "+clauseType+" "+risk)
	sentences := []string{decisive}
	for n := len(strings.Fields(decisive)); n < words-20; {
		sentence := c.sentence(clauseType)
		for try := 0; try < 4 && slices.Contains(sentences, sentence); try++ {
			sentence = c.sentence(clauseType)
		}
		sentences = append(sentences, sentence)
		n += len(strings.Fields(sentence))
	}
	dice.Shuffle(c.d, sentences)
	if c.d.Hits(250) {
		i := slices.Index(sentences, decisive)
		sentences = slices.Insert(sentences, i+1, c.texts.write(c.d, "exception"))
	}
	for part := 1; len(sentences) > 0; part++ {
		n := min(len(sentences), c.d.Between(2, 5))
		c.paragraph(fmt.Sprintf("%d.%d %s", number, part, strings.Join(sentences[:n], " ")))
		sentences = sentences[n:]
	}
	return decisive
}

func (c *contractWriter) sentence(clauseType string) string {
	if c.d.Hits(250) {
		return c.texts.write(c.d, "filler "+clauseType)
	}
	return c.texts.write(c.d, "boilerplate")
}

// wrap breaks lines as a scanned page does.
func wrap(text string, columns int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		width := 0
		for word := range strings.FieldsSeq(line) {
			if width > 0 && width+1+len(word) > columns {
				b.WriteByte('\n')
				width = 0
			} else if width > 0 {
				b.WriteByte(' ')
				width++
			}
			b.WriteString(word)
			width += len(word)
		}
	}
	return b.String()
}

// summary is a sentence about a clause.
func summary(clauseType, risk string) string {
	return fmt.Sprintf("The clause settles %s; for the buyer its risk is %s.", strings.ReplaceAll(clauseType, "_", " "), risk)
}
