package model

import (
	"context"
	"fmt"
	"sync"

	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/features"
)

// Model is a trained model in use. It is immutable and safe for concurrent use; the same task always gets the same
// prediction, as far as the embedder gives the same vector.
type Model struct {
	parameters *Parameters
	hash       string
	scorer     scorer
	local      embed.Local  // this
	remote     embed.Remote // or that
	extractor  *features.Extractor
	vectors    sync.Pool // of *features.Vector
}

// scorer gives each class a score; the higher, the likelier.
type scorer interface {
	Score(v *features.Vector) [Classes]float64
}

// EmbedderError means that a model was trained on the vectors of another embedder.
type EmbedderError struct{ Trained, Given string }

func (e *EmbedderError) Error() string {
	return fmt.Sprintf("the model was trained with the embedder %s, and this one is %s: train again", e.Trained, e.Given)
}

// New puts parameters to use. It fails with an *EmbedderError, and on parameters that make no sense.
func New(p *Parameters, embedder embed.Embedder) (*Model, error) {
	if embedder.ID() != p.Embedder || embedder.Dim() != p.Dim {
		return nil, &EmbedderError{Trained: p.Embedder, Given: embedder.ID()}
	}
	data, err := p.encode()
	if err != nil {
		return nil, err
	}
	m := &Model{
		parameters: p, hash: hashOf(data), extractor: features.New(),
		vectors: sync.Pool{New: func() any { return &features.Vector{Embedding: make([]float32, p.Dim)} }},
	}
	switch e := embedder.(type) {
	case embed.Local:
		m.local = e
	case embed.Remote:
		m.remote = e
	default:
		return nil, fmt.Errorf("the embedder %s is neither local nor remote", embedder.ID())
	}
	if p.Linear != nil {
		m.scorer = NewScorer(p.Linear)
		return m, nil
	}
	if m.scorer, err = ParseTrees(p.Trees, p.Dim); err != nil {
		return nil, err
	}
	return m, nil
}

// Hash is the SHA-256 that the model's file ends with, in hex.
func (m *Model) Hash() string { return m.hash }

// Parameters are what the model was made of; not to be changed.
func (m *Model) Parameters() *Parameters { return m.parameters }

// Prepare implements classifier.Preparer: an embedder with a network embeds what Predict is going to be asked. Others have
// nothing to prepare.
func (m *Model) Prepare(ctx context.Context, subjects []classifier.Subject) error {
	if m.remote == nil {
		return nil
	}
	views := make([]features.View, len(subjects))
	for i, s := range subjects {
		views[i] = features.FromTask(s.Task, s.Feature)
	}
	return m.PrepareViews(ctx, views)
}

// PrepareViews is Prepare for views.
func (m *Model) PrepareViews(ctx context.Context, views []features.View) error {
	if m.remote == nil || len(views) == 0 {
		return nil
	}
	texts := make([]string, len(views))
	for i := range views {
		texts[i] = views[i].Text
	}
	_, err := m.remote.Embed(ctx, texts)
	return err
}

// Predict says what class a task has. It does no I/O; over an embedder with a network it abstains from what was not
// prepared.
func (m *Model) Predict(view features.View) Prediction {
	v, ok := m.vectors.Get().(*features.Vector)
	if !ok {
		v = &features.Vector{Embedding: make([]float32, m.parameters.Dim)}
	}
	defer m.vectors.Put(v)
	if !m.embed(v, view) {
		return Prediction{Abstained: AbstainedEmbedding}
	}
	m.extractor.Fill(v, view)
	return m.parameters.Decide(m.scorer.Score(v), Similarity(v.Embedding, m.parameters.Prototypes))
}

// embed is false when a remote embedder was not prepared for the text.
func (m *Model) embed(v *features.Vector, view features.View) bool {
	if m.remote != nil {
		return m.remote.Recall(v.Embedding, view.Text)
	}
	m.local.Into(v.Embedding, view.Text)
	return true
}

// Decide implements classifier.Way.
func (m *Model) Decide(s classifier.Subject) (classifier.Decision, bool) {
	p := m.Predict(features.FromTask(s.Task, s.Feature))
	if p.Abstained == AbstainedEmbedding {
		return classifier.Decision{Learned: m.hash, Abstained: p.Abstained, Pending: true}, false
	}
	probabilities := classifier.Probabilities(p.Probabilities)
	return classifier.Decision{
		Class: p.Class, Source: classifier.SourceModel, Confidence: p.Confidence, Probabilities: &probabilities,
		Learned: m.hash, Abstained: p.Abstained,
	}, p.Abstained == ""
}

var (
	_ classifier.Way      = (*Model)(nil)
	_ classifier.Preparer = (*Model)(nil)
)
