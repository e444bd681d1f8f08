package embed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"unicode/utf8"
)

// ErrNoFunction means that a Provider was made without something to call.
var ErrNoFunction = errors.New("a provider embedder without a function")

// What a Provider shows of a long text, in bytes. Fewer tokens than that fit into every model's window, and what a task is
// about stands at its ends.
const (
	ProviderHead = 1536
	ProviderTail = 512
)

// How many vectors a Provider remembers: as many as fit into providerBytes, 10,000 of 1,536 dimensions, and at most
// providerVectors.
const (
	providerBytes   = 64 << 20
	providerVectors = 1 << 14
)

// A VectorsError means that a provider's function returned something else than one vector of finite numbers of the
// right length for each text. The numbers are for logs; no text is in them.
type VectorsError struct {
	ID     string
	Reason string
}

func (e *VectorsError) Error() string { return fmt.Sprintf("embedder %s: %s", e.ID, e.Reason) }

// Provider embeds through a function, behind which is a hosted model, a cache or both, and remembers what it has embedded
// last. It is as deterministic as the function, and as safe for concurrent use.
type Provider struct {
	id   string
	dim  int
	call func(context.Context, []string) ([][]float32, error)

	mu    sync.Mutex
	known map[textHash][]float32 // of unit length
	order []textHash             // of known, a ring of the size that may be known
	next  int
}

type textHash = [sha256.Size]byte

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
	return &Provider{
		id: id, dim: dim, call: call, known: map[textHash][]float32{}, order: make([]textHash, min(providerVectors, providerBytes/(4*dim))),
	}, nil
}

// ID is "provider:", the id given and the dimension.
func (p *Provider) ID() string { return fmt.Sprintf("provider:%s:%d", p.id, p.dim) }

// Dim is the length of every vector.
func (p *Provider) Dim() int { return p.dim }

// Embed implements Embedder. Of a long text its ends are embedded, of a blank one nothing, and of a text that is remembered
// nothing once more. It returns the function's error, or a *VectorsError for vectors that cannot be used; what the function
// returns is not changed: it may come from a cache.
func (p *Provider) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, hashes := make([][]float32, len(texts)), make([]textHash, len(texts))
	var asked []string
	var missing []int
	for i, text := range texts {
		vectors[i] = make([]float32, p.dim)
		shown := ends(text)
		hashes[i] = sha256.Sum256([]byte(shown))
		if shown != "" && !p.recall(vectors[i], hashes[i]) {
			asked, missing = append(asked, shown), append(missing, i)
		}
	}
	if len(asked) == 0 {
		return vectors, ctx.Err()
	}
	got, err := p.call(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("embedder %s: %w", p.ID(), err)
	}
	if err := p.check(got, len(asked)); err != nil {
		return nil, err
	}
	for i, v := range got {
		own := vectors[missing[i]]
		copy(own, v)
		normalise(own)
		p.remember(hashes[missing[i]], own)
	}
	return vectors, nil
}

// Recall copies the vector of a text that was embedded before, and is false where it is not remembered. It calls nothing.
func (p *Provider) Recall(dst []float32, text string) bool {
	shown := ends(text)
	if shown == "" {
		clear(dst)
		return true
	}
	return p.recall(dst, sha256.Sum256([]byte(shown)))
}

func (p *Provider) recall(dst []float32, hash textHash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.known[hash]
	copy(dst, v)
	return ok
}

// remember forgets the vector that has been remembered longest where there are too many.
func (p *Provider) remember(hash textHash, v []float32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.known[hash]; ok {
		return
	}
	delete(p.known, p.order[p.next])
	p.order[p.next], p.known[hash] = hash, append([]float32(nil), v...)
	p.next = (p.next + 1) % len(p.order)
}

func (p *Provider) check(got [][]float32, texts int) error {
	if len(got) != texts {
		return p.refuse("%d vectors for %d texts", len(got), texts)
	}
	for i, v := range got {
		if len(v) != p.dim {
			return p.refuse("vector %d has %d dimensions, not %d", i, len(v), p.dim)
		}
		for j, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return p.refuse("vector %d has %v in dimension %d", i, x, j)
			}
		}
	}
	return nil
}

func (p *Provider) refuse(format string, args ...any) error {
	return &VectorsError{ID: p.ID(), Reason: fmt.Sprintf(format, args...)}
}

// ends is what is shown of a text; empty for one that has nothing but blanks.
func ends(text string) string {
	text = strings.TrimSpace(text)
	if len(text) <= ProviderHead+ProviderTail {
		return text
	}
	head, tail := ProviderHead, len(text)-ProviderTail
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + "\n" + text[tail:]
}
