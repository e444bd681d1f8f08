package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weirhq/weir/providers/sim/dice"
)

// Fault is something that goes wrong with a request.
type Fault string

// The faults. Those of the first group come instead of the model's work, which is then not billed; those of the second
// come after it, so that it is.
const (
	FaultServer       Fault = "500"
	FaultUnavailable  Fault = "503"
	FaultOverloaded   Fault = "529" // 503 in the Chat Completions API and in Gemini's
	FaultRateLimit    Fault = "429" // with Retry-After: 1, or a RetryInfo of 1s
	FaultQuota        Fault = "quota"
	FaultUnauthorized Fault = "401"
	FaultHTML         Fault = "html"    // a page of a proxy on the way, with status 200
	FaultNoRoom       Fault = "no_room" // there is no capacity for the tier that was asked for, as flex processing says it

	FaultTimeout   Fault = "timeout"   // no answer, ever
	FaultReset     Fault = "reset"     // the connection breaks before the answer
	FaultTruncated Fault = "truncated" // the connection ends in the middle of the answer
	FaultDrip      Fault = "drip"      // the answer comes a byte at a time
	FaultNoUsage   Fault = "no_usage"  // the answer does not say what it used
	FaultStandard  Fault = "standard"  // the answer is served, and billed, in the standard tier, whichever was asked for
)

// The faults of batches. Those of the first group meet a batch, those of the second its lines.
const (
	FaultBatchFailed  Fault = "batch_failed"  // no line is worked off: the batch fails, or all its lines do where no batch can
	FaultBatchExpired Fault = "batch_expired" // half of the lines are worked off, the rest expires
	FaultBatchStalled Fault = "batch_stalled" // no line is worked off until the batch expires
	FaultBatchFull    Fault = "batch_full"    // the account's batches hold as many tokens as they may

	FaultLineMissing Fault = "line_missing" // the line is answered and billed, but not among the results
	FaultLineTwice   Fault = "line_twice"   // the line is among the results twice
)

// faults are all faults in the order in which chance looks at them.
func faults() []Fault {
	return []Fault{
		FaultServer, FaultUnavailable, FaultOverloaded, FaultRateLimit, FaultQuota, FaultUnauthorized, FaultHTML,
		FaultNoRoom, FaultTimeout, FaultReset, FaultTruncated, FaultDrip, FaultNoUsage, FaultStandard,
	}
}

func (f Fault) known() bool { return slices.Contains(faults(), f) }

// meetsBatch says that a fault can meet the creation of a batch, and what becomes of it.
func (f Fault) meetsBatch() bool {
	own := []Fault{
		FaultBatchFailed, FaultBatchExpired, FaultBatchStalled, FaultBatchFull, FaultHTML, FaultTimeout, FaultReset,
	}
	return slices.Contains(own, f) || f.problem() != nil
}

// meetsLine says that a fault can meet a line of a batch.
func (f Fault) meetsLine() bool {
	return f == FaultLineMissing || f == FaultLineTwice || f == FaultNoUsage || f.problem() != nil
}

// lineFaults are the faults that meet lines, in the order in which chance looks at them.
func lineFaults() []Fault {
	return append(slices.DeleteFunc(faults(), func(f Fault) bool { return !f.meetsLine() }), FaultLineMissing, FaultLineTwice)
}

// problem is the error answer of a fault, nil for faults that are no answer.
func (f Fault) problem() *problem {
	switch f {
	case FaultServer:
		return &problem{kind: serverError, message: "Internal server error"}
	case FaultUnavailable:
		return &problem{kind: unavailable, message: "The service is not available at the moment"}
	case FaultOverloaded:
		return &problem{kind: overloaded, message: "Overloaded"}
	case FaultRateLimit:
		return &problem{kind: rateLimited, message: "Too many requests: the rate limit is reached", retryAfter: time.Second}
	case FaultQuota:
		return &problem{kind: quotaSpent, message: "You exceeded your current quota: the monthly cap is spent"}
	case FaultUnauthorized:
		return &problem{kind: unauthorized, message: "The API key is not valid"}
	case FaultNoRoom:
		return &problem{kind: noRoom, message: "Resource unavailable: try again later, or in the default tier"}
	case FaultHTML, FaultTimeout, FaultReset, FaultTruncated, FaultDrip, FaultNoUsage, FaultStandard:
	case FaultBatchFailed, FaultBatchExpired, FaultBatchStalled, FaultBatchFull, FaultLineMissing, FaultLineTwice:
	}
	return nil
}

