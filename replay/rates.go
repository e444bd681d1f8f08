package replay

import (
	"cmp"
	"hash/fnv"
	"maps"
	"math/big"
	"slices"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

// maxValues is the most canonical answers of a file that votes may single out.
const maxValues = 6

// candidates are the policies to search among. What they are built from are prices and verdicts, not what was right.
func (r *Replay) candidates() []cascade.Policy {
	n := task.Pico(len(r.Rows))
	models := make([]cascade.Priced, 0, len(r.Models))
	for m, name := range r.Models {
		cost, valid := new(big.Int), 0
		for i := range r.Rows {
			cost.Add(cost, big.NewInt(int64(costOf(r, i, m))))
			if r.replies[i][m].Valid {
				valid++
			}
		}
		cost.Quo(cost, big.NewInt(int64(n)))
		models = append(models, cascade.Priced{
			Model: name, Cost: task.Pico(cost.Int64()), Valid: float64(valid) / float64(n),
		})
	}
	candidates := cascade.Candidates(models, r.values())
	if !r.Texts() { // then nothing can be validated or compared
		candidates = slices.DeleteFunc(candidates, func(p cascade.Policy) bool { return len(p.Models()) > 1 })
	}
	return candidates
}

// values are the canonical answers of the file where they are few, in alphabetical order.
func (r *Replay) values() []string {
	seen := map[string]bool{}
	for _, replies := range r.replies {
		for _, reply := range replies {
			if reply.Valid && reply.Value != "" {
				seen[reply.Value] = true
			}
			if len(seen) > maxValues {
				return nil
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// tallied are the tallies of all candidates on a file, by path, and by path and fold for each of several ways to cut the
// file into folds.
type tallied struct {
	all   *cascade.Rates
	parts [][]*cascade.Rates // by cut and fold
}

// tally tries every candidate on every row.
func (r *Replay) tally(j *Judge, candidates []cascade.Policy, cuts, folds int) (*tallied, error) {
	t := &tallied{all: newRates(candidates, r.Tasks())}
	assigned := make([][]int, cuts)
	for c := range cuts {
		t.parts = append(t.parts, nil)
		for range folds {
			t.parts[c] = append(t.parts[c], newRates(candidates, t.all.Paths))
		}
		assigned[c] = r.folds(c, folds)
	}
	paths := make([]int, len(r.Rows))
	for i := range r.Rows {
		paths[i], _ = slices.BinarySearch(t.all.Paths, r.Rows[i].Task)
	}
	for p, policy := range candidates {
		models, err := r.places(policy)
		if err != nil {
			return nil, err
		}
		for i := range r.Rows {
			stands, cost := r.try(i, policy, models)
			right := j.Right(i, stands)
			t.all.Tallies[paths[i]][p].Add(right, cost)
			for c := range cuts {
				t.parts[c][assigned[c][i]].Tallies[paths[i]][p].Add(right, cost)
			}
		}
	}
	return t, nil
}

func newRates(candidates []cascade.Policy, paths []string) *cascade.Rates {
	rates := &cascade.Rates{Policies: candidates, Paths: paths}
	for range paths {
		rates.Tallies = append(rates.Tallies, make([]cascade.Tally, len(candidates)))
	}
	return rates
}

// try is Run for one row, without the retry table and what a report wants besides: a search does it millions of times.
func (r *Replay) try(row int, policy cascade.Policy, models []int) (stands int, cost task.Pico) {
	var buffer [2][8]cascade.Reply
	votes, staged := buffer[0][:0], buffer[1][:0]
	for {
		next := policy.Next(votes, staged)
		if next.Ask < 0 {
			return models[next.Stands], cost
		}
		model := models[next.Ask]
		cost += costOf(r, row, model)
		if next.Ask < len(policy.Voters) {
			votes = append(votes, r.replies[row][model])
		} else {
			staged = append(staged, r.replies[row][model])
		}
	}
}

// folds deals the rows out so that every fold has its share of every task, in an order that hangs on ids alone.
func (r *Replay) folds(cut, folds int) []int {
	order := make([]int, len(r.Rows))
	keys := make([]uint64, len(r.Rows))
	for i := range r.Rows {
		order[i], keys[i] = i, hashOf(r.Rows[i].ID, cut)
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(r.Rows[a].Task, r.Rows[b].Task), cmp.Compare(keys[a], keys[b]), a-b)
	})
	assigned := make([]int, len(r.Rows))
	for at, row := range order {
		assigned[row] = at % folds
	}
	return assigned
}

// hashOf spreads ids evenly; salt makes another order.
func hashOf(id string, salt int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte{byte(salt)}) //nolint:gosec // a hash takes everything
	_, _ = h.Write([]byte(id))
	x := h.Sum64() // FNV's high bits hardly change with the last characters
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
