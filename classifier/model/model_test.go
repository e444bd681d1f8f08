package model_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
)

// someParameters are weights by a seed: nothing is trained, and all parts of a model are there.
func someParameters(tb testing.TB, embedder embed.Embedder) *model.Parameters {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	weight := func() float32 { return float32(random.NormFloat64() / 4) }
	weights := func() (w [model.Classes]float32) {
		for k := range w {
			w[k] = weight()
		}
		return w
	}
	p := &model.Parameters{
		Header: model.Header{
			Features: features.Version, Embedder: embedder.ID(), Dim: embedder.Dim(), Temperature: 1.5, Cost: model.DefaultCost(),
			Thresholds: model.Thresholds{Confidence: 0.5, CostGap: 0.1}, Grams: 500,
		},
		Linear: &model.Linear{Bias: weights()},
	}
	for i := range p.Linear.Counters {
		p.Linear.Counters[i] = weights()
	}
	for range embedder.Dim() {
		p.Linear.Embedding = append(p.Linear.Embedding, weights())
	}
	for i := range p.Grams {
		p.Linear.Index = append(p.Linear.Index, uint16(i*131))
		p.Linear.Grams = append(p.Linear.Grams, weights())
	}
	return p
}

// prompts are texts of all lengths and several scripts.
func prompts() []string {
	parts := []string{
		"Sort the message into billing or delivery.", "Prove that the sum is even, by induction.", "Übersetze den Satz ins Englische.",
		"要約してください。", "```go\nfunc main() {}\n```", "1. one\n2. two\n3. three", "What must the answer include? Exactly 3 words.", "",
	}
	var all []string
	for i := range 240 {
		all = append(all, fmt.Sprintf("%s %d %s", strings.Repeat(parts[i%len(parts)]+" ", 1+i%7), i, parts[(i/3)%len(parts)]))
	}
	return all
}

// probabilitiesHash is that of all probabilities, bit by bit, on amd64.
const probabilitiesHash = "21abbe932ba461e221ac65ccf08e834fbfe15d3cbb39cceca144a17e11da3baa"

// The same task has the same probabilities to the last bit, on any number of processors, in every build, and under the race
// detector, which runs this too.
func TestModel_Deterministic(t *testing.T) { //nolint:paralleltest // it changes GOMAXPROCS
	embedder, err := embed.NewStatic()
	require.NoError(t, err)
	m, err := model.New(someParameters(t, embedder), embedder)
	require.NoError(t, err)
	texts := prompts()
	for _, processors := range []int{1, 4} {
		before := runtime.GOMAXPROCS(processors)
		found := make([]model.Prediction, len(texts))
		var all sync.WaitGroup
		for i, text := range texts {
			all.Go(func() { found[i] = m.Predict(features.FromPrompt(text)) })
		}
		all.Wait()
		runtime.GOMAXPROCS(before)
		h := sha256.New()
		for _, p := range found {
			for _, x := range p.Probabilities {
				var bits [8]byte
				binary.LittleEndian.PutUint64(bits[:], math.Float64bits(x))
				_, _ = h.Write(bits[:])
			}
		}
		if got := hex.EncodeToString(h.Sum(nil)); runtime.GOARCH == "amd64" {
			require.Equal(t, probabilitiesHash, got)
		}
	}
}

func TestParameters_RoundTrip(t *testing.T) {
	t.Parallel()
	embedder, err := embed.NewHash(embed.HashDim)
	require.NoError(t, err)
	p := someParameters(t, embedder)
	var file bytes.Buffer
	hash, err := p.Write(&file)
	require.NoError(t, err)
	read, err := model.Read(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	require.Equal(t, p.Linear, read.Linear)
	m, err := model.New(read, embedder)
	require.NoError(t, err)
	require.Equal(t, hash, m.Hash())
	static, err := embed.NewStatic()
	require.NoError(t, err)
	_, err = model.New(read, static)
	require.ErrorContains(t, err, "train again")
}

func TestRead_Refuses(t *testing.T) {
	t.Parallel()
	embedder, err := embed.NewHash(embed.HashDim)
	require.NoError(t, err)
	var file bytes.Buffer
	_, err = someParameters(t, embedder).Write(&file)
	require.NoError(t, err)
	good := file.Bytes()
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		is   error
	}{
		{"Empty", nil, model.ErrNotModel},
		{"Other", []byte("PK\x03\x04"), model.ErrNotModel},
		{"HeadAlone", good[:20], model.ErrDamaged},
		{"Short", good[:len(good)-1], model.ErrDamaged},
		{"Flipped", flipped, model.ErrDamaged},
		{"Long", append(bytes.Clone(good), 0), model.ErrDamaged},
		{"TooLarge", make([]byte, model.MaxFileBytes+1), model.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := model.Read(bytes.NewReader(c.data))
			require.ErrorIs(t, err, c.is)
		})
	}
}

// A header that announces more than the file has allocates nothing, whatever its checksum says.
func FuzzRead(f *testing.F) {
	embedder, err := embed.NewHash(embed.HashDim)
	require.NoError(f, err)
	var file bytes.Buffer
	_, err = someParameters(f, embedder).Write(&file)
	require.NoError(f, err)
	f.Add(file.Bytes()[len(model.Magic) : file.Len()-sha256.Size])
	f.Add([]byte("\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		data := append([]byte(model.Magic), content...)
		sum := sha256.Sum256(data)
		p, err := model.Read(bytes.NewReader(append(data, sum[:]...)))
		if err != nil {
			return
		}
		_, err = p.Write(&bytes.Buffer{})
		require.NoError(t, err, "what is read can be written")
	})
}

func TestDecide(t *testing.T) {
	t.Parallel()
	h := &model.Header{Temperature: 1, Cost: model.DefaultCost()}
	sure := h.Decide([model.Classes]float64{9, 0, 0}, 1)
	require.Equal(t, 0, sure.Level())
	require.Empty(t, sure.Abstained)
	// L3 served as L1 is the dearest mistake: 0.45 of it is enough not to risk it
	require.Equal(t, 2, new(h.Decide([model.Classes]float64{math.Log(0.5), math.Log(0.05), math.Log(0.45)}, 1)).Level())
	h.Thresholds = model.Thresholds{Confidence: 0.9, CostGap: 0.7, Similarity: 0.5}
	unsure := [model.Classes]float64{math.Log(0.8), math.Log(0.15), math.Log(0.05)}
	require.Equal(t, model.AbstainedDistribution, h.Decide(unsure, 0.4).Abstained)
	require.Equal(t, model.AbstainedConfidence, h.Decide(unsure, 1).Abstained)
	h.Thresholds.Confidence = 0
	require.Equal(t, model.AbstainedCostGap, h.Decide(unsure, 1).Abstained)
	require.InDelta(t, 1.0/3, model.Softmax([model.Classes]float64{1e9, 1e9, 1e9}, 1)[1], 1e-12)
}

func BenchmarkPredict(b *testing.B) {
	embedder, err := embed.NewStatic()
	require.NoError(b, err)
	m, err := model.New(someParameters(b, embedder), embedder)
	require.NoError(b, err)
	view := features.FromPrompt(strings.Repeat("Where is the parcel that I ordered last week? ", 13)) // some 128 tokens
	for b.Loop() {
		m.Predict(view)
	}
}
