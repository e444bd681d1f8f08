package backlog

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// ticketAnswer is what a ticket is about and how urgent it is.
type ticketAnswer struct {
	Category string `json:"category"`
	Priority string `json:"priority"`
}

func (a *ticketAnswer) json() string { return marshal(a) }

func (a *ticketAnswer) is(output string) bool {
	var other ticketAnswer
	return json.Unmarshal([]byte(output), &other) == nil && other == *a
}

func (a *ticketAnswer) wrong(d *dice.Dice, noticeable bool) string {
	wrong := *a
	switch {
	case noticeable && d.Hits(250):
		wrong.Priority = dice.Pick(d, []string{"critical", "medium", "asap", "normal/high"})
	case noticeable:
		wrong.Category = a.synonym(d)
	case d.Hits(250):
		wrong.Priority = neighbour(d, priorities(), a.Priority)
	default:
		wrong.Category = otherThan(d, categories(), a.Category)
	}
	return wrong.json()
}

// synonym is a label of the model's own making for the right category.
func (a *ticketAnswer) synonym(d *dice.Dice) string {
	words := strings.ReplaceAll(a.Category, "_", " ")
	return dice.Pick(d, []string{words + " issue", words + " request", "general " + words, "other", "support"})
}

// neighbour is the value before or after one in a list.
func neighbour(d *dice.Dice, values []string, value string) string {
	i := slices.Index(values, value)
	if i == 0 || i < len(values)-1 && d.Hits(500) {
		return values[i+1]
	}
	return values[i-1]
}

// readTicket finds the matter and the urgency of a message.
func (s *Solver) readTicket(input string) (answer, int, bool) {
	own, quoted, bracketed := splitTicket(input)
	hits := s.tickets.in(own)
	matters, main := mattersOf(hits)
	if len(matters) == 0 {
		return nil, 0, false
	}
	truth := &ticketAnswer{Category: matters[0].word(1), Priority: "normal"}
	for _, hit := range hits {
		if hit.kind() == "priority" {
			truth.Priority = hit.word(1)
			break
		}
	}
	difficulty := 60 + min(len(strings.Fields(input)), 400)*3/10
	if matters[0].word(2) != english {
		difficulty += 140
	}
	if main {
		difficulty += 230
	}
	for _, hit := range matters[1:] {
		if hit.word(1) != truth.Category {
			difficulty += 170
		}
	}
	difficulty += min(2, len(s.tickets.in(quoted)))*110 + len(s.tickets.in(bracketed))*150
	if input == strings.ToUpper(input) {
		difficulty += 80
	}
	return truth, difficulty, true
}

// mattersOf are the matters that a message names, the one that it is about first: those after the words that announce
// the real reason, where there are such words.
func mattersOf(hits []found) (matters []found, main bool) {
	for _, hit := range hits {
		switch hit.kind() {
		case "main":
			matters, main = nil, true
		case "category":
			matters = append(matters, hit)
		}
	}
	return matters, main
}

// splitTicket takes a message apart: its own words, what it quotes and what stands in brackets, each in lower case with
// single spaces.
func splitTicket(input string) (own, quoted, bracketed string) {
	var mine, theirs strings.Builder
	for line := range strings.Lines(input) {
		if rest, ok := strings.CutPrefix(line, ">"); ok {
			theirs.WriteString(rest)
			continue
		}
		mine.WriteString(line)
	}
	text, aside := brackets(mine.String())
	return plain(text), plain(theirs.String()), plain(aside)
}

// brackets takes what stands in brackets out of a text.
func brackets(text string) (outside, inside string) {
	var kept, taken strings.Builder
	for {
		before, rest, opened := strings.Cut(text, "(")
		within, after, closed := strings.Cut(rest, ")")
		if !opened || !closed {
			return kept.String() + text, taken.String()
		}
		kept.WriteString(before)
		taken.WriteString(within + " ")
		text = after
	}
}

// plain is a text in lower case with single spaces.
func plain(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// marshal is the JSON of a value that cannot fail to have one.
func marshal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("encode an answer: " + err.Error())
	}
	return string(raw)
}
