package task_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

const fullTask = `{
	"id": "t-1", "tenant": "acme", "feature": "ticket-triage", "call_path": "support/inbox",
	"input": "My card was declined \u00e9\ud83d\ude00\n\t\"quoted\" \\ \/ \b\f\r",
	"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
	"context": ["policy", "glossary"],
	"tools": [{"name": "look_up", "description": "finds", "parameters": {"type": "object", "n": -1.5e3}}, {"name": "b"}],
	"attachments": [{"url": "https://example.com/a.pdf", "media_type": "application/pdf", "sha256": "00"}],
	"class": "L2", "lane": "batch", "deadline": "2026-01-31T12:00:00.5+01:00", "max_cost_usd": "0.05",
	"max_output_tokens": 100, "priority": 3, "batch": "night", "metadata": {"k": "v", "": ""},
	"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
}`

func TestDecode_ReadsEveryField(t *testing.T) {
	t.Parallel()
	var want task.Task
	require.NoError(t, json.Unmarshal([]byte(fullTask), &want))

	got, err := task.Decode([]byte(fullTask), task.Limits{})

	require.NoError(t, err)
	require.Equal(t, &want, got)
	require.Equal(t, 100, got.MaxOutputTokens)
	require.Equal(t, "My card was declined é😀\n\t\"quoted\" \\ / \b\f\r", got.Input)
}

// A field that is added to a type must be added to its decoding.
func TestDecode_KnowsEveryField(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		of    reflect.Type
		shape string
	}{
		{"Task", reflect.TypeFor[task.Task](), `{%q:[]}`},
		{"Message", reflect.TypeFor[task.Message](), `{"messages":[{%q:[]}]}`},
		{"Tool", reflect.TypeFor[task.Tool](), `{"tools":[{%q:[]}]}`},
		{"Attachment", reflect.TypeFor[task.Attachment](), `{"attachments":[{%q:[]}]}`},
		{"Outcome", reflect.TypeFor[task.Outcome](), `{%q:[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for field := range tt.of.Fields() {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				body := fmt.Appendf(nil, tt.shape, name)
				_, err := task.Decode(body, task.Limits{})
				if tt.name == "Outcome" {
					_, err = task.DecodeOutcome(body, task.Limits{})
				}
				if err != nil {
					require.NotContains(t, err.Error(), "unknown field", name)
				}
			}
		})
	}
}

func TestDecode_LeavesTheBodyAlone(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":"a","input":"text","tools":[{"name":"x","parameters":{"a":1}}]}`)
	got, err := task.Decode(body, task.Limits{})
	require.NoError(t, err)

	clear(body)

	require.Equal(t, "a", got.ID)
	require.Equal(t, "text", got.Input)
	require.JSONEq(t, `{"a":1}`, string(got.Tools[0].Parameters))
}

