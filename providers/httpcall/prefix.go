package httpcall

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync/atomic"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

const (
	maxPrefixes    = 32
	maxPrefixBytes = 256 << 10
)

// Prefixes remembers the encoded stable part of calls, because most calls share theirs with the one before. It holds at
// most 32 prefixes of 256 KiB; the zero value is ready. It is safe for concurrent use.
type Prefixes struct {
	known atomic.Pointer[[]*prefix]
}

type prefix struct {
	model      string
	system     string
	context    []string
	tools      []task.Tool
	schema     json.RawMessage
	jsonSchema bool
	stable     int
	examples   []task.Message
	cache      providers.Cache
	cacheKey   string
	effort     string
	encoded    []byte
}

// Of is the call's encoded prefix, from memory or from encode. The bytes are shared and must not be changed.
func (p *Prefixes) Of(call providers.Call, encode func(providers.Call) ([]byte, error)) ([]byte, error) {
	known := p.known.Load()
	if known != nil {
		for _, candidate := range *known {
			if candidate.fits(&call) {
				return candidate.encoded, nil
			}
		}
	}
	encoded, err := encode(call)
	if err != nil || len(encoded) > maxPrefixBytes {
		return encoded, err
	}
	next := []*prefix{newPrefix(call, encoded)}
	if known != nil {
		next = append(next, (*known)[:min(len(*known), maxPrefixes-1)]...)
	}
	p.known.CompareAndSwap(known, &next) // whoever loses the race encodes once more
	return encoded, nil
}

func newPrefix(call providers.Call, encoded []byte) *prefix {
	tools := slices.Clone(call.Tools)
	for i := range tools {
		tools[i].Parameters = bytes.Clone(tools[i].Parameters)
	}
	return &prefix{
		model: call.Model, system: call.System, context: slices.Clone(call.Context), tools: tools,
		schema: bytes.Clone(call.Schema), jsonSchema: call.JSONSchema, stable: call.StableContext, cache: call.Cache,
		examples: slices.Clone(call.Examples), cacheKey: call.CacheKey, effort: call.Effort,
		encoded: slices.Clip(encoded),
	}
}

// fits is quick in both directions: strings of other lengths differ at once, and the same string has the same address.
func (p *prefix) fits(call *providers.Call) bool {
	return p.model == call.Model && p.system == call.System && p.jsonSchema == call.JSONSchema &&
		p.stable == call.StableContext && p.cache == call.Cache && p.cacheKey == call.CacheKey && p.effort == call.Effort &&
		slices.Equal(p.context, call.Context) && slices.Equal(p.examples, call.Examples) && bytes.Equal(p.schema, call.Schema) &&
		slices.EqualFunc(p.tools, call.Tools, sameTool)
}

func sameTool(a, b task.Tool) bool {
	return a.Name == b.Name && a.Description == b.Description && bytes.Equal(a.Parameters, b.Parameters)
}
