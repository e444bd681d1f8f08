package validators_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// judgement is one row of a validator's table.
type judgement struct {
	name   string
	params string
	answer validators.Answer
	// reason is a part of the expected reason; empty means accepted.
	reason string
}

// text is an answer of text alone.
func text(output string) validators.Answer { return validators.Answer{Output: output} }

// asked is an answer of text to an input.
func asked(input, output string) validators.Answer {
	return validators.Answer{Output: output, Task: &task.Task{Input: input}}
}

func mustNew(tb testing.TB, name, params string) validators.Validator {
	tb.Helper()
	v, err := validators.New(catalog.Validator{Type: name, Params: json.RawMessage(params)})
	require.NoError(tb, err)
	return v
}

// runTable judges every row with a validator of its own.
func runTable(t *testing.T, name string, rows []judgement) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			verdict, err := mustNew(t, name, row.params).Validate(&row.answer)
			require.NoError(t, err)
			require.Equal(t, name, verdict.Validator)
			require.Equal(t, 1, verdict.Version)
			if row.reason == "" {
				require.True(t, verdict.Accepted, verdict.Reason)
				require.Empty(t, verdict.Reason)
				return
			}
			require.False(t, verdict.Accepted)
			require.Contains(t, verdict.Reason, row.reason)
			requireReason(t, verdict.Reason)
		})
	}
}

func requireReason(tb testing.TB, reason string) {
	tb.Helper()
	require.True(tb, utf8.ValidString(reason))
	require.LessOrEqual(tb, utf8.RuneCountInString(reason), validators.MaxReason)
	require.NotContains(tb, reason, "\x00")
}

// samples are a working configuration of every registered type.
func samples() map[string]string {
	return map[string]string{
		"allow_empty":     `{}`,
		"checksum":        `{"algo": "luhn"}`,
		"enum":            `{"values": ["billing", "Größe", "other"], "case_fold": true, "trim": true, "strip_quotes": true, "strip_punctuation": true}`,
		"forbidden_text":  `{"texts": ["TODO", "café"], "case_fold": true}`,
		"grounded":        `{}`,
		"json":            `{"root": "object"}`,
		"json_schema":     `{"schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 0}}}}`,
		"language_script": `{"scripts": ["latin"]}`,
		"length":          `{"unit": "words", "max": 50}`,
		"no_refusal":      ``,
		"no_refusal_stop": `null`,
		"not_empty":       `{}`,
		"not_truncated":   `{}`,
		"number":          `{"min": 0, "max": 100}`,
		"regex":           `{"pattern": "[a-z]+[0-9]*"}`,
		"required_text":   `{"texts": ["regards", "yours"], "match": "any"}`,
		"tool_calls":      `{"min": 0}`,
	}
}

// hostile are answers that no validator may stumble over.
func hostile() []string {
	return []string{
		"", " ", "\x00", "a\x00b", "\xff\xfe", "a\xc3", "\u202eevil\u202c", "e\u0301", "\u00e9", "\u200b\u200b", "\ufeff{}",
		"null", "{}", "[]", `"text"`, "-0", "1e400", "1e10000000", "1e-10000000", strings.Repeat("9", 100_000),
		strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000),
		`{"a":1,"a":2}`, `{"a":1} trailing`, "```json\n{\"a\":1}\n```", "```", "``````", "```\n```", "~~~\nx\n~~~",
		`{"a":"\ud800"}`, `{"":{"":1}}`, strings.Repeat("a", 200_000), strings.Repeat("é́", 50_000),
		strings.Repeat("1,", 50_000), strings.Repeat("1 ", 50_000), strings.Repeat("\u202e", 10_000), "ﷺ", "İ", "ß",
	}
}

