package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/weirhq/weir/classifier/features"
)

// Magic begins every model file. After it come the header's length in four bytes, the header as JSON, the blocks, and the
// SHA-256 of all that. Numbers are little-endian.
const Magic = "WEIRCLF1"

// Why a file is refused.
var (
	// ErrNotModel means that a file does not begin like a model.
	ErrNotModel = errors.New("not a model file of weir's")
	// ErrTooLarge means that a model is larger than MaxFileBytes.
	ErrTooLarge = fmt.Errorf("the model is larger than %d bytes", MaxFileBytes)
	// ErrDamaged means that a file's checksum is not that of its contents, or that it ends too early or too late.
	ErrDamaged = errors.New("the model file is damaged")
)

// Write writes a model file and returns its hash. It fails with ErrTooLarge, on parameters that make no sense, and as the
// writer does.
func (p *Parameters) Write(w io.Writer) (hash string, err error) {
	data, err := p.encode()
	if err != nil {
		return "", err
	}
	if _, err := w.Write(data); err != nil {
		return "", fmt.Errorf("write model: %w", err)
	}
	return hashOf(data), nil
}

// hashOf is the checksum that a file ends with, which names the model.
func hashOf(data []byte) string { return hex.EncodeToString(data[len(data)-sha256.Size:]) }

func (p *Parameters) encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := p.fit(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	header, err := json.Marshal(&p.Header)
	if err != nil {
		return nil, fmt.Errorf("model header: %w", err)
	}
	if len(header) > maxHeaderBytes || len(Magic)+4+len(header)+p.bodyBytes()+sha256.Size > MaxFileBytes {
		return nil, ErrTooLarge
	}
	data := append([]byte(Magic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(data[len(Magic):], uint32(len(header))) //nolint:gosec // bounded by maxHeaderBytes
	data = append(data, header...)
	if l := p.Linear; l != nil {
		data = appendFloats(data, l.Bias[:])
		data = appendRows(data, l.Counters[:])
		data = appendRows(data, l.Embedding)
		for _, bucket := range l.Index {
			data = binary.LittleEndian.AppendUint16(data, bucket)
		}
		data = appendRows(data, l.Grams)
	}
	data = appendFloats(data, p.Prototypes)
	data = append(data, p.Trees...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...), nil
}

// fit says what of the parameters is not as long as the header has it.
func (p *Parameters) fit() error {
	l := p.Linear
	switch {
	case (l == nil) != (p.TreeBytes > 0):
		return errors.New("it needs either weights or trees")
	case l != nil && (len(l.Embedding) != p.Dim || len(l.Index) != p.Grams || len(l.Grams) != p.Grams):
		return errors.New("the weights are not as many as the header says")
	case len(p.Trees) != p.TreeBytes || len(p.Prototypes) != p.PrototypeCount*p.Dim:
		return errors.New("the blocks are not as long as the header says")
	}
	return nil
}

func appendFloats(data []byte, values []float32) []byte {
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

func appendRows(data []byte, rows [][Classes]float32) []byte {
	for i := range rows {
		data = appendFloats(data, rows[i][:])
	}
	return data
}

// Read reads a model file. It fails with ErrNotModel, ErrTooLarge or ErrDamaged, on a header that makes no sense, and as
// the reader does. Nothing is allocated that the file is too short to fill.
func Read(r io.Reader) (*Parameters, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if len(data) > MaxFileBytes {
		return nil, ErrTooLarge
	}
	return decode(data)
}

func decode(data []byte) (*Parameters, error) {
	if !bytes.HasPrefix(data, []byte(Magic)) {
		return nil, ErrNotModel
	}
	const fixed = len(Magic) + 4
	if len(data) < fixed+sha256.Size {
		return nil, ErrDamaged
	}
	content, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if want := sha256.Sum256(content); !bytes.Equal(want[:], sum) {
		return nil, ErrDamaged
	}
	n := int64(binary.LittleEndian.Uint32(content[len(Magic):]))
	if n > maxHeaderBytes || n > int64(len(content)-fixed) {
		return nil, ErrDamaged
	}
	p := &Parameters{}
	if err := json.Unmarshal(content[fixed:fixed+int(n)], &p.Header); err != nil {
		return nil, fmt.Errorf("model header: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	body := content[fixed+int(n):]
	if len(body) != p.bodyBytes() {
		return nil, ErrDamaged
	}
	return p, p.blocks(body)
}

// blocks reads what follows the header. The body is as long as the header says.
func (p *Parameters) blocks(body []byte) error {
	b := block{data: body}
	if p.TreeBytes == 0 {
		l := &Linear{Embedding: make([][Classes]float32, p.Dim), Grams: make([][Classes]float32, p.Grams)}
		b.floats(l.Bias[:])
		b.rows(l.Counters[:])
		b.rows(l.Embedding)
		l.Index = make([]uint16, p.Grams)
		for i := range l.Index {
			l.Index[i] = binary.LittleEndian.Uint16(b.data[2*i:])
			if i > 0 && l.Index[i] <= l.Index[i-1] {
				return errors.New("model: the hashed words are not in order")
			}
		}
		b.data = b.data[2*p.Grams:]
		b.rows(l.Grams)
		p.Linear = l
	}
	p.Prototypes = make([]float32, p.PrototypeCount*p.Dim)
	b.floats(p.Prototypes)
	if p.TreeBytes > 0 {
		p.Trees = bytes.Clone(b.data)
	}
	if b.bad {
		return errors.New("model: a weight is not a number")
	}
	return nil
}

// block reads from the body of a file that is known to be long enough.
type block struct {
	data []byte
	bad  bool // something was not a finite number
}

func (b *block) floats(values []float32) {
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b.data[4*i:]))
		if f := float64(values[i]); math.IsNaN(f) || math.IsInf(f, 0) {
			b.bad = true
		}
	}
	b.data = b.data[4*len(values):]
}

func (b *block) rows(rows [][Classes]float32) {
	for i := range rows {
		b.floats(rows[i][:])
	}
}

// table is the weights of hashed words by bucket.
func (l *Linear) table() [][Classes]float32 {
	table := make([][Classes]float32, features.Buckets)
	for i, bucket := range l.Index {
		table[bucket] = l.Grams[i]
	}
	return table
}
