package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/classifier/train"
)

// Config is what is judged and how.
type Config struct {
	// Data are the rows to judge, and DataHash their hash.
	Data     []train.Row
	DataHash string
	// Train are the rows to train on; nil takes Data.
	Train     []train.Row
	TrainHash string
	// Model is judged as it is; nil trains one for each part of the protocol.
	Model *model.Model
	// Embedder is that of the model, or of the ones that are trained.
	Embedder embed.Embedder
	// Training says how they are trained.
	Training train.Config
	// Protocol is one of Protocols. Given needs a model or rows to train on.
	Protocol string
	// Folds is how many parts random and group cut the rows into.
	Folds int
	// Now is the clock that decisions are timed by.
	Now func() time.Time
}

// Report is what came out.
type Report struct {
	Protocol string `json:"protocol"`
	Embedder string `json:"embedder"`
	// Model is the hash of the model that was judged; empty where models were trained for it.
	Model string `json:"model,omitempty"`
	// Parts is how many parts were judged apart.
	Parts int `json:"parts"`
	Metrics
	// PartMetrics are the metrics of each part.
	PartMetrics map[string]Part `json:"part_metrics,omitempty"`
	// Baselines are the same rows by majority, by length alone and by a logistic regression over TF-IDF.
	Baselines []Baseline `json:"baselines"`
}

// Part is how one part did.
type Part struct {
	Rows            int     `json:"rows"`
	Accuracy        float64 `json:"accuracy"`
	MacroF1         float64 `json:"macro_f1"`
	CoveredShare    float64 `json:"covered_share"`
	CoveredAccuracy float64 `json:"covered_accuracy"`
}

// ErrNothingToTrain means that the protocol given has neither a model nor rows to train one on.
var ErrNothingToTrain = errors.New("the protocol given needs a model, or rows to train one on")

// Run judges. It fails with ErrNothingToTrain, on an unknown protocol, and as training and the embedder do.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Protocol == Given && c.Model == nil && c.Train == nil {
		return nil, ErrNothingToTrain
	}
	data, err := train.Prepare(ctx, c.Data, c.DataHash, c.Embedder)
	if err != nil {
		return nil, err
	}
	seen, apart := data, c.Protocol
	if c.Train != nil {
		if seen, err = train.Prepare(ctx, c.Train, c.TrainHash, c.Embedder); err != nil {
			return nil, err
		}
	}
	parts, err := split(data, c.Protocol, c.Folds, c.Training.Seed)
	if err != nil {
		return nil, err
	}
	r := &Report{Protocol: c.Protocol, Embedder: c.Embedder.ID(), Parts: len(parts), PartMetrics: map[string]Part{}}
	if c.Model != nil {
		r.Model = c.Model.Hash()
	}
	all := make([]judged, len(data.Examples))
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.judge(ctx, seen, p, all); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", c.Protocol, p.name, err)
		}
		m := measure(pick(all, p.rows))
		r.PartMetrics[p.name] = Part{m.Rows, m.Accuracy, m.MacroF1, m.CoveredShare, m.CoveredAccuracy}
	}
	r.Metrics = measure(all)
	if c.Protocol == Given && c.Train == nil { // baselines must not see what they are judged on
		apart = Group
	}
	if parts, err = split(data, apart, c.Folds, c.Training.Seed); err != nil {
		return nil, err
	}
	r.Baselines, err = baselines(data, seen, parts)
	return r, err
}

// judgeBatch is how many rows are prepared at a time.
const judgeBatch = 256

// judge puts what is said of a part's rows in their places in all.
func (c *Config) judge(ctx context.Context, seen *train.Set, p part, all []judged) error {
	m := c.Model
	if m == nil {
		parameters, err := train.Train(seen.Select(func(e *train.Example) bool { return !p.hidden(e) }), c.Training)
		if err != nil {
			return err
		}
		if m, err = model.New(parameters, c.Embedder); err != nil {
			return err
		}
	}
	for rows := range slices.Chunk(p.rows, judgeBatch) {
		views := make([]features.View, len(rows))
		for k, i := range rows {
			views[k] = c.Data[i].View()
		}
		if err := m.PrepareViews(ctx, views); err != nil {
			return err
		}
		for k, i := range rows {
			start := c.Now()
			prediction := m.Predict(views[k])
			all[i] = judged{level: c.Data[i].Level - 1, prediction: prediction, took: c.Now().Sub(start)}
		}
	}
	return nil
}

func pick(all []judged, rows []int) []judged {
	picked := make([]judged, len(rows))
	for i, row := range rows {
		picked[i] = all[row]
	}
	return picked
}
