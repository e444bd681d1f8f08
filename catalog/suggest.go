package catalog

import (
	"iter"
	"slices"
	"strings"
)

// maxTypos is the most edits between a name and the one that it is taken for.
const maxTypos = 2

// didYouMean is `; did you mean "haiku"?` for the known name nearest to the given one, or empty when none is near.
func didYouMean(name string, known iter.Seq[string]) string {
	if len(name) > MaxNameChars {
		return ""
	}
	best, bestDistance := "", maxTypos+1
	for _, candidate := range slices.Sorted(known) {
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		if d < bestDistance && 2*d < len(candidate) { // not everything short is near to everything short
			best, bestDistance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return `; did you mean "` + best + `"?`
}

// distance is the number of characters to insert, drop or replace to get from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// listed is `"now" or "batch"`.
func listed(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = `"` + w + `"`
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
