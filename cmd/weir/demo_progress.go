package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// progressLine shows how far a batch has come: a live bar on a terminal, one line at the end elsewhere.
type progressLine struct {
	out  io.Writer
	name string

	container *mpb.Progress // nil when the output is no terminal
	bar       *mpb.Bar

	mu   sync.Mutex
	last string
}

func newProgressLine(out io.Writer, name string, total int) *progressLine {
	l := &progressLine{out: out, name: name}
	if !isTerminal(out) {
		return l
	}
	l.container = mpb.New(mpb.WithOutput(out), mpb.WithWidth(24))
	l.bar = l.container.AddBar(int64(total),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 12, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.last
		})))
	return l
}

// show sets the figures: done, by class, by model, escalated, spent, saved.
func (l *progressLine) show(p store.BatchProgress, saved task.Pico) {
	l.mu.Lock()
	l.last = fmt.Sprintf("%d/%d  %s  %s  escalated %d  spent $%s  saved $%s", p.Ended, p.Tasks, counts(p.Classes),
		counts(p.Models), p.Escalated, usd(p.Cost), usd(saved))
	l.mu.Unlock()
	if l.bar != nil {
		l.bar.SetCurrent(int64(p.Ended))
	}
}

// close leaves the last state on the screen.
func (l *progressLine) close() {
	if l.container == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, _ = fmt.Fprintf(l.out, "%-12s %s\n", l.name, l.last)
		return
	}
	l.bar.Abort(false)
	l.container.Wait()
}

// counts writes a map as "haiku 84 · sonnet 13" in the order of its keys.
func counts[K ~string](m map[K]int) string {
	named := make(map[string]int, len(m))
	for key, n := range m {
		named[string(key)] = n
	}
	text := ""
	for _, key := range sortedKeys(named) {
		if text != "" {
			text += " · "
		}
		text += fmt.Sprintf("%s %d", key, named[key])
	}
	return text
}
