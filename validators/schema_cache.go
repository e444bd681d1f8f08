package validators

import (
	"container/list"
	"crypto/sha256"
	"encoding/json"
	"sync"
)

// schemaCache keeps the schemas that were used last, failures too. It is safe for concurrent use.
type schemaCache struct {
	mu     sync.Mutex
	most   int
	recent *list.List // of *cachedSchema, the last used one first
	byHash map[[sha256.Size]byte]*list.Element
}

// cachedSchema is the outcome of one compilation.
type cachedSchema struct {
	hash   [sha256.Size]byte
	schema *schema
	err    error
}

func newSchemaCache(most int) *schemaCache {
	return &schemaCache{most: most, recent: list.New(), byHash: map[[sha256.Size]byte]*list.Element{}}
}

// get is the compiled schema of a text. Compiling happens outside the lock: two callers may compile the same text, and
// none waits for the compilation of another one's.
func (c *schemaCache) get(raw json.RawMessage) (*schema, error) {
	hash := sha256.Sum256(raw)
	if hit := c.find(hash); hit != nil {
		return hit.schema, hit.err
	}
	compiled, err := compileSchema(raw)
	c.keep(&cachedSchema{hash: hash, schema: compiled, err: err})
	return compiled, err
}

func (c *schemaCache) find(hash [sha256.Size]byte) *cachedSchema {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.byHash[hash]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(element)
	hit, _ := element.Value.(*cachedSchema)
	return hit
}

func (c *schemaCache) keep(entry *cachedSchema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byHash[entry.hash]; ok {
		return
	}
	c.byHash[entry.hash] = c.recent.PushFront(entry)
	if c.recent.Len() <= c.most {
		return
	}
	if oldest, ok := c.recent.Remove(c.recent.Back()).(*cachedSchema); ok {
		delete(c.byHash, oldest.hash)
	}
}
