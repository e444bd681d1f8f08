package train

import (
	"cmp"
	"maps"
	"slices"
)

// Folds assigns each group to one of n folds, so that the folds have about equally many rows: the largest group first, each
// to the smallest fold.
func Folds(sizes map[string]int, n int) map[string]int {
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int {
		return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b))
	})
	rows := make([]int, n)
	folds := make(map[string]int, len(sizes))
	for _, name := range names {
		smallest := 0
		for fold := range rows {
			if rows[fold] < rows[smallest] {
				smallest = fold
			}
		}
		folds[name] = smallest
		rows[smallest] += sizes[name]
	}
	return folds
}
