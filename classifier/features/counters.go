package features

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Counters is how many counters a vector has.
const Counters = 22

// CounterNames names the counters of a vector, in their order. Those with "log" are ln(1+n); the shares are of the
// characters.
func CounterNames() [Counters]string {
	return [Counters]string{
		"log characters", "log words", "log lines", "word length", "digits share", "capitals share", "marks share",
		"beyond ASCII share", "log code marks", "log formula marks", "log choices", "log list items", "log questions",
		"log quotes", "log constraint words", "log reasoning words", "log labelling words", "log messages", "log tools",
		"log required arguments", "schema depth", "log context bytes",
	}
}

// The kinds of words that are counted.
const (
	constraint = iota + 1
	reasoning
	labelling
)

const (
	constraintWords = "must should exactly least most only without never always within before after between avoid ensure " +
		"include exclude following format json constraint constraints requirement requirements limit"
	reasoningWords = "prove proof derive why explain analyze analyse design compare optimize optimise evaluate implement " +
		"justify critique argue discuss determine compute integral theorem polynomial algorithm architecture hypothesis " +
		"strategy plan develop propose"
	labellingWords = "label tag classify category which extract choose select answer true false yes no sentiment find " +
		"translate convert identify list name question option options"
)

// kinds is the kind of each word that is counted, by its hash.
func kinds() map[uint64]uint8 {
	table := map[uint64]uint8{}
	for kind, list := range map[uint8]string{
		constraint: constraintWords, reasoning: reasoningWords, labelling: labellingWords,
	} {
		for word := range strings.FieldsSeq(list) {
			hash := fnvOffset
			for i := range len(word) {
				hash = (hash ^ uint64(word[i])) * fnvPrime
			}
			table[hash] = kind
		}
	}
	return table
}

// tally is what was counted in a text.
type tally struct {
	view  View
	kinds map[uint64]uint8

	count, letters int // words and the characters in them
	kind           [labelling + 1]int

	kept, digits, capitals, marks, other int
	code, formula, questions, quotes     int
	lineCount, choices, items            int
}

func (c *tally) word(hash uint64, runes int) {
	c.count++
	c.letters += runes
	if kind, ok := c.kinds[hash]; ok {
		c.kind[kind]++
	}
}

// characters counts all that one character tells.
func (c *tally) characters(text string) {
	for i := range len(text) {
		b := text[i]
		switch {
		case b >= utf8.RuneSelf:
			if utf8.RuneStart(b) {
				c.other++
			}
			continue
		case '0' <= b && b <= '9':
			c.digits++
		case 'A' <= b && b <= 'Z':
			c.capitals++
		case 'a' <= b && b <= 'z' || b <= ' ':
		default:
			c.mark(b)
		}
		c.kept++
	}
	c.kept += c.other
}

func (c *tally) mark(b byte) {
	c.marks++
	switch b {
	case '{', '}', ';', '`', '=', '<', '>', '_':
		c.code++
	case '$', '\\', '^':
		c.formula++
	case '?':
		c.questions++
	case '"':
		c.quotes++
	}
}

// lines counts the lines, and among them those that begin like a choice ("A.", "(b)") or like a list's item ("-", "3.").
func (c *tally) lines(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			continue
		}
		c.lineCount++
		begin := strings.TrimPrefix(line, "(")
		if len(begin) < 2 {
			continue
		}
		closed := begin[1] == '.' || begin[1] == ')' || begin[1] == ':'
		switch b := begin[0]; {
		case ('A' <= b && b <= 'H' || 'a' <= b && b <= 'h') && closed:
			c.choices++
		case '0' <= b && b <= '9' && closed, (b == '-' || b == '*') && begin[1] == ' ':
			c.items++
		}
	}
}

func (c *tally) into(counters *[Counters]float32) {
	*counters = [Counters]float32{
		log(c.view.Chars), log(c.count), log(c.lineCount), share(c.letters, c.count) / 10,
		share(c.digits, c.kept), share(c.capitals, c.kept), share(c.marks, c.kept), share(c.other, c.kept),
		log(c.code), log(c.formula), log(c.choices), log(c.items), log(c.questions), log(c.quotes),
		log(c.kind[constraint]), log(c.kind[reasoning]), log(c.kind[labelling]), log(c.view.Messages), log(c.view.Tools),
		log(c.view.Required), float32(c.view.Depth), log(c.view.Context),
	}
}

func log(n int) float32 { return float32(math.Log1p(float64(n))) }

func share(part, whole int) float32 {
	if whole == 0 {
		return 0
	}
	return float32(part) / float32(whole)
}
