package embeddings

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/weirhq/weir/store"
)

// Cache embeds texts once: what a text's embedding was is kept in Postgres under the hash of the text. It is safe for
// concurrent use.
type Cache struct {
	embedder *Embedder
	db       store.DB
	key      string
	options  Options
	now      func() time.Time
}

// NewCache keeps an embedder's vectors. The key tells its vectors from all others: whatever changes them must change it.
func NewCache(embedder *Embedder, db store.DB, key string, options Options) *Cache {
	return &Cache{embedder: embedder, db: db, key: key, options: options, now: embedder.cfg.Now}
}

// Embed returns a vector for each text. Texts that are not kept yet are embedded, the same text once. Vectors that were paid
// are kept also when others could not be made; the error is then as Embedder.Embed gives it.
func (c *Cache) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	hashes := make([]store.TextHash, len(texts))
	for i, text := range texts {
		hashes[i] = sha256.Sum256([]byte(text))
	}
	vectors, err := store.Vectors(ctx, c.db, c.key, hashes)
	if err != nil {
		return nil, err
	}
	var missing []string
	var missed []store.TextHash
	for i, hash := range hashes {
		if _, ok := vectors[hash]; !ok {
			missing, missed = append(missing, texts[i]), append(missed, hash)
			vectors[hash] = nil
		}
	}
	if err := c.make(ctx, vectors, missing, missed); err != nil {
		return nil, err
	}
	all := make([][]float32, len(texts))
	for i, hash := range hashes {
		if all[i] = vectors[hash]; all[i] == nil {
			return nil, fmt.Errorf("text %d of %d was not embedded", i, len(texts))
		}
	}
	return all, nil
}

// make embeds what is missing, and keeps it.
func (c *Cache) make(ctx context.Context, vectors map[store.TextHash][]float32, texts []string, hashes []store.TextHash) error {
	if len(texts) == 0 {
		return nil
	}
	result, err := c.embedder.Embed(ctx, texts, c.options)
	made := make(map[store.TextHash][]float32, len(texts))
	for i, vector := range result.Vectors {
		if vector != nil {
			vectors[hashes[i]], made[hashes[i]] = vector, vector
		}
	}
	if len(made) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime) // they are paid
	defer cancel()
	return errors.Join(err, store.KeepVectors(ctx, c.db, c.now(), c.key, made))
}

// keepTime bounds how long vectors are written that were made within the caller's time.
const keepTime = 10 * time.Second
