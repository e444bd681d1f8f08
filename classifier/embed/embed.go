// Package embed turns texts into vectors that a classifier can learn from: a table of word pieces that is built into the
// binary, hashed n-grams without any weights, an ONNX model behind the build tag ort, or whatever a provider returns. It
// neither trains nor classifies, and apart from a provider's function nothing in it touches a network or a disk.
package embed

import (
	"context"
	"math"
)

// What is looked at of a long text. A prompt's task stands at its start and often again at its end, and bounded work
// keeps a text of a megabyte as cheap as one of a page.
const (
	// HeadTokens is how many word pieces count from the start of a text that has more than HeadTokens + TailTokens.
	HeadTokens = 96
	// TailTokens is how many count from its end.
	TailTokens = 32
	// HeadBytes bounds where the head is searched for: 96 pieces of English take 500 bytes, and a text may be
	// blank for a megabyte.
	HeadBytes = 8 << 10
	// TailBytes bounds where the tail is searched for. It is smaller, because all of it is cut into pieces before
	// the last ones are known.
	TailBytes = 512
)

// Embedder turns texts into vectors. Implementations are deterministic, unless a network is behind them, and safe for
// concurrent use.
type Embedder interface {
	// ID names the kind, the start of the weights' SHA-256 and the dimension, such as "static:1f2e3d4c5b6a:256". A model
	// file pins it: vectors of another embedder mean something else.
	ID() string
	// Dim is the length of every vector.
	Dim() int
	// Embed returns one vector a text, in their order, of length 1 in the Euclidean norm; the zero vector for a text in
	// which the embedder knows no word. The error is the context's, or says what an external embedder returned.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Local is an embedder that needs nothing but the processor.
type Local interface {
	Embedder
	// Into is Embed for one text, into a vector of length Dim.
	Into(dst []float32, text string)
}

// Remote is an embedder behind a network, which remembers what it has embedded.
type Remote interface {
	Embedder
	// Recall copies the vector of a text that Embed was given before, and is false where it is not remembered.
	Recall(dst []float32, text string) bool
}

// normalise scales a vector to length 1 and leaves the zero vector as it is. Sums are in float64 and each product is
// rounded by its own conversion, because a compiler may otherwise fuse it with the addition on some architectures and
// not on others.
func normalise(v []float32) {
	var sum float64
	for _, x := range v {
		sum += float64(float64(x) * float64(x))
	}
	if sum == 0 {
		return
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
}

// embedEach is Embed for an embedder that works text by text. It looks at the context between texts: a batch may be
// large, a text is not.
func embedEach(ctx context.Context, texts []string, dim int, into func([]float32, string)) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	flat := make([]float32, len(texts)*dim)
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		vectors[i] = flat[i*dim : (i+1)*dim : (i+1)*dim]
		into(vectors[i], text)
	}
	return vectors, nil
}
