package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/weirhq/weir/store"
)

func cpuoTable(rows []store.CPUO) (table, []string) {
	uncertain := newUncertainty(rows, func(r store.CPUO) store.Costs { return r.Costs })
	t := table{columns: []column{
		words("feature"), figures("tasks"), figures("finished"), figures("useful"), figures("success"),
		figures("no outcome"), figures("cost USD"),
	}}
	t.columns = append(t.columns, uncertain.columns()...)
	t.columns = append(t.columns, figures("CPUO USD"), figures("fully loaded USD"))
	for _, r := range rows {
		cells := []string{
			r.Feature, showCount(r.Tasks), showCount(r.Finished), showCount(r.Useful), showShare(r.SuccessRate),
			showShare(shareOf(r.WithoutOutcome, r.Tasks)), usd(r.CostUSD),
		}
		cells = append(cells, uncertain.cells(r.Costs)...)
		t.rows = append(t.rows, append(cells, showMoneyOr(r.CPUOUSD), showMoneyOr(r.FullyLoadedCPUOUSD)))
	}
	return t, uncertain.remarks()
}

func featuresTable(rows []store.FeatureCost) (table, []string) {
	uncertain := newUncertainty(rows, func(r store.FeatureCost) store.Costs { return r.Costs })
	t := table{columns: []column{
		words("feature"), figures("tasks"), figures("finished"), figures("attempts"), figures("cost USD"),
	}}
	t.columns = append(t.columns, uncertain.columns()...)
	t.columns = append(t.columns, figures("per task USD"), figures("on last model* USD"), figures("saved*"))
	for _, r := range rows {
		cells := []string{
			r.Feature, showCount(r.Tasks), showCount(r.Finished), showCount(r.Attempts), usd(r.CostUSD),
		}
		cells = append(cells, uncertain.cells(r.Costs)...)
		flagship := none
		if r.PricedTasks > 0 {
			flagship = usd(r.FlagshipCostUSDEstimate)
		}
		t.rows = append(t.rows, append(cells, showMoneyOr(r.CostPerTaskUSD), flagship, showShare(r.SavedShare)))
	}
	return t, append(uncertain.remarks(),
		"* an estimate: one call of the last model of each task's cascade with the same tokens, at its list price")
}

func modelsTable(rows []store.ModelUsage) (table, []string) {
	uncertain := newUncertainty(rows, func(r store.ModelUsage) store.Costs { return r.Costs })
	t := table{columns: []column{
		words("model"), words("provider"), words("tier"), figures("attempts"), figures("share"), figures("accepted"),
		figures("rejected"), figures("errored"), figures("prompt"), figures("cached"), figures("output"),
	}}
	translated := slices.ContainsFunc(rows, func(r store.ModelUsage) bool { return r.Characters > 0 })
	if translated {
		t.columns = append(t.columns, figures("characters"))
	}
	t.columns = append(append(t.columns, figures("cost USD")), uncertain.columns()...)
	t.columns = append(t.columns, figures("p50"), figures("p95"))
	for _, r := range rows {
		cells := []string{
			r.Model, r.Provider, r.Tier, showCount(r.Attempts), showShare(r.Share), showCount(r.Accepted),
			showCount(r.Rejected), showCount(r.Errored + r.GivenUp), showCount(r.PromptTokens), showCount(r.CachedTokens),
			showCount(r.OutputTokens),
		}
		if translated {
			cells = append(cells, showCount(r.Characters))
		}
		cells = append(append(cells, usd(r.CostUSD)), uncertain.cells(r.Costs)...)
		t.rows = append(t.rows, append(cells, showLatency(r.LatencyP50MS), showLatency(r.LatencyP95MS)))
	}
	units := "prompt, cached and output are tokens; "
	if translated {
		units += "characters are those of texts that a service translated; "
	}
	return t, append(uncertain.remarks(), units+"p50 and p95 are the latency of answers")
}

func cascadeTable(rows []store.CascadeStep) (table, []string) {
	uncertain := newUncertainty(rows, func(r store.CascadeStep) store.Costs { return r.Costs })
	t := table{columns: []column{
		words("feature"), words("class"), figures("stage"), words("model"), figures("entered"), figures("accepted"),
		figures("rejected"), figures("errored"), figures("escalated"), figures("cost USD"),
	}}
	t.columns = append(t.columns, uncertain.columns()...)
	t.columns = append(t.columns, words("rejected most"))
	for _, r := range rows {
		cells := []string{
			r.Feature, r.Class, showCount(r.Stage), r.Model, showCount(r.Entered), showShare(shareOf(r.Accepted, r.Entered)),
			showShare(shareOf(r.Rejected, r.Entered)), showShare(shareOf(r.Errored, r.Entered)),
			showShare(shareOf(r.Escalated, r.Entered)), usd(r.CostUSD),
		}
		cells = append(cells, uncertain.cells(r.Costs)...)
		t.rows = append(t.rows, append(cells, topRejection(r)))
	}
	return t, append(uncertain.remarks(), "shares are of the tasks that entered; a task may be both rejected and errored")
}

