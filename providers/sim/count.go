package sim

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
)

// counting is a format's method that counts the tokens of a prompt: what a call of it would be billed, cached or not. It
// costs nothing and is in no ledger.
type counting struct {
	wire
	// before and after are what stands around the number in an answer.
	before, after string
}

// serveCount answers a question for a count.
func (c *call) serveCount(ctx context.Context, k counting) {
	c.unbooked = true
	var buf bytes.Buffer
	problem := c.read(&buf)
	if problem == nil {
		problem = c.admit()
	}
	if problem != nil {
		c.refuse(problem, OutcomeRefused)
		return
	}
	c.server.counts.Add(1)
	if fault := c.server.faults.nextOf(countsMet, c.q.model, c.entry.At); fault == FaultTimeout {
		select {
		case <-ctx.Done():
		case <-c.server.done:
		}
		c.reset()
		return
	} else if problem := fault.problem(); problem != nil {
		c.refuse(problem, OutcomeFaulted)
		return
	}
	n, problem := c.tokens()
	if problem != nil {
		c.refuse(problem, OutcomeRefused)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.wire.headers(c.w.Header(), c.requestID(), c.limit)
	c.finishWith(http.StatusOK, []byte(k.before+strconv.FormatInt(n, 10)+k.after), OutcomeAnswered)
}

// tokens are those that a call is billed, whatever of them is cached.
func (c *call) tokens() (int64, *problem) {
	s := c.server
	if s.config.Recordings.has(c.q.model) {
		text, problem := s.config.Recordings.find(c.q)
		if problem != nil {
			return 0, problem
		}
		return text.usage(c.q, s.counter).Prompt(), nil
	}
	total := 0
	for _, b := range c.q.blocks {
		total += s.size(b, c.wire) + overhead
	}
	if _, ok := c.wire.(messages); !ok {
		total += overhead // that of the answer's first words
	}
	return int64(total), nil
}

// unknownField is the refusal of a parameter that a count does not take although a call does.
func unknownField(name []byte) error {
	return fmt.Errorf("unknown parameter: %s", name)
}
