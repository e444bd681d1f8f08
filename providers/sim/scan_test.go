package sim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim/dice"
)

func TestUnescape(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, raw string
		bad       bool
	}{
		{name: "Plain", raw: `abc äöü`},
		{name: "Controls", raw: `a\n\t\r\b\f\"\\\/`},
		{name: "Unit", raw: `\u00e4\u20ac`},
		{name: "Pair", raw: `\ud83d\ude00!`},
		{name: "LoneHigh", raw: `\ud83dx`},
		{name: "LoneLow", raw: `\ude00`},
		{name: "HighThenOther", raw: `\ud83d\u0041`},
		{name: "Empty", raw: ``},
		{name: "Unknown", raw: `\x`, bad: true},
		{name: "ShortUnit", raw: `\u12`, bad: true},
		{name: "NoHex", raw: `\u12zz`, bad: true},
		{name: "End", raw: `a\`, bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := unescape([]byte(tc.raw))
			if tc.bad {
				require.ErrorIs(t, err, errBadJSON)
				return
			}
			require.NoError(t, err)
			var want string
			require.NoError(t, json.Unmarshal([]byte(`"`+tc.raw+`"`), &want))
			require.Equal(t, want, got)
		})
	}
}

func TestScanner_Depth(t *testing.T) {
	t.Parallel()
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	s := scanner{data: deep(maxDepth)}
	_, err := s.value()
	require.NoError(t, err)
	s = scanner{data: deep(maxDepth + 1)}
	_, err = s.value()
	require.ErrorIs(t, err, errBadJSON)
}

// FuzzParse holds the scanner against encoding/json: what the one takes as a request the other takes as JSON, and both
// read the same out of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"model":"m","max_tokens":5,"system":"s","messages":[{"role":"user","content":"x\n\u00e4"}]}`))
	f.Add([]byte(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]}],"tools":[{"name":"f","input_schema":{}}]}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"}]}],"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}},"metadata":{"attempt_id":"1"}}`))
	f.Add([]byte(` { "model" : null , "n" : 1e400, "tool_choice":"required","prompt_cache_options":{"mode":"explicit"} } `))
	f.Add([]byte(`{"model":"m","instructions":"s","input":[{"role":"user","content":"x"}],"text":{"format":{"schema":{}}}}`))
	f.Add([]byte(`{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"text":"x"},{"text":"y"}],"role":"user"}],"generationConfig":{"maxOutputTokens":5,"responseJsonSchema":{"type":"object"}},"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{}}]}]}`))
	header := http.Header{"Anthropic-Version": {"x"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, w := range []wire{
			messages{},
			completions{},
			responses{},
			generate{model: "m"},
			messages{counts: true},
			responses{counts: true},
			generate{model: "m", counts: true},
		} {
			q, problem := w.parse(body, header)
			if problem != nil {
				require.NotEmpty(t, problem.message)
				continue
			}
			var want struct {
				Model string `json:"model"`
			}
			if json.Unmarshal(body, &want) != nil {
				continue // numbers such as 0x1p-2, and types that do not matter here
			}
			if w.name() == "gemini" {
				want.Model = "m" // from the path
			}
			if json.Valid(body) && strings.Count(string(body), "odel") == 1 {
				require.Equal(t, want.Model, q.model)
			}
			for _, b := range q.blocks {
				_ = byteCounter{}.units(b.text)
			}
			_ = q.last()
		}
	})
}

// FuzzSchema makes values of all kinds of schemas: whatever comes out is JSON.
func FuzzSchema(f *testing.F) {
	f.Add([]byte(`{"type":"object","properties":{"a":{"enum":["x"]},"b":{"$ref":"#"}}}`))
	f.Add([]byte(`{"type":"array","items":{"type":"string","pattern":"(a|b){2,}[^x]\\b"},"minItems":1e9}`))
	f.Add([]byte(`{"anyOf":[{"$ref":"#/anyOf/0"}],"allOf":[{"const":{"a":[1]}}],"minimum":-1e300}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := newPlayer(1, byteCounter{})
		m := &model{ModelProfile: ModelProfile{Skill: 10_000, MaxOutput: 1000}, id: "m"}
		q := &question{schema: raw, maxTokens: 1 << 30, users: []string{"x"}}
		if len(raw) == 0 {
			return
		}
		a := p.improvise(q, m, dice.New(1, "schema"))
		require.True(t, json.Valid([]byte(a.text)), a.text)
	})
}
