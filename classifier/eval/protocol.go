package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/weirhq/weir/classifier/train"
)

// The protocols, from the most flattering to the hardest.
const (
	// Random cuts the rows into folds by chance. Rows of one data set are on both sides, so that it measures above all
	// how well data sets are told apart.
	Random = "random"
	// Group keeps whole data sets and templates together: the judged ones are unseen.
	Group = "group"
	// LeaveSource leaves out one source at a time, with all of its data sets.
	LeaveSource = "leave-source"
	// Given trains on one file and judges on another.
	Given = "given"
)

// Protocols are all of them.
func Protocols() []string { return []string{Random, Group, LeaveSource, Given} }

// part is the rows that are judged at a time, and which rows the model for them must not have seen.
type part struct {
	name   string
	rows   []int
	hidden func(*train.Example) bool
}

// split cuts a data set by a protocol.
func split(data *train.Set, protocol string, folds int, seed uint64) ([]part, error) {
	switch protocol {
	case Random:
		return random(data, folds, seed), nil
	case Group:
		sizes := map[string]int{}
		for _, e := range data.Examples {
			sizes[e.Group]++
		}
		assigned := train.Folds(sizes, min(folds, len(sizes)))
		return by(data, func(e *train.Example) string { return fmt.Sprintf("fold %d", assigned[e.Group]+1) },
			func(e *train.Example) string { return e.Group }), nil
	case LeaveSource:
		source := func(e *train.Example) string { return e.Source }
		return by(data, source, source), nil
	case Given:
		all := make([]int, len(data.Examples))
		for i := range all {
			all[i] = i
		}
		return []part{{name: "all", rows: all, hidden: func(*train.Example) bool { return false }}}, nil
	default:
		return nil, fmt.Errorf("unknown protocol %q", protocol)
	}
}

// random hides the very prompts that are judged, wherever they occur.
func random(data *train.Set, folds int, seed uint64) []part {
	prompts := map[string]int{}
	for _, e := range data.Examples {
		if _, ok := prompts[e.Prompt]; !ok {
			prompts[e.Prompt] = len(prompts)
		}
	}
	fold := rand.New(rand.NewPCG(seed, 0)).Perm(len(prompts)) //nolint:gosec // a split that can be repeated
	return by(data, func(e *train.Example) string { return fmt.Sprintf("fold %d", fold[prompts[e.Prompt]]%folds+1) },
		func(e *train.Example) string { return e.Prompt })
}

// by puts rows of the same name into one part. What shares a key with one of its rows is hidden.
func by(data *train.Set, name, key func(*train.Example) string) []part {
	var parts []part
	index, keys := map[string]int{}, []map[string]bool{}
	for i, e := range data.Examples {
		at, ok := index[name(e)]
		if !ok {
			at = len(parts)
			index[name(e)] = at
			hidden := map[string]bool{}
			keys = append(keys, hidden)
			parts = append(parts, part{name: name(e), hidden: func(e *train.Example) bool { return hidden[key(e)] }})
		}
		parts[at].rows = append(parts[at].rows, i)
		keys[at][key(e)] = true
	}
	slices.SortFunc(parts, func(a, b part) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return parts
}
