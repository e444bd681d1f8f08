package embed_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/embed"
)

func mustStatic(tb testing.TB) *embed.Static {
	tb.Helper()
	s, err := embed.NewStatic()
	require.NoError(tb, err)
	return s
}

func BenchmarkStatic(b *testing.B) {
	s := mustStatic(b)
	v := make([]float32, s.Dim())
	b.SetBytes(int64(len(prompt)))
	b.ReportAllocs()
	for b.Loop() {
		s.Into(v, prompt)
	}
}

func BenchmarkNewStatic(b *testing.B) {
	for b.Loop() {
		mustStatic(b)
	}
}
