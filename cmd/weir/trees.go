package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"

	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/classifier/train"
)

type modelsVectorsCmd struct {
	Data     string `required:"" type:"existingfile" placeholder:"FILE" help:"Labelled prompts, JSON lines {prompt, level, source, task}, .gz too."`
	Embedder string `default:"static" help:"What turns texts into vectors: static (the built-in table), hash (no weights), or an embedder of weir.yaml."`
	Out      string `required:"" placeholder:"FILE" help:"The CSV file to write: group, level from 0 on, the counters, the embedding."`
}

// Help is the long help.
func (modelsVectorsCmd) Help() string {
	return `Writes what a model sees of prompts, to train trees on it with XGBoost: all columns but the first two are the inputs, in this
order. Keep whole groups out when you judge such a model. 'weir classifier import' makes a model file of what XGBoost saves.`
}

// Run writes vectors.
func (c *modelsVectorsCmd) Run(ctx context.Context, a *app) error {
	rows, hash, err := readRows(c.Data)
	if err != nil {
		return err
	}
	known, done := a.embedders()
	defer done()
	embedder, err := known.named(ctx, c.Embedder)
	if err != nil {
		return err
	}
	set, err := train.Prepare(ctx, rows, hash, embedder)
	if err != nil {
		return err
	}
	err = writeAtomically(c.Out, func(f *os.File) error { return writeVectors(csv.NewWriter(f), set) })
	if err != nil {
		return fmt.Errorf("write %s: %w", c.Out, err)
	}
	_, err = fmt.Fprintf(a.stdout, "wrote %s: %s rows of %d inputs\n", c.Out, showCount(len(set.Examples)), features.Counters+embedder.Dim())
	return err
}

func writeVectors(w *csv.Writer, set *train.Set) error {
	head := []string{"group", "level"}
	for _, name := range features.CounterNames() {
		head = append(head, name)
	}
	for i := range set.Embedder.Dim() {
		head = append(head, "e"+strconv.Itoa(i))
	}
	if err := w.Write(head); err != nil {
		return err
	}
	number := func(x float32) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }
	for _, e := range set.Examples {
		line := []string{e.Group, strconv.Itoa(e.Level)}
		for _, x := range e.Counters {
			line = append(line, number(x))
		}
		for _, x := range e.Embedding {
			line = append(line, number(x))
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

type modelsImportCmd struct {
	Trees       string  `arg:"" type:"existingfile" help:"A model that XGBoost saved as JSON, of the objective multi:softprob and three classes."`
	Embedder    string  `default:"static" help:"The embedder of the vectors that it was trained on."`
	Temperature float64 `default:"1" help:"What the scores are divided by before they become probabilities; more is less sure."`
	Confidence  float64 `default:"0" help:"The least probability with which the model decides."`
	Out         string  `required:"" placeholder:"FILE" help:"Where the model goes."`
}

// Help is the long help.
func (modelsImportCmd) Help() string {
	return `Makes a model file of trees, to be judged, promoted and explained as a trained one is. The inputs are those of 'weir classifier
vectors'. XGBoost itself is not needed, here or later. Calibration is yours: choose the temperature and the least confidence on
groups that the trees have not seen.`
}

// Run makes a model file.
func (c *modelsImportCmd) Run(ctx context.Context, a *app) error {
	if !(c.Temperature > 0) || c.Confidence < 0 || c.Confidence > 1 {
		return fmt.Errorf("%w: --temperature must be above 0, and --confidence from 0 to 1", errUsage)
	}
	known, done := a.embedders()
	defer done()
	embedder, err := known.named(ctx, c.Embedder)
	if err != nil {
		return err
	}
	document, err := os.ReadFile(c.Trees)
	if err != nil {
		return fmt.Errorf("read trees: %w", err)
	}
	if _, err := model.ParseTrees(document, embedder.Dim()); err != nil {
		return fmt.Errorf("%s: %w", c.Trees, err)
	}
	parameters := model.Parameters{
		Header: model.Header{
			Features: features.Version, Embedder: embedder.ID(), Dim: embedder.Dim(), Temperature: c.Temperature, Cost: model.DefaultCost(),
			Thresholds: model.Thresholds{Confidence: c.Confidence}, TreeBytes: len(document),
		},
		Trees: document,
	}
	hash, _, err := saveModel(c.Out, &parameters)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "wrote %s: model %s\n", c.Out, hash[:shortHash])
	return err
}
