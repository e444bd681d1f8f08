package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/task"
)

type classifyCmd struct {
	Text    string `arg:"" help:"The text of the task."`
	Feature string `placeholder:"NAME" help:"The feature of weir.yaml that the task belongs to."`
	Model   string `type:"existingfile" placeholder:"FILE" help:"A model that 'weir train' wrote; without one, the rules decide."`
	Explain bool   `help:"Say what the decision rests on."`
	JSON    bool   `help:"Print one JSON object."`
}

// Help is the long help.
func (classifyCmd) Help() string {
	return `Says which class a task has, by the ways of weir.yaml, where there is one, and the given model: the feature's class,
rules, model, default. What recorded tasks tell is left out, so that no database is needed.`
}

// classified is what is said of a text. Probabilities and what follows are the model's.
type classified struct {
	Class         task.Class                `json:"class"`
	Source        string                    `json:"source"`
	Rule          string                    `json:"rule,omitempty"`
	Confidence    float64                   `json:"confidence"`
	Probabilities *classifier.Probabilities `json:"probabilities,omitempty"`
	Model         string                    `json:"model,omitempty"`
	Abstained     string                    `json:"abstained,omitempty"`
	Explanation   *model.Explanation        `json:"explanation,omitempty"`
}

// Run classifies one text.
func (c *classifyCmd) Run(ctx context.Context, a *app) error {
	chain, feature, err := c.ways(a)
	if err != nil {
		return err
	}
	subject := classifier.Subject{Task: &task.Task{Input: c.Text, Feature: c.Feature}, Feature: feature}
	var m *model.Model
	if c.Model != "" {
		known, done := a.embedders()
		defer done()
		if m, _, err = loadModel(ctx, known, c.Model); err != nil {
			return err
		}
		chain.Use(classifier.Learned{Model: m})
	}
	d, err := chain.Classify(subject)
	if err == nil && d.Pending {
		if err = chain.Prepare(ctx, []classifier.Subject{subject}); err == nil {
			d, err = chain.Classify(subject)
		}
	}
	if err != nil {
		return err
	}
	said := classified{
		Class: d.Class, Source: d.Source, Rule: d.Rule, Confidence: d.Confidence, Probabilities: d.Probabilities,
		Model: d.Learned, Abstained: d.Abstained,
	}
	if c.Explain && m != nil && d.Probabilities != nil {
		_, explanation := m.Explain(features.FromTask(subject.Task, feature))
		said.Explanation = &explanation
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(said)
	}
	return said.write(a.stdout, c.Explain)
}

// ways are those of weir.yaml. Without the file and without a feature of it, there is only the default.
func (c *classifyCmd) ways(a *app) (*classifier.Chain, catalog.Feature, error) {
	s, err := readSetup(a.config.ConfigFile, a.config.PricingDir)
	if _, missing := os.Stat(a.config.ConfigFile); errors.Is(missing, os.ErrNotExist) && c.Feature == "" {
		chain, err := classifier.New(catalog.Classifier{})
		return chain, catalog.Feature{}, err
	}
	if err != nil {
		return nil, catalog.Feature{}, err
	}
	if c.Feature == "" {
		return s.classifier, catalog.Feature{}, nil
	}
	feature, ok := s.catalog.Features[c.Feature]
	if !ok {
		return nil, feature, fmt.Errorf("%s defines no feature %q", a.config.ConfigFile, c.Feature)
	}
	return s.classifier, feature, nil
}

func (c *classified) write(w io.Writer, explain bool) error {
	lines := [][2]string{
		{"class", string(c.Class)},
		{"by", joined(" ", c.Source, c.Rule)},
		{"confidence", fmt.Sprintf("%.3f", c.Confidence)},
	}
	if !explain {
		lines = lines[:1]
	}
	if p := c.Probabilities; explain && p != nil {
		lines = append(lines,
			[2]string{"probabilities", fmt.Sprintf("L1 %.3f, L2 %.3f, L3 %.3f", p[0], p[1], p[2])},
			[2]string{"model", c.Model},
			[2]string{"abstained", orNone(c.Abstained, "no")},
		)
	}
	if e := c.Explanation; e != nil {
		lines = append(lines,
			[2]string{"expected cost", fmt.Sprintf("%.3f as L1, %.3f as L2, %.3f as L3; the gap is %.3f, at least %.3f",
				e.Expected[0], e.Expected[1], e.Expected[2], e.CostGap, e.Thresholds.CostGap)},
			[2]string{"similarity", fmt.Sprintf("%.3f, at least %.3f", e.Similarity, e.Thresholds.Similarity)},
			[2]string{"least sure", fmt.Sprintf("%.3f", e.Thresholds.Confidence)},
		)
		for _, r := range e.Reasons {
			lines = append(lines, [2]string{"  reason", fmt.Sprintf("%+.3f %s, against %s", r.Weight, r.Feature, e.Against)})
		}
	}
	var out strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&out, "%-15s %s\n", line[0], line[1])
	}
	_, err := io.WriteString(w, out.String())
	return err
}