// Script is a fault that meets certain requests.
type Script struct {
	// Model is the model whose requests it meets; empty means all.
	Model string `json:"model,omitempty"`
	// Fault is what happens to them.
	Fault Fault `json:"fault"`
	// Counts has it meet questions for a count of tokens, and nothing else. Only faults that are an error's answer, and the
	// timeout, do.
	Counts bool `json:"counts,omitempty"`
	// Batches has it meet batches as they are created, and Lines the requests in batches, and nothing else. A batch is of the
	// model of its first line.
	Batches bool `json:"batches,omitempty"`
	Lines   bool `json:"lines,omitempty"`
	// After is how many matching requests are spared first, and Count how many are met then; 0 means all.
	After int `json:"after,omitempty"`
	Count int `json:"count,omitempty"`
	// From and Until bound the time in which it works; zero means no bound.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

func (s Script) check() error {
	of := s.of()
	switch {
	case s.Counts && (s.Batches || s.Lines), s.Batches && s.Lines:
		return errors.New("a script meets counts, batches or lines, and not two of them")
	case of == batchesMet && s.Fault.meetsBatch(), of == linesMet && s.Fault.meetsLine():
	case !s.Fault.known() && !s.Fault.meetsBatch() && !s.Fault.meetsLine():
		return fmt.Errorf("fault %q is unknown", s.Fault)
	case of == batchesMet, of == linesMet, !s.Fault.known():
		return fmt.Errorf("fault %q does not meet %s", s.Fault, of)
	}
	if s.After < 0 || s.Count < 0 {
		return errors.New("a script's after and count must not be negative")
	}
	if s.Counts && s.Fault != FaultTimeout && s.Fault.problem() == nil {
		return fmt.Errorf("fault %q does not meet questions for a count", s.Fault)
	}
	return nil
}

// met is what a script meets.
type met string

const (
	callsMet   met = "calls"
	countsMet  met = "questions for a count"
	batchesMet met = "batches"
	linesMet   met = "lines of batches"
)

func (s Script) of() met {
	switch {
	case s.Counts:
		return countsMet
	case s.Batches:
		return batchesMet
	case s.Lines:
		return linesMet
	}
	return callsMet
}

// running is a script and how many requests it has seen.
type running struct {
	Script
	seen int
}

func (r *running) meets(model string, what met, now time.Time) bool {
	if r.of() != what || r.Model != "" && r.Model != model || now.Before(r.From) || !r.Until.IsZero() && !now.Before(r.Until) {
		return false
	}
	r.seen++
	return r.seen > r.After && (r.Count == 0 || r.seen <= r.After+r.Count)
}

// faultPlan decides which requests meet a fault.
type faultPlan struct {
	seed uint64
	// shares are those by chance, of calls and of lines.
	shares map[met]map[Fault]int
	mu     sync.Mutex
	// scripts are asked in their order, the first that meets a request decides.
	scripts []*running
	// asked counts the requests by their bytes; it is kept only where chance plays a part.
	asked map[uint64]uint64
}

func newFaultPlan(c Config) *faultPlan {
	p := &faultPlan{
		seed: c.Seed, asked: map[uint64]uint64{},
		shares: map[met]map[Fault]int{callsMet: maps.Clone(c.Faults), linesMet: maps.Clone(c.Batches.Faults)},
	}
	for _, s := range c.Scripts {
		p.add(s)
	}
	return p
}

func (p *faultPlan) add(s Script) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, &running{Script: s})
}

// remove ends the scripts of a model; all of them when it is empty.
func (p *faultPlan) remove(model string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = slices.DeleteFunc(p.scripts, func(r *running) bool { return model == "" || r.Model == model })
}

// nextOf is the fault that something other than a call meets: chance plays no part.
func (p *faultPlan) nextOf(what met, model string, now time.Time) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scripted(what, model, now)
}

func (p *faultPlan) scripted(what met, model string, now time.Time) Fault {
	for _, s := range p.scripts {
		if s.meets(model, what, now) {
			return s.Fault
		}
	}
	return ""
}

// next is the fault that a call or a line of a batch meets, empty for none.
func (p *faultPlan) next(what met, model string, body []byte, now time.Time) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.scripted(what, model, now)
	if f != "" || len(p.shares[what]) == 0 {
		return f
	}
	order := faults()
	if what == linesMet {
		order = lineFaults()
	}
	key := dice.Hash(p.seed, body)
	p.asked[key]++
	roll := dice.New(key+p.asked[key], "fault").Below(wholeShare)
	for _, f := range order {
		if roll -= p.shares[what][f]; roll < 0 {
			return f
		}
	}
	return ""
}
