package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/replay"
)

type evalReportCmd struct {
	Data string `required:"" type:"existingdir" help:"The directory with the recordings bfcl17, routerbench3, routellm and ulab9."`
	Out  string `required:"" type:"path" help:"The file to write."`
}

// Help is the long help.
func (evalReportCmd) Help() string {
	return `Works out all figures of docs/evaluation.md, from the recordings alone: the same recordings give the same file. It takes some
minutes.`
}

//go:embed eval_report.md
var reportText string

// suite is a file of recordings with what is asked of it.
type suite struct {
	file, title string
	exclude     []string
	prices      string
	of          string
	policies    []string
	perTask     bool // AIQ by task
}

func suites() []suite {
	const sonnet, gpt4 = "claude-3-5-sonnet-20240620", "gpt-4-1106-preview"
	return []suite{
		{
			file: "bfcl17.jsonl.gz", title: "bfcl17", exclude: []string{"relevance"}, of: sonnet,
			policies: []string{
				"cascade:gpt-4o-mini-2024-07-18>" + sonnet, "cascade:claude-3-haiku-20240307>" + sonnet,
				"agreement:gpt-3.5-turbo-0125-FC+gpt-4o-mini-2024-07-18-FC>" + sonnet,
				"agreement:2:gpt-3.5-turbo-0125-FC+gpt-4o-mini-2024-07-18-FC+claude-3-haiku-20240307>" + sonnet,
			},
		},
		{file: "routerbench3.jsonl.gz", title: "routerbench3", of: gpt4, perTask: true},
		{file: "ulab9.jsonl.gz", title: "ulab9", prices: "ulab_prices_per_mtok.json"},
	}
}

// Run writes the report.
func (c *evalReportCmd) Run(ctx context.Context, a *app) error {
	sections := map[string]string{}
	for _, s := range suites() {
		text, err := c.section(a, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
		sections[s.title] = text
	}
	router := &evalRouterCmd{Recordings: filepath.Join(c.Data, "routellm.jsonl.gz"), Embedder: "static", Folds: 5}
	text, err := routerSection(ctx, a, router)
	if err != nil {
		return fmt.Errorf("routellm: %w", err)
	}
	sections["routellm"] = text
	out := reportText
	for name, text := range sections {
		mark := "<!-- " + name + " -->\n"
		if !strings.Contains(out, mark) {
			return fmt.Errorf("the report's text has no place for %s", name)
		}
		out = strings.Replace(out, mark, text, 1)
	}
	return writeFile(c.Out, func(w io.Writer) error {
		_, err := io.WriteString(w, out)
		return err
	})
}

func routerSection(ctx context.Context, a *app, c *evalRouterCmd) (string, error) {
	r, j, err := c.read(a)
	if err != nil {
		return "", err
	}
	result, err := c.judge(ctx, r, j)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s prompts; %s is right for %s of them, %s for %s.\n\n| scores | APGR | CPT 50 %% | CPT 80 %% | APGR less that of the length, 95 %% |\n"+
		"|---|---:|---:|---:|---:|\n", showCount(result.N), result.Weak, percent(result.WeakAccuracy), result.Strong, percent(result.StrongAccuracy))
	for _, one := range result.Routers {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", one.Name, fixed(one.APGR), percent(one.CPT50), percent(one.CPT80),
			optional(one.Lead, func(ci [2]float64) string { return fixed(ci[0]) + " to " + fixed(ci[1]) }))
	}
	return b.String(), nil
}

