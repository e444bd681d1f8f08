package validators_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

func spec(name, params string) catalog.Validator {
	return catalog.Validator{Type: name, Params: json.RawMessage(params)}
}

func TestCompile_Order(t *testing.T) {
	t.Parallel()
	specs := []catalog.Validator{spec("regex", `{"pattern": ".*"}`), spec("length", `{"unit": "words", "max": 5}`)}
	tests := []struct {
		name   string
		specs  []catalog.Validator
		schema string
		want   []string
	}{
		{"Nothing", nil, "", []string{"not_truncated@1", "no_refusal_stop@1", "not_empty@1"}},
		{"Schema", nil, "{}", []string{"not_truncated@1", "no_refusal_stop@1", "not_empty@1", "json_schema@1"}},
		{"Specs", specs, "true", []string{
			"not_truncated@1", "no_refusal_stop@1", "not_empty@1", "json_schema@1", "regex@1", "length@1",
		}},
		{"AllowEmpty", append(specs[:1:1], spec("allow_empty", "")), "", []string{
			"not_truncated@1", "no_refusal_stop@1", "allow_empty@1", "regex@1",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chain, err := validators.Compile(test.specs, json.RawMessage(test.schema))
			require.NoError(t, err)
			require.Equal(t, test.want, chain.Names())
		})
	}
}

func TestCompile_ReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := validators.Compile([]catalog.Validator{
		spec("regex", `{"pattern": "(?=x)"}`),
		spec("enum", `{"value": ["a"], "trim": "yes", "values": 3}`),
		spec("wrong", `{}`),
		spec("length", `{"unit": "metres", "min": 5, "max": 1}`),
		spec("number", `{"min": "x", "tolerance": 1}`),
		spec("not_empty", `[]`),
		spec("json", `{"root": "object", "root": "array"}`),
	}, json.RawMessage(`{"type": 1}`))
	require.Error(t, err)
	for _, want := range []string{
		"output schema: the schema does not compile",
		`validator 1 (regex): the pattern uses "(?=": look-around is not supported (RE2)`,
		`validator 2 (enum): parameter "value" is unknown`,
		`validator 2 (enum): parameter "trim": is string, want true or false`,
		`validator 2 (enum): parameter "values": is number, want a list`,
		`validator 3 (wrong): unknown type "wrong"`,
		`validator 4 (length): parameter "unit" is "metres", want characters, words, tokens, items`,
		`validator 4 (length): parameter "min" is above "max"`,
		`validator 5 (number): parameter "min"`,
		`validator 6 (not_empty): the parameters are an array, want an object`,
		`validator 7 (json): the parameters: the text has the key "root" twice`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestCompile_EmptinessIsDecidedOnce(t *testing.T) {
	t.Parallel()
	_, err := validators.Compile([]catalog.Validator{spec("not_empty", ""), spec("allow_empty", "")}, nil)
	require.ErrorContains(t, err, "not_empty and allow_empty exclude each other")
}

func TestChain_FirstRejectionDecides(t *testing.T) {
	t.Parallel()
	specs := []catalog.Validator{spec("enum", `{"values": ["a", "b"]}`), spec("length", `{"unit": "characters", "max": 1}`)}
	tests := []struct {
		name   string
		answer validators.Answer
		want   string
		accept bool
	}{
		{"TruncatedBeforeAll", validators.Answer{Truncated: true, Refused: true}, "not_truncated", false},
		{"RefusedBeforeEmpty", validators.Answer{Refused: true}, "no_refusal_stop", false},
		{"Empty", text(" \n"), "not_empty", false},
		{"FirstOfTwo", text("ccc"), "enum", false},
		{"AcceptedNamesTheLast", text("a"), "length", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chain, err := validators.Compile(specs, nil)
			require.NoError(t, err)
			verdict, err := chain.Validate(&test.answer)
			require.NoError(t, err)
			require.Equal(t, test.want, verdict.Validator)
			require.Equal(t, test.accept, verdict.Accepted)
		})
	}
}

func TestChain_AllowEmptyEndsTheChain(t *testing.T) {
	t.Parallel()
	specs := []catalog.Validator{spec("enum", `{"values": ["a"]}`), spec("allow_empty", "")}
	chain, err := validators.Compile(specs, json.RawMessage(`{"type": "string"}`))
	require.NoError(t, err)
	empty, wrong := text(" \u200b"), text(`"b"`)
	verdict, err := chain.Validate(&empty)
	require.NoError(t, err)
	require.Equal(t, validators.Verdict{Accepted: true, Validator: "allow_empty", Version: 1}, verdict)
	verdict, err = chain.Validate(&wrong)
	require.NoError(t, err)
	require.Equal(t, "enum", verdict.Validator)
	cut := validators.Answer{Truncated: true}
	verdict, err = chain.Validate(&cut)
	require.NoError(t, err)
	require.False(t, verdict.Accepted, "an answer that was cut off is not an empty one")
}

func TestChain_ErrorsAreNoVerdict(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		spec   catalog.Validator
		answer *validators.Answer
		want   string
	}{
		{"NoAnswer", spec("json", ""), nil, "no answer"},
		{"GroundedWithoutTask", spec("grounded", ""), &validators.Answer{Output: "x"}, "without its task"},
		{"ToolCallsWithoutTask", spec("tool_calls", ""), &validators.Answer{Output: "x"}, "without its task"},
		{
			"MetadataWithoutEntry", spec("checksum", `{"algo": "sha256", "metadata": "sum"}`),
			&validators.Answer{Output: "x", Task: &task.Task{}}, `no entry "sum"`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chain, err := validators.Compile([]catalog.Validator{test.spec}, nil)
			require.NoError(t, err)
			verdict, err := chain.Validate(test.answer)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, validators.Verdict{}, verdict)
		})
	}
}

func TestStripFences(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"Plain", " text ", " text "},
		{"Language", "```json\n{\"a\": 1}\n```", `{"a": 1}`},
		{"SpaceAround", "\n  ```\nx\n```  \n", "x"},
		{"CarriageReturns", "```json\r\n{}\r\n```\r\n", "{}"},
		{"Tildes", "~~~~\n```\n~~~~", "```"},
		{"Empty", "```\n```", ""},
		{"LongFence", "````\n```\nx\n```\n````", "```\nx\n```"},
		{"TextBefore", "Here:\n```\nx\n```", "Here:\n```\nx\n```"},
		{"TextAfter", "```\nx\n```\nDone", "```\nx\n```\nDone"},
		{"TwoBlocks", "```\nx\n```\n```\ny\n```", "```\nx\n```\n```\ny\n```"},
		{"NotClosed", "```json\n{}", "```json\n{}"},
		{"OneLine", "```{}```", "```{}```"},
		{"OnlyFence", "```", "```"},
		{"ClosingInsideLine", "```\nx```", "```\nx```"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, validators.StripFences(test.in))
		})
	}
}
