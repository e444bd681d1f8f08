package validators_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// doubling is a schema of n definitions that each name the next one twice under a keyword.
func doubling(n int, keyword, leaf string) string {
	var b strings.Builder
	b.WriteString(`{"$ref": "#/$defs/d0", "$defs": {`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d": {"%s": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}, `, i, keyword, i+1, i+1)
	}
	fmt.Fprintf(&b, `"d%d": %s}}`, n, leaf)
	return b.String()
}

func TestCompile_RefusesDangerousSchemas(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret.json")
	require.NoError(t, os.WriteFile(secret, []byte(`{"const": "hunter2"}`), 0o600))
	const outside = "a schema may refer only to itself"
	many := strings.Repeat(`{},`, validators.MaxSubschemas)
	tests := []struct{ name, schema, want string }{
		{"FileReference", `{"$ref": "file://` + secret + `"}`, outside},
		{"RebasedReference", `{"$id": "file://` + filepath.Dir(secret) + `/x.json", "$ref": "secret.json"}`, outside},
		{"RelativeReference", `{"$ref": "limits.go"}`, outside},
		{"Metaschema", `{"$schema": "file://` + secret + `"}`, outside},
		{"Http", `{"$ref": "http://127.0.0.1:1/x.json"}`, outside},
		{"DynamicReference", `{"$dynamicRef": "file://` + secret + `"}`, outside},
		{"DynamicReferenceInside", `{"$dynamicAnchor": "a", "items": {"$dynamicRef": "#a"}}`, "$dynamicRef"},
		{"MetaschemaOfDraft", `{"$ref": "https://json-schema.org/draft/2020-12/schema"}`, "$dynamicRef"},
		{"ExpansionBomb", doubling(22, "allOf", `{"type": "integer"}`), "expands to more than 100000"},
		{"ExpansionBombInItems", doubling(22, "prefixItems", `false`), "expands to more than 100000"},
		{"Circle", `{"$ref": "#"}`, "in a circle"},
		{"CircleThroughAnyOf", `{"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}}}`, "in a circle"},
		{"TooLong", `{"description": "` + strings.Repeat("x", validators.MaxSchemaBytes) + `"}`, "is longer than 65536 bytes"},
		{"TooDeep", strings.Repeat(`{"not":`, 40) + `true` + strings.Repeat(`}`, 40), "nested deeper than 32"},
		{"TooMany", `{"allOf": [` + strings.TrimSuffix(many, ",") + `]}`, "more than 2000 subschemas"},
		{"HugeExponent", `{"multipleOf": 1e10000000}`, "exponent"},
		{"LongNumber", `{"minimum": ` + strings.Repeat("1", 65) + `}`, "more than 64 characters"},
		{"LookAround", `{"pattern": "(?<!a)b"}`, "not compile"},
		{"PatternBomb", `{"pattern": "` + strings.Repeat("(a?){1000}", 50) + `"}`, "more than 5000 instructions"},
		{"NameBomb", `{"patternProperties": {"` + strings.Repeat("(a?){1000}", 50) + `": true}}`, "more than 5000 instructions"},
		{"DuplicateKey", `{"type": "object", "type": "array"}`, `has the key "type" twice`},
		{"NotASchema", `{"type": "objekt"}`, "not compile"},
		{"NotJSON", `{`, "is not JSON"},
		{"Number", `1`, "not compile"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := validators.Compile(nil, json.RawMessage(test.schema))
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "hunter2")
			require.Less(t, len(err.Error()), 2*validators.MaxReason)
			require.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

func TestCompile_TakesUsualSchemas(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, schema string }{
		{"True", `true`},
		{"Tree", `{"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}`},
		{"AnyJSON", `{"anyOf": [{"type": "string"}, {"items": {"$ref": "#"}}, {"additionalProperties": {"$ref": "#"}}]}`},
		{"Draft7", `{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"type": "string"}}, "items": {"$ref": "#/definitions/a"}}`},
		{"OwnID", `{"$id": "https://example.com/a.json", "$defs": {"b": {"$anchor": "b"}}, "properties": {"x": {"$ref": "#b"}, "y": {"$ref": "a.json#/$defs/b"}}}`},
		{"LargeEnum", `{"enum": [` + strings.Repeat(`"a", `, 5_000) + `"b"]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := validators.Compile(nil, json.RawMessage(test.schema))
			require.NoError(t, err)
		})
	}
}

// TestJSONSchema_WorkIsBounded feeds schemas whose cost grows with the answer beyond all measure.
func TestJSONSchema_WorkIsBounded(t *testing.T) {
	t.Parallel()
	recursion := `{"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}], "not": {"type": "null"}}`
	patterns := `{"not": {"patternProperties": {"a": {"$ref": "#"}, "a?": {"$ref": "#"}}}, "type": ["object", "string"]}`
	nested := func(open, inner, closing string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(closing, n)
	}
	flat := func(item string, n int) string { return "[" + strings.Repeat(item+",", n) + item + "]" }
	tests := []struct{ name, schema, answer string }{
		{"AmbiguousRecursion", recursion, nested("[", "null", "]", 100)},
		{"AmbiguousNames", patterns, nested(`{"a":`, "1", "}", 100)},
		{"WideArray", `{"items": {"allOf": [` + strings.Repeat(`{"minimum": 5},`, 999) + `true]}}`, flat("1", 100_000)},
		{"EnumOfNumbers", `{"items": {"enum": [` + strings.Repeat("11,", 9_000) + `1]}}`, flat("2", 450)},
		{"EnumOfExponents", `{"items": {"enum": [` + strings.Repeat("1e400,", 9_000) + `1]}}`, flat("2e400", 450)},
		{"ConstOfNumbers", `{"items": {"const": [` + strings.Repeat("1e400,", 9_000) + `1]}}`, flat("["+strings.Repeat("1e400,", 9_000)+"2]", 20)},
		{"Exponents", `{"items": {"multipleOf": 1e-400}}`, flat("1.1e400", 100_000)},
		{"RegexFormat", `{"items": {"format": "regex"}}`, flat(`"(a?){1000}(b?){1000}"`, 50_000)},
		{"SlowPattern", `{"items": {"pattern": "^(a?){400}(a?){400}$"}}`, flat(`"`+strings.Repeat("a", 2_000)+`"`, 1_000)},
		{"UniqueItems", `{"uniqueItems": true, "items": {"$ref": "#"}}`, nested("[1,", flat("2", 10_000), "]", 100)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chain, err := validators.Compile(nil, json.RawMessage(test.schema))
			require.NoError(t, err)
			answer := text(test.answer)
			start := time.Now()
			verdict, err := chain.Validate(&answer)
			require.NoError(t, err)
			require.Contains(t, verdict.Reason, "evaluations of its schema")
			require.Less(t, time.Since(start), 20*time.Second)
		})
	}
}

// TestJSONSchema_BudgetLeavesRoom holds the worst that is still let through.
func TestJSONSchema_BudgetLeavesRoom(t *testing.T) {
	t.Parallel()
	item := `{"sku": "A-17", "amount": 12.5, "tags": ["a", "b"], "note": null}`
	schema := `{"type": "array", "items": {"type": "object", "required": ["sku", "amount"], "additionalProperties": false, "properties": {
		"sku": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"}, "amount": {"type": "number", "minimum": 0},
		"tags": {"type": "array", "items": {"enum": ["a", "b"]}}, "note": {"type": ["string", "null"]}}}}`
	chain, err := validators.Compile(nil, json.RawMessage(schema))
	require.NoError(t, err)
	answer := text("[" + strings.Repeat(item+",", 9_999) + item + "]")
	verdict, err := chain.Validate(&answer)
	require.NoError(t, err)
	require.True(t, verdict.Accepted, verdict.Reason)
}

func TestJSONSchema(t *testing.T) {
	t.Parallel()
	const object = `{"schema": {"type": "object", "required": ["total", "lines"], "additionalProperties": false,
		"properties": {"total": {"type": "number", "minimum": 0}, "date": {"format": "date"},
		"lines": {"type": "array", "items": {"anyOf": [
			{"required": ["kind", "text"], "properties": {"kind": {"const": "note"}, "text": {"type": "string"}}},
			{"required": ["kind", "size"], "properties": {"kind": {"const": "item"}, "size": {"properties": {"x": {"type": "integer"}}}}}]}}}}}`
	const tree = `{"schema": {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "additionalProperties": false}}`
	runTable(t, "json_schema", []judgement{
		{"Fits", object, text(`{"total": 1.5, "date": "2026-02-28", "lines": []}`), ""},
		{"FitsInFences", object, text("```json\n{\"total\": 1, \"lines\": []}\n```"), ""},
		{"Location", object, text(`{"total": -1, "lines": []}`), `at "/total": minimum: got -1, want 0`},
		{"OthersAreCounted", object, text(`{"total": "x", "lines": 1}`), "(and 1 more)"},
		{"Missing", object, text(`{}`), "missing properties 'total', 'lines'"},
		{"SortedNames", object, text(`{"total": 1, "lines": [], "z": 1, "b": 1, "a": 1}`), "'a', 'b', 'z' not allowed"},
		{"FormatIsAsserted", object, text(`{"total": 1, "lines": [], "date": "2026-02-30"}`), `at "/date"`},
		{"ClosestAlternative", object, text(`{"total": 1, "lines": [{"kind": "item", "size": {"x": "1"}}]}`), `the closest one fails with: at "/lines/0/size/x": got string, want integer`},
		{"NotJSON", object, text("The total is 5."), "the answer is not JSON"},
		{"Trailing", object, text(`{"total": 1, "lines": []} I hope this helps`), "is not JSON"},
		{"DuplicateKey", object, text(`{"total": 1, "total": 2, "lines": []}`), `has the key "total" twice, the second time at byte 13`},
		{"HugeExponent", object, text(`{"total": 1e10000000, "lines": []}`), "exponent beyond 400"},
		{"LongNumber", object, text(`{"total": ` + strings.Repeat("1", 65) + `, "lines": []}`), "more than 64 characters"},
		{"TooDeep", object, text(strings.Repeat("[", 200) + strings.Repeat("]", 200)), "nested deeper than 128"},
		{"TooLong", object, text(`"` + strings.Repeat("x", validators.MaxJSONBytes) + `"`), "longer than 4194304 bytes"},
		{"InvalidUTF8", object, text("{\"total\": \"\xff\"}"), "not valid UTF-8"},
		{"ByteOrderMark", object, text("\ufeff{}"), "is not JSON"},
		{"RecursiveFits", tree, text(`{"left": {"right": {}}, "right": {"left": {}}}`), ""},
		{"RecursiveFails", tree, text(`{"left": {"right": {"x": 1}}}`), `at "/left/right": additional properties 'x'`},
		{"ControlInName", `{"schema": {"additionalProperties": false}}`, text("{\"\u202e\\u0000\": 1}"), "not allowed"},
		{"PropertyNames", `{"schema": {"propertyNames": {"maxLength": 2}}}`, text(`{"abc": 1}`), `property name "abc": maxLength: got 3, want 2`},
		{"EmptyAnswer", object, text(""), "it is empty"},
		{"ToolTurn", object, validators.Answer{
			ToolCalls: []task.ToolCall{{Name: "f"}}, Task: &task.Task{Tools: []task.Tool{{Name: "f"}}},
		}, ""},
		{"ToolTurnNobodyAskedFor", object, validators.Answer{
			ToolCalls: []task.ToolCall{{Name: "f"}}, Task: &task.Task{},
		}, "it is empty"},
	})
}

func TestJSON(t *testing.T) {
	t.Parallel()
	runTable(t, "json", []judgement{
		{"Any", "", text(" 12 "), ""},
		{"Null", "", text("null"), ""},
		{"Object", `{"root": "object"}`, text(`{"a": [1, 2, {"b": "\u0000"}]}`), ""},
		{"ObjectWanted", `{"root": "object"}`, text(`[]`), "is an array, not an object"},
		{"ArrayWanted", `{"root": "array"}`, text(`{}`), "is an object, not an array"},
		{"Fences", `{"root": "array"}`, text("```\n[1]\n```"), ""},
		{"Prose", "", text("Sure! {\"a\": 1}"), "invalid character 'S'"},
		{"RawNUL", "", text("\"\x00\""), "is not JSON"},
		{"TrailingComma", "", text(`[1,]`), "is not JSON"},
		{"SingleQuotes", "", text(`{'a': 1}`), "is not JSON"},
		{"NaN", "", text(`NaN`), "is not JSON"},
		{"Cut", "", text(`{"a": [1, 2`), "unexpected end of JSON input"},
		{"EscapedDuplicate", "", text(`{"a": 1, "\u0061": 2}`), "twice"},
		{"NestedDuplicate", "", text(`[{"x": {"a": 1, "a": 1}}]`), "twice"},
		{"DepthAtLimit", "", text(strings.Repeat("[", 128) + strings.Repeat("]", 128)), ""},
		{"LongKey", "", text(`{"` + strings.Repeat("k", 1000) + `": 1, "` + strings.Repeat("k", 1000) + `": 1}`), "kkk…"},
	})
}

func TestToolCalls(t *testing.T) {
	t.Parallel()
	weather := task.Tool{Name: "weather", Parameters: json.RawMessage(
		`{"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}}}`,
	)}
	tools := &task.Task{Tools: []task.Tool{weather, {Name: "now"}}}
	call := func(calls ...task.ToolCall) validators.Answer {
		return validators.Answer{ToolCalls: calls, Task: tools}
	}
	runTable(t, "tool_calls", []judgement{
		{"Fits", "", call(task.ToolCall{Name: "weather", Arguments: `{"city": "Oslo", "days": 3}`}), ""},
		{"WithoutParameters", "", call(task.ToolCall{Name: "now", Arguments: ""}), ""},
		{"BlankArgumentsAreAnEmptyObject", "", call(task.ToolCall{Name: "weather", Arguments: " "}), "missing property 'city'"},
		{"None", "", call(), "has 0 tool calls, fewer than 1"},
		{"NoneAllowed", `{"min": 0}`, call(), ""},
		{"TooMany", `{"max": 1}`, call(task.ToolCall{Name: "now"}, task.ToolCall{Name: "now"}), "2 tool calls, more than 1"},
		{"UnknownTool", "", call(task.ToolCall{Name: "wether\u202e"}), `tool call 1 ("wether\u202e") names no tool`},
		{"NotJSON", "", call(task.ToolCall{Name: "now", Arguments: `{city: 1}`}), "is not JSON"},
		{"NotAnObject", "", call(task.ToolCall{Name: "now", Arguments: `["Oslo"]`}), "are an array, not an object"},
		{"DuplicateKey", "", call(task.ToolCall{Name: "now", Arguments: `{"a": 1, "a": 2}`}), "twice"},
		{"WrongType", "", call(task.ToolCall{Name: "now"}, task.ToolCall{Name: "weather", Arguments: `{"city": "Oslo", "days": 8}`}), `tool call 2 ("weather") has arguments whose value does not fit its schema: at "/days"`},
	})
}

func TestToolCalls_ToolWithoutSchemaIsAnError(t *testing.T) {
	t.Parallel()
	tools := []task.Tool{
		{Name: "bomb", Parameters: json.RawMessage(doubling(22, "anyOf", "false"))},
		{Name: "fine", Parameters: json.RawMessage(`{}`)},
		{Name: "fine"},
	}
	answer := validators.Answer{
		ToolCalls: []task.ToolCall{{Name: "bomb", Arguments: "{}"}},
		Task:      &task.Task{Tools: tools},
	}
	v := mustNew(t, "tool_calls", "")
	for range 2 { // the second time out of the cache
		_, err := v.Validate(&answer)
		require.ErrorContains(t, err, `tool "bomb": the schema expands to more than`)
	}
	err := validators.CheckTools(tools)
	require.ErrorContains(t, err, `tool "bomb": the schema expands`)
	require.ErrorContains(t, err, `tool "fine" is given twice`)
	require.NoError(t, validators.CheckTools(tools[1:2]))
}
