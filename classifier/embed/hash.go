package embed

import (
	"context"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// HashDim is the usual dimension of a Hash: that of the static table.
const HashDim = 256

// maxDim bounds the dimension of every embedder; the largest hosted models have 4,096.
const maxDim = 4096

// hashVersion is part of a Hash's ID. Whatever changes a vector changes it.
const hashVersion = "1"

// What a word, a pair of words and the characters of a word add to a vector. A word's n-grams share their weight, so
// that a long word counts like a short one.
const (
	wordWeight = 1
	pairWeight = 0.5
	gramWeight = 1
)

// The n-grams are of minGram to maxGram characters, with a mark before and after the word.
const (
	minGram = 3
	maxGram = 5
	wordEnd = 0 // the mark; the scanner drops NUL, so it is in no word
)

// Hash embeds without weights: words, pairs of words and n-grams of their characters are hashed into the dimensions of a
// vector, with a sign that lets collisions cancel. It knows shared words and spellings, not meanings.
type Hash struct {
	dim   int
	ascii *alphabet
}

// NewHash makes an embedder of a dimension from 1 to 4,096; HashDim is usual.
func NewHash(dim int) (*Hash, error) {
	if dim < 1 || dim > maxDim {
		return nil, fmt.Errorf("a hash embedder of dimension %d: it must be from 1 to %d", dim, maxDim)
	}
	return &Hash{dim: dim, ascii: newAlphabet()}, nil
}

// ID is "hash:1:256", with the version of the recipe where other embedders have the hash of their weights.
func (h *Hash) ID() string { return fmt.Sprintf("hash:%s:%d", hashVersion, h.dim) }

// Dim is the length of every vector.
func (h *Hash) Dim() int { return h.dim }

// Embed implements Embedder. The only error is the context's.
func (h *Hash) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	return embedEach(ctx, texts, h.dim, h.Into)
}

// Into is Embed for one text, without allocating: it overwrites dst, which has Dim elements. It looks at the first
// HeadBytes and, of a longer text, the last TailBytes.
func (h *Hash) Into(dst []float32, text string) {
	dst = dst[:h.dim]
	clear(dst)
	head, tail := text, ""
	if len(text) > HeadBytes {
		head, tail = text[:HeadBytes], text[max(HeadBytes, lastWords(text)):]
	}
	h.add(dst, head)
	h.add(dst, tail)
	normalise(dst)
}

func (h *Hash) add(dst []float32, text string) {
	s := scanner{text: text, ascii: h.ascii}
	var before uint64 // the hash of the word before; 0 without one
	for s.next() {
		word := s.word[:s.n]
		hash := fnvOffset
		for _, c := range word {
			hash = fnv(hash, c)
		}
		put(dst, hash, wordWeight)
		if before != 0 {
			put(dst, bits.RotateLeft64(before, 1)^hash, pairWeight)
		}
		before = hash
		grams(dst, word, s.runes)
	}
}

// grams adds the n-grams of a word with this many characters.
func grams(dst []float32, word []byte, runes int) {
	var marked [maxWordBytes + 2]byte
	text := append(append(append(marked[:0], wordEnd), word...), wordEnd)
	runes = min(runes, maxWordRunes) + 2
	count := 0
	for n := minGram; n <= maxGram; n++ {
		count += max(0, runes-n+1)
	}
	weight := gramWeight / float32(count)
	for start := range text {
		if !utf8.RuneStart(text[start]) {
			continue
		}
		hash, n := fnvOffset^fnvPrime, 0 // other than a word's, lest "cat" be a word and a part of one
		for end := start; end < len(text) && n < maxGram; {
			hash = fnv(hash, text[end])
			for end++; end < len(text) && !utf8.RuneStart(text[end]); end++ {
				hash = fnv(hash, text[end])
			}
			if n++; n >= minGram {
				put(dst, hash, weight)
			}
		}
	}
}

const (
	fnvOffset uint64 = 0xcbf29ce484222325
	fnvPrime  uint64 = 0x100000001b3
)

// fnv is a step of FNV-1a.
func fnv(hash uint64, c byte) uint64 { return (hash ^ uint64(c)) * fnvPrime }

// put adds a weight where the hash points, with the hash's sign. FNV's high bits change little in short words, hence
// the mixing (that of MurmurHash3's end) before they choose the dimension.
func put(dst []float32, hash uint64, weight float32) {
	hash = (hash ^ hash>>33) * 0xff51afd7ed558ccd
	hash = (hash ^ hash>>33) * 0xc4ceb9fe1a85ec53
	hash ^= hash >> 33
	if hash&1 == 1 {
		weight = -weight
	}
	i, _ := bits.Mul64(hash, uint64(len(dst)))
	dst[i] += weight
}
