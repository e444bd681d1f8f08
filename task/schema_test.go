package task_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func compiled(tb testing.TB, name string) *jsonschema.Schema {
	tb.Helper()
	text, ok := task.Schema(name)
	require.True(tb, ok)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(tb, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(tb, compiler.AddResource("weir:///"+name, doc))
	schema, err := compiler.Compile("weir:///" + name)
	require.NoError(tb, err)
	return schema
}

func validate(tb testing.TB, schema *jsonschema.Schema, body []byte) error {
	tb.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(tb, err)
	return schema.Validate(doc)
}

// accept is what weir does with the body of a message: decode, bind, check.
func accept(body []byte) error {
	decoded, err := task.Decode(body, task.Limits{})
	if err != nil {
		return err
	}
	if err := decoded.Bind("acme", "triage", "msg-1"); err != nil {
		return err
	}
	return decoded.Check()
}

func TestSchema_NamesAreKnown(t *testing.T) {
	t.Parallel()
	for _, name := range task.SchemaNames() {
		compiled(t, name)
	}
	_, ok := task.Schema("invoice")
	require.False(t, ok)
}

// Both columns say whether the body is good: to the schema, and to weir.
func TestSchema_AgreesOnTasks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		body         string
		schema, weir bool
	}{
		{"Minimal", `{"id":"t-1","feature":"triage","input":"x"}`, true, true},
		{"IDFromTheHeader", `{"input":"x"}`, true, true},
		{"Rich", `{"input":"x","class":"L1","lane":"now","priority":1,"max_output_tokens":5,"max_cost_usd":"0.01",
			"deadline":"2026-01-31T12:00:00+01:00","context":["a"],"metadata":{"k":""},"batch":"b","call_path":"c",
			"tools":[{"name":"f","parameters":{"type":"object"}}],
			"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`, true, true},
		{"Messages", `{"messages":[{"role":"user","content":"x"}]}`, true, true},
		{"NoPrompt", `{"id":"a"}`, false, false},
		{"NoMessages", `{"messages":[]}`, false, false},
		{"Unknown", `{"input":"x","temperature":1}`, false, false},
		{"UnknownInside", `{"messages":[{"role":"user","content":"x","name":"y"}]}`, false, false},
		{"Case", `{"Input":"x"}`, false, false},
		{"Null", `{"input":"x","batch":null}`, false, false},
		{"Number", `{"input":5}`, false, false},
		{"Empty", `{"input":""}`, false, false},
		{"Blank", `{"input":" \n"}`, false, false},
		{"EmptyID", `{"id":"","input":"x"}`, false, false},
		{"LongID", `{"id":"` + strings.Repeat("é", 201) + `","input":"x"}`, false, false},
		{"FullID", `{"id":"` + strings.Repeat("é", 200) + `","input":"x"}`, true, true},
		{"ControlInID", `{"id":"a\u0085b","input":"x"}`, false, false},
		{"Role", `{"messages":[{"role":"system","content":"x"}]}`, false, false},
		{"NoContent", `{"messages":[{"role":"user"}]}`, false, false},
		{"Class", `{"input":"x","class":"L9"}`, false, false},
		{"Lane", `{"input":"x","lane":"slow"}`, false, false},
		{"Priority", `{"input":"x","priority":5}`, false, false},
		{"PriorityZero", `{"input":"x","priority":0}`, false, false},
		{"Tokens", `{"input":"x","max_output_tokens":10000001}`, false, false},
		{"MoneyNumber", `{"input":"x","max_cost_usd":0.01}`, false, false},
		{"MoneyZero", `{"input":"x","max_cost_usd":"0.00"}`, false, false},
		{"MoneyNegative", `{"input":"x","max_cost_usd":"-1"}`, false, false},
		{"MoneyTooFine", `{"input":"x","max_cost_usd":"0.0000000000001"}`, false, false},
		{"Deadline", `{"input":"x","deadline":"31 January"}`, false, false},
		{"Attachment", `{"input":"x","attachments":[{"url":"a","media_type":"b"}]}`, false, false},
		{"AttachmentWhole", `{"attachments":[{"url":"object:b/a.pdf","media_type":"application/pdf","sha256":"` + strings.Repeat("0a", 32) + `"}]}`, true, true},
		{"AttachmentByHTTPS", `{"input":"x","attachments":[{"url":"https://a.example?b","media_type":"image/png"}]}`, true, true},
		{"AttachmentByHTTP", `{"input":"x","attachments":[{"url":"http://a.example/b","media_type":"image/png"}]}`, false, false},
		{"AttachmentOfText", `{"input":"x","attachments":[{"url":"object:b/a","media_type":"text/plain"}]}`, false, false},
		{"AttachmentDigest", `{"input":"x","attachments":[{"url":"object:b/a","media_type":"image/gif","sha256":"00"}]}`, false, false},
		{"NoFiles", `{"attachments":[]}`, false, false},
		{"NoAttachments", `{"input":"x","attachments":[]}`, true, true},
		{"ToolName", `{"input":"x","tools":[{"name":"a.b"}]}`, false, false},
		{"ToolParameters", `{"input":"x","tools":[{"name":"a","parameters":true}]}`, false, false},
		{"MetadataKey", `{"input":"x","metadata":{"":"v"}}`, false, false},
		{"MetadataValue", `{"input":"x","metadata":{"k":"` + strings.Repeat("v", 1_025) + `"}}`, false, false},
		{"Traceparent", `{"input":"x","traceparent":"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}`, false, false},
		{"TraceparentVersion", `{"input":"x","traceparent":"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`, false, false},
		{"Envelope", `{"tasks":[{"id":"a","input":"x"}]}`, false, false},
		{"NotAnObject", `["x"]`, false, false},
		// What only weir can know.
		{"Twice", `{"input":"x","input":"y"}`, true, false},
		{"OtherFeature", `{"input":"x","feature":"other"}`, true, false},
		{"AssistantLast", `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}`, true, false},
		{"MoneyOutOfRange", `{"input":"x","max_cost_usd":"99999999"}`, true, false},
	}
	schema := compiled(t, "task")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := validate(t, schema, []byte(tt.body))
			require.Equal(t, tt.schema, err == nil, "schema: %v", err)
			err = accept([]byte(tt.body))
			require.Equal(t, tt.weir, err == nil, "weir: %v", err)
		})
	}
}

