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

func TestChecksum(t *testing.T) {
	t.Parallel()
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	withSum := func(output, sum string) validators.Answer {
		return validators.Answer{Output: output, Task: &task.Task{Metadata: map[string]string{"sum": sum}}}
	}
	runTable(t, "checksum", []judgement{
		{"Luhn", `{"algo": "luhn"}`, text("4111 1111 1111 1111"), ""},
		{"LuhnWrong", `{"algo": "luhn"}`, text("4111 1111 1111 1112"), "fails the luhn check"},
		{"LuhnTransposed", `{"algo": "luhn"}`, text("4111-1111-1111-1211"), "fails"},
		{"LuhnOtherDigits", `{"algo": "luhn"}`, text("٤١١١١١١١١١١١١١١١"), "fails"},
		{"LuhnEmpty", `{"algo": "luhn"}`, text(" "), "fails"},
		{"LuhnLong", `{"algo": "luhn"}`, text(strings.Repeat("0", 100)), "fails"},
		{"IBAN", `{"algo": "iban"}`, text("DE89 3704 0044 0532 0130 00"), ""},
		{"IBANLowerCase", `{"algo": "iban"}`, text("gb82west12345698765432"), ""},
		{"IBANWrong", `{"algo": "iban"}`, text("DE88 3704 0044 0532 0130 00"), "fails the iban check"},
		{"IBANShort", `{"algo": "iban"}`, text("DE89"), "fails"},
		{"IBANSymbols", `{"algo": "iban"}`, text("DE89370400440532013.00"), "fails"},
		{"ISBN10", `{"algo": "isbn"}`, text("0-306-40615-2"), ""},
		{"ISBN10X", `{"algo": "isbn"}`, text("0-8044-2957-X"), ""},
		{"ISBN13", `{"algo": "isbn"}`, text("978-0-306-40615-7"), ""},
		{"ISBNWrong", `{"algo": "isbn"}`, text("978-0-306-40615-8"), "fails"},
		{"ISBNOtherPrefix", `{"algo": "isbn"}`, text("4006381333931"), "fails"},
		{"ISBN10Letters", `{"algo": "isbn"}`, text("030640615Z"), "fails"},
		{"EAN13", `{"algo": "ean"}`, text("4006381333931"), ""},
		{"EAN8", `{"algo": "ean"}`, text("73513537"), ""},
		{"UPC", `{"algo": "ean"}`, text("036000291452"), ""},
		{"EANWrong", `{"algo": "ean"}`, text("4006381333932"), "fails"},
		{"EANLength", `{"algo": "ean"}`, text("00000000000"), "fails"},
		{"Field", `{"algo": "iban", "field": "/account/iban"}`, text(`{"account": {"iban": "DE89370400440532013000"}}`), ""},
		{"FieldWrong", `{"algo": "iban", "field": "/account/iban"}`, text(`{"account": {"iban": "DE1"}}`), `field "/account/iban" is "DE1"`},
		{"SHA256", `{"algo": "sha256", "metadata": "sum"}`, withSum("hello", hello), ""},
		{"SHA256UpperCase", `{"algo": "sha256", "metadata": "sum"}`, withSum("hello", strings.ToUpper(hello)+"\n"), ""},
		{"SHA256OfField", `{"algo": "sha256", "metadata": "sum", "field": "x"}`, withSum(`{"x": "hello"}`, hello), ""},
		{"SHA256Wrong", `{"algo": "sha256", "metadata": "sum"}`, withSum("hello ", hello), "another SHA-256"},
	})
}

