package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weirhq/weir/store"
)

type explainCmd struct {
	Task   string `arg:"" help:"The task's id, or the producer's id of it."`
	Tenant string `default:"default" help:"The tenant, with a producer's id."`
	JSON   bool   `help:"Print one JSON object."`
}

// Help is the long help.
func (explainCmd) Help() string {
	return `Says how a task came to its class, why each model is in its plan or is not, and what was called. The view
weir.explanations has the same as one row.`
}

// Run explains one task.
func (c *explainCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	id, err := uuid.Parse(c.Task)
	if err != nil {
		id = uuid.Nil
	}
	e, err := store.Explain(ctx, pool, id, c.Tenant, c.Task)
	if errors.Is(err, store.ErrNoTask) && id != uuid.Nil { // a producer's ids may be UUIDs too
		e, err = store.Explain(ctx, pool, uuid.Nil, c.Tenant, c.Task)
	}
	if errors.Is(err, store.ErrNoTask) {
		return fmt.Errorf("no task %q of tenant %q; give another tenant with --tenant", c.Task, c.Tenant)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(e)
	}
	return writeExplanation(a.stdout, e)
}

func writeExplanation(w io.Writer, e *store.Explanation) error {
	place := e.Feature
	if e.CallPath != nil {
		place += ", call path " + *e.CallPath
	}
	lines := [][2]string{
		{"task", e.TaskID.String()},
		{"key", e.Tenant + "/" + e.Key},
		{"feature", place},
		{"state", joined(": ", e.State, text(e.Reason))},
		{"class", explainClass(e)},
		{"prompt", fmt.Sprintf("about %d tokens, an answer of at most %d", e.PromptTokens, e.MaxOutput)},
		{"plan", joined(", by ", orNone(text(e.Plan), "none yet"), text(e.Policy))},
	}
	for _, why := range splitReasons(text(e.WhyIn)) {
		lines = append(lines, [2]string{"  in", why})
	}
	for _, why := range splitReasons(text(e.WhyOut)) {
		lines = append(lines, [2]string{"  out", why})
	}
	cost := e.CostUSD + " USD"
	if e.CostHighUSD != e.CostUSD {
		cost += ", at most " + e.CostHighUSD
	}
	lines = append(lines, [2]string{"cost", cost})
	var out strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&out, "%-8s %s\n", line[0], line[1])
	}
	if _, err := io.WriteString(w, out.String()); err != nil || len(e.Attempts) == 0 {
		return err
	}
	t := table{columns: []column{
		figures("attempt"), figures("stage"), words("model"), words("verdict"), figures("cost_usd"), figures("ms"), words("why"),
	}}
	for _, at := range e.Attempts {
		ms, price := "", "unknown"
		if at.LatencyMS != nil {
			ms = strconv.FormatInt(*at.LatencyMS, 10)
		}
		if at.Cost != nil {
			price = at.Cost.String()
		}
		t.rows = append(t.rows, []string{
			strconv.FormatInt(at.N, 10), strconv.FormatInt(at.Stage+1, 10), at.Model, orNone(text(at.Verdict), at.State), price, ms,
			joined(": ", orNone(text(at.Validator), text(at.Failure)), text(at.Reason)),
		})
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return t.write(w)
}

func explainClass(e *store.Explanation) string {
	if e.Class == nil {
		return "none yet"
	}
	said := *e.Class + " by " + text(e.ClassSource)
	if e.Confidence != nil {
		said += fmt.Sprintf(", confidence %.2f", *e.Confidence)
	}
	if e.PL1 != nil && e.PL2 != nil && e.PL3 != nil {
		said += fmt.Sprintf("; L1 %.2f, L2 %.2f, L3 %.2f by %s", *e.PL1, *e.PL2, *e.PL3, text(e.ClassLearned))
	}
	if e.ClassAbstained != nil {
		said += ", which abstained: " + *e.ClassAbstained
	}
	return said
}

func splitReasons(reasons string) []string {
	if reasons == "" {
		return nil
	}
	return strings.Split(reasons, "; ")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNone(s, none string) string {
	if s == "" {
		return none
	}
	return s
}

func joined(by string, parts ...string) string {
	kept := parts[:0:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, by)
}
