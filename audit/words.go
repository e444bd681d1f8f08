package audit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// shownUSD is an amount for people: cents from a dollar on, and four places that mean something below.
func shownUSD(p task.Pico) string {
	switch {
	case p >= 100*task.USD:
		return grouped(pricing.Round(p, 0))
	case p >= task.USD:
		return pricing.Round(p, 2)
	case p == 0:
		return "0"
	}
	return pricing.Round(p, 6)
}

// grouped sets digits apart by thousands.
func grouped(digits string) string {
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

func shownCount(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

func shownShare(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// sentences are what the report rests on, in words.
func (r *Report) sentences() []string {
	a := r.Assumptions
	lines := []string{
		"now: " + r.origin(),
		fmt.Sprintf("routing: at the models %s, list prices of today, with as many tokens as now; each model's answer is accepted in %s of its calls, "+
			"and the next one is asked for the others", strings.Join(r.Ladder, " > "), shownShare(a.Accepted)),
		fmt.Sprintf("caching: what all prompts of a call path begin with is read from the provider's cache when the call before came within %.0f minutes; "+
			"calls come at random times at their mean rate. Without prompts in the log there is no figure", a.CacheTTL.Minutes()),
		fmt.Sprintf("batching: %s of the calls can wait for hours, at the providers' batch prices", shownShare(a.Batchable)),
		"each step comes on top of the one before, and is taken only where it costs less. The classes are a first guess: recorded outcomes decide",
	}
	if r.Unpriced > 0 {
		lines = append(lines, fmt.Sprintf("%s calls have no known cost and are in no total: %s", shownCount(r.Unpriced), printable(strings.Join(first(r.UnpricedModels, 8), ", "))))
	}
	if r.Billed != nil {
		lines = append(lines, fmt.Sprintf("the bills among the files say %s USD, which is not added to the calls' cost", shownUSD(*r.Billed)))
	}
	return lines
}

// origin says where the cost of today comes from.
func (r *Report) origin() string {
	if r.Stated == 0 {
		return "the log has no costs; its tokens at the prices of their day"
	}
	if r.Stated == r.Total.Now {
		return "the costs that the log has"
	}
	return fmt.Sprintf("%s USD that the log has; the rest by its tokens at the prices of their day", shownUSD(r.Stated))
}

func first(names []string, most int) []string {
	if len(names) > most {
		return append(append([]string{}, names[:most]...), fmt.Sprintf("and %d more", len(names)-most))
	}
	return names
}

// tokensOf are the lengths of a call path's prompts, or that nobody knows them.
func (p *PathReport) tokensOf() string {
	if p.PromptMedian == 0 && p.PromptP95 == 0 {
		return "-"
	}
	return shownCount(p.PromptMedian) + " / " + shownCount(p.PromptP95)
}

// modelsOf names the models of a call path with their shares.
func (p *PathReport) modelsOf() string {
	var parts []string
	for _, m := range p.Models {
		name := m.Model
		if m.Mode != pricing.ModeSync {
			name += " (" + string(m.Mode) + ")"
		}
		if len(p.Models) > 1 && p.Calls > 0 {
			name += " " + shownShare(float64(m.Calls)/float64(p.Calls))
		}
		parts = append(parts, name)
	}
	return strings.Join(first(parts, 3), ", ")
}

// mark says whether the signal has fired: yes, no, or not known.
func (s Signal) mark() string {
	switch {
	case s.Fired == nil:
		return "?"
	case *s.Fired:
		return "yes"
	}
	return "no"
}

// usd is an amount of the call path; what nobody knows is no 0.
func (p *PathReport) usd(amount task.Pico) string {
	if p.Steps.Now == 0 && p.Unpriced > 0 {
		return "-"
	}
	return shownUSD(amount)
}
