package replay

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

// Replay is recordings whose answers weir has judged, so that policies can run on them. It holds nothing of the truth.
type Replay struct {
	*Recordings

	replies [][]cascade.Reply // by row and model
}

// New judges every recorded answer by weir's validators. Tasks of allowEmpty may be answered by no function call. The error
// names the row on which a validator broke.
func New(recordings *Recordings, allowEmpty []string) (*Replay, error) {
	r := &Replay{Recordings: recordings, replies: make([][]cascade.Reply, len(recordings.Rows))}
	checker := newChecker(allowEmpty)
	for i := range recordings.Rows {
		row := &recordings.Rows[i]
		r.replies[i] = make([]cascade.Reply, len(row.Answers))
		for j := range row.Answers {
			reply, err := checker.reply(row, recordings.Models[j], &row.Answers[j])
			if err != nil {
				return nil, err
			}
			r.replies[i][j] = reply
		}
	}
	return r, nil
}

// Select is the rows that are kept, in their order.
func (r *Replay) Select(j *Judge, keep func(row int) bool) (*Replay, *Judge) {
	kept := &Replay{Recordings: &Recordings{Suite: r.Suite, Models: r.Models}}
	judge := &Judge{}
	for i := range r.Rows {
		if keep(i) {
			kept.Rows = append(kept.Rows, r.Rows[i])
			kept.replies = append(kept.replies, r.replies[i])
			judge.right = append(judge.right, j.right[i])
		}
	}
	return kept, judge
}

// Worked is how one task went.
type Worked struct {
	// Model is the place of the model whose answer stands.
	Model int
	// Escalated says that the task went beyond the first stage, or beyond the vote.
	Escalated bool
	// Cost is that of all attempts; it counts nothing for an answer whose cost is unknown.
	Cost task.Pico
	// Failed is the part of Cost that went to answers which neither stand nor agreed with the one that does.
	Failed task.Pico
	// Latency is that of all attempts, made one after another.
	Latency time.Duration
}

// Chooser says which policy a task has.
type Chooser interface {
	For(path, id string) cascade.Policy
}

// Always is one policy for all tasks.
type Always cascade.Policy

// For is the policy.
func (a Always) For(string, string) cascade.Policy { return cascade.Policy(a) }

// Run works every task by its policy. The error names a model that was not recorded.
func (r *Replay) Run(chooser Chooser) ([]Worked, error) {
	worked := make([]Worked, 0, len(r.Rows))
	for i := range r.Rows {
		policy := chooser.For(r.Rows[i].Task, r.Rows[i].ID)
		models, err := r.places(policy)
		if err != nil {
			return nil, err
		}
		one, err := r.work(i, policy, models)
		if err != nil {
			return nil, fmt.Errorf("row %s: %w", r.Rows[i].ID, err)
		}
		worked = append(worked, one)
	}
	return worked, nil
}

// places are the models of a policy as places in the recordings.
func (r *Replay) places(policy cascade.Policy) ([]int, error) {
	names := policy.Models()
	places := make([]int, 0, len(names))
	for _, name := range names {
		at := r.Model(name)
		if at < 0 {
			return nil, fmt.Errorf("policy %s: model %s was not recorded; the file has %q", policy, name, r.Models)
		}
		places = append(places, at)
	}
	return places, nil
}

// attempt is one call of a task that is worked.
type attempt struct {
	place int // in the policy
	reply cascade.Reply
}

// work takes one task through weir's retry table, the recorded answers in the place of calls. The policy says whom to ask;
// what follows from an answer is Decide's.
func (r *Replay) work(row int, policy cascade.Policy, models []int) (Worked, error) {
	state := cascade.State{Stages: len(models), MaxAttempts: len(models) + 1, Now: time.Unix(0, 0)}
	var attempts []attempt
	var votes, staged []cascade.Reply
	for {
		next := policy.Next(votes, staged)
		if next.Ask < state.Stage {
			return Worked{}, fmt.Errorf("the policy asks for stage %d, the decision for stage %d", next.Ask, state.Stage)
		}
		state.Stage = next.Ask
		reply := r.replies[row][models[next.Ask]]
		attempts = append(attempts, attempt{place: next.Ask, reply: reply})
		event := cascade.Event{Failure: task.FailInvalid, Reason: "rejected"}
		if next.Ask < len(policy.Voters) {
			votes = append(votes, reply)
			if policy.Agreed(votes) >= 0 {
				event = cascade.Event{Accepted: true}
			}
		} else {
			staged = append(staged, reply)
			if reply.Valid {
				event = cascade.Event{Accepted: true}
			}
		}
		decision := cascade.Decide(state, event)
		state.Calls, state.Attempts = state.Calls+1, state.Attempts+1
		if decision.Action == cascade.Escalate {
			state.Stage = decision.Stage
			continue
		}
		// A task that failed at its last stage has that stage's answer for the record, as a person would have it.
		return r.settle(row, policy, models, attempts), nil
	}
}

// settle adds up what the attempts took.
func (r *Replay) settle(row int, policy cascade.Policy, models []int, attempts []attempt) Worked {
	last := attempts[len(attempts)-1]
	byVote := last.place < len(policy.Voters)
	stands := last
	if byVote {
		stands = attempts[policy.Agreed(replies(attempts))]
	}
	worked := Worked{Model: models[stands.place], Escalated: last.place > len(policy.Voters)-1 && last.place > 0}
	for _, a := range attempts {
		answer := &r.Rows[row].Answers[models[a.place]]
		if answer.Latency != nil {
			worked.Latency += *answer.Latency
		}
		if answer.Cost == nil {
			continue
		}
		worked.Cost += *answer.Cost
		if a.place != stands.place && (!byVote || !a.reply.Valid || a.reply.Value != stands.reply.Value) {
			worked.Failed += *answer.Cost
		}
	}
	return worked
}

func replies(attempts []attempt) []cascade.Reply {
	all := make([]cascade.Reply, 0, len(attempts))
	for _, a := range attempts {
		all = append(all, a.reply)
	}
	return all
}
