package audit

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/weirhq/weir/task"
)

//go:embed report.gohtml
var page string

// Charts, in units of their viewBox.
const (
	chartWidth  = 720.0
	chartHeight = 140.0
	barRoom     = 190.0 // for a bar's name
)

// bar is a rectangle of a chart.
type bar struct{ X, Y, Width, Height float64 }

// dayBar is a day's column; its title is what a pointer shows.
type dayBar struct {
	bar
	Title string
}

// pathBar is a call path's cost, now and after all steps.
type pathBar struct {
	Name, Text string
	Y          float64
	Now, After float64
}

// shownReport is what the page shows.
type shownReport struct {
	*Report
	Headline  string
	Stages    []stage
	Days      []dayBar
	DaysText  string
	PathBars  []pathBar
	PathsHigh float64
	Sentences []string
	Rows      []shownPath
	Other     *shownPath
	SavedText string
}

// shownPath is a call path in words.
type shownPath struct {
	N                                               int
	Path, Calls, Prompt, Models, Class, Why, Advice string
	Now, Routed, Cached, Batched, Saved             string
	Windows                                         []WindowUse
}

// WriteHTML writes the report as one page that loads nothing.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"usd": shownUSD, "count": shownCount, "mark": Signal.mark, "percent": func(part float64) string { return fmt.Sprintf("%.1f", 100*part) },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	if err := t.Execute(w, r.shown()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *Report) shown() shownReport {
	s := shownReport{
		Report: r, Headline: r.headline(), Stages: r.Total.stages(), Sentences: r.sentences(), SavedText: shownShare(r.Total.Share()),
	}
	s.Days, s.DaysText = r.dayBars()
	for i := range r.Shown {
		s.Rows = append(s.Rows, r.Shown[i].shown(i+1))
	}
	if r.Others.Paths > 0 {
		o := PathReport{Path: fmt.Sprintf("%d others", r.Others.Paths), Calls: r.Others.Calls, Steps: r.Others.Steps}
		other := o.shown(0)
		s.Other = &other
	}
	var most task.Pico
	for i := range r.Shown {
		most = max(most, r.Shown[i].Steps.Now)
	}
	for i := range r.Shown {
		p := &r.Shown[i]
		if most == 0 {
			break
		}
		room := chartWidth - barRoom - 150
		s.PathBars = append(s.PathBars, pathBar{
			Name: narrow(p.Path, 26), Y: float64(i) * 24, Now: room * float64(p.Steps.Now) / float64(most),
			After: room * float64(p.Steps.Batched) / float64(most), Text: p.usd(p.Steps.Now) + " to " + p.usd(p.Steps.Batched),
		})
		s.PathsHigh = float64(i+1) * 24
	}
	return s
}

func (p *PathReport) shown(n int) shownPath {
	s := shownPath{
		N: n, Path: printable(p.Path), Calls: shownCount(p.Calls), Prompt: p.tokensOf(), Models: printable(p.modelsOf()), Class: string(p.Class), Why: p.Why,
		Advice: p.Advice, Now: p.usd(p.Steps.Now), Routed: p.usd(p.Steps.Routed), Cached: p.usd(p.Steps.Cached),
		Batched: p.usd(p.Steps.Batched), Saved: shownShare(p.Steps.Share()), Windows: p.Windows,
	}
	return s
}

// mostDayBars bounds the columns of the chart of days; of a longer log, several days make one.
const mostDayBars = 120

func (r *Report) dayBars() (bars []dayBar, text string) {
	per := (len(r.Days) + mostDayBars - 1) / mostDayBars
	if len(r.Days) < 2 {
		return nil, ""
	}
	var sums []Day
	for i, d := range r.Days {
		if i%per == 0 {
			sums = append(sums, Day{Day: d.Day})
		}
		last := &sums[len(sums)-1]
		last.Calls += d.Calls
		last.Cost += d.Cost
	}
	var most task.Pico
	for _, d := range sums {
		most = max(most, d.Cost)
	}
	if most == 0 {
		return nil, ""
	}
	width := chartWidth / float64(len(sums))
	for i, d := range sums {
		high := chartHeight * float64(d.Cost) / float64(most)
		bars = append(bars, dayBar{
			bar{float64(i) * width, chartHeight - high, max(1, width-1), high},
			fmt.Sprintf("%s: %s USD, %s calls", d.Day, shownUSD(d.Cost), shownCount(d.Calls)),
		})
	}
	unit := "day"
	if per > 1 {
		unit = fmt.Sprintf("%d days", per)
	}
	return bars, fmt.Sprintf("Cost by %s, from %s to %s; the highest column is %s USD", unit, r.Days[0].Day, r.Days[len(r.Days)-1].Day, shownUSD(most))
}
