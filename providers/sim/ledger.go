package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/weirhq/weir/task"
)

// Outcome is how a request ended.
type Outcome string

// The outcomes.
const (
	OutcomePending     Outcome = "pending"      // the model works, or its answer is held
	OutcomeAnswered    Outcome = "answered"     // the answer was written whole
	OutcomeFaulted     Outcome = "faulted"      // a fault met it
	OutcomeRateLimited Outcome = "rate_limited" // the rate limit met it
	OutcomeRefused     Outcome = "refused"      // the request was wrong
	OutcomeClientGone  Outcome = "client_gone"  // nobody waited for the answer any more; it is billed all the same
)

// Entry is one request as the provider saw it.
type Entry struct {
	// Seq counts the requests from 1. The file has a line when a request begins and one when it ends, of the same Seq:
	// the later one counts.
	Seq int64 `json:"seq"`
	// At is when the request was read.
	At time.Time `json:"at"`
	// AttemptID is the client's id of the request, empty when it sent none.
	AttemptID string `json:"attempt_id,omitempty"`
	// API is the wire format: anthropic, openai, gemini, deepl, libretranslate, openai-embeddings, voyage or
	// gemini-embeddings.
	API   string `json:"api"`
	Model string `json:"model"`
	// Labels are what the client keeps beside the request, in the dialects that take them.
	Labels map[string]string `json:"labels,omitempty"`
	// Batch is the id of the batch that the request is a line of, empty for a call. Such a request is billed at the batch's price, and
	// its AttemptID is the id that the client gave the line, unless the line's own metadata names one.
	Batch string `json:"batch,omitempty"`
	// Status is the HTTP status of the answer, 0 while there is none and when none was sent.
	Status int `json:"status"`
	// Usage is what is billed: nothing unless the model began.
	Usage task.Usage `json:"usage"`
	// Began is when the model began to work; zero when it never did.
	Began time.Time `json:"began,omitzero"`
	// Finished is when the request was over; zero while it is not.
	Finished time.Time `json:"finished,omitzero"`
	Outcome  Outcome   `json:"outcome"`
	// Tier is the service tier that the answer names, empty for APIs whose tiers are not simulated, and batch for the lines
	// of a batch.
	Tier string `json:"tier,omitempty"`
	// Fault is what met the request.
	Fault Fault `json:"fault,omitempty"`
	// Played is what the model did with the task.
	Played Played `json:"played,omitempty"`
	// PromptSHA256 is the digest of the user's last turn, in hex.
	PromptSHA256 string `json:"prompt_sha256"`
}

// Totals sum up the requests to one model.
type Totals struct {
	Requests int64 `json:"requests"`
	// Billed is how many of them the model worked on.
	Billed   int64             `json:"billed"`
	Outcomes map[Outcome]int64 `json:"outcomes"`
	Played   map[Played]int64  `json:"played"`
	Usage    task.Usage        `json:"usage"`
}

// ledger is the simulator's own book of what it did.
type ledger struct {
	mu     sync.Mutex
	most   int
	last   int64
	first  int64 // the Seq of the first entry that is still kept, less one
	chunks [][]Entry
	totals map[string]*Totals
	file   *ledgerFile
}

// chunk is how many entries are stored together, so that growing copies none.
const chunk = 4096

func newLedger(most int) *ledger { return &ledger{most: most, totals: map[string]*Totals{}} }

// begin notes a request and gives its number. It returns when the file has it.
func (l *ledger) begin(e *Entry) { l.enter(e, true) }

// enter notes a request and gives its number. It returns at once, or when the file has it and all that came before.
func (l *ledger) enter(e *Entry, wait bool) {
	l.mu.Lock()
	l.last++
	e.Seq = l.last
	l.store(*e)
	t := l.totalsOf(e.Model)
	t.Requests++
	if !e.Began.IsZero() {
		t.Billed++
		addUsage(&t.Usage, e.Usage)
	}
	if !e.Finished.IsZero() {
		t.Outcomes[e.Outcome]++
	}
	if e.Played != "" {
		t.Played[e.Played]++
	}
	l.mu.Unlock()
	l.file.write(*e, wait)
}

// finish notes how a request ended.
func (l *ledger) finish(e *Entry) {
	l.mu.Lock()
	if i := int(e.Seq - l.first - 1); i >= 0 {
		l.chunks[i/chunk][i%chunk] = *e
	}
	l.totalsOf(e.Model).Outcomes[e.Outcome]++
	l.mu.Unlock()
	l.file.write(*e, false)
}