func TestDecode_Refuses(t *testing.T) {
	t.Parallel()
	small := task.Limits{PayloadBytes: 120, Depth: 4, NumberChars: 8}
	tests := []struct {
		name   string
		body   string
		code   task.Code
		reason string
	}{
		{"Empty", ``, task.CodeInvalidJSON, "the body is not valid JSON: a value is missing at byte 0"},
		{"Space", " \n", task.CodeInvalidJSON, "a value is missing"},
		{"NotJSON", `hello`, task.CodeInvalidJSON, "a value is missing"},
		{"RawNULAlone", "\x00", task.CodeInvalidJSON, "a value is missing"},
		{"Array", `[1]`, task.CodeWrongType, "the body is an array; it must be an object with the task's fields"},
		{"Null", `null`, task.CodeWrongType, "the body is null"},
		{"Misspelt", `{"input":nul}`, task.CodeInvalidJSON, "misspelt at byte 9"},
		{"Trailing", `{"id":"a"} {}`, task.CodeInvalidJSON, "something follows the document at byte 11"},
		{"TrailingNUL", "{\"id\":\"a\"}\x00", task.CodeInvalidJSON, "something follows"},
		{"TrailingComma", `{"id":"a",}`, task.CodeInvalidJSON, "a field's name is missing"},
		{"TrailingCommaArray", `{"context":["a",]}`, task.CodeInvalidJSON, "a value is missing"},
		{"NoComma", `{"id":"a" "input":"b"}`, task.CodeInvalidJSON, "a comma or a closing bracket is missing"},
		{"NoColon", `{"id" "a"}`, task.CodeInvalidJSON, "a colon is missing"},
		{"NoValue", `{"id":}`, task.CodeInvalidJSON, "a value is missing"},
		{"NoQuote", `{"id":"a`, task.CodeInvalidJSON, "a closing quote is missing"},
		{"NoQuoteAfterEscape", `{"id":"a\n`, task.CodeInvalidJSON, "a closing quote is missing"},
		{"NoBracket", `{"id":"a"`, task.CodeInvalidJSON, "closing bracket is missing"},
		{"UnknownEscape", `{"id":"\x"}`, task.CodeInvalidJSON, "an escape is unknown"},
		{"CutEscape", `{"id":"\u00"}`, task.CodeInvalidJSON, "an escape is malformed"},
		{"CutEscapeAtEnd", `{"id":"\u00`, task.CodeInvalidJSON, "an escape is cut off"},
		{"LeadingZero", `{"priority":01}`, task.CodeInvalidJSON, "a number is malformed"},
		{"LonePoint", `{"priority":1.}`, task.CodeInvalidJSON, "a number is malformed"},
		{"LoneMinus", `{"priority":-}`, task.CodeInvalidJSON, "a number is malformed"},
		{"LoneExponent", `{"priority":1e}`, task.CodeInvalidJSON, "a number is malformed"},
		{"Size", `{"input":"` + strings.Repeat("x", 120) + `"}`, task.CodeTooLarge, "the task has 132 bytes; the limit is 120"},
		{"UTF8", "{\"input\":\"\xff\"}", task.CodeInvalidText, "the body is not valid UTF-8"},
		{"RawNUL", "{\"input\":\"a\x00\"}", task.CodeInvalidText, "input holds a NUL character"},
		{"EscapedNUL", `{"metadata":{"k":"\u0000"}}`, task.CodeInvalidText, "metadata.k holds a NUL character"},
		{"EscapedNULDeep", `{"tools":[{"parameters":"\u0000"}]}`, task.CodeInvalidText, "tools[0].parameters holds a NUL"},
		{"RawControl", "{\"input\":\"a\nb\"}", task.CodeInvalidJSON, "input holds a control character that is not escaped"},
		{"HighSurrogate", `{"input":"\ud83d"}`, task.CodeInvalidText, "input holds half of a surrogate pair"},
		{"LowSurrogate", `{"input":"\ude00"}`, task.CodeInvalidText, "half of a surrogate pair"},
		{"TwoHighSurrogates", `{"input":"\ud83d\ud83d"}`, task.CodeInvalidText, "half of a surrogate pair"},
		{"SurrogateAndNUL", `{"input":"\ud83d\u0000"}`, task.CodeInvalidText, "input holds half of a surrogate pair; input holds a NUL"},
		{"Depth", `{"tools":[{"parameters":{"a":[1]}}]}`, task.CodeTooDeep, "tools[0].parameters.a is nested deeper than 4 levels"},
		{"NumberLength", `{"tools":[{"parameters":123456789}]}`, task.CodeInvalidNumber, "a number of more than 8 characters"},
		{"NumberRange", `{"tools":[{"parameters":1e1000}]}`, task.CodeInvalidNumber, "a number out of range"},
		{"Twice", `{"id":"a","id":"b"}`, task.CodeDuplicateField, "id is given twice"},
		{"TwiceEscaped", `{"id":"a","\u0069d":"b"}`, task.CodeDuplicateField, "id is given twice"},
		{"TwiceInside", `{"tools":[{"parameters":{"a":1,"a":2}}]}`, task.CodeDuplicateField, "tools[0].parameters.a is given twice"},
		{"Unknown", `{"inputt":"x"}`, task.CodeUnknownField, `unknown field "inputt"; did you mean "input"?`},
		{"UnknownByCase", `{"Input":"x"}`, task.CodeUnknownField, `unknown field "Input"; did you mean "input"?`},
		{"UnknownFarOff", `{"temperature":0.2}`, task.CodeUnknownField, `unknown field "temperature"`},
		{"UnknownInside", `{"messages":[{"rol":"user"}]}`, task.CodeUnknownField, `unknown field "rol" in messages[0]; did you mean "role"?`},
		{"UnknownStrange", `{"a\u0001\"b":1}`, task.CodeUnknownField, `unknown field "a\x01\"b"`},
		{"TypeString", `{"input":7}`, task.CodeWrongType, "input is a number; it must be a string"},
		{"TypeNull", `{"deadline":null}`, task.CodeWrongType, "deadline is null; leave it out or give a time"},
		{"TypeNumber", `{"priority":"1"}`, task.CodeWrongType, "priority is a string; it must be a whole number"},
		{"TypeArray", `{"context":"x"}`, task.CodeWrongType, "context is a string; it must be an array"},
		{"TypeElement", `{"context":["x",true]}`, task.CodeWrongType, "context[1] is a boolean; it must be a string"},
		{"TypeObject", `{"messages":["x"]}`, task.CodeWrongType, "messages[0] is a string; it must be a message"},
		{"TypeMap", `{"metadata":{"k":1}}`, task.CodeWrongType, "metadata.k is a number; it must be a string"},
		{"TypeMoney", `{"max_cost_usd":0.05}`, task.CodeWrongType, "max_cost_usd is a number; it must be an amount of USD as a decimal string"},
		{"Fraction", `{"priority":1.5}`, task.CodeInvalidValue, "priority must be a whole number from 1 up"},
		{"Zero", `{"max_output_tokens":0}`, task.CodeInvalidValue, "max_output_tokens must be a whole number from 1 up"},
		{"Overflow", `{"max_output_tokens":9999999999}`, task.CodeInvalidNumber, "more than 8 characters"},
		{"Time", `{"deadline":"tomorrow"}`, task.CodeInvalidValue, "deadline is not a time such as"},
		{"Money", `{"max_cost_usd":"1e3"}`, task.CodeInvalidValue, "max_cost_usd is not an amount of USD"},
		{"EmptyText", `{"input":""}`, task.CodeInvalidValue, "input is empty; leave it out or fill it"},
		{"Envelope", `{"tasks":[{"id":"a"}]}`, task.CodeUnknownField, "the body is an envelope of tasks; one task was expected"},
		{
			"AllAtOnce", `{"inputt":"x","lane":1,"priority":0}`, task.CodeUnknownField,
			`unknown field "inputt"; did you mean "input"?; lane is a number; it must be a string; priority must be`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := task.Decode([]byte(tt.body), small)

			require.Nil(t, got)
			refused, ok := task.IsRefused(err)
			require.True(t, ok)
			require.ErrorContains(t, err, tt.reason)
			require.Equal(t, tt.code, refused.Code)
		})
	}
}

