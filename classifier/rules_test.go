package classifier_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/task"
)

func mustRules(tb testing.TB, rules ...catalog.Rule) *classifier.Chain {
	tb.Helper()
	r, err := classifier.New(catalog.Classifier{Rules: rules, Default: task.L2})
	require.NoError(tb, err)
	return r
}

func mustStarter(tb testing.TB) (*catalog.Catalog, *classifier.Chain) {
	tb.Helper()
	c, err := catalog.Parse(catalog.Default())
	require.NoError(tb, err)
	r, err := classifier.New(c.Classifier)
	require.NoError(tb, err)
	return c, r
}

func TestRules_Order(t *testing.T) {
	t.Parallel()

	matching := catalog.Rule{Name: "first", Class: task.L3, Confidence: 0.8, Keywords: []string{"word"}}
	second := catalog.Rule{Name: "second", Class: task.L1, Confidence: 0.6, Keywords: []string{"word", "other"}}
	tests := []struct {
		name    string
		task    task.Task
		feature catalog.Feature
		want    classifier.Decision
	}{
		{
			name: "TaskComesFirst", task: task.Task{Class: task.L1, Input: "word"}, feature: catalog.Feature{Class: task.L2},
			want: classifier.Decision{Class: task.L1, Source: classifier.SourceExplicit, Confidence: 1},
		},
		{
			name: "FeatureComesBeforeRules", task: task.Task{Input: "word"}, feature: catalog.Feature{Class: task.L2},
			want: classifier.Decision{Class: task.L2, Source: classifier.SourceFeature, Confidence: 1},
		},
		{
			name: "FirstMatchingRuleDecides", task: task.Task{Input: "word"},
			want: classifier.Decision{Class: task.L3, Source: classifier.SourceRule, Rule: "first", Confidence: 0.8},
		},
		{
			name: "LaterRuleDecidesWhenEarlierDoesNotMatch", task: task.Task{Input: "other"},
			want: classifier.Decision{Class: task.L1, Source: classifier.SourceRule, Rule: "second", Confidence: 0.6},
		},
		{
			name: "DefaultWithoutConfidence", task: task.Task{Input: "nothing"},
			want: classifier.Decision{Class: task.L2, Source: classifier.SourceDefault},
		},
	}
	rules := mustRules(t, matching, second)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, err := rules.Classify(classifier.Subject{Task: &tt.task, Feature: tt.feature})
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestRules_Conditions(t *testing.T) {
	t.Parallel()

	yes, no := true, false
	schema := catalog.Feature{Name: "f", OutputSchema: json.RawMessage(`{}`)}
	enum := catalog.Feature{Validators: []catalog.Validator{{Type: "length"}, {Type: "enum"}}}
	tests := []struct {
		name    string
		rule    catalog.Rule
		task    task.Task
		feature catalog.Feature
		want    bool
	}{
		{name: "Feature", rule: catalog.Rule{Features: []string{"e", "f"}}, feature: schema, want: true},
		{name: "OtherFeature", rule: catalog.Rule{Features: []string{"e"}}, feature: schema},
		{name: "CallPath", rule: catalog.Rule{CallPaths: []string{"a/b"}}, task: task.Task{CallPath: "a/b"}, want: true},
		{name: "OtherCallPath", rule: catalog.Rule{CallPaths: []string{"a/b"}}, task: task.Task{CallPath: "a"}},
		{name: "Validator", rule: catalog.Rule{Validators: []string{"enum"}}, feature: enum, want: true},
		{name: "OtherValidator", rule: catalog.Rule{Validators: []string{"regex"}}, feature: enum},
		{name: "Schema", rule: catalog.Rule{HasSchema: &yes}, feature: schema, want: true},
		{name: "SchemaMissing", rule: catalog.Rule{HasSchema: &yes}, feature: enum},
		{name: "NoSchema", rule: catalog.Rule{HasSchema: &no}, feature: enum, want: true},
		{name: "NoSchemaButOne", rule: catalog.Rule{HasSchema: &no}, feature: schema},
		{name: "Attachments", rule: catalog.Rule{HasAttachments: &yes}, task: task.Task{Attachments: make([]task.Attachment, 1)}, want: true},
		{name: "AttachmentsMissing", rule: catalog.Rule{HasAttachments: &yes}},
		{name: "NoAttachments", rule: catalog.Rule{HasAttachments: &no}, want: true},
		{name: "Tools", rule: catalog.Rule{MinTools: 2}, task: task.Task{Tools: make([]task.Tool, 2)}, want: true},
		{name: "TooFewTools", rule: catalog.Rule{MinTools: 2}, task: task.Task{Tools: make([]task.Tool, 1)}},
		{name: "Messages", rule: catalog.Rule{MinMessages: 2}, task: task.Task{Messages: make([]task.Message, 2)}, want: true},
		{name: "TooFewMessages", rule: catalog.Rule{MinMessages: 2}, task: task.Task{Messages: make([]task.Message, 1)}},
		{name: "MinChars", rule: catalog.Rule{MinChars: 3}, task: task.Task{Input: "äöü"}, want: true},
		{name: "MinCharsCountsCharacters", rule: catalog.Rule{MinChars: 4}, task: task.Task{Input: "äöü"}},
		{name: "MaxChars", rule: catalog.Rule{MaxChars: 3}, task: task.Task{Input: "äöü"}, want: true},
		{name: "MaxCharsExceeded", rule: catalog.Rule{MaxChars: 2}, task: task.Task{Input: "äöü"}},
		{
			name: "LengthIsContextMessagesAndInput", rule: catalog.Rule{MinChars: 6, MaxChars: 6}, want: true,
			task:    task.Task{Input: "1", Context: []string{"22", "3"}, Messages: []task.Message{{Content: "44"}}},
			feature: catalog.Feature{System: "not counted", Context: []string{"nor this"}},
		},
		{name: "RegexInInput", rule: catalog.Rule{Regex: `^a+$`}, task: task.Task{Input: "aaa"}, want: true},
		{
			name: "RegexInMessageByItself", rule: catalog.Rule{Regex: `^a+$`}, want: true,
			task: task.Task{Input: "b", Messages: []task.Message{{Content: "c"}, {Content: "aa"}}},
		},
		{name: "RegexNotInContext", rule: catalog.Rule{Regex: `a`}, task: task.Task{Input: "b", Context: []string{"a"}}},
		{name: "RegexSeesOnlyTheHead", rule: catalog.Rule{Regex: `x`}, task: task.Task{Input: strings.Repeat("ä", classifier.MaxRegexBytes/2) + "x"}},
		{
			name: "RegexHeadEndsBetweenCharacters", rule: catalog.Rule{Regex: `^aä*$`}, want: true, // not valid if one were cut
			task: task.Task{Input: "a" + strings.Repeat("ä", classifier.MaxRegexBytes)},
		},
		{name: "KeywordInMessage", rule: catalog.Rule{Keywords: []string{"key"}}, task: task.Task{Messages: []task.Message{{Content: "a key"}}}, want: true},
		{name: "KeywordNotInContext", rule: catalog.Rule{Keywords: []string{"key"}}, task: task.Task{Input: "a", Context: []string{"key"}}},
		{name: "AllConditionsHold", rule: catalog.Rule{Keywords: []string{"key"}, Regex: "y$", MinTools: 1}, task: task.Task{Input: "key", Tools: make([]task.Tool, 1)}, want: true},
		{name: "OneConditionFails", rule: catalog.Rule{Keywords: []string{"key"}, Regex: "z$", MinTools: 1}, task: task.Task{Input: "key", Tools: make([]task.Tool, 1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			tt.rule.Name, tt.rule.Class = "only", task.L3
			got, err := mustRules(t, tt.rule).Classify(classifier.Subject{Task: &tt.task, Feature: tt.feature})
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Source == classifier.SourceRule, "decision %+v", got)
		})
	}
}

func TestRules_Keywords(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		keyword string
		input   string
		want    bool
	}{
		{name: "Word", keyword: "proof", input: "a proof of it", want: true},
		{name: "Alone", keyword: "proof", input: "proof", want: true},
		{name: "Case", keyword: "Proof", input: "THE PROOF!", want: true},
		{name: "NotInsideAWord", keyword: "proof", input: "waterproofing, proofs, proof_1"},
		{name: "NotBesideADigit", keyword: "plan", input: "plan9"},
		{name: "Punctuation", keyword: "proof", input: "(proof)", want: true},
		{name: "Phrase", keyword: "race condition", input: "is this a race condition?", want: true},
		{name: "PhraseOverLines", keyword: "race condition", input: "race\r\n  condition", want: true},
		{name: "PhraseWithHyphen", keyword: "race condition", input: "race-condition", want: true},
		{name: "HyphenMatchesSpace", keyword: "non-compete", input: "a non compete clause", want: true},
		{name: "PhraseNotOverASentence", keyword: "race condition", input: "I like the race. Condition is fine."},
		{name: "PhraseIncomplete", keyword: "race condition", input: "the race"},
		{name: "PhraseBeginsAgain", keyword: "a a b", input: "a a a b", want: true},
		{name: "Apostrophe", keyword: "don't know", input: "I don’t know", want: true},
		{name: "Umlaut", keyword: "kündigung", input: "Ihre KÜNDIGUNG.", want: true},
		{name: "UmlautNotAsciiBoundary", keyword: "ber", input: "über"},
		{name: "Decomposed", keyword: "résumé", input: "my re\u0301sume\u0301", want: true},
		{name: "AccentIsNotDropped", keyword: "resume", input: "my re\u0301sume\u0301"},
		{name: "SharpS", keyword: "strasse", input: "Lange Straße 1", want: true},
		{name: "Greek", keyword: "σίσυφος", input: "ΣΊΣΥΦΟΣ", want: true},
		{name: "Cyrillic", keyword: "договор", input: "Проверьте ДОГОВОР", want: true},
		{name: "CyrillicNotInside", keyword: "договор", input: "договорной"},
		{name: "Chinese", keyword: "合同", input: "请检查这份合同的风险", want: true},
		{name: "ChineseNotReversed", keyword: "合同", input: "同合"},
		{name: "Japanese", keyword: "データ", input: "このデータを要約", want: true},
		{name: "Thai", keyword: "สัญญา", input: "ตรวจสัญญานี้", want: true},
		{name: "LatinInsideChinese", keyword: "api", input: "这个API合同", want: true},
		{name: "LongWord", keyword: "key", input: strings.Repeat("key", 1000)},
		{name: "InvalidUTF8", keyword: "key", input: "\xff\xfe key \xc3", want: true},
		{name: "AsciiKeywordInOtherText", keyword: "Key", input: "schöner KEY", want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			rules := mustRules(t, catalog.Rule{Name: "only", Class: task.L3, Keywords: []string{tt.keyword}})
			got, err := rules.Classify(classifier.Subject{Task: &task.Task{Input: tt.input}})
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Source == classifier.SourceRule)
		})
	}
}

