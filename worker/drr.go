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
// whoever can pay for its first task and is owed most goes first; when nobody can pay, each queue is credited the cost
// of the dearest first task times its weight. What is left of a credit stays for the next round, so that fairness
// holds over rounds of any size; a queue that runs empty keeps nothing, so nobody saves up credit by idling. It returns
// the picks and updates the deficits.
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
		q := mostOwed(queues)
		if q == nil {
			credit(queues)
			continue
		}
		picked = append(picked, q.spend())
	}
	return picked
}

// mostOwed is the queue with the largest deficit among those that can pay for their first task; nil when none can.
func mostOwed(queues []*queueOf) *queueOf {
	var most *queueOf
	for _, q := range queues {
		if len(q.candidates) > 0 && q.line.Deficit >= q.price() && (most == nil || q.line.Deficit > most.line.Deficit) {
			most = q
		}
	}
	return most
}

// credit gives every waiting queue its share of a quantum that lets the dearest first task go.
func credit(queues []*queueOf) {
	var quantum task.Pico
	for _, q := range queues {
		if len(q.candidates) > 0 {
			quantum = max(quantum, q.price())
		}
	}
	for _, q := range queues {
		if len(q.candidates) > 0 {
			q.line.Deficit += quantum * task.Pico(q.weight)
		}
	}
}

// price is the cost of the queue's first task; a free one still takes a place, so it is not for nothing.
func (q *queueOf) price() task.Pico { return max(q.candidates[0].Cost, 1) }

// spend releases the queue's first task.
func (q *queueOf) spend() store.Candidate {
	first := q.candidates[0]
	q.line.Deficit -= q.price()
	q.candidates = q.candidates[1:]
	if len(q.candidates) == 0 {
		q.line.Deficit = 0
	}
	return first
}