func hostileTask() *task.Task {
	return &task.Task{
		Input:    "Invoice 17 of \x00 1,234.50 EUR \xff " + strings.Repeat("1 ", 1_000),
		Context:  []string{"\u202e", ""},
		Messages: []task.Message{{Role: "user", Content: "é"}},
		Tools:    []task.Tool{{Name: "find", Parameters: json.RawMessage(`{"type":"object"}`)}},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	configured := samples()
	require.Len(t, configured, len(validators.Types()), "a sample for every type and no other")
	for _, name := range validators.Types() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := mustNew(t, name, configured[name])
			require.Equal(t, name, v.Name())
			require.Positive(t, v.Version())
			for _, output := range hostile() {
				a := &validators.Answer{
					Output:    output,
					ToolCalls: []task.ToolCall{{Name: "find", Arguments: output}},
					Task:      hostileTask(),
				}
				first, err := v.Validate(a)
				require.NoError(t, err)
				requireReason(t, first.Reason)
				require.Equal(t, first.Accepted, first.Reason == "")
				again, err := v.Validate(a)
				require.NoError(t, err)
				require.Equal(t, first, again)
			}
			_, err := v.Validate(nil)
			require.ErrorContains(t, err, "no answer")
		})
	}
}

func TestConformance_UnknownParameterIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range validators.Types() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := validators.New(catalog.Validator{Type: name, Params: json.RawMessage(`{"wrong_one": 1, "Wrong2": 2}`)})
			require.ErrorContains(t, err, `parameter "wrong_one" is unknown`)
			require.ErrorContains(t, err, `parameter "Wrong2" is unknown`)
		})
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	described := validators.Describe()
	require.Len(t, described, len(validators.Types()))
	for i, d := range described {
		require.Equal(t, validators.Types()[i], d.Name)
		require.NotEmpty(t, d.Text)
		require.NotContains(t, d.Text, "\n")
		require.Equal(t, 1, d.Version)
	}
}

func TestDeterminism(t *testing.T) {
	t.Parallel()
	// Every property is wrong in its own way, and a map has no order: the reason must have one all the same.
	schema := json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
		"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"anyOf": [{"type": "integer"}, {"properties": {"x": {"const": 1}}}]},
		"d": {"propertyNames": {"maxLength": 1}}, "e": {"propertyNames": {"maxLength": 1}}},
		"patternProperties": {"^p": {"type": "null"}, "^pq": {"type": "array"}}}`)
	answers := []string{
		`{"z": 1, "y": 2, "x": 3, "w": 4, "v": 5}`,
		`{"a": "1", "b": "2", "c": {"x": 2}, "pq": 1}`,
		`{"d": {"long": 1, "longer": 2}, "e": {"long": 1, "longest": 2}}`,
		`{"c": {"x": 3}, "z": {}}`,
	}
	chain, err := validators.Compile(nil, schema)
	require.NoError(t, err)
	for _, output := range answers {
		answer := text(output)
		want, err := chain.Validate(&answer)
		require.NoError(t, err)
		require.False(t, want.Accepted)
		var wg sync.WaitGroup
		got := make([]validators.Verdict, 100)
		for i := range got {
			wg.Go(func() { got[i], _ = chain.Validate(&answer) })
		}
		wg.Wait()
		for _, v := range got {
			require.Equal(t, want, v)
		}
	}
}

func TestDeterminism_EveryType(t *testing.T) {
	t.Parallel()
	for name, params := range samples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := mustNew(t, name, params)
			answer := validators.Answer{
				Output:    "I cannot help with that: {\u202e café 12,5",
				ToolCalls: []task.ToolCall{{Name: "find", Arguments: `{"b": 1, "a": 2}`}},
				Task:      hostileTask(),
			}
			want, err := v.Validate(&answer)
			require.NoError(t, err)
			var wg sync.WaitGroup
			got := make([]validators.Verdict, 100)
			for i := range got {
				wg.Go(func() { got[i], _ = v.Validate(&answer) })
			}
			wg.Wait()
			for _, verdict := range got {
				require.Equal(t, want, verdict)
			}
		})
	}
}
