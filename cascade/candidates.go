package cascade

import (
	"cmp"
	"slices"

	"github.com/weirhq/weir/task"
)

// Priced is a model with the mean cost of a call and the share of its answers that validators accept.
type Priced struct {
	Model string
	// Cost is the mean cost of a call.
	Cost task.Pico
	// Valid is the share of answers that validators accept, from 0 to 1.
	Valid float64
}

// Worthwhile reports whether asking a model first pays: its answers are accepted more often than the ratio of its price
// to the next one's. Below that, the calls that are thrown away cost more than those that are saved.
func Worthwhile(valid float64, cost, next task.Pico) bool {
	return float64(cost) < valid*float64(next)
}

// Candidates are the policies that a search looks at, cheap and simple ones first: every model alone; cascades of two and
// three whose every stage is worthwhile; and votes whose voters are each cheaper than the one model behind them: two that
// must agree, three that must, and two of three. Values are those that answers take where they are few: then votes of two
// come also in forms that trust all values but one, or one alone.
func Candidates(models []Priced, values []string) []Policy {
	models = slices.Clone(models)
	slices.SortStableFunc(models, func(a, b Priced) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(a.Model, b.Model))
	})
	var found []Policy
	for _, m := range models {
		found = append(found, Policy{Stages: []string{m.Model}})
	}
	for i, last := range models {
		found = appendCascades(found, models[:i], last)
	}
	for i, last := range models {
		found = appendVotes(found, models[:i], last, values)
	}
	return found
}

func appendCascades(found []Policy, cheaper []Priced, last Priced) []Policy {
	for i, second := range cheaper {
		if !Worthwhile(second.Valid, second.Cost, last.Cost) {
			continue
		}
		found = append(found, Policy{Stages: []string{second.Model, last.Model}})
		for _, first := range cheaper[:i] {
			if Worthwhile(first.Valid, first.Cost, second.Cost) {
				found = append(found, Policy{Stages: []string{first.Model, second.Model, last.Model}})
			}
		}
	}
	return found
}

// appendVotes orders the voters so that the cheap ones are asked first, except that of two of three each may be the one who
// is asked only when the others differ.
func appendVotes(found []Policy, cheaper []Priced, last Priced, values []string) []Policy {
	stages := []string{last.Model}
	for i, a := range cheaper {
		for j, b := range cheaper[i+1:] {
			pair := []string{a.Model, b.Model}
			found = append(found, Policy{Voters: pair, Need: len(pair), Stages: stages})
			for _, trust := range trusts(values) {
				found = append(found, Policy{Voters: pair, Need: len(pair), Trust: trust, Stages: stages})
			}
			for _, c := range cheaper[i+1+j+1:] {
				found = append(found,
					Policy{Voters: []string{a.Model, b.Model, c.Model}, Need: 2, Stages: stages},
					Policy{Voters: []string{a.Model, c.Model, b.Model}, Need: 2, Stages: stages},
					Policy{Voters: []string{b.Model, c.Model, a.Model}, Need: 2, Stages: stages},
					Policy{Voters: []string{a.Model, b.Model, c.Model}, Need: 3, Stages: stages},
				)
			}
		}
	}
	return found
}

// trusts are the sets of one value alone and of all but one.
func trusts(values []string) [][]string {
	var sets [][]string
	for i, value := range values {
		if len(values) > 1 {
			sets = append(sets, []string{value})
		}
		if len(values) > 2 {
			sets = append(sets, slices.Concat(values[:i], values[i+1:]))
		}
	}
	return sets
}
