package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// TextHash is the SHA-256 of a text.
type TextHash [32]byte

// Vectors reads the embeddings that are kept of texts. Those that are not kept are missing in the map.
func Vectors(ctx context.Context, db DB, embedder string, texts []TextHash) (map[TextHash][]float32, error) {
	hashes := make([][]byte, len(texts))
	for i := range texts {
		hashes[i] = texts[i][:]
	}
	rows, err := db.Query(ctx, `
		SELECT hash, vector FROM weir.embedding_vectors WHERE embedder = @embedder AND hash = ANY(@hashes::bytea[])`,
		pgx.NamedArgs{"embedder": embedder, "hashes": hashes})
	if err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	vectors := make(map[TextHash][]float32, len(texts))
	var hash, packed []byte
	_, err = pgx.ForEachRow(rows, []any{&hash, &packed}, func() error {
		vectors[TextHash(hash)] = unpackVector(packed)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	return vectors, nil
}

// KeepVectors keeps the embeddings of texts. The first one of a text stays (ON CONFLICT DO NOTHING): a decision that was
// made by it can be made again.
func KeepVectors(ctx context.Context, db DB, now time.Time, embedder string, vectors map[TextHash][]float32) error {
	hashes, packed := make([][]byte, 0, len(vectors)), make([][]byte, 0, len(vectors))
	for _, hash := range sortedHashes(vectors) { // in one order, so that two processes never wait for each other
		hashes, packed = append(hashes, hash[:]), append(packed, packVector(vectors[hash]))
	}
	_, err := db.Exec(ctx, `
		INSERT INTO weir.embedding_vectors (embedder, hash, vector, made_at)
		SELECT @embedder, hash, vector, @now FROM unnest(@hashes::bytea[], @vectors::bytea[]) AS v (hash, vector)
		ON CONFLICT (embedder, hash) DO NOTHING`,
		pgx.NamedArgs{"embedder": embedder, "now": now, "hashes": hashes, "vectors": packed})
	if err != nil {
		return fmt.Errorf("keep embeddings: %w", err)
	}
	return nil
}

// ForgetVectors deletes embeddings that were made before an instant, at most limit of them, and returns how many.
func ForgetVectors(ctx context.Context, db DB, before time.Time, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `
		DELETE FROM weir.embedding_vectors
		WHERE (embedder, hash) IN (SELECT embedder, hash FROM weir.embedding_vectors
		                           WHERE made_at < @before
		                           ORDER BY made_at
		                           LIMIT @limit
		                           FOR UPDATE SKIP LOCKED)`, pgx.NamedArgs{"before": before, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("forget embeddings: %w", err)
	}
	return tag.RowsAffected(), nil
}

func sortedHashes(vectors map[TextHash][]float32) []TextHash {
	hashes := make([]TextHash, 0, len(vectors))
	for hash := range vectors {
		hashes = append(hashes, hash)
	}
	slices.SortFunc(hashes, func(a, b TextHash) int { return slices.Compare(a[:], b[:]) })
	return hashes
}

func packVector(v []float32) []byte {
	packed := make([]byte, 0, 4*len(v))
	for _, x := range v {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(x))
	}
	return packed
}

func unpackVector(packed []byte) []float32 {
	v := make([]float32, len(packed)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))
	}
	return v
}
