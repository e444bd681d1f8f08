package embed

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// item is one embedding of an answer.
type item struct {
	vector vector
	// index is the text's, nil where the answer goes by order.
	index *int
}

// reader is the format of one call: it knows what was asked.
type reader struct {
	wire       wire
	inputs     int
	dimensions int
	vectors    [][]float32
}

// Decode reads an answer and holds it against the request.
func (r *reader) Decode(a httpcall.Answer) (providers.Reply, *httpcall.Fault) {
	reply, items, fault := r.wire.decode(a)
	if fault != nil {
		return reply, fault
	}
	reply.Stop = providers.StopEnd
	vectors, err := ordered(items, r.inputs)
	if err != nil {
		fault := httpcall.Garbled(a, "the answer's embeddings cannot be used: "+err.Error())
		return reply, &fault
	}
	if got := len(vectors[0]); r.dimensions > 0 && got != r.dimensions {
		return reply, &httpcall.Fault{Class: task.FailInvalid, Message: fmt.Sprintf(
			"asked for %d dimensions, got %d: the server does not shorten this model's vectors", r.dimensions, got,
		)}
	}
	r.vectors = vectors
	return reply, nil
}

// Fault reads an answer of any other status.
func (r *reader) Fault(a httpcall.Answer) httpcall.Fault { return r.wire.fault(a) }

// ordered are the vectors in the order of the texts.
func ordered(items []item, inputs int) ([][]float32, error) {
	if len(items) != inputs {
		return nil, fmt.Errorf("%d for %d texts", len(items), inputs)
	}
	vectors := make([][]float32, inputs)
	for at, it := range items {
		if it.index != nil {
			at = *it.index
		}
		switch {
		case at < 0 || at >= inputs:
			return nil, fmt.Errorf("one is of text %d of %d", at, inputs)
		case vectors[at] != nil:
			return nil, fmt.Errorf("two are of text %d", at)
		case it.vector.broken:
			return nil, fmt.Errorf("that of text %d is neither a list of numbers nor float32 in base64", at)
		case len(it.vector.numbers) == 0:
			return nil, fmt.Errorf("that of text %d is empty", at)
		case !it.vector.finite():
			return nil, fmt.Errorf("that of text %d has a number that is not finite", at)
		}
		vectors[at] = it.vector.numbers
	}
	for at, v := range vectors {
		if len(v) != len(vectors[0]) {
			return nil, fmt.Errorf("that of text %d has %d dimensions, the first has %d", at, len(v), len(vectors[0]))
		}
	}
	return vectors, nil
}

// vector is a list of numbers, or their bytes in base64: float32, little-endian. Both are exact, as the numbers are
// written for a float32 to be read.
type vector struct {
	numbers []float32
	// broken says that it was neither. It is no error of decoding, which would hide what comes after it: the usage.
	broken bool
}

const float32Bytes = 4

// UnmarshalJSON reads either form, and anything else as broken.
func (v *vector) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '[': // a null in it would be read as 0
		v.broken = bytes.Contains(raw, []byte("null")) || json.Unmarshal(raw, &v.numbers) != nil
	default:
		v.unpack(raw)
	}
	return nil
}

func (v *vector) unpack(raw []byte) {
	var packed []byte // as encoding/json reads bytes: out of base64
	if raw[0] != '"' || json.Unmarshal(raw, &packed) != nil || len(packed)%float32Bytes != 0 {
		v.broken = true
		return
	}
	v.numbers = make([]float32, len(packed)/float32Bytes)
	for i := range v.numbers {
		v.numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[i*float32Bytes:]))
	}
}

func (v vector) finite() bool {
	for _, n := range v.numbers {
		if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
			return false
		}
	}
	return true
}

// The most that a number has in an answer: four bytes in base64 are less than six characters; in decimals it has 25
// with its comma, and a line of its own with an indent where the answer is laid out for people, as Google's is.
const (
	packedBytes  = 6
	decimalBytes = 40
)