func TestDecode_BoundsItsAnswer(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	body.WriteString(`{"id":"a"`)
	for i := range 5_000 {
		fmt.Fprintf(&body, `,"%s%d":1`, strings.Repeat("x", 60), i)
	}
	body.WriteString(`}`)

	_, err := task.Decode([]byte(body.String()), task.Limits{})

	require.Less(t, len(err.Error()), 4_000)
	require.ErrorContains(t, err, "; and more")
}

func TestDecode_SurvivesDeepNesting(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 400_000) + `"]"` + strings.Repeat(`]`, 400_000)

	items, err := task.DecodeMessage([]byte(`{"tools":[{"parameters":`+deep+`}],"id":"a"}`), task.Limits{})

	require.NoError(t, err)
	require.ErrorContains(t, items[0].Err, "nested deeper than 32 levels")
	require.Equal(t, "a", items[0].ID, "reading went on behind what was too deep")
}

func TestDecodeMessage_OneTask(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		id   string
		ok   bool
	}{
		{"Good", `{"id":"a","input":"x"}`, "a", true},
		{"WithoutID", `{"input":"x"}`, "", true},
		{"UnknownField", `{"x":1,"id":"a"}`, "a", false},
		{"BrokenBehindID", `{"id":"a","input":`, "a", false},
		{"BrokenBeforeID", `{"input":,"id":"a"}`, "", false},
		{"TwoIDs", `{"id":"a","id":"b"}`, "", false},
		{"IDWithNUL", `{"id":"a\u0000"}`, "", false},
		{"IDWithSurrogate", `{"id":"a\ud800"}`, "", false},
		{"IDNull", `{"id":null}`, "", false},
		{"IDTooLong", `{"id":"` + strings.Repeat("x", 201) + `"}`, "", true},
		{"IDOfATool", `{"tools":[{"id":"a"}]}`, "", false},
		{"BadUTF8", "{\"id\":\"a\",\"input\":\"\xff\"}", "", false},
		{"NoObject", `[]`, "", false},
		{"Nothing", ``, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			items, err := task.DecodeMessage([]byte(tt.body), task.Limits{})

			require.NoError(t, err)
			require.Len(t, items, 1)
			require.Equal(t, tt.body, string(items[0].Raw))
			require.Equal(t, tt.id, items[0].ID)
			require.Equal(t, tt.ok, items[0].Err == nil)
			require.Equal(t, tt.ok, items[0].Task != nil)
		})
	}
}

