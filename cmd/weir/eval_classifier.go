package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/eval"
	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/classifier/train"
)

type evalClassifierCmd struct {
	Data     string `required:"" type:"existingfile" placeholder:"FILE" help:"Labelled prompts to judge on, JSON lines {prompt, level, source, task}, .gz too."`
	Model    string `type:"existingfile" xor:"learnt" placeholder:"FILE" help:"Judge this model."`
	Train    string `type:"existingfile" xor:"learnt" placeholder:"FILE" help:"Train on these rows first. Without a model, the default is the data."`
	Protocol string `enum:",random,group,leave-source,given" default:"" help:"random, group or leave-source (what is judged is kept out of training), or given (nothing is). Default: given with --model, else group."`
	Embedder string `default:"static" help:"The embedder to train with: static, hash, or an embedder of weir.yaml. A model has its own."`
	Folds    int    `default:"5" help:"Into how many parts random and group cut the data."`
	JSON     bool   `help:"Print one JSON object."`
}

// Help is the long help.
func (evalClassifierCmd) Help() string {
	return `Judges on labelled prompts and shows the same figures of baselines. The protocol says how unlike the training data the
judged prompts are: random folds share data sets, group keeps whole data sets out, leave-source whole sources. A random
split flatters: look at group first.`
}

// Run judges a model, or the training.
func (c *evalClassifierCmd) Run(ctx context.Context, a *app) error {
	if c.Folds < 2 || c.Folds > 100 {
		return errors.New("--folds must be from 2 to 100")
	}
	known, done := a.embedders()
	defer done()
	config, err := c.config(ctx, known)
	if err != nil {
		return err
	}
	report, err := eval.Run(ctx, config)
	if errors.Is(err, eval.ErrNothingToTrain) {
		return errors.New("the protocol given needs --model or --train")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(report)
	}
	return writeEval(a.stdout, report)
}

func (c *evalClassifierCmd) config(ctx context.Context, known *embedders) (eval.Config, error) {
	config := eval.Config{Protocol: c.Protocol, Folds: c.Folds, Training: train.Default(c.Embedder), Now: time.Now}
	var err error
	if config.Data, config.DataHash, err = readRows(c.Data); err != nil {
		return config, err
	}
	if c.Train != "" {
		if config.Train, config.TrainHash, err = readRows(c.Train); err != nil {
			return config, err
		}
	}
	if c.Model == "" {
		if c.Protocol == "" {
			config.Protocol = eval.Group
		}
		config.Embedder, err = known.named(ctx, c.Embedder)
		return config, err
	}
	if c.Protocol == "" {
		config.Protocol = eval.Given
	}
	config.Model, config.Embedder, err = loadModel(ctx, known, c.Model)
	return config, err
}

// loadModel reads a model file, and makes the embedder that it was trained with.
func loadModel(ctx context.Context, known *embedders, path string) (*model.Model, embed.Embedder, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	m, embedder, err := readModel(ctx, known, f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, embedder, nil
}

// readModel puts a trained model to use with the embedder that it was trained with.
func readModel(ctx context.Context, known *embedders, r io.Reader) (*model.Model, embed.Embedder, error) {
	parameters, err := model.Read(r)
	if err != nil {
		return nil, nil, err
	}
	embedder, err := known.of(ctx, parameters.Embedder, parameters.Dim)
	if err != nil {
		return nil, nil, err
	}
	m, err := model.New(parameters, embedder)
	return m, embedder, err
}

func writeEval(w io.Writer, r *eval.Report) error {
	what := "trained for each part"
	if r.Model != "" {
		what = "model " + r.Model[:12]
	}
	_, err := fmt.Fprintf(w, "%s protocol, %s rows in %d parts, embedder %s, %s\n\n",
		r.Protocol, showCount(r.Rows), r.Parts, r.Embedder, what)
	if err != nil {
		return err
	}
	t := table{columns: []column{
		words(""), figures("accuracy"), figures("macro_f1"), figures("l3_as_l1"), figures("ece"), figures("covered_share"),
		figures("covered_accuracy"), figures("p99_ms"),
	}}
	t.rows = append(t.rows, []string{
		"classifier", three(r.Accuracy), three(r.MacroF1), three(r.L3AsL1), three(r.ECE), three(r.CoveredShare),
		three(r.CoveredAccuracy), three(r.P99MS),
	})
	for _, b := range r.Baselines {
		t.rows = append(t.rows, []string{b.Name, three(b.Accuracy), three(b.MacroF1), three(b.L3AsL1), none, none, none, none})
	}
	if err := t.write(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nabstained: %s\n\n", counted(r.Abstained)); err != nil {
		return err
	}
	parts := table{columns: []column{
		words("part"), figures("rows"), figures("accuracy"), figures("macro_f1"), figures("covered_share"), figures("covered_accuracy"),
	}}
	for _, name := range slices.Sorted(maps.Keys(r.PartMetrics)) {
		p := r.PartMetrics[name]
		parts.rows = append(parts.rows, []string{
			name, showCount(p.Rows), three(p.Accuracy), three(p.MacroF1), three(p.CoveredShare), three(p.CoveredAccuracy),
		})
	}
	return parts.write(w)
}

func three(x float64) string { return fmt.Sprintf("%.3f", x) }

func counted(causes map[string]int) string {
	var parts []string
	for _, cause := range slices.Sorted(maps.Keys(causes)) {
		parts = append(parts, fmt.Sprintf("%s %s", cause, showCount(causes[cause])))
	}
	return orNone(strings.Join(parts, ", "), "never")
}
