package validators_test

import (
	"strings"
	"testing"

	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

func TestNotTruncated(t *testing.T) {
	t.Parallel()
	runTable(t, "not_truncated", []judgement{
		{"Whole", "", text("x"), ""},
		{"Cut", "", validators.Answer{Output: "x", Truncated: true}, "stopped at the output limit"},
	})
}

func TestNoRefusalStop(t *testing.T) {
	t.Parallel()
	runTable(t, "no_refusal_stop", []judgement{
		{"Words", "", text("I cannot help with that."), ""},
		{"Stop", "", validators.Answer{Output: "x", Refused: true}, "refused"},
	})
}

func TestNotEmpty(t *testing.T) {
	t.Parallel()
	runTable(t, "not_empty", []judgement{
		{"Text", "", text("."), ""},
		{"Accent", "", text("\u0301"), ""},
		{"Nothing", "", text(""), "is empty"},
		{"Spaces", "", text(" \u00a0\u2003\r\n\t"), "is empty"},
		{"Invisible", "", text("\u200b\u202e\ufeff\x00"), "is empty"},
		{"BrokenBytes", "", text("\xff\xfe"), "is empty"},
		{"EmptyFence", "", text("```\n\n```"), "is empty"},
		{"ToolCall", "", validators.Answer{ToolCalls: []task.ToolCall{{Name: "f"}}}, ""},
	})
}

func TestAllowEmpty(t *testing.T) {
	t.Parallel()
	runTable(t, "allow_empty", []judgement{
		{"Nothing", "", text(""), ""},
		{"Text", "", text("x"), ""},
	})
}

func TestEnum(t *testing.T) {
	t.Parallel()
	const plain = `{"values": ["billing", "refund"]}`
	const lenient = `{"values": ["Billing", "C++", "café", "straße"], "case_fold": true, "trim": true, "strip_punctuation": true, "strip_quotes": true}`
	const field = `{"values": ["high", "1", "true"], "field": "level"}`
	const optional = `{"values": ["high"], "field": "/a/0/b~1c", "optional": true}`
	runTable(t, "enum", []judgement{
		{"Member", plain, text("billing"), ""},
		{"Fences", plain, text("```\nbilling\n```"), ""},
		{"Other", plain, text("shipping"), `the answer is "shipping", not one of the 2 values`},
		{"ExactByDefault", plain, text("Billing"), "not one of"},
		{"SpaceByDefault", plain, text("billing\n"), "not one of"},
		{"TwoMembers", plain, text("billing refund"), "not one of"},
		{"NUL", plain, text("billing\x00"), `"billing\x00"`},
		{"RightToLeft", plain, text("\u202ebilling"), `"\u202ebilling"`},
		{"Case", lenient, text("BILLING"), ""},
		{"QuotesAndStop", lenient, text(` "Billing". `), ""},
		{"StopInsideQuotes", lenient, text("“Billing.”"), ""},
		{"SymbolsStay", lenient, text("c++"), ""},
		{"CombiningAccent", lenient, text("CAFE\u0301"), ""},
		{"SharpS", lenient, text("STRASSE"), ""},
		{"AccentMatters", lenient, text("cafe"), "not one of"},
		{"Homoglyph", lenient, text("\u0412illing"), "not one of"},
		{"Long", lenient, text(strings.Repeat("billing ", 100_000)), "…"},
		{"OnlyPunctuation", lenient, text("..."), "not one of"},
		{"Field", field, text(`{"level": "high"}`), ""},
		{"FieldInFences", field, text("```json\n{\"level\": \"high\"}\n```"), ""},
		{"FieldNumber", field, text(`{"level": 1}`), ""},
		{"FieldBoolean", field, text(`{"level": true}`), ""},
		{"FieldWrong", field, text(`{"level": "low"}`), `field "level" is "low"`},
		{"FieldMissing", field, text(`{}`), `has no field "level"`},
		{"FieldNull", field, text(`{"level": null}`), `has no field "level"`},
		{"FieldObject", field, text(`{"level": {}}`), "is an object, not a text"},
		{"FieldNotJSON", field, text(`high`), "is not JSON"},
		{"PointerAbsent", optional, text(`{"a": []}`), ""},
		{"PointerNull", optional, text(`{"a": [{"b/c": null}]}`), ""},
		{"Pointer", optional, text(`{"a": [{"b/c": "high"}]}`), ""},
		{"PointerWrong", optional, text(`{"a": [{"b/c": "x"}]}`), "not one of the 1 values"},
	})
}

func TestRegex(t *testing.T) {
	t.Parallel()
	const code = `{"pattern": "[A-Z]{2}|[0-9]+"}`
	runTable(t, "regex", []judgement{
		{"Full", code, text("AB"), ""},
		{"SecondAlternativeIsAnchoredToo", code, text("12"), ""},
		{"FullMeansAll", code, text("AB1"), `does not match its pattern: "AB1"`},
		{"FullRefusesNewline", code, text("12\n"), "does not match"},
		{"Partial", `{"pattern": "[0-9]+", "match": "partial"}`, text("no 12"), ""},
		{"PartialFails", `{"pattern": "[0-9]+", "match": "partial"}`, text("none"), "does not match"},
		{"Flags", `{"pattern": "(?is)a.b"}`, text("A\nB"), ""},
		{"Field", `{"pattern": "[A-Z]+-[0-9]+", "field": "/id"}`, text(`{"id": "X-1"}`), ""},
		{"FieldFails", `{"pattern": "[A-Z]+-[0-9]+", "field": "/id"}`, text(`{"id": "X1"}`), `field "/id" does not match`},
		{"Nested", `{"pattern": "(a+)+"}`, text(strings.Repeat("a", 50_000) + "b"), "does not match"},
		{"TooLong", `{"pattern": "(a?){400}"}`, text(strings.Repeat("a", 1<<20)), "too long for its pattern"},
		{"InvalidUTF8", `{"pattern": "[a-z]+"}`, text("a\xff"), "does not match"},
	})
}

func TestLength(t *testing.T) {
	t.Parallel()
	runTable(t, "length", []judgement{
		{"CharactersAreNotBytes", `{"unit": "characters", "max": 4}`, text("日本語é"), ""},
		{"CombiningIsACharacter", `{"unit": "characters", "max": 1}`, text("e\u0301"), "has 2 characters, more than 1"},
		{"TooShort", `{"unit": "characters", "min": 3}`, text("ab"), "has 2 characters, fewer than 3"},
		{"Words", `{"unit": "words", "min": 3, "max": 3}`, text(" one\ntwo\u00a0three "), ""},
		{"TooManyWords", `{"unit": "words", "max": 2}`, text("one two three"), "3 words, more than 2"},
		{"Tokens", `{"unit": "tokens", "max": 2}`, text("12345678"), ""},
		{"TokensRoundUp", `{"unit": "tokens", "max": 2}`, text("123456789"), "has 3 tokens"},
		{"TokensOfHan", `{"unit": "tokens", "max": 2}`, text("日本語"), "has 3 tokens"},
		{"TokensOfCyrillic", `{"unit": "tokens", "max": 3}`, text("привет"), ""},
		{"Items", `{"unit": "items", "min": 1, "max": 2, "field": "tags"}`, text(`{"tags": ["a", "b"]}`), ""},
		{"ItemsOfAll", `{"unit": "items", "max": 1}`, text(`[1, 2]`), "the answer has 2 items, more than 1"},
		{"TooFewItems", `{"unit": "items", "min": 1, "field": "tags"}`, text(`{"tags": []}`), `field "tags" has 0 items`},
		{"NotAnArray", `{"unit": "items", "max": 1, "field": "tags"}`, text(`{"tags": "a"}`), "is a text, not an array"},
		{"Field", `{"unit": "words", "max": 2, "field": "summary"}`, text(`{"summary": "one two three"}`), `field "summary" has 3 words`},
		{"OptionalField", `{"unit": "words", "max": 2, "field": "summary", "optional": true}`, text(`{}`), ""},
		{"FenceCounts", `{"unit": "words", "max": 1}`, text("```\nx\n```"), "has 3 words"},
	})
}

func TestRequiredText(t *testing.T) {
	t.Parallel()
	runTable(t, "required_text", []judgement{
		{"All", `{"texts": ["a", "b"]}`, text("b, a"), ""},
		{"OneMissing", `{"texts": ["a", "b"]}`, text("a"), `does not contain "b"`},
		{"Any", `{"texts": ["x", "b"], "match": "any"}`, text("b"), ""},
		{"NoneOfAny", `{"texts": ["x", "y"], "match": "any"}`, text("b"), "none of the 2 required texts"},
		{"Case", `{"texts": ["Größe"], "case_fold": true}`, text("DIE GRÖSSE"), ""},
		{"CaseMatters", `{"texts": ["Regards"]}`, text("regards"), `does not contain "Regards"`},
		{"CombiningIsTheSame", `{"texts": ["café"]}`, text("cafe\u0301"), ""},
	})
}

func TestForbiddenText(t *testing.T) {
	t.Parallel()
	runTable(t, "forbidden_text", []judgement{
		{"None", `{"texts": ["TODO"]}`, text("todo"), ""},
		{"One", `{"texts": ["x", "TODO"]}`, text("a TODO b"), `contains "TODO"`},
		{"Case", `{"texts": ["todo"], "case_fold": true}`, text("ToDo"), `contains "todo"`},
		{"CombiningIsTheSame", `{"texts": ["é"]}`, text("e\u0301"), "contains"},
		{"InsideFences", `{"texts": ["` + "```" + `"]}`, text("```\nx\n```"), "contains"},
	})
}

func TestLanguageScript(t *testing.T) {
	t.Parallel()
	runTable(t, "language_script", []judgement{
		{"Latin", `{"scripts": ["latin"]}`, text("Straße, 12 €"), ""},
		{"Cyrillic", `{"scripts": ["cyrillic"]}`, text("Привет, мир"), ""},
		{"Wrong", `{"scripts": ["cyrillic"]}`, text("Hello"), "0 of the 5 letters of the answer are cyrillic, fewer than the share of 0.8"},
		{"Several", `{"scripts": ["han", "hiragana", "katakana"], "min_share": 1}`, text("日本語のテキスト"), ""},
		{"ShareIsExact", `{"scripts": ["latin"], "min_share": 0.5}`, text("abяя"), ""},
		{"ShareIsMissed", `{"scripts": ["latin"], "min_share": 0.5}`, text("abяяя"), "2 of the 5 letters"},
		{"Homoglyphs", `{"scripts": ["latin"], "min_share": 1}`, text("p\u0430ypal"), "5 of the 6 letters"},
		{"NoLetters", `{"scripts": ["han"]}`, text("12 + 3 = 15"), ""},
		{"Field", `{"scripts": ["greek"], "field": "text"}`, text(`{"text": "αβγ"}`), ""},
		{"FieldFails", `{"scripts": ["greek"], "field": "text"}`, text(`{"text": "abc"}`), `of field "text" are greek`},
	})
}

func TestNoRefusal(t *testing.T) {
	t.Parallel()
	runTable(t, "no_refusal", []judgement{
		{"Answer", "", text("Billing"), ""},
		{"Refusal", "", text("I'm sorry, but I can't assist with that request."), "begins as a refusal"},
		{"CurlyApostrophe", "", text("I’m sorry, but I can’t help with that."), "begins as a refusal"},
		{"QuotesAndCase", "", text(" \"SORRY, I CANNOT COMPLY\""), "begins as a refusal"},
		{"InvisibleCharacters", "", text("\u200bI can\u200bnot help with this"), "begins as a refusal"},
		{"LaterOn", "", text("Dear customer, I cannot help with that."), ""},
		{"Regret", "", text("I'm sorry, but your parcel is late."), ""},
		{"WholeWords", "", text("As an aircraft engineer I suggest"), ""},
		{"StopReason", "", validators.Answer{Output: "x", Refused: true}, "refused"},
		{"OwnPhrases", `{"phrases": ["Leider kann ich"]}`, text("Leider kann ich nicht helfen"), "leider kann ich"},
		{"OwnPhrasesReplace", `{"phrases": ["Leider kann ich"]}`, text("I cannot help with that"), ""},
	})
}
