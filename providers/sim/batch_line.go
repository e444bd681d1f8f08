package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

// line is one request of a batch.
type line struct {
	// id is the client's, and metadata what it wants back beside the answer.
	id       string
	metadata json.RawMessage
	body     []byte

	state  lineState
	status int
	// answer is what a call would have been answered, an error's too.
	answer    []byte
	problem   *problem // in place of an answer
	requestID string
	usage     task.Usage
	// missing and twice say that the line is not among the results, or there two times.
	missing, twice bool
}

// lineState is what became of a line.
type lineState int

const (
	lineWaiting lineState = iota
	lineSucceeded
	lineErrored
	lineCanceled
	lineExpired
)

// nearShare is the share of lines, in thousandths, that find what calls have written, in Anthropic's API: a batch is worked
// off on machines that mostly have other caches than those of calls.
const nearShare = 160

// attemptHeaders are the headers that name a call's attempt.
func attemptHeaders() []string {
	return []string{providers.AttemptHeader, "X-Weir-Attempt-Id", "X-Weir-Recording-Id"}
}

// lineCall is a line as a call.
func (s *Server) lineCall(b *batch, l *line, at time.Time) (*call, *problem) {
	w := b.newWire()
	c := &call{server: s, wire: w, body: l.body, entry: Entry{At: at, API: w.name(), Batch: b.name(), AttemptID: l.id}}
	if len(l.body) > maxBody {
		return c, &problem{kind: tooLarge, message: fmt.Sprintf("Request exceeds the maximum size of %d bytes", maxBody)}
	}
	problem := c.understand(b.header)
	c.entry.AttemptID = orDefault(c.entry.AttemptID, l.id)
	if problem == nil {
		problem = c.assign()
	}
	return c, problem
}

// modelOf is the model that a line asks for, whether there is one or not.
func (b *batch) modelOf(l *line) string {
	if q, _ := b.newWire().parse(l.body, b.header); q != nil {
		return q.model
	}
	return ""
}

// promptOf is the number of a line's prompt tokens; a line that cannot be answered has none.
func (s *Server) promptOf(b *batch, l *line) int64 {
	c, problem := s.lineCall(b, l, b.created)
	if problem != nil {
		return 0
	}
	n, problem := c.tokens()
	if problem != nil {
		return 0
	}
	return n
}

// workOff answers a line as a call is answered, at the batch's price. It may wait until the ledger's file has it.
func (s *Server) workOff(b *batch, l *line, at time.Time, wait bool) {
	c, problem := s.lineCall(b, l, at)
	outcome := OutcomeRefused
	if problem == nil {
		c.entry.Fault = s.faults.next(linesMet, c.q.model, c.body, at)
		if b.fault == FaultBatchFailed {
			c.entry.Fault = b.fault
			problem = FaultServer.problem()
		} else {
			problem = c.entry.Fault.problem()
		}
		if problem != nil {
			outcome = OutcomeFaulted
		}
	}
	var done thought
	if problem == nil {
		_, marked := c.wire.(messages)
		c.q.batched = true
		c.q.apart = marked && !dice.New(dice.Hash(dice.Hash(s.config.Seed, b.id), l.id), "near").Hits(nearShare)
		done, _, problem = c.think()
	}
	c.entry.Finished = at
	if problem != nil {
		l.state, l.problem = lineErrored, problem
		l.answer, l.status = c.wire.failure(problem, "req_"+l.requestID)
		c.entry.Outcome, c.entry.Status = outcome, l.status
		s.ledger.enter(&c.entry, wait)
		return
	}
	c.answerLine(b, l, &done)
	s.ledger.enter(&c.entry, wait)
}

// answerLine writes a line's answer and bills it.
func (c *call) answerLine(b *batch, l *line, done *thought) {
	r := &done.reply
	r.tier, r.batched, r.unmetered = "", true, c.q.uncounted || c.entry.Fault == FaultNoUsage
	for _, p := range done.keep {
		if b.keep == nil {
			b.keep = map[uint64]prefix{}
		}
		if len(b.keep) < maxCached {
			b.keep[p.key] = p
		}
	}
	l.missing, l.twice = c.entry.Fault == FaultLineMissing, c.entry.Fault == FaultLineTwice
	l.state, l.status, l.usage, l.answer = lineSucceeded, 200, r.usage, c.wire.reply(r)
	c.entry.Tier, c.entry.Usage, c.entry.Played = "batch", r.usage, r.answer.played
	c.entry.Began, c.entry.Status, c.entry.Outcome = c.entry.At, l.status, OutcomeAnswered
	if c.entry.Fault != "" {
		c.entry.Outcome = OutcomeFaulted
	}
}
