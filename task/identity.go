package task

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// ResultID is the identity of a task's result: a UUIDv8 over the tenant, the producer's key and the run (1 at first, one
// more for each re-run), so that it survives a replay of the stream.
func ResultID(tenant, key string, run int) uuid.UUID {
	return hashID("result", tenant, key, run, nil)
}

// RefusalID is the identity of the result of a body that was refused. It covers the body, so that a corrected body
// under the same key gets an answer of its own.
func RefusalID(tenant, key string, body []byte) uuid.UUID {
	return hashID("refusal", tenant, key, 0, body)
}

func hashID(kind, tenant, key string, run int, body []byte) uuid.UUID {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(kind), []byte(tenant), []byte(key), body} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // lengths keep ("ab","c") and ("a","bc") apart
		h.Write(part)
	}
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(run))) //nolint:gosec // a run count is small and never negative
	id := uuid.UUID(h.Sum(nil)[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8 (RFC 9562, section 5.8)
	id[8] = id[8]&0x3f | 0x80 // variant
	return id
}
