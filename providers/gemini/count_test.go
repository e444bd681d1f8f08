package gemini

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/httpcall"
)

func FuzzDecodeCount(f *testing.F) {
	f.Add([]byte(`{"totalTokens":1234}`))
	f.Add([]byte(`{"totalTokens":-1}`))
	f.Add([]byte(`{"totalTokens":null,"error":null}`))
	f.Add([]byte(`{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, fault := decodeCount(httpcall.Answer{Status: http.StatusOK, Body: body})
		if fault != nil {
			require.NotEmpty(t, fault.Class)
			require.NotEmpty(t, fault.Message)
			require.Zero(t, n)
			return
		}
		require.Positive(t, n)
		require.LessOrEqual(t, n, int64(1_000_000_000))
	})
}
