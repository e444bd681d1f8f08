package task

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// RequestHash tells whether two tasks with one id ask for the same. It covers what a task means, not how it was written:
// the order of fields, white space, escapes, a default spelt out and the zone of a time make no difference. The tenant
// and the id are left out because they are the key that the hash is compared under, and the traceparent because a
// repeated publish has a trace of its own. The feature is covered, so compute the hash after Bind.
//
// The hash is stored: a new optional field must be added here in a way that leaves tasks without it unchanged.
func RequestHash(t *Task) [sha256.Size]byte {
	p := preimage(make([]byte, 0, len(t.Input)+512))
	p.field("feature", t.Feature)
	p.field("call_path", t.CallPath)
	p.field("input", t.Input)
	for _, m := range t.Messages {
		p.field("message", m.Role, m.Content)
	}
	p.field("context", t.Context...)
	for _, tool := range t.Tools {
		p.field("tool", tool.Name, tool.Description, canonicalJSON(tool.Parameters))
	}
	for _, a := range t.Attachments {
		p.field("attachment", a.URL, a.MediaType, a.SHA256)
	}
	p.field("class", string(t.Class))
	if t.Lane != LaneAuto {
		p.field("lane", string(t.Lane))
	}
	if t.Deadline != nil {
		p.field("deadline", t.Deadline.UTC().Format(time.RFC3339Nano))
	}
	if t.MaxCostUSD != nil {
		p.field("max_cost_usd", t.MaxCostUSD.String())
	}
	p.number("max_output_tokens", t.MaxOutputTokens, 0)
	p.number("priority", t.Priority, DefaultPriority)
	p.field("batch", t.Batch)
	for _, key := range slices.Sorted(maps.Keys(t.Metadata)) {
		p.field("metadata", key, t.Metadata[key])
	}
	return sha256.Sum256(p)
}

// preimage is what a hash is taken of: named fields whose lengths are written with them, so that no two tasks run
// together into the same bytes.
type preimage []byte

// field adds a field unless it is absent: without values, or with one empty one.
func (p *preimage) field(name string, values ...string) {
	if len(values) == 0 || (len(values) == 1 && values[0] == "") {
		return
	}
	p.text(name)
	*p = binary.AppendUvarint(*p, uint64(len(values)))
	for _, v := range values {
		p.text(v)
	}
}

func (p *preimage) text(s string) {
	*p = binary.AppendUvarint(*p, uint64(len(s)))
	*p = append(*p, s...)
}

func (p *preimage) number(name string, n, standard int) {
	if n != 0 && n != standard {
		p.field(name, strconv.Itoa(n))
	}
}

// canonicalJSON is a JSON document with sorted names and without white space. Numbers stay as they were written.
func canonicalJSON(raw json.RawMessage) string {
	if raw == nil {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return string(raw)
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		return string(raw)
	}
	return string(canonical)
}
