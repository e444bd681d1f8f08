package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/classifier/train"
)

type trainCmd struct {
	Data     string `xor:"rows" required:"" type:"existingfile" placeholder:"FILE" help:"Labelled prompts, JSON lines {prompt, level, source, task}, .gz too."`
	FromDB   bool   `name:"from-db" xor:"rows" required:"" help:"Take the recorded tasks of DATABASE_URL: the cheapest tier whose answer was accepted, or the outcome, is the label."`
	Days     int    `default:"90" placeholder:"DAYS" help:"With --from-db: the tasks of so many days."`
	GroupBy  string `default:"source:task" enum:"source:task,source" help:"What is kept out together to calibrate: source:task or source."`
	Embedder string `default:"static" help:"What turns texts into vectors: static (the built-in table), hash (no weights), or an embedder of weir.yaml, whose provider then sees the texts."`
	Out      string `required:"" placeholder:"FILE" help:"Where the model goes."`
	JSON     bool   `help:"Print one JSON object."`
}

// Help is the long help.
func (trainCmd) Help() string {
	return `Trains the classifier's model on labelled prompts, calibrates it on groups that were kept out, and finds the
thresholds below which it does not decide. The same rows make the same file, bit by bit.`
}

// Run trains a model.
func (c *trainCmd) Run(ctx context.Context, a *app) error {
	rows, hash, err := c.rows(ctx, a)
	if err != nil {
		return err
	}
	if c.GroupBy == "source" {
		for i := range rows {
			rows[i].Task = ""
		}
	}
	known, done := a.embedders()
	defer done()
	embedder, err := known.named(ctx, c.Embedder)
	if err != nil {
		return err
	}
	start := time.Now()
	set, err := train.Prepare(ctx, rows, hash, embedder)
	if err != nil {
		return err
	}
	parameters, err := train.Train(set, train.Default(c.Embedder))
	if err != nil {
		return err
	}
	modelHash, size, err := saveModel(c.Out, parameters)
	if err != nil {
		return err
	}
	return c.say(a.stdout, parameters, modelHash, size, time.Since(start))
}

// saveModel writes a model file whole or not at all, and returns its hash and size.
func saveModel(out string, p *model.Parameters) (hash string, size int, err error) {
	var file bytes.Buffer
	if hash, err = p.Write(&file); err != nil {
		return "", 0, err
	}
	err = writeAtomically(out, func(f *os.File) error {
		_, err := f.Write(file.Bytes())
		return err
	})
	if err != nil {
		return "", 0, fmt.Errorf("write %s: %w", out, err)
	}
	return hash, file.Len(), nil
}

func (c *trainCmd) rows(ctx context.Context, a *app) ([]train.Row, string, error) {
	if !c.FromDB {
		return readRows(c.Data)
	}
	pool, err := a.openPool(ctx)
	if err != nil {
		return nil, "", err
	}
	defer pool.Close()
	return recordedRows(ctx, pool, time.Now().AddDate(0, 0, -c.Days))
}

func (c *trainCmd) say(w io.Writer, p *model.Parameters, hash string, size int, took time.Duration) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(map[string]any{"file": c.Out, "sha256": hash, "bytes": size, "header": p.Header})
	}
	t := p.Thresholds
	lines := [][2]string{
		{"model", c.Out},
		{"sha256", hash},
		{"size", showCount(size) + " bytes"},
		{"embedder", p.Embedder},
		{"rows", showCount(p.Training.Rows) + " of " + showCount(p.Training.Groups) + " groups"},
		{"took", took.Round(100 * time.Millisecond).String()},
		{"temperature", strconv.FormatFloat(p.Temperature, 'f', 3, 64)},
		{"decides", fmt.Sprintf("from confidence %.3f, cost gap %.2f and similarity %.3f on", t.Confidence, t.CostGap, t.Similarity)},
		{"unseen", fmt.Sprintf("it decides %s of the rows of groups that were kept out, and is right in %s of those",
			percent(p.Training.Covered), percent(p.Training.CoveredAccuracy))},
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(w, "%-11s  %s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	return nil
}

func readRows(path string) (rows []train.Row, hash string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = f.Close() }()
	rows, hash, err = train.ReadRows(f)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return rows, hash, nil
}
