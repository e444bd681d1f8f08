package audit

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirhq/weir/task"
)

// stage is a step of the report with its name.
type stage struct {
	Name  string
	Cost  string
	Saved string // of the cost of today
	Part  float64
}

// stages are the steps in their order.
func (s Steps) stages() []stage {
	stages := []stage{{Name: "now", Cost: shownUSD(s.Now), Part: 1}}
	for i, cost := range []task.Pico{s.Routed, s.Cached, s.Batched} {
		step := stage{Name: []string{"after routing", "after caching", "after batching"}[i], Cost: shownUSD(cost)}
		if s.Now > 0 {
			step.Part = float64(cost) / float64(s.Now)
			step.Saved = shownShare(1 - step.Part)
		}
		stages = append(stages, step)
	}
	return stages
}

// headline says what was read.
func (r *Report) headline() string {
	return fmt.Sprintf("%s calls of %s call paths from %s to %s", shownCount(r.Calls), shownCount(int64(r.Paths)),
		r.From.Format(time.DateOnly), r.Until.Format(time.DateOnly))
}

// WriteText writes the report for a terminal, in lines of at most about 100 characters.
func (r *Report) WriteText(w io.Writer) error {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%s\n\n", r.headline())
	aligned(out, func(t io.Writer) {
		fmt.Fprint(t, "\tUSD\tsaved\t\n")
		for _, s := range r.Total.stages() {
			fmt.Fprintf(t, "%s\t%s\t%s\t\n", s.Name, s.Cost, s.Saved)
		}
	})
	fmt.Fprintf(out, "\nThe %d call paths that spend most\n\n", len(r.Shown))
	aligned(out, func(t io.Writer) {
		fmt.Fprint(t, "#\tcalls\tprompt p50 / p95\tUSD now\trouted\tcached\tbatched\tclass\t  call path\n")
		for i := range r.Shown {
			p := &r.Shown[i]
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", i+1, shownCount(p.Calls), p.tokensOf(), p.usd(p.Steps.Now), p.usd(p.Steps.Routed),
				p.usd(p.Steps.Cached), p.usd(p.Steps.Batched), p.Class, narrow(p.Path, 40))
		}
		if r.Others.Paths > 0 {
			s := r.Others.Steps
			fmt.Fprintf(t, "\t%s\t\t%s\t%s\t%s\t%s\t\t  %d others\n", shownCount(r.Others.Calls), shownUSD(s.Now), shownUSD(s.Routed), shownUSD(s.Cached),
				shownUSD(s.Batched), r.Others.Paths)
		}
	})
	fmt.Fprintln(out)
	for i := range r.Shown {
		p := &r.Shown[i]
		fmt.Fprintf(out, "%2d  %s\n    on %s\n    %s: %s\n    %s\n", i+1, narrow(p.Path, 90), narrow(p.modelsOf(), 90), p.Class, p.Why, p.Advice)
		for _, window := range p.Windows {
			fmt.Fprintf(out, "    %s: %s\n", printable(window.Model), window.Text)
		}
	}
	fmt.Fprint(out, "\nSignals\n\n")
	aligned(out, func(t io.Writer) {
		for _, s := range r.Signals {
			fmt.Fprintf(t, "%s\t  %s\n", s.mark(), s.Name)
			fmt.Fprintf(t, "\t  %s\n", s.Text)
		}
	})
	fmt.Fprint(out, "\nWhat this rests on\n\n")
	for _, line := range r.sentences() {
		fmt.Fprintln(out, folded("- "+line, 100, "  "))
	}
	r.writeBad(out)
	_, err := io.WriteString(w, out.String())
	return err
}

func (r *Report) writeBad(out io.Writer) {
	if r.Bad == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s rows could not be read and are in no figure\n\n", shownCount(r.Bad))
	for _, b := range r.BadRows {
		fmt.Fprintf(out, "%s:%d: %s\n", b.File, b.Line, b.Reason)
	}
	if more := r.Bad - int64(len(r.BadRows)); more > 0 {
		fmt.Fprintf(out, "and %s more\n", shownCount(more))
	}
}

// aligned writes columns, figures to the right.
func aligned(out io.Writer, write func(io.Writer)) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	write(t)
	_ = t.Flush() // the builder below never fails
}

// narrow cuts a name that is too long for its column.
func narrow(text string, most int) string {
	runes := []rune(printable(text))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

// printable leaves out what would move a terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// folded breaks a line between words.
func folded(text string, width int, indent string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = indent + word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}
