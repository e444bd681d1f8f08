package worker

import (
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// queueOf is the ready tasks of one feature for one model, as a round sees them.
type queueOf struct {
	line       store.Line
	weight     int
	candidates []store.Candidate
}

// share picks at most room tasks from the queues by deficit round-robin (Shreedhar and Varghese, 1995) in expected cost:
// each turn credits a queue with the quantum times its weight, and it gives out tasks while its credit covers them. With
// the quantum at the dearest head, every turn releases something. What a queue could not spend it keeps for the next round;
// a queue that ran empty keeps nothing, so nobody saves up credit by idling. It returns the picks and updates the
// deficits.
func share(queues []*queueOf, room int) []store.Candidate {
	var picked []store.Candidate
	total := 0
	for _, q := range queues {
		total += len(q.candidates)
	}
	if total <= room { // no contention: everything goes, nobody is owed anything
		for _, q := range queues {
			picked = append(picked, q.candidates...)
			q.candidates, q.line.Deficit = nil, 0
		}
		return picked
	}
	for len(picked) < room {
		quantum := dearestHead(queues)
		if quantum == 0 {
			break
		}
		for _, q := range queues {
			if len(q.candidates) == 0 || len(picked) == room {
				continue
			}
			q.line.Deficit += quantum * task.Pico(q.weight)
			picked = q.spend(picked, room)
		}
	}
	return picked
}

// spend releases tasks while the queue's deficit covers them.
func (q *queueOf) spend(picked []store.Candidate, room int) []store.Candidate {
	for len(q.candidates) > 0 && len(picked) < room {
		cost := max(q.candidates[0].Cost, 1)
		if cost > q.line.Deficit {
			return picked
		}
		q.line.Deficit -= cost
		picked = append(picked, q.candidates[0])
		q.candidates = q.candidates[1:]
	}
	if len(q.candidates) == 0 {
		q.line.Deficit = 0
	}
	return picked
}

func dearestHead(queues []*queueOf) task.Pico {
	var most task.Pico
	for _, q := range queues {
		if len(q.candidates) > 0 {
			most = max(most, q.candidates[0].Cost, 1)
		}
	}
	return most
}
