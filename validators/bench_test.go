package validators_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

func BenchmarkChain(b *testing.B) {
	const invoice = `{"vendor": "Acme Tools Ltd.", "total": 1234.50, "currency": "EUR", "lines": [{"amount": 1000}, {"amount": 234.5}]}`
	const schema = `{"type": "object", "required": ["vendor", "total"], "additionalProperties": false, "properties": {
		"vendor": {"type": "string"}, "total": {"type": "number", "minimum": 0}, "currency": {"enum": ["EUR", "USD"]},
		"lines": {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": "number"}}}}}}`
	letter := "Acme Tools Ltd., total 1,234.50 EUR: 1000.00 and 234.50. " + strings.Repeat("Thank you for your order. ", 40)
	grounded := catalog.Validator{Type: "grounded", Params: json.RawMessage(`{"fields": ["vendor", "total", "/lines"]}`)}
	sum := catalog.Validator{
		Type: "number", Params: json.RawMessage(`{"field": "total", "sum_of": {"items": "lines", "field": "amount"}}`),
	}
	enum := catalog.Validator{
		Type: "enum", Params: json.RawMessage(`{"values": ["billing", "refund", "other"], "case_fold": true, "trim": true}`),
	}
	tests := []struct {
		name   string
		specs  []catalog.Validator
		schema string
		output string
	}{
		{"Enum", []catalog.Validator{enum}, "", "Refund\n"},
		{"JSONSchemaSmall", nil, `{"type": "object", "required": ["label"], "properties": {"label": {"enum": ["a", "b"]}}}`, `{"label": "a"}`},
		{"JSONSchemaInvoice", nil, schema, invoice},
		{"JSONSchemaFenced", nil, schema, "```json\n" + invoice + "\n```"},
		{"JSONSchemaRejected", nil, schema, strings.Replace(invoice, "EUR", "GBP", 1)},
		{"Sum", []catalog.Validator{sum}, "", invoice},
		{"Grounded1kB", []catalog.Validator{grounded}, "", invoice},
		{"NoRefusal", []catalog.Validator{{Type: "no_refusal"}}, "", letter},
	}
	for _, test := range tests {
		b.Run(test.name, func(b *testing.B) {
			chain, err := validators.Compile(test.specs, json.RawMessage(test.schema))
			require.NoError(b, err)
			answer := &validators.Answer{Output: test.output, Task: &task.Task{Input: letter}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chain.Validate(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWorst is the slowest that the limits let through, each about what docs/validators.md says.
func BenchmarkWorst(b *testing.B) {
	tests := []struct{ name, kind, params, output string }{
		{"Regex", "regex", `{"pattern": "(a?){900}b"}`, strings.Repeat("a", 10_000)},
		{"RegexAlternatives", "regex", `{"pattern": "([a-z]+[0-9]*)*x", "match": "partial"}`, strings.Repeat("a", 1<<20)},
		{"SchemaWork", "json_schema", `{"schema": {"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]}}`, strings.Repeat("[", 15) + strings.Repeat("]", 15)},
		{"SchemaErrors", "json_schema", `{"schema": {"items": {"allOf": [{"maximum": 0}, {"maximum": 0}, {"type": "string"}]}}}`, "[" + strings.Repeat("1,", 20_000) + "1]"},
		{"Sum", "number", `{"field": "t", "sum_of": {"items": "l"}}`, `{"t": 1, "l": [` + strings.Repeat("1.1e-400,9.9e399,", 4_999) + `1]}`},
	}
	for _, test := range tests {
		b.Run(test.name, func(b *testing.B) {
			v := mustNew(b, test.kind, test.params)
			answer := text(test.output)
			for b.Loop() {
				if _, err := v.Validate(&answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
