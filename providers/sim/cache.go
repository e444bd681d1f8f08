package sim

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

const (
	// lookback is how many blocks before a marked one a cached prefix may end.
	lookback = 20
	// step is the grid of the automatic cache, in tokens.
	step = 128
	// ttlAuto is the lifetime in OpenAI's cache and in the implicit ones, ttlHalfDay the other one that OpenAI has.
	ttlAuto    = 30 * time.Minute
	ttlHalfDay = 12 * time.Hour
	// maxCached bounds the number of prefixes that are kept.
	maxCached = 1 << 18
)

// promptCache knows which prefixes of prompts a provider has at hand.
type promptCache struct {
	mu sync.Mutex
	// ends are the times at which prefixes are forgotten.
	ends map[uint64]time.Time
}

// prefix is the beginning of a prompt, up to and including some token.
type prefix struct {
	key    uint64
	tokens int
	ttl    time.Duration
}

// has tells whether a prefix is at hand, and if so renews it.
func (c *promptCache) has(p prefix, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	end, ok := c.ends[p.key]
	if !ok || !now.Before(end) {
		return false
	}
	if renewed := now.Add(p.ttl); renewed.After(end) {
		c.ends[p.key] = renewed
	}
	return true
}

// keep stores prefixes. It is called when an answer begins and not when its request came: calls that run side by side
// do not read what the others write.
func (c *promptCache) keep(prefixes []prefix, now time.Time) {
	if len(prefixes) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends == nil || len(c.ends)+len(prefixes) > maxCached {
		c.sweep(now)
	}
	for _, p := range prefixes {
		if end := now.Add(p.ttl); end.After(c.ends[p.key]) {
			c.ends[p.key] = end
		}
	}
}

// sweep drops what is over, and everything when that is not enough.
func (c *promptCache) sweep(now time.Time) {
	kept := map[uint64]time.Time{}
	for key, end := range c.ends {
		if now.Before(end) && len(kept) < maxCached/2 {
			kept[key] = end
		}
	}
	c.ends = kept
}

// metered is what a prompt is billed as, and what the cache is to keep of it once the answer begins.
type metered struct {
	usage task.Usage
	keep  []prefix
	// cachedImages is how many of the tokens read are those of images.
	cachedImages int64
}

// atHand says that a question finds a prefix. A line of a batch finds what earlier batches wrote, and what calls wrote only
// where the line is worked off near them.
func (s *Server) atHand(q *question, p prefix, now time.Time) bool {
	if q.batched && s.batches.cache.has(p, now) {
		return true
	}
	return !q.apart && s.cache.has(p, now)
}

// overhead is what a turn costs beyond its text.
const overhead = 3

// meter bills a prompt as its provider does.
func (s *Server) meter(q *question, m *model, w wire, now time.Time) metered {
	if _, ok := w.(messages); ok {
		return s.meterMarked(q, m, w, now, lookback)
	}
	if q.explicit {
		return s.meterExplicit(q, m, w, now)
	}
	out, grid := s.meterAutomatic(q, m, w, now)
	if _, ok := w.(generate); ok {
		s.splitImages(q, w, &out, grid)
	}
	return out
}

// size is a block's tokens in a wire format.
func (s *Server) size(b block, w wire) int {
	if b.file != nil {
		return int(b.file.tokens(w, s.counter))
	}
	return s.counter.count(b.text)
}

// splitImages counts the images of a prompt by themselves: those within its first read tokens are cached, the others not.
func (s *Server) splitImages(q *question, w wire, out *metered, read int) {
	at := 0
	for _, b := range q.blocks {
		at += overhead
		size := s.size(b, w)
		if b.file.isImage() {
			cached := min(max(read-at, 0), size)
			out.cachedImages += int64(cached)
			out.usage.InputImage += int64(size - cached)
		}
		at += size
	}
	out.usage.Input -= out.usage.InputImage
}

// meterExplicit caches the prefixes that end with a breakpoint, and nothing else, as OpenAI's explicit mode does. Older
// models write for nothing.
func (s *Server) meterExplicit(q *question, m *model, w wire, now time.Time) metered {
	out := s.meterMarked(q, m, w, now, 1)
	out.usage.Input += overhead // that of the answer's first words
	if !m.CacheWrites {
		out.usage.Input += out.usage.CacheWrite30m + out.usage.CacheWrite12h
		out.usage.CacheWrite30m, out.usage.CacheWrite12h = 0, 0
	}
	return out
}

// seedOf is the part of the cache that a prompt belongs to.
func (m *model) seedOf(q *question) uint64 {
	if q.cacheKey == "" {
		return m.cacheSeed
	}
	return dice.Hash(m.cacheSeed, q.cacheKey)
}

