package pricing

import "time"

// BreakEven is the smallest number of uses of a prefix, the one that writes it included, at which keeping it in the
// provider's cache for ttl is cheaper than sending it anew each time. It is false when caching never pays, and when the
// price has no rate for such a write or for reads. It looks at the band of small prompts.
func BreakEven(p Price, ttl time.Duration) (uses int64, ok bool) {
	if p.row == nil {
		return 0, false
	}
	r := p.list.bands[0].rates
	write := r.writeFor(ttl)
	input, read := r[kindInput], r[kindCacheRead]
	if !write.known || !input.known || !read.known || read.pico >= input.pico {
		return 0, false
	}
	// write + (n-1)*read < n*input  <=>  n > (write-read) / (input-read)
	return max(1, int64((write.pico-read.pico)/(input.pico-read.pico))+1), true
}

// Keeps says whether the price has a rate for cache writes that live for ttl, and one for reads: whether a call may ask
// for them without having no cost afterwards.
func (p Price) Keeps(ttl time.Duration) bool {
	if p.row == nil {
		return false
	}
	r := p.list.bands[0].rates
	return r.writeFor(ttl).known && r[kindCacheRead].known
}

// writeFor is the rate of a write that lives for ttl.
func (r rates) writeFor(ttl time.Duration) rate {
	k, ok := map[time.Duration]kind{
		5 * time.Minute:  kindCacheWrite5m,
		30 * time.Minute: kindCacheWrite30m,
		time.Hour:        kindCacheWrite1h,
		12 * time.Hour:   kindCacheWrite12h,
	}[ttl]
	if !ok {
		return rate{}
	}
	return r[k]
}
