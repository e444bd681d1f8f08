package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// ErrNoFunction means that a Provider was made without something to call.
var ErrNoFunction = errors.New("a provider embedder without a function")

// A VectorsError means that a provider's function returned something else than one vector of finite numbers of the
// right length for each text. The numbers are for logs; no text is in them.
type VectorsError struct {
	ID     string
	Reason string
}

func (e *VectorsError) Error() string { return fmt.Sprintf("embedder %s: %s", e.ID, e.Reason) }

// Provider embeds through a function, behind which is a hosted model, a cache or both. It is as deterministic as the
// function, and as safe for concurrent use.
type Provider struct {
	id   string
	dim  int
	call func(context.Context, []string) ([][]float32, error)
}

// NewProvider wraps a function that embeds all texts it is given: how many go into one call to a network is its own
// affair. The id names the model, since there are no weights to hash, and must change when the model does. It fails on
// an empty id, a dimension that is not from 1 to 4,096, and without a function.
func NewProvider(
	id string, dim int, call func(ctx context.Context, texts []string) ([][]float32, error),
) (*Provider, error) {
	switch {
	case id == "":
		return nil, errors.New("a provider embedder without an id")
	case dim < 1 || dim > maxDim:
		return nil, fmt.Errorf("embedder %s: dimension %d must be from 1 to %d", id, dim, maxDim)
	case call == nil:
		return nil, ErrNoFunction
	}
	return &Provider{id: id, dim: dim, call: call}, nil
}

// ID is "provider:", the id given and the dimension.
func (p *Provider) ID() string { return fmt.Sprintf("provider:%s:%d", p.id, p.dim) }

// Dim is the length of every vector.
func (p *Provider) Dim() int { return p.dim }

// Embed implements Embedder. It returns the function's error, or a *VectorsError for vectors that cannot be used. The
// function is not called without texts, and what it returns is not changed: it may come from a cache.
func (p *Provider) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, ctx.Err()
	}
	got, err := p.call(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("embedder %s: %w", p.ID(), err)
	}
	if len(got) != len(texts) {
		return nil, p.refuse("%d vectors for %d texts", len(got), len(texts))
	}
	vectors := make([][]float32, len(got))
	for i, v := range got {
		if len(v) != p.dim {
			return nil, p.refuse("vector %d has %d dimensions, not %d", i, len(v), p.dim)
		}
		for j, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, p.refuse("vector %d has %v in dimension %d", i, x, j)
			}
		}
		vectors[i] = append([]float32(nil), v...)
		normalise(vectors[i])
	}
	return vectors, nil
}

func (p *Provider) refuse(format string, args ...any) error {
	return &VectorsError{ID: p.ID(), Reason: fmt.Sprintf(format, args...)}
}