func TestNumber(t *testing.T) {
	t.Parallel()
	const invoice = `{"field": "total", "sum_of": {"items": "/lines", "field": "amount"}}`
	const tolerant = `{"field": "total", "tolerance": 0.01, "sum_of": {"items": "lines", "field": "/net/amount"}}`
	const scalars = `{"field": "total", "sum_of": {"items": "lines"}}`
	runTable(t, "number", []judgement{
		{"Plain", `{"min": 0, "max": 10}`, text(" 7.5\n"), ""},
		{"Bounds", `{"min": 0.1, "max": 0.1}`, text("0.10"), ""},
		{"Below", `{"min": 0.1}`, text("0.09999999999999999999"), "below 0.1"},
		{"Above", `{"max": 9007199254740993}`, text("9007199254740994"), "above 9007199254740993"},
		{"NotANumber", `{}`, text("seven"), `the answer is not a number: "seven"`},
		{"Separators", `{}`, text("1,234"), "is not a number"},
		{"Hex", `{}`, text("0x10"), "is not a number"},
		{"Fraction", `{}`, text("1/3"), "is not a number"},
		{"Underscore", `{}`, text("1_000"), "is not a number"},
		{"Infinity", `{}`, text("Inf"), "is not a number"},
		{"OtherDigits", `{}`, text("٧"), "is not a number"},
		{"Empty", `{}`, text(""), "is not a number"},
		{"HugeExponent", `{}`, text("1e10000000"), "exponent beyond 400"},
		{"TinyExponent", `{}`, text("1e-10000000"), "exponent beyond 400"},
		{"ExponentOverflow", `{}`, text("1e99999999999999999999999"), "exponent beyond 400"},
		{"Long", `{}`, text(strings.Repeat("9", 65)), "more than 64 characters"},
		{"Integer", `{"integer": true}`, text("2.0"), ""},
		{"NotAnInteger", `{"integer": true}`, text("2.5"), "is 2.5, not a whole number"},
		{"FieldText", `{"field": "a", "max": 3}`, text(`{"a": "2.5"}`), ""},
		{"FieldInFences", `{"field": "a", "max": 3}`, text("```json\n{\"a\": 4}\n```"), "above 3"},
		{"FieldBoolean", `{"field": "a"}`, text(`{"a": true}`), "is not a number"},
		{"Sum", invoice, text(`{"total": 0.3, "lines": [{"amount": 0.1}, {"amount": "0.2"}]}`), ""},
		{"SumWrong", invoice, text(`{"total": 0.31, "lines": [{"amount": 0.1}, {"amount": 0.2}]}`), `field "total" is 0.31, but its items add up to 0.3`},
		{"SumOfNothing", invoice, text(`{"total": 0, "lines": []}`), ""},
		{"SumWithoutAmount", invoice, text(`{"total": 1, "lines": [{"amount": 1}, {}]}`), `item 1 of field "/lines" has no amount`},
		{"SumOfTexts", invoice, text(`{"total": 1, "lines": [{"amount": "one"}]}`), "item 0 of field"},
		{"SumNotAnArray", invoice, text(`{"total": 1, "lines": 1}`), "is a number, not an array"},
		{"SumMissing", invoice, text(`{"total": 1}`), `has no field "/lines"`},
		{"Tolerance", tolerant, text(`{"total": 1.01, "lines": [{"net": {"amount": 1}}]}`), ""},
		{"ToleranceExceeded", tolerant, text(`{"total": 1.0100001, "lines": [{"net": {"amount": 1}}]}`), "add up to 1"},
		{"Scalars", scalars, text(`{"total": 6, "lines": [1, 2, 3]}`), ""},
		{"NestedScalars", scalars, text(`{"total": 6, "lines": [1, [2]]}`), "item 1 of field"},
		{"TooManyItems", scalars, text(`{"total": 6, "lines": [` + strings.Repeat("1,", 10_000) + `1]}`), "more than 10000 items"},
	})
}

