package audit

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the report as Markdown, with bars of text.
func (r *Report) WriteMarkdown(w io.Writer) error {
	out := &strings.Builder{}
	fmt.Fprintf(out, "# What the calls cost\n\n%s.\n\n| | USD | saved | |\n|---|---:|---:|---|\n", r.headline())
	for _, s := range r.Total.stages() {
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", s.Name, s.Cost, s.Saved, strings.Repeat("█", int(s.Part*barChars+0.5)))
	}
	fmt.Fprintf(out, "\n## The %d call paths that spend most\n\n", len(r.Shown))
	fmt.Fprint(out, "| | call path | calls | prompt p50 / p95 | models | class | USD now | routed | cached | batched | recommended |\n"+
		"|---:|---|---:|---:|---|---|---:|---:|---:|---:|---|\n")
	for i := range r.Shown {
		p := &r.Shown[i]
		fmt.Fprintf(out, "| %d | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", i+1, cell(p.Path), shownCount(p.Calls), p.tokensOf(), cell(p.modelsOf()),
			p.Class, p.usd(p.Steps.Now), p.usd(p.Steps.Routed), p.usd(p.Steps.Cached), p.usd(p.Steps.Batched), cell(p.Advice))
	}
	if o := r.Others; o.Paths > 0 {
		fmt.Fprintf(out, "| | %d others | %s | | | | %s | %s | %s | %s | |\n", o.Paths, shownCount(o.Calls), shownUSD(o.Steps.Now),
			shownUSD(o.Steps.Routed), shownUSD(o.Steps.Cached), shownUSD(o.Steps.Batched))
	}
	fmt.Fprint(out, "\n## Why these classes\n\n")
	for i := range r.Shown {
		p := &r.Shown[i]
		fmt.Fprintf(out, "%d. %s is %s: %s\n", i+1, cell(p.Path), p.Class, cell(p.Why))
		for _, window := range p.Windows {
			fmt.Fprintf(out, "   - %s: %s\n", cell(window.Model), window.Text)
		}
	}
	fmt.Fprint(out, "\n## Signals\n\n")
	for _, s := range r.Signals {
		fmt.Fprintf(out, "- **%s: %s.** %s\n", s.Name, s.mark(), cell(s.Text))
	}
	fmt.Fprint(out, "\n## What this rests on\n\n")
	for _, line := range r.sentences() {
		fmt.Fprintf(out, "- %s\n", cell(line))
	}
	if r.Bad > 0 {
		fmt.Fprintf(out, "\n## Rows that could not be read\n\n%s rows are in no figure.\n\n", shownCount(r.Bad))
		for _, b := range r.BadRows {
			fmt.Fprintf(out, "- %s:%d: %s\n", cell(b.File), b.Line, cell(b.Reason))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// barChars is the length of the longest bar.
const barChars = 30

// cell is a text in a table or a line, without what Markdown or HTML would take for its own.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`, "`", "'", "[", `\[`, "]", `\]`).Replace(printable(text))
}
