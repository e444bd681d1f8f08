package sim

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/providers/sim/dice"
)

// batch is a batch on its way. It is guarded by its shelf's mutex.
type batch struct {
	api batchAPI
	// id is what comes behind the API's own prefix of ids.
	id string
	// model is that of the first line.
	model string
	// header are the headers of the creation that matter to lines.
	header http.Header
	// newWire is the format of a line: formats may remember things of their request.
	newWire func() wire
	lines   []*line
	// order are the lines that are worked off before the batch expires, and done is how many of them are.
	order []*line
	done  int
	// tokens are those of all prompts; they are counted only where there is a limit.
	tokens int64
	// errors are why no line can be worked off, known when the batch is created and told when it has been validated.
	errors []batchError
	// fault is what meets the batch.
	fault Fault
	// keep are the prefixes that its lines have written. They are at hand once it is over: lines do not read each other's.
	keep map[uint64]prefix

	stage stage
	// starts is when work begins, span how long it takes, and ends when the results can be had; expires is when what is not
	// done is given up.
	created, starts, ends, expires time.Time
	span                           time.Duration
	// cancelled is when that was asked for, stops when it is done, and over is when the batch has ended, in whatever way.
	cancelled, stops, over time.Time
	// began and finalized are when its work did and was; zero before.
	began, finalized time.Time

	openAI openAIBatch
	gemini geminiBatch
}

// batchAPI is whose batch it is.
type batchAPI int

const (
	anthropicBatches batchAPI = iota
	openAIBatches
	geminiBatches
)

// stage is how far a batch is.
type stage int

const (
	stageValidating stage = iota
	stageWorking
	stageFinalizing
	stageCancelling
	stageEnded
	stageFailed
	stageExpired
	stageCancelled
)

// batchError is a reason for which a batch fails.
type batchError struct {
	code, message string
	// line counts from 1; 0 is no line.
	line int
}

// shelf are the batches and the files that a provider knows.
type shelf struct {
	// due is when something happens next, in Unix nanoseconds.
	due  atomic.Int64
	mu   sync.Mutex
	last uint64
	// batches and files stand in the order in which they came.
	batches []*batch
	files   []*storedFile
	// cache are the prefixes that batches wrote, which are near the lines of others.
	cache promptCache
}

const never = math.MaxInt64

// newID is an id that the shelf has not given yet.
func (l *shelf) newID(seed uint64) string {
	l.last++
	return idOf(dice.Hash(seed, fmt.Sprint("batch ", l.last)))
}

