package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/replay"
)

type evalCascadeCmd struct {
	Recordings   string   `required:"" type:"existingfile" help:"JSON lines, plain or gzipped: prompts with what each model answered."`
	Policy       string   `help:"single:M, cascade:M>M, agreement:M+M>M, agreement:2:M+M+M>M, planned, or a file that --save wrote."`
	Tasks        []string `help:"Only these tasks."`
	TasksExclude []string `help:"All tasks but these."`
	AllowEmpty   []string `help:"Tasks that no function call may answer."`
	Prices       string   `type:"existingfile" help:"List prices for answers without a cost: {\"M\": [USD per million input tokens, output tokens]}."`
	Train        string   `type:"existingfile" help:"For planned: the file to plan by. Without it the recordings are cross-validated."`
	Quality      float64  `default:"0.98" help:"For planned: the share of the accuracy of --of that has to be kept."`
	Of           string   `help:"For planned: the model that a plan is held against; the one that is right most often when absent."`
	Folds        int      `default:"5" help:"For planned without --train: how many parts the recordings are cut into."`
	Save         string   `help:"For planned with --train: write the plan to this file."`
	Sweep        bool     `help:"For planned: run the plans for 80 % to 100 % of the accuracy of --of."`
	JSON         bool     `help:"Print JSON."`
}

// Help is the long help.
func (evalCascadeCmd) Help() string {
	return `Runs a policy through weir's validators and retry table, the recorded answers in the place of calls, and only then looks
at which answers were right. docs/evaluation.md has what the columns mean, and figures.`
}

// recorded is a file that is ready to run policies on.
type recorded struct {
	replay *replay.Replay
	judge  *replay.Judge
}

// Run judges one policy, or sweeps the plans of many bars.
func (c *evalCascadeCmd) Run(_ context.Context, a *app) error {
	if c.Policy == "" && !c.Sweep {
		return fmt.Errorf("%w: name a --policy, or --sweep", errUsage)
	}
	judged, err := c.load(a.stderr, c.Recordings)
	if err != nil {
		return err
	}
	if c.Of == "" {
		c.Of = replay.Strongest(judged.replay, judged.judge)
	}
	if c.Sweep {
		return c.sweep(a, judged)
	}
	chooser, order, err := c.chooser(a, judged)
	if err != nil {
		return err
	}
	worked, err := judged.replay.Run(chooser)
	if err != nil {
		return err
	}
	result := replay.Score(judged.replay, judged.judge, c.Policy, order, worked)
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(result)
	}
	return writeResult(a.stdout, result)
}

// load reads a file, selects its rows, prices and judges its answers.
func (c *evalCascadeCmd) load(stderr io.Writer, name string) (*recorded, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read recordings: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	recordings, judge, bad, err := replay.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i, row := range bad {
		const shown = 20
		if i == shown {
			_, _ = fmt.Fprintf(stderr, "%s: and %d more\n", name, len(bad)-shown)
			break
		}
		_, _ = fmt.Fprintf(stderr, "%s: left out %s\n", name, row)
	}
	for _, task := range slices.Concat(c.Tasks, c.TasksExclude, c.AllowEmpty) {
		if !slices.Contains(recordings.Tasks(), task) {
			_, _ = fmt.Fprintf(stderr, "%s: no row is of task %s\n", name, task)
		}
	}
	recordings, judge = replay.Select(recordings, judge, func(row *replay.Row) bool {
		return (len(c.Tasks) == 0 || slices.Contains(c.Tasks, row.Task)) && !slices.Contains(c.TasksExclude, row.Task)
	})
	if len(recordings.Rows) == 0 {
		return nil, fmt.Errorf("%s: no row is left", name)
	}
	if err := c.price(recordings); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ready, err := replay.New(recordings, c.AllowEmpty)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &recorded{replay: ready, judge: judge}, nil
}

func (c *evalCascadeCmd) price(recordings *replay.Recordings) error {
	if c.Prices == "" {
		return nil
	}
	file, err := os.Open(c.Prices)
	if err != nil {
		return fmt.Errorf("read prices: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	prices, err := replay.ReadPrices(file)
	if err != nil {
		return err
	}
	return replay.Price(recordings, prices)
}

// chooser is the policy that was asked for, and its models in the order in which a result lists them.
func (c *evalCascadeCmd) chooser(a *app, judged *recorded) (replay.Chooser, []string, error) {
	if c.Policy == "planned" {
		plans, err := c.plans(a, judged, []replay.Bar{{Quality: c.Quality, Of: c.Of}})
		if err != nil {
			return nil, nil, err
		}
		return plans[0], nil, nil
	}
	if kind, _, named := strings.Cut(c.Policy, ":"); named && slices.Contains([]string{"single", "cascade", "agreement"}, kind) {
		policy, err := cascade.ParsePolicy(c.Policy)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		return replay.Always(policy), policy.Models(), nil
	}
	saved, err := os.ReadFile(c.Policy)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %q is neither a policy nor a file", errUsage, c.Policy)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read policy: %w", err)
	}
	planned, err := replay.ReadPlanned(saved)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Policy, err)
	}
	return planned, nil, nil
}