// meterMarked caches the prefixes that end with a marked block. What is read may end so many blocks before one.
func (s *Server) meterMarked(q *question, m *model, w wire, now time.Time, lookback int) metered {
	prefixes := make([]prefix, len(q.blocks))
	total, marked := 0, false
	key := m.seedOf(q)
	for i, b := range q.blocks {
		total += s.size(b, w) + overhead
		marked = marked || b.ttl > 0
		prefixes[i] = prefix{tokens: total, ttl: s.lifetime(b.ttl)}
	}
	if !marked {
		return metered{usage: task.Usage{Input: int64(total)}}
	}
	for i, b := range q.blocks {
		key = dice.Hash(dice.Hash(key, b.role), b.text)
		if b.file != nil {
			key = dice.Hash(key, b.file.digest)
		}
		prefixes[i].key = key
	}
	return s.markedUsage(q, m, prefixes, now, lookback)
}

// markedUsage splits a prompt at its marks: what is read, what each lifetime writes, and the rest.
func (s *Server) markedUsage(q *question, m *model, prefixes []prefix, now time.Time, lookback int) metered {
	out := metered{}
	read := s.longestRead(q, m, prefixes, now, lookback)
	out.usage.CacheRead = int64(read)
	done := read
	for i, b := range q.blocks {
		p := prefixes[i]
		if b.ttl == 0 || p.tokens < m.MinCache {
			continue
		}
		out.keep = append(out.keep, p)
		if p.tokens <= done {
			continue
		}
		addWrite(&out.usage, b.ttl, int64(p.tokens-done))
		done = p.tokens
	}
	out.usage.Input = int64(prefixes[len(prefixes)-1].tokens - done)
	return out
}

// addWrite books what is written by its lifetime.
func addWrite(u *task.Usage, ttl time.Duration, tokens int64) {
	class := &u.CacheWrite5m
	if ttl == ttlAuto {
		class = &u.CacheWrite30m
	}
	if ttl == ttlLong {
		class = &u.CacheWrite1h
	}
	if ttl == ttlHalfDay {
		class = &u.CacheWrite12h
	}
	*class += tokens
}

// longestRead is the size of the longest prefix at hand that ends at a mark or a few blocks before one.
func (s *Server) longestRead(q *question, m *model, prefixes []prefix, now time.Time, lookback int) int {
	for i, b := range slices.Backward(q.blocks) {
		if b.ttl == 0 {
			continue
		}
		for j := i; j >= 0 && j > i-lookback; j-- {
			p := prefixes[j]
			p.ttl = prefixes[i].ttl
			if p.tokens >= m.MinCache && s.atHand(q, p, now) {
				return p.tokens
			}
		}
	}
	return 0
}

// meterAutomatic caches every prefix of 1,024 tokens and more on a grid of 128. Breakpoints add nothing to that here. It
// says how many tokens were read.
func (s *Server) meterAutomatic(q *question, m *model, w wire, now time.Time) (out metered, read int) {
	total := overhead // that of the answer's first words
	for _, b := range q.blocks {
		total += s.size(b, w) + overhead
	}
	out = metered{usage: task.Usage{Input: int64(total)}}
	if total < m.MinCache {
		return out, 0
	}
	grid := s.grid(q, m, w)
	for i := len(grid) - 1; i >= 0 && read == 0; i-- {
		if s.atHand(q, grid[i], now) {
			read = grid[i].tokens
		}
	}
	out.usage.CacheRead = int64(read)
	out.usage.Input -= int64(read)
	for _, p := range grid {
		if p.tokens > read {
			out.keep = append(out.keep, p)
		}
	}
	if n := len(out.keep); n > 0 && m.CacheWrites {
		written := int64(out.keep[n-1].tokens - read)
		addWrite(&out.usage, orDefault(q.cacheTTL, ttlAuto), written)
		out.usage.Input -= written
	}
	return out, read
}

// grid are the prefixes of a prompt that the automatic cache may keep.
func (s *Server) grid(q *question, m *model, w wire) []prefix {
	var grid []prefix
	key, tokens := m.seedOf(q), 0
	pending := make([]byte, 0, step*bytesPerToken)
	add := func(unit uint32) {
		pending = binary.LittleEndian.AppendUint32(pending, unit)
		if tokens++; tokens%step != 0 {
			return
		}
		key = dice.Hash(key, pending)
		pending = pending[:0]
		if tokens >= m.MinCache {
			grid = append(grid, prefix{key: key, tokens: tokens, ttl: s.lifetime(orDefault(q.cacheTTL, ttlAuto))})
		}
	}
	for _, b := range q.blocks {
		for i := range overhead {
			add(uint32(dice.Hash(uint64(i), b.role) >> 32))
		}
		for _, unit := range s.unitsOf(b, w) {
			add(unit)
		}
	}
	return grid
}

func (s *Server) unitsOf(b block, w wire) []uint32 {
	if b.file != nil {
		return b.file.units(b.file.tokens(w, s.counter))
	}
	return s.counter.units(b.text)
}

// lifetime is how long a prefix stays: what was asked for, unless the configuration says otherwise.
func (s *Server) lifetime(asked time.Duration) time.Duration {
	if asked > 0 && s.config.CacheTTL > 0 {
		return s.config.CacheTTL
	}
	return asked
}