func embeddingsTable(rows []store.EmbeddingUsage) (table, []string) {
	t := table{columns: []column{
		words("embedder"), words("provider"), words("model"), words("feature"), figures("calls"), figures("failed"),
		figures("inputs"), figures("tokens"), figures("cost USD"),
	}}
	open := slices.ContainsFunc(rows, func(r store.EmbeddingUsage) bool { return r.UnmeteredCalls+r.UnpricedCalls > 0 })
	if open {
		t.columns = append(t.columns, figures("estimated USD"), figures("at most USD"), figures("unmetered"), figures("unpriced"))
	}
	for _, r := range rows {
		cells := []string{
			r.Embedder, r.Provider, r.Model, r.Feature, showCount(r.Calls), showCount(r.FailedCalls), showCount(r.Inputs),
			showCount(r.Tokens), usd(r.CostUSD),
		}
		if open {
			cells = append(cells, usd(r.EstimatedUSD), usd(r.CostHighUSD), showCount(r.UnmeteredCalls), showCount(r.UnpricedCalls))
		}
		t.rows = append(t.rows, cells)
	}
	if !open {
		return t, nil
	}
	return t, []string{
		"unmetered: calls whose bill nobody tells; estimated has weir's own count for them, at most the most that they can have cost",
		"unpriced: calls without a price in the book; the true cost may be above at most",
	}
}

func shadowsTable(rows []store.FalseAcceptance) (table, []string) {
	t := table{columns: []column{
		words("feature"), words("call path"), words("class"), words("accepted"), words("compared with"), figures("compared"),
		figures("differ"), figures("95 % interval"), figures("rejected"), figures("errored"), figures("dropped"), figures("waiting"), figures("cost USD"),
	}}
	open := slices.ContainsFunc(rows, func(r store.FalseAcceptance) bool { return r.UnknownBills > 0 })
	if open {
		t.columns = append(t.columns, figures("at most USD"))
	}
	for _, r := range rows {
		cells := []string{
			r.Feature, r.CallPath, r.Class, r.AcceptedModel, r.Model, showCount(r.Compared), showShare(shareOf(r.Disagreed, r.Compared)),
			showInterval(r.Disagreed, r.Compared), showCount(r.Rejected), showCount(r.Errored), showCount(r.Dropped),
			showCount(r.Waiting), usd(r.CostUSD),
		}
		if open {
			cells = append(cells, usd(r.CostHighUSD))
		}
		t.rows = append(t.rows, cells)
	}
	return t, []string{
		"differ: the share of accepted answers that the next model's valid answer differs from; where that one is right, these were accepted wrongly",
		"the cost is of the calls in shadow, which is in no task's cost",
	}
}

// showInterval is the 95 % score interval of a share: E. B. Wilson, Probable Inference, the Law of Succession, and
// Statistical Inference (1927).
func showInterval(some, of int64) string {
	if of == 0 {
		return none
	}
	const z = 1.959964
	n, x := float64(of), float64(some)
	middle, half := x+z*z/2, z*math.Sqrt(x*(n-x)/n+z*z/4)
	return fmt.Sprintf("%.1f-%.1f %%", 100*max(0, middle-half)/(n+z*z), 100*min(n+z*z, middle+half)/(n+z*z))
}

// mostReasonChars keeps a line of the cascade's table readable.
const mostReasonChars = 60

func topRejection(r store.CascadeStep) string {
	if r.TopRejected == 0 {
		return ""
	}
	reason := []rune(r.TopReason)
	if len(reason) > mostReasonChars {
		reason = append(reason[:mostReasonChars-1], '…')
	}
	return fmt.Sprintf("%s (%s): %s", r.TopValidator, showCount(r.TopRejected), string(reason))
}

func shareOf(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	s := float64(part) / float64(whole)
	return &s
}

func showLatency(ms *int64) string {
	if ms == nil {
		return none
	}
	return showCount(*ms) + " ms"
}

// uncertainty says what a cost leaves open. Its columns are there only where something is open.
type uncertainty struct {
	lost     int64
	unpriced int64
}

func newUncertainty[Row any](rows []Row, costs func(Row) store.Costs) uncertainty {
	var u uncertainty
	for _, row := range rows {
		c := costs(row)
		u.lost += c.LostAttempts
		u.unpriced += c.UnpricedAttempts
	}
	return u
}

func (u uncertainty) open() bool { return u.lost+u.unpriced > 0 }

func (u uncertainty) columns() []column {
	if !u.open() {
		return nil
	}
	return []column{figures("at most USD"), figures("lost"), figures("unpriced")}
}

func (u uncertainty) cells(c store.Costs) []string {
	if !u.open() {
		return nil
	}
	return []string{usd(c.CostHighUSD), showCount(c.LostAttempts), showCount(c.UnpricedAttempts)}
}

func (u uncertainty) remarks() []string {
	var remarks []string
	if u.lost > 0 {
		remarks = append(remarks, "lost: calls whose bill nobody knows; the true cost is between cost and at most")
	}
	if u.unpriced > 0 {
		remarks = append(remarks, "unpriced: calls without a price in the book; the true cost may be above at most")
	}
	return remarks
}
