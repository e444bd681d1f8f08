package sim

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"

	"github.com/weirhq/weir/providers/sim/dice"
)

// Tokens is a way of counting tokens.
type Tokens string

// The ways of counting.
const (
	// TokensExact counts with OpenAI's o200k vocabulary, for all models.
	TokensExact Tokens = "exact"
	// TokensBytes counts every four bytes as a token, which costs next to nothing.
	TokensBytes Tokens = "bytes"
)

// counter counts tokens. It is safe for concurrent use.
type counter interface {
	// units are the tokens of a text, as numbers that stand for them.
	units(text string) []uint32
	// count is the number of units.
	count(text string) int
	// cut is the beginning of a text that has at most n tokens.
	cut(text string, n int) string
}

func newCounter(kind Tokens) (counter, error) {
	if kind == TokensBytes {
		return byteCounter{}, nil
	}
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return nil, fmt.Errorf("load the o200k vocabulary: %w", err)
	}
	return &exactCounter{codec: codec, known: map[uint64][]uint32{}}, nil
}

// byteCounter takes four bytes for a token.
type byteCounter struct{}

const bytesPerToken = 4

func (byteCounter) count(text string) int { return (len(text) + bytesPerToken - 1) / bytesPerToken }

func (c byteCounter) units(text string) []uint32 {
	units := make([]uint32, 0, c.count(text))
	for ; len(text) >= bytesPerToken; text = text[bytesPerToken:] {
		units = append(units, uint32(text[0])|uint32(text[1])<<8|uint32(text[2])<<16|uint32(text[3])<<24)
	}
	if text != "" {
		var last [bytesPerToken]byte
		copy(last[:], text)
		units = append(units, binary.LittleEndian.Uint32(last[:]))
	}
	return units
}

func (byteCounter) cut(text string, n int) string {
	return wholeRunes(text[:min(len(text), n*bytesPerToken)])
}

// wholeRunes drops a character that is cut off at the end.
func wholeRunes(text string) string {
	for i := 0; i < utf8.UTFMax && text != ""; i++ {
		if r, size := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || size > 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return text
}

// exactCounter counts with a real vocabulary and remembers texts, because prompts repeat each other and a cascade asks
// several models the same.
type exactCounter struct {
	codec tokenizer.Codec
	mu    sync.Mutex
	known map[uint64][]uint32
	total int
}

// maxKnownUnits bounds what is remembered: 16 MiB of numbers.
const maxKnownUnits = 4 << 20

func (c *exactCounter) count(text string) int { return len(c.units(text)) }

func (c *exactCounter) units(text string) []uint32 {
	key := dice.Hash(0, text)
	c.mu.Lock()
	units, ok := c.known[key]
	c.mu.Unlock()
	if ok {
		return units
	}
	ids, _, err := c.codec.Encode(text)
	if err != nil {
		// The vocabulary has a token for every byte, so only a broken pattern gets here.
		return byteCounter{}.units(text)
	}
	units = make([]uint32, len(ids))
	for i, id := range ids {
		units[i] = uint32(id & 0xffff_ffff)
	}
	c.remember(key, units)
	return units
}

func (c *exactCounter) remember(key uint64, units []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total += len(units) + 8; c.total > maxKnownUnits {
		clear(c.known)
		c.total = len(units)
	}
	c.known[key] = units
}

func (c *exactCounter) cut(text string, n int) string {
	_, pieces, err := c.codec.Encode(text)
	if err != nil || len(pieces) <= n {
		return text
	}
	return wholeRunes(strings.Join(pieces[:n], ""))
}
