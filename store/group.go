package store

import (
	"context"
	"sync"
	"time"
)

// Limits of one grouped transaction, and the pace of retries while Postgres is away.
const (
	// GroupRows is the most rows of one grouped transaction.
	GroupRows = 500
	// GroupBytes is the most text bytes of one grouped transaction.
	GroupBytes = 4 << 20
	// retryFirst and retryMost bound the wait between tries of a group; it doubles in between.
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
	// tryPatience is the most time of one try. A settlement that was committed all the same is not applied twice.
	tryPatience = 30 * time.Second
)

// entry is one item that waits for its commit.
type entry[T, R any] struct {
	item  T
	bytes int
	done  chan answer[R]
}

type answer[R any] struct {
	value R
	err   error
}

// group commits the items of concurrent callers together. Whoever comes while a commit is under way waits for the next
// one, so a lone item is not kept waiting and a crowd shares its transactions.
type group[T, R any] struct {
	in     chan entry[T, R]
	commit func(ctx context.Context, items []T, again bool) ([]R, error)
	// patience ends a try that hangs: a connection that breaks silently never answers.
	patience time.Duration
	// giveUp ends the retries of a group after this long; 0 means never.
	giveUp time.Duration
	// stubborn tries again after every error that is not the data's fault, also one that is not known to heal.
	stubborn bool
	// away is called with what is waiting, again and again, while Postgres is away; nil for nothing.
	away func(since time.Duration, items []T)
	wg   sync.WaitGroup
}

func newGroup[T, R any](commit func(context.Context, []T, bool) ([]R, error)) *group[T, R] {
	return &group[T, R]{in: make(chan entry[T, R]), commit: commit, patience: tryPatience}
}

// do waits for the commit of an item. It does not listen to the caller's context: an item that was handed over is
// committed or refused, never forgotten.
func (g *group[T, R]) do(item T, bytes int) (R, error) {
	done := make(chan answer[R], 1)
	g.in <- entry[T, R]{item: item, bytes: bytes, done: done}
	a := <-done
	return a.value, a.err
}

// start runs the group until stop is called.
func (g *group[T, R]) start(ctx context.Context) (stop func()) {
	quit := make(chan struct{})
	g.wg.Go(func() {
		for {
			select {
			case first := <-g.in:
				g.work(ctx, g.collect([]entry[T, R]{first}))
			case <-quit:
				return
			}
		}
	})
	return func() {
		close(quit)
		g.wg.Wait()
	}
}

// collect takes what is waiting already, up to the limits.
func (g *group[T, R]) collect(entries []entry[T, R]) []entry[T, R] {
	bytes := 0
	for _, e := range entries {
		bytes += e.bytes
	}
	for len(entries) < GroupRows && bytes < GroupBytes {
		select {
		case e := <-g.in:
			entries = append(entries, e)
			bytes += e.bytes
		default:
			return entries
		}
	}
	return entries
}

// work commits entries, however long Postgres is away.
func (g *group[T, R]) work(ctx context.Context, entries []entry[T, R]) {
	var since time.Time // zero while all goes well
	wait := retryFirst
	for len(entries) > 0 {
		began := time.Now()
		chunk := chunkOf(entries)
		done, err := g.try(ctx, chunk, !since.IsZero())
		entries = entries[done:]
		if err == nil {
			continue
		}
		if since.IsZero() {
			since = began
		}
		away := time.Since(since)
		if rest := chunk[done:]; ctx.Err() != nil || !g.again(err) || (g.giveUp > 0 && away >= g.giveUp) {
			g.report(SpoolAfter, rest) // nobody comes back to them in this process
			fail(rest, err)
			entries = entries[len(rest):]
			continue
		}
		pause(ctx, wait)
		wait = min(2*wait, retryMost)
		entries = g.keep(entries, time.Since(since))
	}
}

func (g *group[T, R]) again(err error) bool { return g.stubborn || Retryable(err) }

// chunkOf is what one transaction takes of entries: at least one.
func chunkOf[T, R any](entries []entry[T, R]) []entry[T, R] {
	n, bytes := 0, 0
	for n < len(entries) && n < GroupRows && (n == 0 || bytes+entries[n].bytes <= GroupBytes) {
		bytes += entries[n].bytes
		n++
	}
	return entries[:n]
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// keep takes over what came while Postgres is away and reports it all as waiting.
func (g *group[T, R]) keep(entries []entry[T, R], away time.Duration) []entry[T, R] {
	for {
		select {
		case e := <-g.in:
			entries = append(entries, e)
			continue
		default:
		}
		break
	}
	g.report(away, entries)
	return entries
}

// report tells the owner what is waiting.
func (g *group[T, R]) report(away time.Duration, entries []entry[T, R]) {
	if g.away == nil {
		return
	}
	items := make([]T, len(entries))
	for i, e := range entries {
		items[i] = e.item
	}
	g.away(away, items)
}

// try commits entries as one; those that Postgres refuses for their data are halved until the poisoned one is alone. It
// returns how many of them, from the first on, have their answer; an error is about the rest.
func (g *group[T, R]) try(ctx context.Context, entries []entry[T, R], again bool) (done int, err error) {
	items := make([]T, len(entries))
	for i, e := range entries {
		items[i] = e.item
	}
	tryCtx, cancel := context.WithTimeout(ctx, g.patience)
	values, err := g.commit(tryCtx, items, again)
	cancel()
	if err == nil {
		for i, e := range entries {
			e.done <- answer[R]{value: values[i]}
		}
		return len(entries), nil
	}
	if !DataError(err) {
		return 0, err
	}
	if len(entries) == 1 {
		fail(entries, err)
		return 1, nil
	}
	half := len(entries) / 2
	done, err = g.try(ctx, entries[:half], again)
	if err != nil {
		return done, err
	}
	more, err := g.try(ctx, entries[half:], again)
	return done + more, err
}

func fail[T, R any](entries []entry[T, R], err error) {
	for _, e := range entries {
		e.done <- answer[R]{err: err}
	}
}
