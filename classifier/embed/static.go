package embed

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the table
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// staticTable is what distil.py made; README.md beside it says from what.
//
//go:embed static.bin
var staticTable []byte

// The layout of a table file, in little-endian order: magic, version, dimension, number of tokens and bytes of their
// text, each number four bytes; the tokens, each with a newline after it; a float32 scale for each dimension; a row of
// one byte a dimension for each token; the SHA-256 of all that.
const (
	tableMagic   = "weirvecs"
	tableVersion = 1
	headerBytes  = len(tableMagic) + 4*4
	scaleBytes   = 4
)

// The bounds of a table, checked before anything is made of it. The embedded one has 29,528 tokens, 256 dimensions and
// 7.8 MB.
const (
	maxTableBytes = 64 << 20
	maxStaticDim  = 1024
	lanes         = 8 // the bytes that Into adds at once; the dimension is a multiple
	zero          = 128
)

// Static embeds by table lookup: the mean of the rows of a text's word pieces. The table is a small sentence encoder's
// view of each piece, so that related words are near each other, and what it costs is reading about 128 rows.
type Static struct {
	words  *WordPiece
	id     string
	dim    int
	scales []float32
	rows   []byte // by token, a byte a dimension; zero means 0
}

// NewStatic loads the embedded table, which takes some ten milliseconds: keep what it returns. An error means that this
// binary is damaged.
func NewStatic() (*Static, error) { return parseStatic(staticTable) }

// LoadStatic reads a table file as distil.py writes it. It fails on one that is longer than 64 MiB, cut off, altered
// since it was written, or of another version.
func LoadStatic(r io.Reader) (*Static, error) {
	file, err := io.ReadAll(io.LimitReader(r, maxTableBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the embedding table: %w", err)
	}
	return parseStatic(file)
}

// parseStatic keeps parts of file, which must not change any more.
func parseStatic(file []byte) (*Static, error) {
	header, err := parseTableHeader(file)
	if err != nil {
		return nil, fmt.Errorf("embedding table: %w", err)
	}
	body, sum := file[headerBytes:len(file)-sha256.Size], file[len(file)-sha256.Size:]
	if got := sha256.Sum256(file[:len(file)-sha256.Size]); !bytes.Equal(got[:], sum) {
		return nil, fmt.Errorf("embedding table: its checksum is %x, not %x: the file is damaged", got, sum)
	}
	text, body := body[:header.textBytes], body[header.textBytes:]
	words, err := parseVocabulary(text, header.tokens)
	if err != nil {
		return nil, fmt.Errorf("embedding table: %w", err)
	}
	s := &Static{
		words:  words,
		id:     fmt.Sprintf("static:%x:%d", sum[:6], header.dim),
		dim:    header.dim,
		scales: make([]float32, header.dim),
		rows:   body[scaleBytes*header.dim:],
	}
	for i := range s.scales {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(body[scaleBytes*i:]))
		if !(scale > 0 && scale <= math.MaxFloat32/(zero*(HeadTokens+TailTokens))) {
			return nil, fmt.Errorf("embedding table: the scale of dimension %d is %v", i, scale)
		}
		s.scales[i] = scale
	}
	return s, nil
}

type tableHeader struct{ dim, tokens, textBytes int }

// parseTableHeader also compares the file's length with what the header calls for.
func parseTableHeader(file []byte) (tableHeader, error) {
	if len(file) > maxTableBytes {
		return tableHeader{}, fmt.Errorf("it is longer than %d bytes", maxTableBytes)
	}
	if len(file) < headerBytes+sha256.Size || string(file[:len(tableMagic)]) != tableMagic {
		return tableHeader{}, errors.New("this is no table file")
	}
	numbers := file[len(tableMagic):]
	number := func(i int) int { return int(binary.LittleEndian.Uint32(numbers[4*i:])) }
	h := tableHeader{dim: number(1), tokens: number(2), textBytes: number(3)}
	switch {
	case number(0) != tableVersion:
		return h, fmt.Errorf("version %d is not known, only %d", number(0), tableVersion)
	case h.dim < lanes || h.dim > maxStaticDim || h.dim%lanes != 0:
		return h, fmt.Errorf("dimension %d is not a multiple of %d up to %d", h.dim, lanes, maxStaticDim)
	case h.tokens < 1 || h.tokens > maxTokens:
		return h, fmt.Errorf("%d tokens are not from 1 to %d", h.tokens, maxTokens)
	case h.textBytes > maxTableBytes:
		return h, fmt.Errorf("%d bytes of tokens are more than %d", h.textBytes, maxTableBytes)
	}
	if want := headerBytes + h.textBytes + (scaleBytes+h.tokens)*h.dim + sha256.Size; len(file) != want {
		return h, fmt.Errorf("it has %d bytes where its header calls for %d: the file is damaged", len(file), want)
	}
	return h, nil
}

func parseVocabulary(text []byte, tokens int) (*WordPiece, error) {
	lines := strings.Split(string(text), "\n")
	if len(lines) != tokens+1 || lines[tokens] != "" {
		return nil, fmt.Errorf("it has the text of %d tokens, not of %d", len(lines)-1, tokens)
	}
	return NewWordPiece(lines[:tokens])
}

// ID is "static:", the start of the table's SHA-256 and the dimension.
func (s *Static) ID() string { return s.id }

// Dim is the length of every vector.
func (s *Static) Dim() int { return s.dim }

// WordPiece is the table's tokenizer.
func (s *Static) WordPiece() *WordPiece { return s.words }

// Embed implements Embedder. The only error is the context's.
func (s *Static) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	return embedEach(ctx, texts, s.dim, s.Into)
}

// Into is Embed for one text, without allocating: it overwrites dst, which has Dim elements.
func (s *Static) Into(dst []float32, text string) {
	dst = dst[:s.dim]
	var buffer [maxViewTokens]int32
	var sums [2 * maxStaticDim / lanes]uint64
	known := 0
	for _, id := range s.words.View(buffer[:0], text) {
		if id == s.words.unknown {
			continue
		}
		addRow(sums[:], s.rows[int(id)*s.dim:int(id+1)*s.dim])
		known++
	}
	if known == 0 {
		clear(dst)
		return
	}
	// The mean is the sum scaled, and normalising scales anyway.
	bias := int32(zero * known)
	for i := range dst {
		sum := uint16(sums[2*(i/lanes)+i%2] >> (16 * (i % lanes / 2))) //nolint:gosec // one lane of several
		dst[i] = float32(int32(sum)-bias) * s.scales[i]
	}
	normalise(dst)
}

// A sum of bytes of all tokens has to fit into its 16 bits: the constant would overflow otherwise.
const _ uint16 = math.MaxUint8 * (HeadTokens + TailTokens)

// addRow adds eight bytes at once: those at even places in one word, those at odd places in another, each in 16 bits of
// its own. Whole numbers make the sum the same on every machine.
func addRow(sums []uint64, row []byte) {
	const even = 0x00FF00FF00FF00FF
	for i := 0; len(row) >= lanes && i+1 < len(sums); i += 2 {
		chunk := binary.LittleEndian.Uint64(row)
		sums[i] += chunk & even
		sums[i+1] += chunk >> 8 & even
		row = row[lanes:]
	}
}
