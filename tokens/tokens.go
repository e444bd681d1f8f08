// Package tokens says how many tokens texts have, by the o200k vocabulary, before a call: exactly by counting, or from
// their bytes, which costs nothing. Other vocabularies are a factor away, which the price book knows. No cost rests on it.
package tokens

const (
	// longestToken is the most bytes of one token of the vocabulary: 128 spaces.
	longestToken = 128
	// usualToken is about how many bytes of English, or of code, make a token.
	usualToken = 4
)

// Size is how many tokens texts have. What is sent in parts has the sum of the parts' sizes.
type Size struct {
	Least, Most int64
	// About is a guess, never outside of Least and Most: whatever holds for all counts between them holds for it.
	About int64
}

// Exactly is the size of counted texts.
func Exactly(n int64) Size { return Size{Least: n, Most: n, About: n} }

// Bound is the size of a text as far as its number of bytes tells. The text is UTF-8, as is all that comes from JSON or
// YAML. Every token stands for one byte at least and for 128 at most.
func Bound(text string) Size {
	n := int64(len(text))
	return Size{Least: ceilDiv(n, longestToken), Most: n, About: ceilDiv(n, usualToken)}
}

// Plus adds two sizes.
func (s Size) Plus(o Size) Size {
	return Size{Least: s.Least + o.Least, Most: s.Most + o.Most, About: s.About + o.About}
}

func ceilDiv(n, by int64) int64 { return (n + by - 1) / by }
