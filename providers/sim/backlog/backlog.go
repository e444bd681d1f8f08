// Package backlog makes the documents that the demo works through, and knows their right answers: support tickets to
// sort, invoices to read and contract clauses to judge. What is right follows from a document's text alone, so that a
// simulated model can read it, and be right or wrong about it, without having been told the answer.
package backlog

import (
	_ "embed"
	"fmt"

	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

// The features that documents belong to.
const (
	TicketTriage      = "ticket-triage"
	InvoiceExtraction = "invoice-extraction"
	ContractReview    = "contract-review"
)

// FeaturesYAML is the features section of a weir.yaml for the documents: prompts, output schemas and validators.
//
//go:embed features.yaml
var FeaturesYAML string

// Document is one piece of work with what is known about it.
type Document struct {
	// Task has an id, a feature, a call path and the text as its input; the rest is left to whoever publishes it.
	Task task.Task
	// Difficulty is from 0 (anyone gets it right) to 1000.
	Difficulty int
	// Truth is the right answer as JSON.
	Truth string
}

// Generate makes n documents, about two thirds of them tickets, more than a fifth invoices and the rest contracts. The
// i-th document of a seed is always the same, whatever n is.
func Generate(seed uint64, n int) []Document {
	w := newWriter()
	documents := make([]Document, 0, max(n, 0))
	for i := range n {
		documents = append(documents, w.document(seed, i))
	}
	return documents
}

// writer makes documents.
type writer struct {
	texts   texts
	locales []locale
	solver  *Solver
}

func newWriter() *writer {
	s := NewSolver()
	return &writer{texts: s.texts, locales: s.locales, solver: s}
}

func (w *writer) document(seed uint64, i int) Document {
	d := dice.New(seed, fmt.Sprintf("document %d", i))
	doc := Document{}
	var truth answer
	switch kind := d.Below(1000); {
	case kind < 680:
		doc.Task.Feature = TicketTriage
		doc.Task.CallPath = dice.Pick(d, []string{"support/inbox", "support/web-form", "support/chat"})
		doc.Task.Input, truth = w.ticket(d)
	case kind < 905:
		doc.Task.Feature = InvoiceExtraction
		doc.Task.CallPath = dice.Pick(d, []string{"finance/mailbox", "finance/scanner"})
		doc.Task.Input, truth = w.invoice(d)
	default:
		doc.Task.Feature = ContractReview
		doc.Task.CallPath = dice.Pick(d, []string{"legal/intake", "procurement/renewals"})
		doc.Task.Input, truth = w.contract(d)
	}
	doc.Task.ID = fmt.Sprintf("%s-%06d", doc.Task.Feature, i+1)
	doc.Truth = truth.json()
	if solution, ok := w.solver.SolveFeature(doc.Task.Feature, doc.Task.Input); ok {
		doc.Difficulty = solution.Difficulty
	}
	return doc
}
