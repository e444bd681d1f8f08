package cascade

import "slices"

// Reply is an answer as the validators leave it.
type Reply struct {
	// Valid says that the validators accepted it.
	Valid bool
	// Value is its canonical form; empty where there is none.
	Value string
}

// Agreed is the first reply that is among those which settle the vote, -1 as long as nothing does. The replies are those
// of the voters so far, in their order.
func (p Policy) Agreed(replies []Reply) int {
	for i, r := range replies {
		if p.counts(r) && p.backers(replies, r.Value) >= p.Need {
			return i
		}
	}
	return -1
}

// Open reports whether the voters who are still to be asked can settle the vote.
func (p Policy) Open(replies []Reply) bool {
	left := len(p.Voters) - len(replies)
	if left <= 0 {
		return false
	}
	if left >= p.Need {
		return true
	}
	for _, r := range replies {
		if p.counts(r) && p.backers(replies, r.Value)+left >= p.Need {
			return true
		}
	}
	return false
}

func (p Policy) counts(r Reply) bool {
	return r.Valid && r.Value != "" && (len(p.Trust) == 0 || slices.Contains(p.Trust, r.Value))
}

func (p Policy) backers(replies []Reply, value string) int {
	n := 0
	for _, r := range replies {
		if r.Valid && r.Value == value {
			n++
		}
	}
	return n
}