func TestGrounded(t *testing.T) {
	t.Parallel()
	const total = `{"fields": ["total"]}`
	const lines = `{"fields": ["/lines", "vendor"]}`
	runTable(t, "grounded", []judgement{
		{"Number", total, asked("Total due: 1,234.50 EUR", `{"total": 1234.5}`), ""},
		{"German", total, asked("Summe 1.234,50 €", `{"total": 1234.50}`), ""},
		{"French", total, asked("Total 1\u202f234,50 €", `{"total": "1234.50"}`), ""},
		{"Swiss", total, asked("CHF 1’234.50", `{"total": "1,234.50"}`), ""},
		{"Indian", total, asked("Rs 12,34,567", `{"total": 1234567}`), ""},
		{"Exponent", total, asked("1500 units", `{"total": 1.5e3}`), ""},
		{"NoSpaceAfterCurrency", total, asked("EUR100.00", `{"total": 100}`), ""},
		{"Unit", total, asked("5kg", `{"total": 5}`), ""},
		{"Negative", total, asked("credit (12.00)", `{"total": -12}`), ""},
		{"Invented", total, asked("Total due: 1,234.50 EUR", `{"total": 1243.5}`), `field "total": 1243.5 does not occur in the task`},
		{"ShortInsideLong", total, asked("Invoice 2025", `{"total": 5}`), "5 does not occur"},
		{"ShortInsideDecimal", total, asked("Total 1.5", `{"total": 5}`), "5 does not occur"},
		{"PartOfGrouped", total, asked("Total 1,234", `{"total": 234}`), "234 does not occur"},
		{"ShortAfterLetter", total, asked("size A5", `{"total": 5}`), "5 does not occur"},
		{"Date", total, asked("on 23.11.2024", `{"total": 2024}`), ""},
		{"SeparateNumbers", total, asked("12 345", `{"total": 345}`), ""},
		{"AmountText", total, asked("Total: 99.90 EUR", `{"total": "EUR 99.9"}`), ""},
		{"AmountTextInvented", total, asked("Total: 99.90 EUR", `{"total": "EUR 99.8"}`), "does not occur"},
		{"Text", `{"fields": ["vendor"]}`, asked("From: ACME\n  Tools   Ltd.", `{"vendor": "Acme Tools Ltd."}`), ""},
		{"TextInvented", `{"fields": ["vendor"]}`, asked("From: ACME", `{"vendor": "Acme Inc"}`), `"Acme Inc" does not occur`},
		{"CombiningAccent", `{"fields": ["vendor"]}`, asked("Cafe\u0301 Roma", `{"vendor": "CAFÉ ROMA"}`), ""},
		{"FullWidth", `{"fields": ["vendor"]}`, asked("ＡＣＭＥ", `{"vendor": "Acme"}`), ""},
		{"InvisibleInSource", `{"fields": ["vendor"]}`, asked("Ac\u00adme\u200b", `{"vendor": "Acme"}`), ""},
		{"ShortWord", `{"fields": ["vendor"]}`, asked("international", `{"vendor": "nat"}`), "does not occur"},
		{"ShortHan", `{"fields": ["vendor"]}`, asked("我在东京工作", `{"vendor": "东京"}`), ""},
		{"CodeWithSpaces", `{"fields": ["iban"]}`, asked("IBAN DE89 3704 0044 0532 0130 00", `{"iban": "DE89370400440532013000"}`), ""},
		{"EmptyText", `{"fields": ["vendor"]}`, asked("x", `{"vendor": ""}`), "does not occur"},
		{"Array", lines, asked("Acme: 2 bolts 3.00, 1 nut 0.50", `{"vendor": "Acme", "lines": [{"name": "bolts", "n": 2, "ok": true, "x": null}, {"name": "nut", "price": 0.5}]}`), ""},
		{"ArrayInvented", lines, asked("Acme: 2 bolts 3.00", `{"vendor": "Acme", "lines": [{"name": "bolts"}, {"name": "screws"}]}`), `field "/lines": "screws"`},
		{"Missing", total, asked("x", `{}`), `has no field "total"`},
		{"Optional", `{"fields": ["total"], "optional": true}`, asked("x", `{"total": null}`), ""},
		{"WholeAnswer", "", asked("The capital is Oslo.", "Oslo\n"), ""},
		{"WholeAnswerInvented", "", asked("The capital is Oslo.", "Bergen"), `the answer: "Bergen"`},
		{"Messages", total, validators.Answer{Output: `{"total": 12}`, Task: &task.Task{Messages: []task.Message{{Role: "user", Content: "12"}}}}, ""},
		{"Context", total, validators.Answer{Output: `{"total": 12}`, Task: &task.Task{Context: []string{"12"}}}, ""},
		{"File", total, validators.Answer{Output: `{"total": 12}`, Task: &task.Task{Input: "A scan.", Attachments: []task.Attachment{{URL: "object:files/a.pdf"}}}}, ""},
		{"NotAcrossParts", `{"fields": ["v"]}`, validators.Answer{Output: `{"v": "one two"}`, Task: &task.Task{Context: []string{"one"}, Input: "two"}}, "does not occur"},
		{"RightToLeft", `{"fields": ["vendor"]}`, asked("Acme", `{"vendor": "\u202eAcme"}`), ""},
		{"Long", `{"fields": ["v"]}`, asked("x", `{"v": "`+strings.Repeat("x", 10_001)+`"}`), "longer than the 10000 characters"},
		{"TooMany", `{"fields": ["v"]}`, asked("1", `{"v": [`+strings.Repeat("1,", 10_000)+`1]}`), "more than 10000 values"},
		{"ManySearches", `{"fields": ["v"]}`, asked(strings.Repeat("word ", 200_000), `{"v": [`+strings.Repeat(`"word",`, 2_000)+`1]}`), "takes more than 1073741824 bytes of search"},
		{"NearHitsAreBounded", `{"fields": ["v"]}`, asked(strings.Repeat("1", 100_000), `{"v": "11111"}`), "does not occur"},
		{"ManyNearHits", `{"fields": ["v"]}`, asked(strings.Repeat("1", 1<<20), `{"v": "`+strings.Repeat("1", 10_000)+`"}`), ""},
	})
}