func TestRules_KeywordsOfManyRules(t *testing.T) {
	t.Parallel()

	rules := mustRules(
		t,
		catalog.Rule{Name: "long", Class: task.L3, Keywords: []string{"race condition", "alpha"}, MinChars: 1000},
		catalog.Rule{Name: "shared", Class: task.L1, Keywords: []string{"race", "race condition"}},
	)
	got, err := rules.Classify(classifier.Subject{Task: &task.Task{Input: "a race condition"}})
	require.NoError(t, err)
	require.Equal(t, "shared", got.Rule, "a keyword of two rules counts for both")
}

func TestRules_Errors(t *testing.T) {
	t.Parallel()

	rules := mustRules(t)
	_, err := rules.Classify(classifier.Subject{})
	require.ErrorIs(t, err, classifier.ErrNoTask)

	var unknown *classifier.UnknownClassError
	_, err = rules.Classify(classifier.Subject{Task: &task.Task{Class: "L9"}})
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, task.Class("L9"), unknown.Class)
	require.EqualError(t, err, `explicit class: unknown class "L9"`)

	_, err = rules.Classify(classifier.Subject{Task: &task.Task{}, Feature: catalog.Feature{Class: "auto"}})
	require.ErrorAs(t, err, &unknown)
}

func TestNew_Refuses(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		config catalog.Classifier
		want   string
	}{
		{name: "Default", config: catalog.Classifier{Default: "L4"}, want: `classifier default: unknown class "L4"`},
		{name: "Class", config: catalog.Classifier{Rules: []catalog.Rule{{Name: "r"}}}, want: `compile rule "r": unknown class ""`},
		{
			name: "Regex", config: catalog.Classifier{Rules: []catalog.Rule{{Name: "r", Class: task.L1, Regex: "("}}},
			want: "compile rule \"r\": error parsing regexp: missing closing ): `(`",
		},
		{
			name: "Keyword", config: catalog.Classifier{Rules: []catalog.Rule{{Name: "r", Class: task.L1, Keywords: []string{"!"}}}},
			want: `compile rule "r": keyword "!" has no word in it`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := classifier.New(tt.config)
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestNew_DefaultClass(t *testing.T) {
	t.Parallel()

	rules, err := classifier.New(catalog.Classifier{})
	require.NoError(t, err)
	got, err := rules.Classify(classifier.Subject{Task: &task.Task{Input: "prove it"}})
	require.NoError(t, err)
	require.Equal(t, classifier.Decision{Class: catalog.DefaultClass, Source: classifier.SourceDefault}, got)
}

func TestRules_Starter(t *testing.T) {
	t.Parallel()

	schema := catalog.Feature{OutputSchema: json.RawMessage(`{}`)}
	enum := catalog.Feature{Validators: []catalog.Validator{{Type: "enum"}}}
	tests := []struct {
		name    string
		task    task.Task
		feature catalog.Feature
		class   task.Class
		rule    string
	}{
		{name: "Agent", task: task.Task{Input: "Book a flight", Tools: make([]task.Tool, 5)}, class: task.L3, rule: "many-tools"},
		{name: "Triage", task: task.Task{Input: "I will start litigation if my parcel is late!"}, feature: enum, class: task.L1, rule: "finite-answer"},
		{name: "Legal", task: task.Task{Input: "Is this limitation of liability valid?"}, feature: schema, class: task.L3, rule: "legal"},
		{name: "Debug", task: task.Task{Input: "Find the deadlock in this program"}, class: task.L3, rule: "hard-code"},
		{name: "Proof", task: task.Task{Input: "Prove that there are infinitely many primes."}, class: task.L3, rule: "proof"},
		{name: "Summary", task: task.Task{Input: "Please summarise the meeting"}, class: task.L2, rule: "compose"},
		{name: "Code", task: task.Task{Input: "What does this do?\n```go\nx := 1\n```"}, class: task.L2, rule: "code"},
		{name: "Conversation", task: task.Task{Messages: make([]task.Message, 6)}, class: task.L2, rule: "conversation"},
		{name: "Long", task: task.Task{Input: strings.Repeat("la ", 3000)}, feature: schema, class: task.L2, rule: "long"},
		{name: "Extraction", task: task.Task{Input: "Invoice 17, total 12.50 EUR"}, feature: schema, class: task.L1, rule: "fill-in"},
		{name: "Mechanical", task: task.Task{Input: "Translate to German: good morning"}, class: task.L1, rule: "mechanical"},
		{name: "Unknown", task: task.Task{Input: "Tell me something about the sea."}, class: task.L2},
	}
	_, rules := mustStarter(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, err := rules.Classify(classifier.Subject{Task: &tt.task, Feature: tt.feature})
			require.NoError(t, err)
			require.Equal(t, tt.class, got.Class)
			require.Equal(t, tt.rule, got.Rule)
		})
	}
}

