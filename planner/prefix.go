package planner

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/google/uuid"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

// maxToolSets bounds how many sets of tools have their tokens remembered.
const maxToolSets = 1_024

// prefix is what all tasks of a feature send first.
type prefix struct {
	digest [sha256.Size]byte
	size   tokens.Size
}

// prefixes are the features' own parts of the stable prefix. They never change, so they are counted and hashed once.
func prefixes(counter *tokens.Counter, c *catalog.Catalog) map[string]prefix {
	out := make(map[string]prefix, len(c.Features))
	for name, f := range c.Features {
		texts := stableTexts(f)
		var total int64
		for _, text := range texts {
			if text != "" {
				total += counter.Count(text) + framing
			}
		}
		// the number of contexts tells them from the examples
		out[name] = prefix{digest: digest(texts, uint64(len(f.Context))), size: tokens.Exactly(total)}
	}
	return out
}

// stableTexts are the feature's part of the stable prefix in the order in which it is sent.
func stableTexts(f catalog.Feature) []string {
	texts := append([]string{f.System, string(f.OutputSchema)}, f.Context...)
	for _, e := range f.Examples {
		texts = append(texts, e.Input, e.Output)
	}
	return texts
}

// digest is the SHA-256 of texts and a number, each framed, so that other texts never give the same bytes.
func digest(texts []string, n uint64) [sha256.Size]byte {
	h := sha256.New()
	writeNumber(h, n)
	for _, text := range texts {
		writeNumber(h, uint64(len(text)))
		h.Write([]byte(text))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func writeNumber(h hash.Hash, n uint64) {
	h.Write(binary.BigEndian.AppendUint64(nil, n))
}

// PrefixHash names the stable prefix of a feature's tasks with these tools: calls of one model with the same hash begin
// with the same bytes. It is the first half of a SHA-256, enough for prefixes that nobody forges. The feature's part
// enters as its own digest, which is made once, so that long prompts cost nothing for each task.
func (p *Planner) PrefixHash(feature string, tools []task.Tool) uuid.UUID {
	own := p.prefixes[feature].digest
	if len(tools) == 0 {
		return uuid.UUID(own[:16])
	}
	with := digest(append(toolTexts(tools), string(own[:])), uint64(len(tools)))
	return uuid.UUID(with[:16])
}

// prefixOf is the hash and the tokens of a task's stable prefix.
func (p *Planner) prefixOf(t *task.Task) (uuid.UUID, int64) {
	id := p.PrefixHash(t.Feature, t.Tools)
	size := p.prefixes[t.Feature].size.About
	if len(t.Tools) > 0 {
		size += p.tools.tokens(p.counter, id, t.Tools)
	}
	return id, size
}

func toolTexts(tools []task.Tool) []string {
	texts := make([]string, 0, 3*len(tools))
	for _, tool := range tools {
		texts = append(texts, tool.Name, tool.Description, string(tool.Parameters))
	}
	return texts
}

// toolCounts remembers the tokens of sets of tools, because most tasks of a feature bring the same.
type toolCounts struct {
	mu    sync.Mutex
	known map[uuid.UUID]int64
}

func (c *toolCounts) tokens(counter *tokens.Counter, id uuid.UUID, tools []task.Tool) int64 {
	c.mu.Lock()
	n, ok := c.known[id]
	c.mu.Unlock()
	if ok {
		return n
	}
	for _, text := range toolTexts(tools) {
		if text != "" {
			n += counter.Count(text) + framing
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxToolSets {
		c.known = map[uuid.UUID]int64{}
	}
	c.known[id] = n
	return n
}
