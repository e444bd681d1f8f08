package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/classifier/train"
	"github.com/weirhq/weir/replay"
)

type evalRouterCmd struct {
	Recordings string `required:"" type:"existingfile" help:"JSON lines, plain or gzipped: prompts with whether each model was right."`
	Weak       string `help:"The weak model; the one that is right least often when absent."`
	Strong     string `help:"The strong model; the one that is right most often when absent."`
	Embedder   string `default:"static" enum:"static,hash" help:"The embedder of the trained scores: static or hash."`
	Folds      int    `default:"5" help:"Into how many parts the recordings are cut: each is scored by what was trained on the others."`
	JSON       bool   `help:"Print one JSON object."`
}

// Help is the long help.
func (evalRouterCmd) Help() string {
	return `Asks how well a prompt's text alone tells which of two models it needs: APGR, and the least share of calls to the strong
model that keeps 50 and 80 % of its lead (CPT). Scores trained on other tasks are held against the prompt's length.`
}

// routed is how well one kind of scores routes.
type routed struct {
	Name string `json:"name"`
	replay.Routing
	// Lead is the 95 % interval of its APGR less that of the length.
	Lead *[2]float64 `json:"lead_over_length_ci95,omitempty"`
}

// routerResult is what the command prints.
type routerResult struct {
	Suite          string   `json:"suite"`
	N              int      `json:"n"`
	Weak           string   `json:"weak"`
	Strong         string   `json:"strong"`
	WeakAccuracy   float64  `json:"weak_accuracy"`
	StrongAccuracy float64  `json:"strong_accuracy"`
	Routers        []routed `json:"routers"`
}

// Run judges scores.
func (c *evalRouterCmd) Run(ctx context.Context, a *app) error {
	recordings, judge, err := c.read(a)
	if err != nil {
		return err
	}
	if c.Folds < 2 || c.Folds > len(recordings.Rows) {
		return fmt.Errorf("%w: --folds is %d; it must be from 2 to one for each row", errUsage, c.Folds)
	}
	result, err := c.judge(ctx, recordings, judge)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(result)
	}
	return result.write(a.stdout)
}

func (c *evalRouterCmd) read(a *app) (*replay.Recordings, *replay.Judge, error) {
	file, err := os.Open(c.Recordings)
	if err != nil {
		return nil, nil, fmt.Errorf("read recordings: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	recordings, judge, bad, err := replay.Read(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Recordings, err)
	}
	if len(bad) > 0 {
		_, _ = fmt.Fprintf(a.stderr, "%s: left out %d rows, first %s\n", c.Recordings, len(bad), bad[0])
	}
	return recordings, judge, nil
}

func (c *evalRouterCmd) judge(ctx context.Context, r *replay.Recordings, j *replay.Judge) (*routerResult, error) {
	result := &routerResult{Suite: r.Suite, N: len(r.Rows), Weak: c.Weak, Strong: c.Strong}
	weakest, strongest := replay.Extremes(r, j)
	result.Weak, result.Strong = fallback(c.Weak, weakest), fallback(c.Strong, strongest)
	pair, err := replay.NewPair(r, j, result.Weak, result.Strong)
	if err != nil {
		return nil, err
	}
	result.WeakAccuracy, result.StrongAccuracy = pair.Accuracies()
	length, oracle, none := make([]float64, len(r.Rows)), make([]float64, len(r.Rows)), make([]float64, len(r.Rows))
	for i := range r.Rows {
		length[i], oracle[i] = float64(len(r.Rows[i].Prompt)), pair.Gain(i)
	}
	unseen, err := c.trained(ctx, r, pair, replay.TaskFolds(r, c.Folds))
	if err != nil {
		return nil, err
	}
	seen, err := c.trained(ctx, r, pair, r.Folds(c.Folds))
	if err != nil {
		return nil, err
	}
	for _, router := range []struct {
		name   string
		scores []float64
		held   bool
	}{
		{"random", none, false}, {"length", length, false}, {"text, unseen tasks", unseen, true}, {"text, tasks seen", seen, true}, {"oracle", oracle, false},
	} {
		one := routed{Name: router.name, Routing: pair.Route(router.scores)}
		if router.held {
			lead := pair.Lead(router.scores, length)
			one.Lead = &lead
		}
		result.Routers = append(result.Routers, one)
	}
	return result, nil
}

// trained scores every row by what was trained on the other folds: the log-odds that the strong model is right where the weak
// one is not.
func (c *evalRouterCmd) trained(ctx context.Context, r *replay.Recordings, pair *replay.Pair, folds []int) ([]float64, error) {
	embedder, err := builtInOf(c.Embedder)
	if err != nil {
		return nil, err
	}
	rows := make([]train.Row, len(r.Rows))
	for i := range r.Rows {
		rows[i] = train.Row{Prompt: r.Rows[i].Prompt, Level: 1, Source: r.Suite, Task: r.Rows[i].Task}
		if pair.Gain(i) > 0 {
			rows[i].Level = model.Classes
		}
	}
	set, err := train.Prepare(ctx, rows, "", embedder)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, len(rows))
	of := map[*train.Example]int{}
	for i, e := range set.Examples {
		of[e] = i
	}
	for fold := range c.Folds {
		scorer, err := train.Scorer(set.Select(func(e *train.Example) bool { return folds[of[e]] != fold }), train.Default(c.Embedder))
		if err != nil {
			return nil, fmt.Errorf("train on all folds but %d: %w", fold+1, err)
		}
		for i, e := range set.Examples {
			if folds[i] == fold {
				s := scorer.Score(&e.Vector)
				scores[i] = s[model.Classes-1] - s[0]
			}
		}
	}
	return scores, nil
}

func (r *routerResult) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s, %s prompts: %s is right for %s, %s for %s\n\n", r.Suite, showCount(r.N), r.Weak, percent(r.WeakAccuracy),
		r.Strong, percent(r.StrongAccuracy))
	if err != nil {
		return err
	}
	t := table{columns: []column{words("scores"), figures("APGR"), figures("CPT 50 %"), figures("CPT 80 %"), figures("APGR less length's, 95 %")}}
	for _, one := range r.Routers {
		t.rows = append(t.rows, []string{
			one.Name, fixed(one.APGR), percent(one.CPT50), percent(one.CPT80),
			optional(one.Lead, func(ci [2]float64) string { return fixed(ci[0]) + " to " + fixed(ci[1]) }),
		})
	}
	return t.write(w)
}
