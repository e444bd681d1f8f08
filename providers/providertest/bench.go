package providertest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// BenchmarkDecode decodes an answer that is metered and can be used.
func BenchmarkDecode(b *testing.B, format httpcall.Format, body []byte) {
	b.Helper()
	answer := httpcall.Answer{Status: http.StatusOK, Body: body}
	b.SetBytes(int64(len(answer.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if reply, fault := format.Decode(answer); fault != nil || reply.Usage == nil {
			b.Fatal(fault)
		}
	}
}

// BenchmarkPrepare encodes calls with a long prefix, a schema and a short input.
func BenchmarkPrepare(b *testing.B, build func(providers.Config) (providers.Provider, error)) {
	b.Helper()
	p, err := build(providers.Config{})
	require.NoError(b, err)
	call := providers.Call{
		Model: "model", System: strings.Repeat("You sort tickets by team. ", 100), JSONSchema: true, MaxOutputTokens: 64,
		Schema:   []byte(`{"type":"object","properties":{"team":{"type":"string"}},"required":["team"],"additionalProperties":false}`),
		Messages: []task.Message{{Role: "user", Content: strings.Repeat("Where is my parcel? ", 25)}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Prepare(call); err != nil {
			b.Fatal(err)
		}
	}
}
