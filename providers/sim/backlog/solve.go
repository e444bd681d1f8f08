package backlog

import (
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// Solver reads documents. It is safe for concurrent use.
type Solver struct {
	texts   texts
	locales []locale
	tickets cues
	clauses cues
	labels  []label
}

// NewSolver reads the tables that documents are understood with.
func NewSolver() *Solver {
	t, l := readTexts(), locales()
	return &Solver{
		texts: t, locales: l, labels: labelsOf(l),
		tickets: findCues(t, "category", "priority", "main"),
		clauses: findCues(t, "clause"),
	}
}

// Solution is a document's right answer.
type Solution struct {
	Feature string
	// Answer is the right answer as JSON.
	Answer string
	// Difficulty is from 0 (anyone gets it right) to 1000; it follows from what can be seen: length, language, other
	// matters that are mentioned, figures that look alike.
	Difficulty int
	parsed     answer
}

// answer is a right answer in parts.
type answer interface {
	json() string
	// is tells whether a text is this answer, in whatever order and spacing.
	is(output string) bool
	// wrong is a plausible wrong answer: one that a deterministic check can notice, or one that only a person can.
	wrong(d *dice.Dice, noticeable bool) string
}

// Wrong is a plausible wrong answer. A noticeable one breaks a rule that the feature's validators know: a word that is
// not in the set, a total that does not add up, a quote that is not in the text. Any other passes them all.
func (s Solution) Wrong(d *dice.Dice, noticeable bool) string { return s.parsed.wrong(d, noticeable) }

// Solve reads a document under the system prompt of its feature. It is false for other prompts and other texts.
func (s *Solver) Solve(system, input string) (Solution, bool) {
	feature, ok := FeatureOf(system)
	if !ok {
		return Solution{}, false
	}
	return s.SolveFeature(feature, input)
}

// FeatureOf is the feature that a system prompt asks for: the names of the answer's fields give it away.
func FeatureOf(system string) (string, bool) {
	has := func(name string) bool { return strings.Contains(system, `"`+name+`"`) }
	switch {
	case has("clause_type") && has("quote"):
		return ContractReview, true
	case has("invoice_number") && has("iban"):
		return InvoiceExtraction, true
	case has("category") && has("priority"):
		return TicketTriage, true
	}
	return "", false
}

// SolveFeature reads a document of a feature. It is false for other texts.
func (s *Solver) SolveFeature(feature, input string) (Solution, bool) {
	var parsed answer
	var difficulty int
	var ok bool
	switch feature {
	case TicketTriage:
		parsed, difficulty, ok = s.readTicket(input)
	case InvoiceExtraction:
		parsed, difficulty, ok = s.readInvoice(input)
	case ContractReview:
		parsed, difficulty, ok = s.readContract(input)
	}
	if !ok {
		return Solution{}, false
	}
	return Solution{
		Feature: feature, Answer: parsed.json(), Difficulty: min(difficulty, 1000), parsed: parsed,
	}, true
}

// Judge tells whether an output is the right answer to a document of a feature, as a person would who compares the two.
func (s *Solver) Judge(feature, input, output string) bool {
	solution, ok := s.SolveFeature(feature, input)
	return ok && solution.parsed.is(unfence(output))
}

// Solve is Solver.Solve for a single document.
func Solve(system, input string) (Solution, bool) { return NewSolver().Solve(system, input) }

// Judge is Solver.Judge for a single document.
func Judge(feature, input, output string) bool { return NewSolver().Judge(feature, input, output) }

// unfence takes a Markdown fence off an answer.
func unfence(output string) string {
	output = strings.TrimSpace(output)
	if !strings.HasPrefix(output, "```") {
		return output
	}
	_, output, _ = strings.Cut(output, "\n")
	return strings.TrimSpace(strings.TrimSuffix(output, "```"))
}