// catchUp lets everything happen to batches that is due.
func (s *Server) catchUp() {
	if s.batches.due.Load() == never {
		return
	}
	now := s.config.Now()
	if now.UnixNano() < s.batches.due.Load() {
		return
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	for { // in the order of time over all batches: one may read what another has written
		b, at := s.batches.first()
		if b == nil || at.After(now) {
			s.batches.schedule(at)
			return
		}
		s.step(b, at, now)
	}
}

// first is the batch to which something happens first, and when; nil when nothing will happen any more.
func (l *shelf) first() (*batch, time.Time) {
	var found *batch
	var first time.Time
	for _, b := range l.batches {
		if at, ok := b.next(); ok && (found == nil || at.Before(first)) {
			found, first = b, at
		}
	}
	return found, first
}

// schedule notes when something happens next; zero is never.
func (l *shelf) schedule(at time.Time) {
	if at.IsZero() {
		l.due.Store(never)
		return
	}
	l.due.Store(at.UnixNano())
}

// name is the id by which the client knows a batch.
func (b *batch) name() string {
	prefixes := map[batchAPI]string{
		anthropicBatches: messageBatchPrefix, openAIBatches: openAIBatchPrefix, geminiBatches: geminiBatchPrefix,
	}
	return prefixes[b.api] + b.id
}

// next is when something happens to a batch.
func (b *batch) next() (time.Time, bool) {
	switch b.stage {
	case stageValidating:
		return b.inWindow(b.starts), true
	case stageWorking:
		if b.done < len(b.order) {
			return b.inWindow(b.dueAt(b.done)), true
		}
		return b.expires, true
	case stageFinalizing:
		return b.ends, true
	case stageCancelling:
		return b.stops, true
	case stageEnded, stageFailed, stageExpired, stageCancelled:
	}
	return time.Time{}, false
}

// inWindow is a time, or that at which the batch expires when it comes first.
func (b *batch) inWindow(at time.Time) time.Time {
	if at.Before(b.expires) {
		return at
	}
	return b.expires
}

// dueAt is when a line is done: they are spread evenly.
func (b *batch) dueAt(i int) time.Time {
	return b.starts.Add(time.Duration(float64(b.span) * float64(i+1) / float64(len(b.lines))))
}

// step lets one thing happen to a batch, at a time that may have gone by.
func (s *Server) step(b *batch, at, now time.Time) {
	switch b.stage {
	case stageValidating:
		if !at.Before(b.expires) {
			s.end(b, stageExpired, at)
			return
		}
		if len(b.errors) == 0 && b.api == openAIBatches {
			b.errors = s.enqueued(b)
		}
		if len(b.errors) > 0 {
			s.end(b, stageFailed, at)
			return
		}
		b.stage, b.began = stageWorking, at
	case stageWorking:
		if !at.Before(b.expires) {
			s.end(b, stageExpired, at)
			return
		}
		b.done++
		more := b.done < len(b.order) && !b.dueAt(b.done).After(now)
		s.workOff(b, b.order[b.done-1], at, !more)
		if b.done == len(b.lines) {
			b.stage, b.finalized = stageFinalizing, at
		}
	case stageFinalizing:
		s.end(b, stageEnded, at)
	case stageCancelling:
		s.end(b, stageCancelled, at)
	case stageEnded, stageFailed, stageExpired, stageCancelled:
	}
}

// end makes a batch's results available, and what it has written of prompts.
func (s *Server) end(b *batch, how stage, at time.Time) {
	b.stage, b.over = how, at
	kept := make([]prefix, 0, len(b.keep))
	for _, p := range b.keep {
		kept = append(kept, p)
	}
	b.keep = nil
	s.cache.keep(kept, at)
	s.batches.cache.keep(kept, at)
	for _, l := range b.lines {
		l.body = nil
	}
	switch b.api {
	case openAIBatches:
		s.fileOpenAIResults(b)
	case geminiBatches:
		s.fileGeminiResults(b)
	case anthropicBatches:
	}
}

// enqueued is why there is no room for a batch's tokens, nil where there is.
func (s *Server) enqueued(b *batch) []batchError {
	most, total := int64(s.config.Batches.EnqueuedTokens), b.tokens
	for _, other := range s.batches.batches {
		if other != b && other.over.IsZero() && other.model == b.model {
			total += other.tokens
		}
	}
	if b.fault != FaultBatchFull && (most == 0 || total <= most) {
		return nil
	}
	message := "Enqueued token limit reached for " + b.model + ". Please try again once some batches have ended."
	if most > 0 {
		message += fmt.Sprintf(" Limit: %d enqueued tokens.", most)
	}
	return []batchError{{code: "token_limit_exceeded", message: message}}
}

// openBatch puts a batch on the shelf, whose lines and format are set. It meets its fault here. The mutex is held.
func (s *Server) openBatch(c *call, b *batch) *problem {
	b.id, b.created = s.batches.newID(s.config.Seed), c.entry.At
	b.fault = c.entry.Fault
	turnaround := s.config.Batches.Turnaround
	b.starts, b.span = b.created.Add(turnaround/10), turnaround-2*(turnaround/10)
	b.ends, b.expires = b.created.Add(turnaround), b.created.Add(s.batchWindow(b.api))
	for i, l := range b.lines {
		l.requestID = idOf(dice.Hash(dice.Hash(s.config.Seed, b.id), strconv.Itoa(i)))
	}
	b.header = c.r.Header.Clone()
	for _, own := range attemptHeaders() { // the call's own ids are not the lines'
		b.header.Del(own)
	}
	if len(b.lines) > 0 {
		b.model = b.modelOf(b.lines[0])
	}
	if s.config.Batches.EnqueuedTokens > 0 {
		for _, l := range b.lines {
			b.tokens += s.promptOf(b, l)
		}
	}
	b.order = slices.Clone(b.lines)
	dice.Shuffle(dice.New(dice.Hash(s.config.Seed, b.id), "order"), b.order)
	if b.fault == FaultBatchExpired {
		b.order = b.order[:len(b.order)/2]
	}
	if b.fault == FaultBatchStalled {
		b.order = nil
	}
	if b.api != openAIBatches { // there it is a batch that fails
		if full := s.enqueued(b); full != nil {
			return &problem{kind: rateLimited, message: full[0].message, retryAfter: orDefault(turnaround, time.Second)}
		}
	}
	if !s.batches.add(b) {
		return &problem{kind: rateLimited, message: "Too many batches are waiting"}
	}
	return nil
}

// batchWindow is how long a batch has.
func (s *Server) batchWindow(api batchAPI) time.Duration {
	windows := map[batchAPI]time.Duration{
		anthropicBatches: anthropicWindow, openAIBatches: openAIWindow, geminiBatches: geminiWindow,
	}
	return orDefault(s.config.Batches.Window, windows[api])
}

// add is false when there is no place for another batch.
func (l *shelf) add(b *batch) bool {
	if len(l.batches) >= maxBatches {
		i := slices.IndexFunc(l.batches, func(b *batch) bool { return !b.over.IsZero() })
		if i < 0 {
			return false
		}
		l.batches = slices.Delete(l.batches, i, i+1)
	}
	l.batches = append(l.batches, b)
	l.due.Store(min(l.due.Load(), b.starts.UnixNano()))
	return true
}

// cancel begins to cancel a batch. It is false when there is nothing left to cancel.
func (s *Server) cancel(b *batch, now time.Time) bool {
	switch b.stage {
	case stageValidating, stageWorking, stageFinalizing:
		b.stage, b.cancelled = stageCancelling, now
		b.stops = now.Add(s.config.Batches.Turnaround / 10)
		s.batches.due.Store(min(s.batches.due.Load(), b.stops.UnixNano()))
		return true
	case stageCancelling:
		return true
	case stageEnded, stageFailed, stageExpired, stageCancelled:
	}
	return false
}

// batch is an API's batch, nil when there is none.
func (l *shelf) batch(api batchAPI, id string) *batch {
	for _, b := range l.batches {
		if b.api == api && b.id == id {
			return b
		}
	}
	return nil
}

// page are the batches of an API, the newest first, that come after one of them, or all without one; and whether there are
// more than the limit.
func (l *shelf) page(api batchAPI, after string, limit int) (found []*batch, more bool) {
	skipping := after != ""
	for _, b := range slices.Backward(l.batches) {
		switch {
		case b.api != api:
		case skipping:
			skipping = b.id != after
		case len(found) == limit:
			return found, true
		default:
			found = append(found, b)
		}
	}
	return found, false
}

// pageBefore are the batches before one of them, and as near to it as the limit allows.
func (l *shelf) pageBefore(api batchAPI, before string, limit int) (found []*batch, more bool) {
	all, _ := l.page(api, "", math.MaxInt)
	at := max(0, slices.IndexFunc(all, func(b *batch) bool { return b.id == before }))
	first := max(0, at-limit)
	return all[first:at], first > 0
}

// unfinished is the number of batches that are not over.
func (l *shelf) unfinished() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, b := range l.batches {
		if b.over.IsZero() {
			n++
		}
	}
	return n
}

