package producer

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/task"
)

// Mode is how PublishMany puts tasks into messages.
type Mode int

// The modes.
const (
	// Batches sends each task as a message of its own, in atomic batches. It needs a stream that allows them, as weir's
	// do, and falls back to single messages elsewhere.
	Batches Mode = iota
	// Envelopes packs up to 500 tasks of a feature into one message: several times faster again, and for NATS one message
	// with one id, so that only ingest tells repeated tasks apart.
	Envelopes
)

// Options are how many tasks or outcomes are published. The zero value is ready.
type Options struct {
	// Mode is how tasks become messages. Default Batches. Outcomes always go in batches.
	Mode Mode
	// InFlight is the most batches that wait for their acknowledgement at once. Default 4.
	InFlight int
	// FullWait is how long one batch waits for room in a full stream before it fails with ErrStreamFull. Default 0.
	FullWait time.Duration
	// Progress, if set, is told after every batch, one call at a time.
	Progress func(Progress)
	// OnMistake, if set, decides about a task that cannot be published, or an error of the sequence itself: nil passes it
	// over and goes on, an error ends the publishing with it. Without it, the first mistake ends the publishing.
	OnMistake func(error) error
}

// Progress is how far a publishing has come.
type Progress struct {
	// Published is the number of tasks or outcomes that the stream has acknowledged, duplicates included.
	Published int
	// Duplicates is how many of them the stream had already, or were repeated word for word inside one batch.
	Duplicates int
	// PassedOver is the number of mistakes that OnMistake let pass.
	PassedOver int
	// Bytes is the payload published.
	Bytes int64
	// Settled is how many leading elements of the sequence are done with, published or passed over: a later run that
	// starts behind them misses none.
	Settled int
}

const defaultInFlight = 4

// Tasks is a sequence of tasks for PublishMany.
func Tasks(tasks ...task.Task) iter.Seq2[task.Task, error] { return sequence(tasks) }

// Outcomes is a sequence of outcomes for ReportOutcomes.
func Outcomes(outcomes ...task.Outcome) iter.Seq2[task.Outcome, error] { return sequence(outcomes) }

func sequence[T any](elements []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, e := range elements {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// PublishMany publishes a sequence of tasks, which is read only as fast as the stream takes them. It returns when all are
// acknowledged, or with the first error; what Progress counts as published is stored either way. The order in the stream
// is not that of the sequence.
func (p *Producer) PublishMany(ctx context.Context, tasks iter.Seq2[task.Task, error], o Options) (Progress, error) {
	size, pack := p.config.BatchMessages, asTheyAre
	if o.Mode == Envelopes {
		size, pack = p.config.Limits.EnvelopeTasks, p.envelopes
	}
	return publishAll(ctx, p, tasks, plan[task.Task]{prepare: p.prepare, pack: pack, size: size, options: o})
}

// ReportOutcomes reports outcomes of one feature, like PublishMany.
func (p *Producer) ReportOutcomes(
	ctx context.Context, feature string, outcomes iter.Seq2[task.Outcome, error], o Options,
) (Progress, error) {
	prepare := func(outcome task.Outcome) (message, error) { return p.prepareOutcome(feature, outcome) }
	return publishAll(ctx, p, outcomes,
		plan[task.Outcome]{prepare: prepare, pack: asTheyAre, size: p.config.BatchMessages, options: o})
}

// plan is how a sequence becomes batches.
type plan[T any] struct {
	prepare func(T) (message, error)
	pack    func([]message) []message
	size    int // elements in one batch
	options Options
}

// chunk is a run of elements of a sequence that are sent together.
type chunk struct {
	number   int
	elements int // of the sequence, those passed over included
	mistakes int
	bytes    int64
	repeated int
	messages []message
	ids      map[string]bool
}

// publishAll reads the sequence into chunks and sends a bounded number of them at once.
func publishAll[T any](ctx context.Context, p *Producer, elements iter.Seq2[T, error], by plan[T]) (Progress, error) {
	book := &ledger{report: by.options.Progress, waiting: map[int]int{}}
	senders, sending := errgroup.WithContext(ctx)
	senders.SetLimit(cmp.Or(by.options.InFlight, defaultInFlight))
	dispatch := func(c chunk) {
		senders.Go(func() error {
			duplicates, err := p.send(sending, by.pack(c.messages), by.options.FullWait)
			if err != nil {
				return err
			}
			book.settle(c, duplicates)
			return nil
		})
	}
	readErr := readChunks(sending, p, elements, by, dispatch)
	if err := senders.Wait(); err != nil {
		return book.state, fmt.Errorf("publish: %w", err)
	}
	return book.state, readErr
}

// readChunks cuts the sequence until it ends, a mistake ends it, or ctx does. What was read before is dispatched.
func readChunks[T any](
	ctx context.Context, p *Producer, elements iter.Seq2[T, error], by plan[T], dispatch func(chunk),
) error {
	c := newChunk(0)
	defer func() { dispatch(c) }()
	for element, err := range elements {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			err = c.add(by.prepare(element))
		}
		if err != nil {
			if err := by.options.judge(err); err != nil {
				return err
			}
			c.mistakes++
		}
		c.elements++
		if c.elements >= by.size || c.bytes >= int64(p.config.BatchBytes) {
			dispatch(c)
			c = newChunk(c.number + 1)
		}
	}
	return nil
}

// judge decides about a mistake: nil passes it over.
func (o Options) judge(mistake error) error {
	if o.OnMistake == nil {
		return mistake
	}
	return o.OnMistake(mistake)
}

func newChunk(number int) chunk { return chunk{number: number, ids: map[string]bool{}} }

// add takes a prepared message. One that repeats another of the chunk word for word is counted but not sent: the stream
// would refuse the whole batch for it.
func (c *chunk) add(m message, err error) error {
	switch {
	case err != nil:
		return err
	case c.ids[m.id]:
		c.repeated++
		return nil
	}
	c.ids[m.id] = true
	c.bytes += int64(len(m.body))
	c.messages = append(c.messages, m)
	return nil
}

// ledger adds up what is settled, in the order of the sequence.
type ledger struct {
	mu      sync.Mutex
	state   Progress
	report  func(Progress)
	next    int         // number of the first chunk that is not settled
	waiting map[int]int // elements of the chunks settled beyond it
}

func (l *ledger) settle(c chunk, duplicates int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Published += c.elements - c.mistakes
	l.state.Duplicates += duplicates + c.repeated
	l.state.PassedOver += c.mistakes
	l.state.Bytes += c.bytes
	l.waiting[c.number] = c.elements
	for elements, ok := l.waiting[l.next]; ok; elements, ok = l.waiting[l.next] {
		l.state.Settled += elements
		delete(l.waiting, l.next)
		l.next++
	}
	if l.report != nil && c.elements > 0 {
		l.report(l.state)
	}
}
