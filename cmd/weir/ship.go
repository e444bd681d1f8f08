package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/weirhq/weir/producer"
)

const (
	// standardInput is the source that is no file.
	standardInput = "-"
	// maxMistakes is how many mistakes of a source are listed before it is given up.
	maxMistakes = 20
	// fullWait is how long a publishing command waits for room in a full stream.
	fullWait = time.Minute
)

// shipment is a sequence of tasks or outcomes on its way to a stream.
type shipment[T any] struct {
	what string // for people, of one: task
	read func() iter.Seq2[T, error]
	// last, if set, takes the place of read for what is published: it may do what a check must not.
	last func() iter.Seq2[T, error]
	// rereadable says that read can be called twice: everything is checked before anything is published.
	rereadable bool
	check      func(T) error
	send       func(context.Context, iter.Seq2[T, error], producer.Options) (producer.Progress, error)
	mode       producer.Mode
	marker     *marker
	quiet      bool
}

// shipped is what a shipment came to.
type shipped struct {
	producer.Progress
	earlier int // published by an earlier run
	took    time.Duration
}

// rereadable reports whether a source is a file or a directory, not a pipe.
func rereadable(source string) (bool, error) {
	if source == standardInput {
		return false, nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return false, fmt.Errorf("find the source: %w", err)
	}
	return info.IsDir() || info.Mode().IsRegular(), nil
}

// reachNATS connects and makes sure that somebody is there: a publishing command has no use for a server that may come.
func (a *app) reachNATS(ctx context.Context) (*nats.Conn, error) {
	nc, err := a.openNATS(ctx)
	if err != nil {
		return nil, err
	}
	if !nc.IsConnected() {
		nc.Close()
		return nil, errors.New("NATS does not answer: is it running at NATS_URL?")
	}
	return nc, nil
}

// publish checks the whole source where it can be read twice, then publishes it from where an earlier run stopped. Every
// error says how much is published.
func (s shipment[T]) publish(ctx context.Context, a *app) (shipped, error) {
	total, err := s.examine()
	if err != nil {
		return shipped{}, err
	}
	done := shipped{earlier: s.marker.read(total)}
	bar := a.newProgress(s.quiet)
	defer bar.finish()
	found, start := mistakes{}, time.Now()
	read := s.read
	if s.last != nil {
		read = s.last
	}
	done.Progress, err = s.send(ctx, skip(read(), done.earlier), producer.Options{
		Mode: s.mode, FullWait: fullWait, OnMistake: found.note,
		Progress: func(p producer.Progress) {
			bar.set(done.earlier+p.Settled, total, fmt.Sprintf("%d/s", perSecond(p.Published, time.Since(start))))
			s.marker.write(done.earlier + p.Settled)
		},
	})
	done.took = time.Since(start)
	bar.finish()
	return done, s.conclude(done, total, err, found, ctx.Err() != nil)
}

// examine checks everything without publishing and counts it; 0 for a source that can be read only once.
func (s shipment[T]) examine() (total int, err error) {
	if !s.rereadable {
		return 0, nil
	}
	found := mistakes{}
	for element, err := range s.read() {
		if err == nil {
			err = s.check(element)
		} else if _, inSource := errors.AsType[*producer.SourceError](err); !inSource {
			return 0, err
		}
		if err != nil && found.note(err) != nil {
			break
		}
		total++
	}
	if err := found.err("published nothing"); err != nil {
		return 0, err
	}
	if total == 0 {
		return 0, fmt.Errorf("there are no %ss in it", s.what)
	}
	return total, nil
}

// conclude keeps the marker only where going on from it misses nothing.
func (s shipment[T]) conclude(done shipped, total int, err error, found mistakes, interrupted bool) error {
	published := "published " + amount(done.earlier+done.Published, s.what)
	if total > 0 {
		published = fmt.Sprintf("published %d of %s", done.earlier+done.Published, amount(total, s.what))
	}
	switch {
	case len(found.list) > 0:
		s.marker.remove()
		return found.err(published)
	case err != nil:
		s.marker.keep(done.earlier + done.Settled)
		return stopped(err, interrupted, "%s; run the same command again to go on", published)
	}
	s.marker.remove()
	return nil
}

func skip[T any](elements iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		passed := 0
		for element, err := range elements {
			if passed++; passed <= n {
				continue
			}
			if !yield(element, err) {
				return
			}
		}
	}
}

// mistakes are those of a source. The zero value is ready.
type mistakes struct{ list []error }

var errManyMistakes = errors.New("too many mistakes")

// note keeps a mistake; the error says that it is time to stop.
func (m *mistakes) note(err error) error {
	m.list = append(m.list, err)
	if len(m.list) >= maxMistakes {
		return errManyMistakes
	}
	return nil
}

// err is nil without mistakes, else all of them behind what was done nevertheless.
func (m *mistakes) err(done string) error {
	if len(m.list) == 0 {
		return nil
	}
	text := strings.Builder{}
	_, _ = fmt.Fprintf(&text, "%s; there are mistakes:", done)
	for _, mistake := range m.list {
		_, _ = fmt.Fprintf(&text, "\n  %v", mistake)
	}
	if len(m.list) >= maxMistakes {
		_, _ = fmt.Fprintf(&text, "\n  reading stopped here, after %d of them", maxMistakes)
	}
	return errors.New(text.String())
}

// report says what was published.
func (s shipment[T]) report(w io.Writer, done shipped) {
	_, _ = fmt.Fprintf(w, "published %s in %.1f s, %d a second\n", amount(done.Published, s.what), done.took.Seconds(),
		perSecond(done.Published, done.took))
	if done.earlier > 0 {
		_, _ = fmt.Fprintf(w, "%d more were published by an earlier, interrupted run\n", done.earlier)
	}
	if done.Duplicates > 0 {
		_, _ = fmt.Fprintf(w, "%d of them the stream had just had: weir works them once\n", done.Duplicates)
	}
}
