package main

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress is a bar on a terminal; elsewhere, and when told to be quiet, it shows nothing.
type progress struct {
	container *mpb.Progress
	bar       *mpb.Bar
	text      atomic.Pointer[string]
}

// barWidth is the bar's alone, in characters.
const barWidth = 32

// newProgress shows a bar on stderr until finish.
func (a *app) newProgress(quiet bool) *progress {
	p := &progress{}
	p.text.Store(new(""))
	out := a.stderr
	if quiet {
		out = io.Discard
	}
	p.container = mpb.New(mpb.WithOutput(out), mpb.WithWidth(barWidth)) // draws on a terminal only
	p.bar = p.container.AddBar(0,
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d ")),
		mpb.AppendDecorators(decor.Percentage(), decor.Any(func(decor.Statistics) string { return *p.text.Load() })))
	return p
}

// set moves the bar. A total of 0 is unknown.
func (p *progress) set(done, total int, text string) {
	if text != "" {
		text = "  " + text
	}
	p.text.Store(&text)
	p.bar.SetTotal(int64(total), false)
	p.bar.SetCurrent(int64(done))
}

// finish leaves the bar as it stands. It may be called again.
func (p *progress) finish() {
	p.bar.Abort(false)
	p.container.Wait()
}

// remaining is the time that is left at the pace of what was done so far; 0 is unknown.
func remaining(done, open int, took time.Duration) time.Duration {
	if done <= 0 || open <= 0 {
		return 0
	}
	return time.Duration(float64(took) / float64(done) * float64(open))
}

// perSecond is a rate for people.
func perSecond(n int, took time.Duration) int {
	return int(float64(n) / max(took, time.Millisecond).Seconds())
}

// amount is a number of things: 1 task, 2 tasks.
func amount(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// stopped is the error of a command that ended before its work: with how far it has come, and without
// context.Canceled, which would pass for success.
func stopped(err error, interrupted bool, format string, args ...any) error {
	state := fmt.Sprintf(format, args...)
	if interrupted {
		return errors.New("interrupted: " + state)
	}
	return fmt.Errorf("%w; %s", err, state)
}