func TestSchema_AgreesOnOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		good bool
	}{
		{"ByID", `{"id":"a","success":true}`, true},
		{"ByTaskID", `{"task_id":"0199a1b2-0000-7000-8000-000000000001","success":false,"value_usd":"-1.5"}`, true},
		{"Whole", `{"id":"a","success":true,"reason":"","at":"2026-01-31T12:00:00Z"}`, true},
		{"NoTask", `{"success":true}`, false},
		{"NoSuccess", `{"id":"a"}`, false},
		{"SuccessNumber", `{"id":"a","success":1}`, false},
		{"Value", `{"id":"a","success":true,"value_usd":"much"}`, false},
		{"TaskID", `{"task_id":"1","success":true}`, false},
		{"At", `{"id":"a","success":true,"at":"now"}`, false},
		{"Unknown", `{"id":"a","success":true,"score":1}`, false},
	}
	schema := compiled(t, "outcome")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := validate(t, schema, []byte(tt.body))
			require.Equal(t, tt.good, err == nil, "schema: %v", err)
			_, err = task.DecodeOutcome([]byte(tt.body), task.Limits{})
			require.Equal(t, tt.good, err == nil, "weir: %v", err)
		})
	}
}

func TestSchema_AgreesOnEnvelopes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		good bool
	}{
		{"Good", `{"tasks":[{"id":"a","input":"x"},{"id":"b","input":"y"}]}`, true},
		{"Empty", `{"tasks":[]}`, false},
		{"MemberWithoutID", `{"tasks":[{"input":"x"}]}`, false},
		{"BadMember", `{"tasks":[{"id":"a","input":"x"},{"id":"b","inputs":"y"}]}`, false},
		{"More", `{"tasks":[{"id":"a","input":"x"}],"feature":"triage"}`, false},
		{"TooMany", `{"tasks":[` + strings.Repeat(`{"id":"a","input":"x"},`, 500) + `{"id":"a","input":"x"}]}`, false},
	}
	schema := compiled(t, "envelope")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := validate(t, schema, []byte(tt.body))
			require.Equal(t, tt.good, err == nil, "schema: %v", err)

			items, err := task.DecodeMessage([]byte(tt.body), task.Limits{})
			good := err == nil
			for _, item := range items {
				good = good && item.Err == nil && item.Task.Bind("acme", "triage", "") == nil && item.Task.Check() == nil
			}
			require.Equal(t, tt.good, good)
		})
	}
}

func TestSchema_DescribesResults(t *testing.T) {
	t.Parallel()
	result := task.Result{
		ResultID: task.ResultID("acme", "a", 1), TaskID: uuid.Must(uuid.NewV7()), ID: "a", Tenant: "acme", Feature: "triage",
		Status: task.Succeeded, Class: task.L1, Model: "mini", Output: "refund", Attempts: 1, CostUSD: 1, CostHighUSD: 1,
		ToolCalls: []task.ToolCall{{Name: "f", Arguments: "{}"}}, AcceptedAt: time.Now(), FinishedAt: time.Now(),
	}
	body, err := json.Marshal(result)
	require.NoError(t, err)
	schema := compiled(t, "result")
	require.NoError(t, validate(t, schema, body))

	for name, broken := range map[string]string{
		"status": strings.Replace(string(body), `"succeeded"`, `"done"`, 1),
		"cost":   strings.Replace(string(body), `"0.000000000001"`, `1`, 1),
		"field":  strings.Replace(string(body), `"model"`, `"models"`, 1),
	} {
		require.NotEqual(t, string(body), broken, name)
		require.Error(t, validate(t, schema, []byte(broken)), name)
	}
}

// FuzzSchema holds the schema against weir: no producer that follows weir's answer may be told otherwise by the schema.
func FuzzSchema(f *testing.F) {
	seedBodies(f)
	schema := compiled(f, "task")
	f.Fuzz(func(t *testing.T, body []byte) {
		if accept(body) == nil {
			require.NoError(t, validate(t, schema, body))
		}
	})
}