func TestRules_ArePure(t *testing.T) {
	t.Parallel()

	c, rules := mustStarter(t)
	inputs := []string{"", "prove it", "Straße 合同 résumé", "summarise the race condition", strings.Repeat("word ", 4000), "\xff"}
	for _, input := range inputs {
		subject := classifier.Subject{Task: &task.Task{Input: input}, Feature: c.Features["ticket-triage"]}
		want, err := rules.Classify(subject)
		require.NoError(t, err)

		got := make([]classifier.Decision, 100)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				got[i], _ = rules.Classify(subject)
			})
		}
		wg.Wait()
		for _, d := range got {
			require.Equal(t, want, d)
		}
	}
}

func FuzzRules_Classify(f *testing.F) {
	_, rules := mustStarter(f)
	for _, seed := range []string{"", "race condition", "Straße", "合同 データ", "re\u0301sume\u0301", "\xff\xc3(", "a-b'c’d"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, input, message string) {
		subject := classifier.Subject{Task: &task.Task{Input: input, Messages: []task.Message{{Content: message}}}}
		first, err := rules.Classify(subject)
		require.NoError(t, err)
		require.Contains(t, []task.Class{task.L1, task.L2, task.L3}, first.Class)
		require.Equal(t, first.Source == classifier.SourceRule, first.Rule != "")
		again, err := rules.Classify(subject)
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
}

// Whatever keyword a configuration may hold, a text with that keyword in it is found.
func FuzzRules_KeywordIsFoundInItself(f *testing.F) {
	for _, seed := range []string{"race condition", "Straße", "合同", "สัญญา", "don’t", "ΣΊΣΥΦΟΣ", "İstanbul", "ﬁle", "e\u0301", "x_1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, keyword string) {
		quoted, err := json.Marshal(keyword)
		require.NoError(t, err)
		config := strings.Replace(minimal, "KEYWORD", string(quoted), 1)
		c, err := catalog.Parse([]byte(config))
		if err != nil {
			t.Skip("catalog refuses the keyword")
		}
		rules, err := classifier.New(c.Classifier)
		require.NoError(t, err)
		keyword = c.Classifier.Rules[0].Keywords[0]
		got, err := rules.Classify(classifier.Subject{Task: &task.Task{Input: "Before. " + keyword + " (after)"}})
		require.NoError(t, err)
		require.Equal(t, "only", got.Rule)
	})
}

const minimal = `
providers: {p: {api: openai}}
models: {m: {provider: p, id: m, tier: mini}}
cascades: {L1: [m], L2: [m], L3: [m]}
features: {f: {}}
classifier: {rules: [{name: only, class: L3, keywords: [KEYWORD]}]}
`

func BenchmarkRules(b *testing.B) {
	_, rules := mustStarter(b)
	ascii := strings.Repeat("The customer writes that the parcel did not arrive, and asks what to do next. ", 26)
	for _, bench := range []struct {
		name  string
		input string
	}{
		{name: "Ascii2KB", input: ascii},
		{name: "German2KB", input: strings.Repeat("Der Kunde schreibt, dass das Päckchen nicht angekommen ist, und möchte es zurück. ", 25)},
		{name: "Chinese2KB", input: strings.Repeat("客户写信说包裹没有到达，并询问下一步该怎么做。", 30)},
		{name: "Ascii1MB", input: strings.Repeat(ascii, 500)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.input)))
			b.ReportAllocs()
			subject := classifier.Subject{Task: &task.Task{Input: bench.input}}
			for b.Loop() {
				if _, err := rules.Classify(subject); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
