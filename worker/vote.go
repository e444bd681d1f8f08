package worker

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

// agreement is the verdict of other models' answers, by the name and version of a validator.
const agreement = "agreement@1"

// poll puts a valid answer to the vote where the plan has one, and says where the vote stands after it. The answer is
// accepted once enough models have given the same, and until then rejected, whatever it is worth. Those before it were
// committed before this attempt's bundle was formed.
func (at *attempt) poll(e *ended) {
	if at.vote = at.votes(); !at.vote.Held() || !e.accepted {
		return
	}
	e.accepted, e.validator, e.failure = false, agreement, task.FailInvalid
	form := cascade.Canonical(e.reply.Output, e.reply.ToolCalls)
	if form == "" {
		e.reason = "the answer is no label, number, JSON or function call that another could agree with"
		return
	}
	vote := voteOf(form)
	e.vote = &vote
	at.vote.Cast = append(at.vote.Cast, cascade.Cast{Stage: at.member.Stage, Model: at.member.Model, Value: vote.String()})
	backers := at.vote.Backers(vote.String())
	e.accepted = at.vote.Agreed()
	switch {
	case e.accepted:
		e.failure, e.reason = "", "the same answer from "+strings.Join(backers, ", ")
	default:
		e.reason = fmt.Sprintf("%d of the %d models that have to agree have given this answer", len(backers), at.vote.Need)
	}
}

// votes is where the task's vote stands before this attempt's answer.
func (at *attempt) votes() cascade.Vote {
	m := at.member
	v := cascade.Vote{Need: m.Agree, Stages: len(at.stages), Stage: m.Stage}
	if len(m.Votes) == 0 {
		return v
	}
	if err := json.Unmarshal(m.Votes, &v.Cast); err != nil {
		panic(fmt.Errorf("read votes: %w", err)) // Postgres has just made them
	}
	return v
}

// voteOf is the identity of a canonical form, by which it is stored: answers are kept for a while, votes with the ledger.
func voteOf(form string) uuid.UUID {
	sum := sha256.Sum256([]byte(form))
	return uuid.UUID(sum[:16])
}
