package responses

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/httpcall"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"status":"completed","model":"m","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}],` +
		`"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":2,"total_tokens":5}}`))
	f.Add([]byte(`{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"function_call"}]}`))
	f.Add([]byte(`{"status":"failed","error":{"code":"server_error","message":"m"},"output":null}`))
	f.Add([]byte(`{"error":"x","usage":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		reply, fault := format{}.Decode(httpcall.Answer{Status: 200, Body: body})
		if fault != nil {
			require.NotEmpty(t, fault.Class)
			require.NotEmpty(t, fault.Message)
		}
		if u := reply.Usage; u != nil {
			require.Positive(t, u.Prompt())
			require.GreaterOrEqual(t, u.Output, u.Reasoning)
		}
		require.True(t, utf8.ValidString(reply.Output))
	})
}
