package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestQuick checks which answers are read without encoding/json; that they are read the same is FuzzQuick's part.
func TestQuick(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		want bool
	}{
		{name: "Usual", body: string(sample()), want: true},
		{name: "JSONContent", body: `{"choices":[{"message":{"content":"{\"team\":\"caf\u00e9\"}"}}]}`, want: true},
		{name: "UTF8Content", body: `{"choices":[{"message":{"content":"café"}}]}`, want: true},
		{name: "Spaces", body: " { \"model\" : \"m\" , \"choices\" : [ ] } \n", want: true},
		{name: "UnknownFields", body: `{"a":[1,-2.5e3,{"b":[true,false,null,"\n"]}],"model":"m"}`, want: true},
		{name: "NullsForStrings", body: `{"model":null,"choices":[{"finish_reason":null,"message":{"content":null}}]}`, want: true},
		{name: "Error", body: `{"error":{"message":"m"}}`},
		{name: "ToolCalls", body: `{"choices":[{"message":{"tool_calls":[]}}]}`},
		{name: "ContentInParts", body: `{"choices":[{"message":{"content":[{"type":"text","text":"a"}]}}]}`},
		{name: "OtherCase", body: `{"Model":"m"}`},
		{name: "Twice", body: `{"model":"m","model":"n"}`},
		{name: "EscapedKey", body: `{"mod\u0065l":"m"}`},
		{name: "Truncated", body: `{"model":"m"`},
		{name: "Trailing", body: `{"model":"m"} x`},
		{name: "NULBehind", body: "{\"model\":\"m\"}\x00"},
		{name: "TooDeep", body: `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`},
		{name: "LeadingZero", body: `{"a":01}`},
		{name: "BadEscape", body: `{"a":"\x"}`},
		{name: "TrailingComma", body: `{"model":"m",}`},
		{name: "Empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, ok := quick([]byte(test.body))
			require.Equal(t, test.want, ok)
		})
	}
}

func FuzzQuick(f *testing.F) {
	f.Add(sample())
	f.Add([]byte(`{"choices":[{"message":{"content":"\ud800\n\u0041 é \xff"},"finish_reason":null}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":null},"completion_tokens_details":null}`))
	f.Add([]byte(`{"a":{"b":[1,-0.5e+3,true]},"choices":null,"model":"m"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, ok := quick(body); ok {
			var want completion
			require.NoError(t, json.Unmarshal(body, &want))
			require.Equal(t, want, got)
		}
		if got, ok := quickUsage(body); ok {
			var want usage
			require.NoError(t, json.Unmarshal(body, &want))
			require.Equal(t, want, got)
		}
	})
}
