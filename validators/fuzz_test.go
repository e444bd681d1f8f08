package validators_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// slowest is the most time for one validation of a text of 64 kB, many times what it takes: a loaded machine must not
// fail the test, a cost that grows faster than the text must.
const slowest = 5 * time.Second

// fuzzAnswers checks one configured type on any answer to any input.
func fuzzAnswers(f *testing.F, name string, configured ...string) {
	f.Helper()
	for _, output := range hostile() {
		if len(output) < 1_000 {
			f.Add(output, "Invoice of 1,234.50 EUR")
		}
	}
	checked := make([]validators.Validator, 0, len(configured)+1)
	for _, params := range append(configured, samples()[name]) {
		checked = append(checked, mustNew(f, name, params))
	}
	f.Fuzz(func(t *testing.T, output, input string) {
		a := &validators.Answer{
			Output: output,
			Task:   &task.Task{Input: input, Metadata: map[string]string{"sum": input}},
		}
		for _, v := range checked {
			requireSound(t, v, a)
		}
	})
}

// requireSound checks what holds for every validator and every answer.
func requireSound(t *testing.T, v validators.Validator, a *validators.Answer) {
	t.Helper()
	start := time.Now()
	first, err := v.Validate(a)
	require.NoError(t, err)
	require.Less(t, time.Since(start), slowest)
	require.Equal(t, first.Accepted, first.Reason == "")
	require.Equal(t, v.Name(), first.Validator)
	requireReason(t, first.Reason)
	again, err := v.Validate(a)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func FuzzAllowEmpty(f *testing.F)    { fuzzAnswers(f, "allow_empty") }
func FuzzNoRefusalStop(f *testing.F) { fuzzAnswers(f, "no_refusal_stop") }
func FuzzNotEmpty(f *testing.F)      { fuzzAnswers(f, "not_empty") }
func FuzzNotTruncated(f *testing.F)  { fuzzAnswers(f, "not_truncated") }

func FuzzChecksum(f *testing.F) {
	fuzzAnswers(f, "checksum", `{"algo": "iban"}`, `{"algo": "isbn"}`, `{"algo": "ean"}`, `{"algo": "sha256", "metadata": "sum"}`)
}

func FuzzEnum(f *testing.F) {
	fuzzAnswers(f, "enum", `{"values": ["a"], "field": "/a/0"}`, `{"values": ["a"], "field": "a", "optional": true}`)
}

func FuzzForbiddenText(f *testing.F) { fuzzAnswers(f, "forbidden_text", `{"texts": ["a"]}`) }
func FuzzRequiredText(f *testing.F) {
	fuzzAnswers(f, "required_text", `{"texts": ["a", "b"], "case_fold": true}`)
}

func FuzzGrounded(f *testing.F) {
	fuzzAnswers(f, "grounded", `{"fields": ["a", "/b/c"], "optional": true}`)
}

func FuzzLanguageScript(f *testing.F) {
	fuzzAnswers(f, "language_script", `{"scripts": ["han", "arabic"], "min_share": 0.33}`)
}

func FuzzLength(f *testing.F) {
	fuzzAnswers(f, "length", `{"unit": "tokens", "min": 2}`, `{"unit": "characters", "max": 3}`, `{"unit": "items", "max": 1}`)
}

func FuzzNoRefusal(f *testing.F) { fuzzAnswers(f, "no_refusal", `{"phrases": ["é", "no"]}`) }

func FuzzNumber(f *testing.F) {
	f.Add(`{"a": 1.5, "b": [1, 0.5]}`, "")
	fuzzAnswers(f, "number", `{"field": "a", "sum_of": {"items": "b"}, "tolerance": 0.1}`, `{"integer": true}`)
}

func FuzzRegex(f *testing.F) {
	fuzzAnswers(f, "regex", `{"pattern": "(a+)+$", "match": "partial"}`, `{"pattern": "\\p{L}*", "field": "a"}`)
}

// FuzzRegexPattern checks that no pattern compiles beyond the limits.
func FuzzRegexPattern(f *testing.F) {
	for _, pattern := range []string{"(a?){1000}", "x{1000}{1000}", "(?=x)", `\pL+`, "((a*)*)*", "[^\\x00-\\x{10FFFF}]", "a{0}", "|", ""} {
		f.Add(pattern, "aaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	}
	f.Fuzz(func(t *testing.T, pattern, output string) {
		params, err := json.Marshal(map[string]string{"pattern": pattern})
		require.NoError(t, err)
		v, err := validators.New(catalog.Validator{Type: "regex", Params: params})
		if err != nil {
			return
		}
		requireSound(t, v, &validators.Answer{Output: output})
	})
}

func FuzzJSON(f *testing.F) { fuzzAnswers(f, "json", `{"root": "array"}`, `{}`) }

// FuzzJSONSchema checks any schema on any answer: one that compiles is bounded and sound.
func FuzzJSONSchema(f *testing.F) {
	for _, schema := range []string{
		samples()["json_schema"], `{"items": {"$ref": "#"}}`, `{"$ref": "#"}`, doubling(22, "allOf", "true"), doubling(3, "anyOf", "false"),
		`{"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]}`, `{"$ref": "file:///etc/hostname"}`, `{"format": "regex"}`,
		`{"unevaluatedProperties": false, "dependentSchemas": {"a": {"properties": {"b": true}}}}`, `{"multipleOf": 1e-400}`,
		`{"$schema": "http://json-schema.org/draft-04/schema#", "dependencies": {"a": {"not": {}}}, "exclusiveMinimum": true, "minimum": 1}`,
		`{"propertyNames": {"pattern": "^a"}, "contains": {"const": 1}, "uniqueItems": true, "prefixItems": [true]}`,
	} {
		for _, output := range []string{`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`, `{"a": {"b": 1e400}}`, `[1, 1, "(a?){1000}"]`} {
			f.Add(schema, output)
		}
	}
	f.Fuzz(func(t *testing.T, schema, output string) {
		start := time.Now()
		chain, err := validators.Compile(nil, json.RawMessage(schema))
		require.Less(t, time.Since(start), slowest)
		if err != nil || schema == "" {
			return
		}
		a := &validators.Answer{Output: output}
		first, err := chain.Validate(a)
		require.NoError(t, err)
		require.Less(t, time.Since(start), 2*slowest)
		requireReason(t, first.Reason)
		again, err := chain.Validate(a)
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
}

// FuzzToolCalls checks any tool on any arguments: an error only ever comes from the tool's own schema.
func FuzzToolCalls(f *testing.F) {
	for _, arguments := range []string{"", "{}", `{"city": "Oslo"}`, `{"city": 1}`, "[]", `{"a":1,"a":2}`, "{"} {
		f.Add(`{"type": "object", "properties": {"city": {"type": "string"}}}`, "weather", arguments)
		f.Add(`{"$ref": "#"}`, "weather", arguments)
	}
	v := mustNew(f, "tool_calls", "")
	f.Fuzz(func(t *testing.T, parameters, name, arguments string) {
		tools := []task.Tool{{Name: "weather", Parameters: json.RawMessage(parameters)}}
		a := &validators.Answer{
			ToolCalls: []task.ToolCall{{Name: name, Arguments: arguments}},
			Task:      &task.Task{Tools: tools},
		}
		if validators.CheckTools(tools) == nil {
			requireSound(t, v, a)
			return
		}
		verdict, err := v.Validate(a)
		require.True(t, err != nil || !verdict.Accepted, "a tool without a usable schema cannot accept")
	})
}

// FuzzParams checks that no parameters break a constructor.
func FuzzParams(f *testing.F) {
	for name, params := range samples() {
		f.Add(name, params)
	}
	f.Fuzz(func(t *testing.T, name, params string) {
		v, err := validators.New(catalog.Validator{Type: name, Params: json.RawMessage(params)})
		require.Equal(t, err == nil, v != nil)
	})
}

func FuzzStripFences(f *testing.F) {
	for _, output := range hostile() {
		if len(output) < 1_000 {
			f.Add(output)
		}
	}
	f.Fuzz(func(t *testing.T, output string) {
		require.LessOrEqual(t, len(validators.StripFences(output)), len(output))
		fenced := "````json\n" + output + "\n````"
		if inner := validators.StripFences(fenced); inner != fenced {
			require.Equal(t, strings.TrimSpace(output), inner)
		}
	})
}