func TestNew_RefusesParameters(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, kind, params, want string }{
		{"EnumWithoutValues", "enum", `{}`, `parameter "values" needs at least 1 entry`},
		{"EnumEmptyValue", "enum", `{"values": ["a", ""]}`, `entry 2 is empty`},
		{"EnumSameAfterFolding", "enum", `{"values": ["a", "A"], "case_fold": true}`, "entry 2 repeats"},
		{"EnumLongValue", "enum", `{"values": ["` + strings.Repeat("x", 1_001) + `"]}`, "entry 1 is longer than 1000"},
		{"EnumTooMany", "enum", `{"values": [` + strings.Repeat(`"a",`, 10_000) + `"b"]}`, "more than 10000 entries"},
		{"OptionalWithoutField", "enum", `{"values": ["a"], "optional": true}`, `"optional" needs "field"`},
		{"BadPointer", "enum", `{"values": ["a"], "field": "/a~2"}`, "not a JSON Pointer"},
		{"RegexWithoutPattern", "regex", `{}`, `parameter "pattern" is missing`},
		{"RegexTooLong", "regex", `{"pattern": "` + strings.Repeat("a", 1_001) + `"}`, "longer than 1000 characters"},
		{"RegexBomb", "regex", `{"pattern": "((a{100}){100}){100}"}`, "regexp"},
		{"RegexProgram", "regex", `{"pattern": "` + strings.Repeat("(a?){1000}", 50) + `"}`, "more than 5000 instructions"},
		{"RegexBackReference", "regex", `{"pattern": "(a)\\1"}`, "does not compile"},
		{"RegexParentheses", "regex", `{"pattern": "a)|(b"}`, "does not compile"},
		{"RegexMatch", "regex", `{"pattern": "a", "match": "some"}`, `parameter "match" is "some"`},
		{"LengthWithoutBounds", "length", `{"unit": "words"}`, `one of the parameters "min" and "max"`},
		{"LengthNegative", "length", `{"unit": "words", "min": -1}`, "must not be negative"},
		{"LengthFraction", "length", `{"unit": "words", "min": 1.5}`, "want a whole number"},
		{"ChecksumWithoutAlgo", "checksum", `{}`, `parameter "algo" is ""`},
		{"SHA256WithoutMetadata", "checksum", `{"algo": "sha256"}`, `parameter "metadata" is missing`},
		{"LuhnWithMetadata", "checksum", `{"algo": "luhn", "metadata": "x"}`, "only for sha256"},
		{"NumberBounds", "number", `{"min": 2, "max": 1}`, `"min" is above "max"`},
		{"NumberExponent", "number", `{"min": 1e10000000}`, "exponent beyond 400"},
		{"ToleranceNegative", "number", `{"field": "a", "sum_of": {"items": "b"}, "tolerance": -1}`, "must not be negative"},
		{"SumWithoutField", "number", `{"sum_of": {"items": "a"}}`, `"sum_of" needs "field"`},
		{"SumUnknown", "number", `{"field": "a", "sum_of": {"items": "a", "fields": "b"}}`, `parameter "sum_of": unknown field "fields"`},
		{"SumPointer", "number", `{"field": "a", "sum_of": {"items": "/~"}}`, `parameter "sum_of"`},
		{"GroundedOptional", "grounded", `{"optional": true}`, `"optional" needs "fields"`},
		{"GroundedEmptyField", "grounded", `{"fields": [""]}`, "entry 1 is empty"},
		{"RequiredWithoutTexts", "required_text", `{}`, `parameter "texts"`},
		{"RequiredMatch", "required_text", `{"texts": ["a"], "match": "none"}`, `parameter "match"`},
		{"ForbiddenEmpty", "forbidden_text", `{"texts": [""]}`, "entry 1 is empty"},
		{"ScriptUnknown", "language_script", `{"scripts": ["english", "Latin"]}`, `"english" is not a Unicode script`},
		{"ScriptShare", "language_script", `{"scripts": ["latin"], "min_share": 1.1}`, "not between 0 and 1"},
		{"RefusalEmptyPhrase", "no_refusal", `{"phrases": [" "]}`, "entry 1 is empty"},
		{"JSONType", "json", `{"root": "text"}`, `parameter "root"`},
		{"SchemaMissing", "json_schema", `{}`, `parameter "schema" is missing`},
		{"ToolBounds", "tool_calls", `{"min": 2, "max": 1}`, `"min" is above "max"`},
		{"ToolMost", "tool_calls", `{"max": 1000}`, `"max" is above 128`},
		{"ToolNegative", "tool_calls", `{"min": -1}`, "must not be negative"},
		{"DuplicateParameter", "length", `{"unit": "words", "max": 1, "max": 2}`, "twice"},
		{"NotJSON", "length", `{`, "is not JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := validators.New(catalog.Validator{Type: test.kind, Params: json.RawMessage(test.params)})
			require.ErrorContains(t, err, test.want)
		})
	}
}