func (l *ledger) store(e Entry) {
	if n := len(l.chunks); n == 0 || len(l.chunks[n-1]) == chunk {
		l.chunks = append(l.chunks, make([]Entry, 0, chunk))
	}
	n := len(l.chunks) - 1
	l.chunks[n] = append(l.chunks[n], e)
	if n > 0 && int(l.last-l.first) > max(l.most, chunk) {
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
		l.first += chunk
	}
}

func (l *ledger) totalsOf(model string) *Totals {
	t := l.totals[model]
	if t == nil {
		t = &Totals{Outcomes: map[Outcome]int64{}, Played: map[Played]int64{}}
		l.totals[model] = t
	}
	return t
}

func addUsage(sum *task.Usage, u task.Usage) {
	sum.Input += u.Input
	sum.CacheRead += u.CacheRead
	sum.CacheWrite5m += u.CacheWrite5m
	sum.CacheWrite30m += u.CacheWrite30m
	sum.CacheWrite1h += u.CacheWrite1h
	sum.CacheWrite12h += u.CacheWrite12h
	sum.InputImage += u.InputImage
	sum.Output += u.Output
	sum.Reasoning += u.Reasoning
	sum.Characters += u.Characters
}

// entries is a copy of what is kept.
func (l *ledger) entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Entry, 0, l.last-l.first)
	for _, c := range l.chunks {
		out = append(out, c...)
	}
	return out
}

// stats is a copy of the totals.
func (l *ledger) stats() (totals map[string]Totals, dropped int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	totals = map[string]Totals{}
	for model, t := range l.totals {
		totals[model] = Totals{
			Requests: t.Requests, Billed: t.Billed, Usage: t.Usage,
			Outcomes: maps.Clone(t.Outcomes), Played: maps.Clone(t.Played),
		}
	}
	return totals, l.first
}

// ledgerFile appends entries to a file and syncs it, many at once where many come together.
type ledgerFile struct {
	file *os.File
	mu   sync.Mutex
	// next is the group of lines that waits for the disk, working says that another one is on its way.
	next    *group
	working bool
	idle    sync.WaitGroup
	failed  error
}

// group is what is written and synced together.
type group struct {
	lines []byte
	done  chan struct{}
}

func openLedgerFile(path string) (*ledgerFile, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return &ledgerFile{file: file}, nil
}

// write appends an entry and, when asked to, waits until it is on the disk. A nil file takes everything.
func (f *ledgerFile) write(e Entry, wait bool) {
	if f == nil {
		return
	}
	line, err := json.Marshal(e)
	if err != nil {
		f.fail(err)
		return
	}
	f.mu.Lock()
	if f.next == nil {
		f.next = &group{done: make(chan struct{})}
	}
	mine := f.next
	mine.lines = append(append(mine.lines, line...), '\n')
	if !f.working {
		f.working = true
		f.idle.Go(f.work)
	}
	f.mu.Unlock()
	if wait {
		<-mine.done
	}
}

// work writes groups until there is none left.
func (f *ledgerFile) work() {
	for {
		f.mu.Lock()
		g := f.next
		f.next = nil
		f.working = g != nil
		f.mu.Unlock()
		if g == nil {
			return
		}
		_, err := f.file.Write(g.lines)
		f.fail(errors.Join(err, f.file.Sync()))
		close(g.done)
	}
}

func (f *ledgerFile) fail(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = fmt.Errorf("write the ledger: %w", err)
	}
}

// close waits for what is on its way. The error is the first that there was.
func (f *ledgerFile) close() error {
	if f == nil {
		return nil
	}
	f.idle.Wait()
	err := f.file.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.failed, err)
}

// ReadLedger reads a ledger's file or the answer of GET /sim/ledger, each request once and in its last state. A last
// line that was cut off by a crash is left out.
func ReadLedger(r io.Reader) ([]Entry, error) {
	var entries []Entry
	bySeq := map[int64]int{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read the ledger's line %d: %w", len(entries)+1, err)
		}
		if i, ok := bySeq[e.Seq]; ok {
			entries[i] = e
			continue
		}
		bySeq[e.Seq] = len(entries)
		entries = append(entries, e)
	}
}