func TestDecodeMessage_EnvelopeKeepsGoodTasks(t *testing.T) {
	t.Parallel()
	members := []string{
		`{"id":"a","input":"1"}`,
		`{"id":"b","inputt":"2"}`,
		"{\"id\":\"c\",\"input\":\"\xff\"}",
		`7`,
		`{"id":"d","tools":[{"parameters":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}]}`,
		`{"id":"e","tasks":[]}`,
		`{"id":"f","input":"` + strings.Repeat("x", 300) + `"}`,
		`{"id":"g","input":"7"}`,
	}
	body := "\n{ \"tasks\" : [ " + strings.Join(members, " ,\n") + " ] } "

	items, err := task.DecodeMessage([]byte(body), task.Limits{PayloadBytes: 200})

	require.NoError(t, err)
	require.Len(t, items, len(members))
	wantIDs := []string{"a", "b", "", "", "d", "e", "f", "g"}
	wantErr := []string{
		"", `unknown field "inputt"; did you mean "input"?`, "not valid UTF-8", "the body is a number",
		"tools[0].parameters", "cannot be an envelope itself", "the limit is 200", "",
	}
	for i, item := range items {
		require.Equal(t, members[i], string(item.Raw))
		require.Equal(t, wantIDs[i], item.ID)
		if wantErr[i] == "" {
			require.NoError(t, item.Err)
			require.Equal(t, item.ID, item.Task.ID)
			continue
		}
		require.ErrorContains(t, item.Err, wantErr[i])
		require.Nil(t, item.Task)
	}
}

