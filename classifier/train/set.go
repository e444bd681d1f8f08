package train

import (
	"context"
	"fmt"
	"slices"

	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/features"
)

// Example is a row's features and label.
type Example struct {
	features.Vector
	// Level is 0, 1 or 2.
	Level int
	// Group and Source are those of the row.
	Group, Source string
	// Prompt is the row's text.
	Prompt string
}

// Set is examples by one embedder.
type Set struct {
	Embedder embed.Embedder
	Examples []*Example
	// Hash is that of the rows.
	Hash string
}

// embedBatch is how many texts are embedded at a time.
const embedBatch = 256

// Prepare computes the features of rows. The error is the embedder's.
func Prepare(ctx context.Context, rows []Row, hash string, embedder embed.Embedder) (*Set, error) {
	set := &Set{Embedder: embedder, Hash: hash, Examples: make([]*Example, 0, len(rows))}
	extractor := features.New()
	var scratch features.Vector
	for batch := range slices.Chunk(rows, embedBatch) {
		texts := make([]string, len(batch))
		for i := range batch {
			view := batch[i].View()
			texts[i] = view.Text
			extractor.Fill(&scratch, view)
			e := &Example{
				Level: batch[i].Level - 1, Group: batch[i].Group(), Source: batch[i].Source, Prompt: batch[i].Prompt,
			}
			e.Counters, e.Index, e.Value = scratch.Counters, slices.Clone(scratch.Index), slices.Clone(scratch.Value)
			set.Examples = append(set.Examples, e)
		}
		vectors, err := embedder.Embed(ctx, texts)
		if err != nil {
			return nil, fmt.Errorf("embed rows: %w", err)
		}
		if len(vectors) != len(texts) {
			return nil, fmt.Errorf("embed rows: %d vectors of %d texts", len(vectors), len(texts))
		}
		first := len(set.Examples) - len(batch)
		for i, vector := range vectors {
			set.Examples[first+i].Embedding = vector
		}
	}
	return set, nil
}

// Select is the examples that keep is true of.
func (s *Set) Select(keep func(*Example) bool) *Set {
	kept := &Set{Embedder: s.Embedder, Hash: s.Hash}
	for _, e := range s.Examples {
		if keep(e) {
			kept.Examples = append(kept.Examples, e)
		}
	}
	return kept
}

// groups is how many examples each group has.
func (s *Set) groups() map[string]int {
	sizes := map[string]int{}
	for _, e := range s.Examples {
		sizes[e.Group]++
	}
	return sizes
}