// section is a suite's tables.
func (c *evalReportCmd) section(a *app, s suite) (string, error) {
	command := &evalCascadeCmd{Recordings: filepath.Join(c.Data, s.file), TasksExclude: s.exclude, Folds: 5, Of: s.of}
	if s.prices != "" {
		command.Prices = filepath.Join(c.Data, s.prices)
	}
	judged, err := command.load(a.stderr, command.Recordings)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("the recordings are not in %s", c.Data)
	}
	if err != nil {
		return "", err
	}
	command.Of = fallback(s.of, replay.Strongest(judged.replay, judged.judge))
	var b strings.Builder
	fmt.Fprintf(&b, "%s tasks, %d models.\n\n", showCount(len(judged.replay.Rows)), len(judged.replay.Models))
	if err := policyTable(&b, judged, s.policies, command.Of); err != nil {
		return "", err
	}
	if err := frontier(&b, a, command, judged, s); err != nil {
		return "", err
	}
	return b.String(), nil
}

// policyTable is the given policies, each beside a random mix at its cost, and then the baselines.
func policyTable(b *strings.Builder, judged *recorded, policies []string, of string) error {
	b.WriteString("| policy | accuracy | USD per 1,000 | escalated | p50 s | p95 s | failed spend | accuracy less a random mix's at that cost, 95 % |\n" +
		"|---|---:|---:|---:|---:|---:|---:|---:|\n")
	var last replay.Result
	for _, name := range slices.Concat(policies, []string{"single:" + of}) {
		policy, err := cascade.ParsePolicy(name)
		if err != nil {
			return err
		}
		worked, err := judged.replay.Run(replay.Always(policy))
		if err != nil {
			return err
		}
		last = replay.Score(judged.replay, judged.judge, name, policy.Models(), worked)
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", name, fixed(last.Accuracy), usdOrNone(last.USDPer1000), percent(last.EscalatedShare),
			optional(last.P50, seconds), optional(last.P95, seconds), optional(last.FailedSpendShare, percent), optional(last.CI95, showCI))
	}
	b.WriteString("\n| baseline | accuracy | USD per 1,000 |\n|---|---:|---:|\n")
	for _, one := range last.Baselines {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", one.Name, fixed(one.Accuracy), usdOrNone(one.USDPer1000))
	}
	return nil
}

// usdOrNone is an amount where it is known.
func usdOrNone(u *replay.USD) string {
	if u == nil {
		return none
	}
	return fixed(u.Float())
}

func seconds(s float64) string { return fmt.Sprintf("%.2f", s) }

func showCI(ci [2]float64) string {
	const decimals = 1e4
	round := func(x float64) float64 { return math.Round(x*decimals)/decimals + 0 } // no -0
	return fmt.Sprintf("%+.4f to %+.4f", round(ci[0]), round(ci[1]))
}

// frontier is the plans of all bars, cross-validated, and AIQ.
func frontier(b *strings.Builder, a *app, c *evalCascadeCmd, judged *recorded, s suite) error {
	swept, err := c.swept(a, judged)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\nPlanned, cross-validated in %d parts, held against %s:\n\n| asked for | accuracy | share of %s's | USD per 1,000 | of its cost | |\n"+
		"|---:|---:|---:|---:|---:|---|\n", c.Folds, c.Of, c.Of)
	for i, p := range swept.Points {
		if i > 0 && p.Accuracy == swept.Points[i-1].Accuracy && p.CostShare == swept.Points[i-1].CostShare {
			continue // the same plan
		}
		kept := "kept"
		if p.AccuracyShare < p.Quality {
			kept = "missed"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", percent(p.Quality), fixed(p.Accuracy), percent(p.AccuracyShare), usdOrNone(p.USD), percent(p.CostShare), kept)
	}
	fmt.Fprintf(b, "\nAIQ %s; random mixes of single models have %s.\n", fixed(swept.AIQ), fixed(swept.AIQSingle))
	if !s.perTask {
		return nil
	}
	b.WriteString("\n| task | AIQ | AIQ of random mixes of single models |\n|---|---:|---:|\n")
	for _, name := range judged.replay.Tasks() {
		one := *c
		one.Tasks = []string{name}
		part, err := one.load(a.stderr, one.Recordings)
		if err != nil {
			return err
		}
		swept, err := one.swept(a, part)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, fixed(swept.AIQ), fixed(swept.AIQSingle))
	}
	return nil
}
