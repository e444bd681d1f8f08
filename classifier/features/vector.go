package features

import (
	"math"
	"unicode"
	"unicode/utf8"
)

// Buckets is how many dimensions words and pairs of words are hashed into.
const Buckets = 1 << 16

// Version changes with whatever changes a vector; model files pin it.
const Version = 1

// Vector is a task's features. Its zero value is ready, and reusing one saves allocations; it is not safe for concurrent
// use.
type Vector struct {
	// Embedding is the embedder's vector.
	Embedding []float32
	// Counters are the figures that CounterNames names.
	Counters [Counters]float32
	// Index and Value are the hashed words and pairs: the bucket and its weight, which grows with the logarithm of how often
	// it occurs. The weights are of length 1 together. The order is that of first occurrence.
	Index []uint16
	Value []float32

	counts []uint16 // by bucket; all zero between calls
}

// Extractor computes vectors. It is immutable and safe for concurrent use.
type Extractor struct {
	lower [utf8.RuneSelf]byte // an ASCII letter in lower case or a digit itself, 0 for what is in no word
	kinds map[uint64]uint8    // the kind of a word that is counted, by its hash
}

// New makes an extractor.
func New() *Extractor {
	x := &Extractor{kinds: kinds()}
	for c := range byte(utf8.RuneSelf) {
		switch {
		case 'A' <= c && c <= 'Z':
			x.lower[c] = c | 0x20
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			x.lower[c] = c
		}
	}
	return x
}

// FNV-1a with 64 bits.
const (
	fnvOffset uint64 = 0xcbf29ce484222325
	fnvPrime  uint64 = 0x100000001b3
)

// Fill computes the counters and the hashed words of a view, and leaves the embedding alone. The same view gives the same vector.
func (x *Extractor) Fill(v *Vector, view View) {
	if v.counts == nil {
		v.counts = make([]uint16, Buckets)
	}
	v.Index, v.Value = v.Index[:0], v.Value[:0]
	c := tally{view: view, kinds: x.kinds}
	x.words(v, view.Text, &c)
	c.characters(view.Text)
	c.lines(view.Text)
	c.into(&v.Counters)
	v.weigh()
}

// words hashes each word and each pair of neighbours. A word is a run of letters, digits and marks, in lower case.
func (x *Extractor) words(v *Vector, text string, c *tally) {
	before := uint64(0) // the hash of the word before and a blank; 0 without one
	for i := 0; i < len(text); {
		word, pair, runes := fnvOffset, before, 0
		for i < len(text) {
			b := text[i]
			if b >= utf8.RuneSelf {
				r, size := utf8.DecodeRuneInString(text[i:])
				if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) {
					break
				}
				i += size
				var buf [utf8.UTFMax]byte
				for _, b := range buf[:utf8.EncodeRune(buf[:], unicode.ToLower(r))] {
					word, pair = (word^uint64(b))*fnvPrime, (pair^uint64(b))*fnvPrime
				}
				runes++
				continue
			}
			b = x.lower[b]
			if b == 0 {
				break
			}
			word, pair = (word^uint64(b))*fnvPrime, (pair^uint64(b))*fnvPrime
			runes++
			i++
		}
		if runes == 0 {
			_, size := utf8.DecodeRuneInString(text[i:])
			i += size
			continue
		}
		v.count(word)
		if before != 0 {
			v.count(pair)
		}
		c.word(word, runes)
		before = (word ^ ' ') * fnvPrime
	}
}

// fold is the bucket of a hash.
func fold(hash uint64) uint16 { return uint16(hash>>48 ^ hash>>32 ^ hash>>16 ^ hash) } //nolint:gosec // folded

// count adds one to the bucket of a hash.
func (v *Vector) count(hash uint64) {
	bucket := fold(hash)
	if v.counts[bucket] == 0 {
		v.Index = append(v.Index, bucket)
	}
	if v.counts[bucket] < math.MaxUint16 {
		v.counts[bucket]++
	}
}

// weigh turns the counts into weights, and clears them.
func (v *Vector) weigh() {
	sum := 0.0
	for _, bucket := range v.Index {
		weight := 1.0
		if n := v.counts[bucket]; n > 1 {
			weight += math.Log(float64(n))
		}
		v.Value = append(v.Value, float32(weight))
		sum += float64(weight * weight)
		v.counts[bucket] = 0
	}
	if sum == 0 {
		return
	}
	scale := 1 / math.Sqrt(sum)
	for i, weight := range v.Value {
		v.Value[i] = float32(float64(weight) * scale)
	}
}