// remove forgets a batch.
func (l *shelf) remove(b *batch) {
	l.batches = slices.DeleteFunc(l.batches, func(other *batch) bool { return other == b })
}

// tally is how many lines of a batch are in which state.
type tally struct {
	waiting, succeeded, errored, canceled, expired int
}

func (b *batch) tally() tally {
	var t tally
	for _, l := range b.lines {
		switch b.stateOf(l) {
		case lineWaiting:
			t.waiting++
		case lineSucceeded:
			t.succeeded++
		case lineErrored:
			t.errored++
		case lineCanceled:
			t.canceled++
		case lineExpired:
			t.expired++
		}
	}
	return t
}

// stateOf is a line's state: what a batch that is over has not worked off is cancelled or expired.
func (b *batch) stateOf(l *line) lineState {
	switch {
	case l.state != lineWaiting || b.over.IsZero():
		return l.state
	case b.stage == stageCancelled:
		return lineCanceled
	}
	return lineExpired
}

// results are the lines in the order in which they were worked off, then the others, each as often as it is among the
// results.
func (b *batch) results() []*line {
	var out []*line
	for _, l := range b.order[:b.done] {
		if !l.missing {
			out = append(out, l)
		}
		if l.twice {
			out = append(out, l)
		}
	}
	for _, l := range b.lines {
		if l.state == lineWaiting {
			out = append(out, l)
		}
	}
	return out
}
