package backlog

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// contractAnswer is what a clause is about and what it means for the buyer.
type contractAnswer struct {
	ClauseType string `json:"clause_type"`
	Risk       string `json:"risk"`
	Quote      string `json:"quote"`
	Summary    string `json:"summary"`

	// others are other sentences of the extract.
	others []string
}

func (a *contractAnswer) json() string { return marshal(a) }

// is leaves the summary's words open.
func (a *contractAnswer) is(output string) bool {
	var other contractAnswer
	return json.Unmarshal([]byte(output), &other) == nil && a.ClauseType == other.ClauseType && a.Risk == other.Risk &&
		plain(a.Quote) == plain(other.Quote) && strings.TrimSpace(other.Summary) != ""
}

func (a *contractAnswer) wrong(d *dice.Dice, noticeable bool) string {
	wrong := *a
	switch {
	case noticeable && d.Hits(650):
		wrong.Quote = paraphrase(d, a.Quote)
	case noticeable && d.Hits(500):
		wrong.ClauseType = strings.ReplaceAll(a.ClauseType, "_", " ") + " clause"
	case noticeable:
		wrong.Risk = dice.Pick(d, []string{"moderate", "severe", "none", "medium-high"})
	case len(a.others) > 0 && d.Hits(350):
		wrong.Quote = dice.Pick(d, a.others)
	case d.Hits(500):
		wrong.Risk = neighbour(d, risks(), a.Risk)
	default:
		wrong.ClauseType = otherThan(d, clauseTypes(), a.ClauseType)
	}
	wrong.Summary = summary(wrong.ClauseType, wrong.Risk)
	return wrong.json()
}

// paraphrase says the same in words that are not the text's.
func paraphrase(d *dice.Dice, quote string) string {
	words := strings.Fields(quote)
	i := 2 + d.Below(max(1, len(words)-4))
	words[min(i, len(words)-1)] = dice.Pick(d, []string{"basically", "[...]", "reportedly", "in essence"})
	return strings.Join(words, " ")
}

// readContract finds the clause under review and the sentence that decides it.
func (s *Solver) readContract(input string) (answer, int, bool) {
	clauses := strings.Count(input, "\n\n")
	number, clause, ok := reviewed(input)
	if !ok {
		return nil, 0, false
	}
	text := strings.Join(strings.Fields(clause), " ")
	hits := s.clauses.in(strings.ToLower(text))
	if len(hits) == 0 {
		return nil, 0, false
	}
	hit := hits[0]
	truth := &contractAnswer{ClauseType: hit.word(1), Risk: hit.word(2)}
	truth.Quote, truth.others = sentenceAt(text, number, hit.at)
	truth.Summary = summary(truth.ClauseType, truth.Risk)
	difficulty := 250 + min(len(strings.Fields(input)), 4_000)/8 + min(clauses, 40)*3
	if s.isGeneral(text) {
		difficulty += 110
	}
	if isScan(input) {
		difficulty += 60
	}
	if strings.Contains(text, "Notwithstanding") || strings.Contains(text, "Subject to") || strings.Contains(text, "Save as") {
		difficulty += 90
	}
	return truth, difficulty, true
}

// isScan tells whether the lines of a text are broken as on a page.
func isScan(input string) bool {
	for line := range strings.Lines(input) {
		if len(line) > scanColumns+1 {
			return false
		}
	}
	return true
}

// isGeneral tells whether a clause has a heading that says nothing.
func (s *Solver) isGeneral(clause string) bool {
	_, rest, _ := strings.Cut(clause, " ")
	for _, heading := range s.texts.of("heading general") {
		if strings.HasPrefix(rest, heading) {
			return true
		}
	}
	return false
}

// reviewed cuts the clause out that an extract says is under review.
func reviewed(input string) (number, clause string, ok bool) {
	_, rest, ok := strings.Cut(input, "Clause under review: ")
	if !ok {
		return "", "", false
	}
	number, rest, _ = strings.Cut(rest, "\n")
	number = strings.TrimSpace(number)
	start := strings.Index("\n"+rest, "\n"+number+". ")
	if number == "" || start < 0 {
		return "", "", false
	}
	clause = rest[start:]
	if end := strings.Index(clause, "\n"+next(number)+". "); end >= 0 {
		clause = clause[:end]
	}
	return number, clause, true
}

// next is the number after a number.
func next(number string) string {
	n, err := strconv.Atoi(number)
	if err != nil {
		return ""
	}
	return strconv.Itoa(n + 1)
}

// sentenceAt is the sentence around a place in a clause, and the other sentences of the clause.
func sentenceAt(text, number string, at int) (sentence string, others []string) {
	for from := 0; from < len(text); {
		end := from + sentenceEnd(text[from:])
		one := trimNumber(strings.TrimSpace(text[from:end]), number)
		if at >= from && at < end {
			sentence = one
		} else if len(strings.Fields(one)) > 5 {
			others = append(others, one)
		}
		from = end
	}
	return sentence, others
}

// sentenceEnd is where the first sentence of a text ends: after a full stop that a letter stands before and a space, or
// nothing, behind.
func sentenceEnd(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] == '.' && (i+1 == len(text) || text[i+1] == ' ') && (text[i-1] < '0' || text[i-1] > '9') {
			return i + 1
		}
	}
	return len(text)
}

// trimNumber takes the number of a paragraph, and the heading before the first one, off a sentence.
func trimNumber(sentence, number string) string {
	if i := strings.Index(sentence, number+".1 "); i >= 0 {
		return sentence[i+len(number)+3:]
	}
	if rest, ok := strings.CutPrefix(sentence, number+"."); ok {
		_, rest, _ = strings.Cut(rest, " ")
		return rest
	}
	return sentence
}
