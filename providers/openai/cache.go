package openai

import (
	"slices"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

// End is where the stable prefix of a call ends, as far as it can be marked there.
type End int

// The ends.
const (
	EndUnmarked End = iota // nothing is marked, or there is no text to mark
	EndSystem
	EndExamples
)

// MarkOf says where a call's prefix is to be marked, for an API that takes these lifetimes.
func MarkOf(call providers.Call, takes ...providers.Cache) End {
	switch {
	case !slices.Contains(takes, call.Cache):
		return EndUnmarked
	case len(call.Examples) > 0:
		return EndExamples
	case SystemText(call.System, call.Context[:call.StableContext]) != "":
		return EndSystem
	}
	return EndUnmarked
}

// AppendCacheOptions says what the provider is to write: nothing, in the explicit mode without a mark; what is marked, and
// nothing else, because the implicit breakpoint would have the task's own text written and billed too; or what the
// provider finds, where the prefix has no text that could be marked. The field begins with a comma.
func AppendCacheOptions(dst []byte, call providers.Call, takes ...providers.Cache) []byte {
	marks := slices.Contains(takes, call.Cache)
	switch {
	case call.Cache == providers.CacheNone:
		dst = append(dst, `,"prompt_cache_options":{"mode":"explicit"}`...)
	case marks && MarkOf(call, takes...) == EndUnmarked:
		dst = append(dst, `,"prompt_cache_options":{"ttl":"`+string(call.Cache)+`"}`...)
	case marks:
		dst = append(dst, `,"prompt_cache_options":{"mode":"explicit","ttl":"`+string(call.Cache)+`"}`...)
	}
	if call.CacheKey != "" && call.Cache != providers.CacheNone {
		dst = append(dst, `,"prompt_cache_key":`...)
		dst = httpcall.AppendString(dst, call.CacheKey)
	}
	return dst
}

// SystemParts are the system prompt as the part that all calls of the feature share, and the task's own context when it has
// any.
func SystemParts(call providers.Call) []string {
	parts := []string{SystemText(call.System, call.Context[:call.StableContext])}
	if own := SystemText("", call.Context[call.StableContext:]); own != "" {
		parts = append(parts, own)
	}
	return parts
}

// AppendMarked writes a message's content as parts of a type, of which the first ends the cached prefix.
func AppendMarked(dst []byte, kind string, parts ...string) []byte {
	dst = append(dst, `"content":[`...)
	for i, text := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":"`+kind+`","text":`...)
		dst = httpcall.AppendString(dst, text)
		if i == 0 {
			dst = append(dst, `,"prompt_cache_breakpoint":{"mode":"explicit"}`...)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
