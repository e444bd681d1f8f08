package cascade

import (
	"fmt"
	"slices"
)

// MaxOrder is the longest cascade whose every shorter form is looked at; of longer ones only the first models may be
// skipped.
const MaxOrder = 10

// Rate is how a model's answers are expected to go.
type Rate struct {
	// Pass is the share that is accepted, 0 to 1.
	Pass float64
	// Cost is what a call costs, in any unit that is the same for all models.
	Cost float64
}

// Expectation is what working through models in an order comes to: each is asked when those before it have failed.
type Expectation struct {
	// Pass is the share of tasks that one of them passes.
	Pass float64
	// Cost is the mean cost of a task.
	Cost float64
}

// Expect works out an order. Rate gives a model's rates; first says that it is the first one, so that it gets all tasks and
// not only those that others have failed.
func Expect(order []string, rate func(model string, first bool) Rate) Expectation {
	e := Expectation{}
	left := 1.0
	for i, model := range order {
		r := rate(model, i == 0)
		e.Cost += left * r.Cost
		left *= 1 - r.Pass
	}
	e.Pass = 1 - left
	return e
}

// Cheapest is the part of an order that is expected to cost least and to pass at least a share of the tasks; the one that
// passes most where none passes so many. The last model always stays: it is what all else falls back to. The order of the
// models stays as it is. Of equals the longer one wins, so that nothing is skipped for nothing.
func Cheapest(order []string, least float64, rate func(model string, first bool) Rate) ([]string, Expectation) {
	best, reached := order, Expect(order, rate)
	for _, part := range parts(order) {
		e := Expect(part, rate)
		if e.Better(reached, least) {
			best, reached = part, e
		}
	}
	return best, reached
}

// Better reports whether e is to be had rather than another where at least a share of the tasks has to pass: the cheaper one of
// those that reach it, or the one that passes more where neither does.
func (e Expectation) Better(than Expectation, least float64) bool {
	if (e.Pass >= least) != (than.Pass >= least) {
		return e.Pass >= least
	}
	if e.Pass < least {
		return e.Pass > than.Pass
	}
	return e.Cost < than.Cost
}

// parts are the shorter forms of an order, each with its last model, the longest first.
func parts(order []string) [][]string {
	n := len(order) - 1
	if n < 1 {
		return nil
	}
	if len(order) > MaxOrder {
		tails := make([][]string, 0, n)
		for i := 1; i <= n; i++ {
			tails = append(tails, order[i:])
		}
		return tails
	}
	byLength := make([][][]string, len(order))
	for keep := range 1<<n - 1 { // all bits set would be the order itself
		part := make([]string, 0, len(order))
		for i := range n {
			if keep&(1<<i) != 0 {
				part = append(part, order[i])
			}
		}
		part = append(part, order[n])
		byLength[len(part)-1] = append(byLength[len(part)-1], part)
	}
	var all [][]string
	for _, some := range slices.Backward(byLength) {
		all = append(all, some...)
	}
	return all
}

// SkipReason says in words why a model of the cascade is not asked, by its rate. It is of the call path and not of the task.
func SkipReason(r Rate) string {
	return fmt.Sprintf("is skipped: it passes %.0f %% of such tasks, and without it they are expected to cost less", 100*r.Pass)
}