// plans trains on the file for it, or on the other folds of the recordings.
func (c *evalCascadeCmd) plans(a *app, judged *recorded, bars []replay.Bar) (replay.Plans, error) {
	if c.Train == "" {
		if c.Save != "" {
			return nil, fmt.Errorf("%w: --save needs --train: cross-validation makes a plan for each fold", errUsage)
		}
		return replay.CrossPlans(judged.replay, judged.judge, bars, c.Folds)
	}
	training, err := c.load(a.stderr, c.Train)
	if err != nil {
		return nil, err
	}
	plans, err := replay.TrainPlans(training.replay, training.judge, bars)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Train, err)
	}
	for i, plan := range plans {
		planned, ok := plan.(*replay.Planned)
		if ok && !planned.Expected.Reached {
			_, _ = fmt.Fprintf(a.stderr, "no plan is expected to keep %s of the accuracy of %s; this is the best there is\n",
				percent(bars[i].Quality), bars[i].Of) //nolint:gosec // there is a plan for each bar
		}
		if ok && c.Save != "" {
			if err := save(c.Save, planned); err != nil {
				return nil, err
			}
		}
	}
	return plans, nil
}

func save(name string, planned *replay.Planned) error {
	text, err := json.MarshalIndent(planned, "", "  ")
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	const readable = 0o644
	if err := os.WriteFile(name, append(text, '\n'), readable); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// sweepResult is the whole frontier.
type sweepResult struct {
	Suite  string         `json:"suite"`
	Of     string         `json:"of"`
	N      int            `json:"n"`
	Points []replay.Point `json:"points"`
	// AIQ is that of the plans, AIQSingle that of random mixes of single models, which anybody can have.
	AIQ       float64 `json:"aiq"`
	AIQSingle float64 `json:"aiq_single_models"`
}

func (c *evalCascadeCmd) sweep(a *app, judged *recorded) error {
	swept, err := c.swept(a, judged)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(swept)
	}
	return swept.write(a.stdout)
}

// swept runs the plans of all bars.
func (c *evalCascadeCmd) swept(a *app, judged *recorded) (*sweepResult, error) {
	bars := replay.SweepBars(c.Of)
	plans, err := c.plans(a, judged, bars)
	if err != nil {
		return nil, err
	}
	points, err := replay.Sweep(judged.replay, judged.judge, bars, plans)
	if err != nil {
		return nil, err
	}
	singles := replay.Singles(judged.replay, judged.judge)
	most := replay.Dearest(singles)
	return &sweepResult{
		Suite: judged.replay.Suite, Of: c.Of, N: len(judged.replay.Rows), Points: points,
		AIQ: replay.AIQ(points, most), AIQSingle: replay.AIQ(singles, most),
	}, nil
}

func (r *sweepResult) write(w io.Writer) error {
	t := table{columns: []column{
		figures("bar"), figures("accuracy"), figures("of " + r.Of), figures("USD per 1,000"), figures("of its cost"),
	}}
	for _, p := range r.Points {
		t.rows = append(t.rows, []string{
			percent(p.Quality), fixed(p.Accuracy), percent(p.AccuracyShare), fixed(p.USD.Float()), percent(p.CostShare),
		})
	}
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nAIQ %s; of random mixes of single models %s\n", fixed(r.AIQ), fixed(r.AIQSingle))
	return err
}

// fixed shows what is not money in four decimals.
func fixed(x float64) string { return fmt.Sprintf("%.4f", x) }

// optional is a figure that may not be known.
func optional[T any](value *T, show func(T) string) string {
	if value == nil {
		return none
	}
	return show(*value)
}

func writeResult(w io.Writer, r replay.Result) error {
	usd := func(u replay.USD) string { return fixed(u.Float()) }
	facts := table{columns: []column{words("suite"), words(r.Suite)}, rows: [][]string{
		{"policy", r.Policy},
		{"tasks", showCount(r.N)},
		{"accuracy", fixed(r.Accuracy)},
		{"USD per 1,000", optional(r.USDPer1000, usd)},
		{"escalated", percent(r.EscalatedShare)},
		{"seconds, p50", optional(r.P50, fixed)},
		{"seconds, p95", optional(r.P95, fixed)},
		{"spent on failed attempts", optional(r.FailedSpendShare, percent)},
		{"accuracy less random mix, 95 %", optional(r.CI95, func(ci [2]float64) string { return fixed(ci[0]) + " to " + fixed(ci[1]) })},
	}}
	if err := facts.write(w); err != nil {
		return err
	}
	stages := table{columns: []column{words("\nanswers of"), figures("share")}}
	for _, s := range r.Stages {
		stages.rows = append(stages.rows, []string{s.Model, percent(s.Share)})
	}
	others := table{columns: []column{words("\nbaseline"), figures("accuracy"), figures("USD per 1,000")}}
	for _, b := range r.Baselines {
		others.rows = append(others.rows, []string{b.Name, fixed(b.Accuracy), optional(b.USDPer1000, usd)})
	}
	if err := stages.write(w); err != nil {
		return err
	}
	return others.write(w)
}