func TestDecodeMessage_EnvelopeWithMoreThanTasks(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"tasks":[{"id":"a","input":"1"}],"feature":"x"}`,
		`{"feature":"x","tasks":[{"id":"a","input":"1"}]}`,
	} {
		items, err := task.DecodeMessage([]byte(body), task.Limits{})

		require.NoError(t, err)
		require.Len(t, items, 1)
		require.Equal(t, "a", items[0].ID, "the producer can be answered")
		require.ErrorContains(t, items[0].Err, `unknown field "feature"`)
		require.Nil(t, items[0].Task)
	}
}

func TestDecodeMessage_EnvelopeRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		body   string
		code   task.Code
		reason string
	}{
		{"Empty", `{"tasks":[]}`, task.CodeMissingField, "the envelope holds no tasks"},
		{"NotAnArray", `{"tasks":{"id":"a"}}`, task.CodeWrongType, "tasks is an object; it must be an array of tasks"},
		{"TooMany", `{"tasks":[{},{},{},{}]}`, task.CodeTooManyTasks, "more than 3 tasks"},
		{"Cut", `{"tasks":[{"id":"a"},{"id":`, task.CodeInvalidJSON, "a value is missing at byte 27"},
		{"CutBetween", `{"tasks":[{"id":"a"}`, task.CodeInvalidJSON, "closing bracket is missing"},
		{"Trailing", `{"tasks":[{"id":"a"}]}]`, task.CodeInvalidJSON, "something follows"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			items, err := task.DecodeMessage([]byte(tt.body), task.Limits{EnvelopeTasks: 3})

			require.Empty(t, items)
			require.ErrorContains(t, err, tt.reason)
			refused, ok := task.IsRefused(err)
			require.True(t, ok)
			require.Equal(t, tt.code, refused.Code)
		})
	}
}

func TestDecodeOutcome(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0199a1b2-0000-7000-8000-000000000001")
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	value := task.USD / 4
	tests := []struct {
		name   string
		body   string
		want   *task.Outcome
		reason string
	}{
		{"ByID", `{"id":"a","success":true}`, &task.Outcome{ID: "a", Success: true}, ""},
		{
			"Whole",
			`{"task_id":"` + id.String() + `","success":false,"value_usd":"0.25","reason":"refunded","at":"2026-01-31T12:00:00Z"}`,
			&task.Outcome{TaskID: &id, ValueUSD: &value, Reason: "refunded", At: &at}, "",
		},
		{"NegativeValue", `{"id":"a","success":false,"value_usd":"-0.25"}`, &task.Outcome{ID: "a", ValueUSD: new(-value)}, ""},
		{"NoSuccess", `{"id":"a"}`, nil, "success is missing: write true or false"},
		{"NoTask", `{"success":true}`, nil, "task_id or id is missing"},
		{"SuccessText", `{"id":"a","success":"true"}`, nil, "success is a string; it must be true or false"},
		{"BareUUID", `{"task_id":"0199a1b2000070008000000000000001","success":true}`, nil, "task_id is not a UUID with hyphens"},
		{"Unknown", `{"task":"a","success":true}`, nil, `unknown field "task"`},
		{"Slip", `{"id":"a","succes":true}`, nil, `did you mean "success"?`},
		{"LongReason", `{"id":"a","success":true,"reason":"` + strings.Repeat("é", 2_001) + `"}`, nil, "reason is longer than 2000 characters"},
		{"Broken", `{"id":"a"`, nil, "closing bracket is missing"},
		{"Size", `{"id":"a","success":true}` + strings.Repeat(" ", 10_000), nil, "the limit is 9000"},
		{"UTF8", "{\"id\":\"a\",\"success\":true,\"reason\":\"\xff\"}", nil, "not valid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := task.DecodeOutcome([]byte(tt.body), task.Limits{PayloadBytes: 9_000})

			require.Equal(t, tt.want, got)
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.reason)
			_, ok := task.IsRefused(err)
			require.True(t, ok)
		})
	}
}

func TestTask_Bind(t *testing.T) {
	t.Parallel()
	bound := task.Task{Input: "x"}
	require.NoError(t, bound.Bind("acme", "triage", "msg-1"))
	require.Equal(t, task.Task{ID: "msg-1", Tenant: "acme", Feature: "triage", Input: "x"}, bound)

	agreeing := task.Task{ID: "a", Tenant: "acme", Feature: "triage"}
	require.NoError(t, agreeing.Bind("acme", "triage", "msg-1"))
	require.Equal(t, "a", agreeing.ID, "the body's id comes first")

	disagreeing := task.Task{ID: "a", Tenant: "other", Feature: "other"}
	err := disagreeing.Bind("acme", "triage", "")
	refused, ok := task.IsRefused(err)
	require.True(t, ok)
	require.Equal(t, task.CodeSubjectMismatch, refused.Code)
	require.Len(t, refused.Reasons, 2)
	require.Equal(t, "other", disagreeing.Tenant, "a refused task is left as it was")
}
