package backlog_test

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers/sim/backlog"
	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

const many = 5_000

// head is what a weir.yaml needs beside the backlog's features.
const head = `
providers: {p: {api: anthropic}}
models: {m: {provider: p, id: m, tier: mini}}
cascades: {L1: [m], L2: [m], L3: [m]}
`

func features(t *testing.T) map[string]catalog.Feature {
	t.Helper()
	parsed, err := catalog.Parse([]byte(head + backlog.FeaturesYAML))
	require.NoError(t, err)
	return parsed.Features
}

func chains(t *testing.T) map[string]*validators.Chain {
	t.Helper()
	out := map[string]*validators.Chain{}
	for name, f := range features(t) {
		chain, err := validators.Compile(f.Validators, f.OutputSchema)
		require.NoError(t, err)
		out[name] = chain
	}
	return out
}

func TestGenerate_IsDeterministic(t *testing.T) {
	t.Parallel()
	long, short := backlog.Generate(7, 60), backlog.Generate(7, 20)
	require.Equal(t, long[:20], short, "a document does not depend on how many there are")
	require.Equal(t, long, backlog.Generate(7, 60))
	require.NotEqual(t, long, backlog.Generate(8, 60))
	require.Empty(t, backlog.Generate(7, 0))
	require.Empty(t, backlog.Generate(7, -1))
	ids := map[string]bool{}
	for i := range long {
		doc := &long[i]
		require.False(t, ids[doc.Task.ID], doc.Task.ID)
		ids[doc.Task.ID] = true
		require.NoError(t, doc.Task.Check())
		require.NotEmpty(t, doc.Task.CallPath)
		require.Equal(t, task.Task{
			ID: doc.Task.ID, Feature: doc.Task.Feature, CallPath: doc.Task.CallPath, Input: doc.Task.Input,
		}, doc.Task, "the rest is left to whoever publishes it")
	}
}

func TestSolve_AllDocuments(t *testing.T) {
	t.Parallel()
	s, f, accept := backlog.NewSolver(), features(t), chains(t)
	documents := backlog.Generate(7, many)
	for i := range documents {
		doc := &documents[i]
		solution, ok := s.Solve(f[doc.Task.Feature].System, doc.Task.Input)
		require.True(t, ok, doc.Task.Input)
		require.Equal(t, doc.Task.Feature, solution.Feature)
		require.JSONEq(t, doc.Truth, solution.Answer, doc.Task.Input)
		require.Equal(t, doc.Difficulty, solution.Difficulty)
		require.True(t, s.Judge(doc.Task.Feature, doc.Task.Input, doc.Truth))
		verdict, err := accept[doc.Task.Feature].Validate(&validators.Answer{Output: doc.Truth, Task: &doc.Task})
		require.NoError(t, err)
		require.True(t, verdict.Accepted, "%s: %s\n%s\n%s", verdict.Validator, verdict.Reason, doc.Task.Input, doc.Truth)
	}
}

func TestSolution_Wrong(t *testing.T) {
	t.Parallel()
	s, accept := backlog.NewSolver(), chains(t)
	documents := backlog.Generate(9, 600)
	for i := range documents {
		doc := &documents[i]
		solution, ok := s.SolveFeature(doc.Task.Feature, doc.Task.Input)
		require.True(t, ok)
		for _, noticeable := range []bool{true, false} {
			d := dice.New(uint64(i), fmt.Sprint("wrong", noticeable))
			wrong := solution.Wrong(d, noticeable)
			require.False(t, s.Judge(doc.Task.Feature, doc.Task.Input, wrong), wrong)
			verdict, err := accept[doc.Task.Feature].Validate(&validators.Answer{Output: wrong, Task: &doc.Task})
			require.NoError(t, err)
			require.Equal(t, !noticeable, verdict.Accepted, "%s\n%s\n%s", verdict.Reason, doc.Truth, wrong)
		}
		require.JSONEq(t, doc.Truth, solution.Answer, "the right answer stays as it is")
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	words, difficulty := map[string][]int{}, map[string][]int{}
	for _, doc := range backlog.Generate(7, many) {
		f := doc.Task.Feature
		words[f] = append(words[f], len(strings.Fields(doc.Task.Input)))
		difficulty[f] = append(difficulty[f], doc.Difficulty)
	}
	for _, tc := range []struct {
		name, feature        string
		least, most          int // of a thousand documents
		shortest, longest    int // words
		medianLow, medianTop int // words
		easy, hard           int // difficulty at 5 and 95 per cent, at most and at least
	}{
		{"Tickets", backlog.TicketTriage, 650, 710, 8, 700, 40, 100, 120, 380},
		{"Invoices", backlog.InvoiceExtraction, 195, 255, 30, 700, 70, 160, 300, 550},
		{"Contracts", backlog.ContractReview, 75, 115, 60, 6_100, 400, 800, 350, 600},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, d := slices.Sorted(slices.Values(words[tc.feature])), slices.Sorted(slices.Values(difficulty[tc.feature]))
			t.Logf("%d documents, words %s, difficulty %s", len(w), quantiles(w), quantiles(d))
			share := len(w) * 1000 / many
			require.True(t, share >= tc.least && share <= tc.most, share)
			require.GreaterOrEqual(t, w[0], tc.shortest)
			require.LessOrEqual(t, w[len(w)-1], tc.longest)
			require.GreaterOrEqual(t, w[len(w)-1], 3*w[len(w)/2], "the lengths vary")
			require.True(t, w[len(w)/2] >= tc.medianLow && w[len(w)/2] <= tc.medianTop)
			require.LessOrEqual(t, d[len(d)*5/100], tc.easy)
			require.GreaterOrEqual(t, d[len(d)*95/100], tc.hard)
			require.Positive(t, d[0])
			require.LessOrEqual(t, d[len(d)-1], 1000)
		})
	}
}

func quantiles(sorted []int) string {
	var b strings.Builder
	for _, p := range []int{0, 5, 25, 50, 75, 95, 100} {
		fmt.Fprintf(&b, "p%d=%d ", p, sorted[(len(sorted)-1)*p/100])
	}
	return strings.TrimSpace(b.String())
}

func TestInvoices_AddUp(t *testing.T) {
	t.Parallel()
	amount := regexp.MustCompile(`"amount":(-?[0-9]+\.[0-9]{2})`)
	total := regexp.MustCompile(`"total":([0-9]+\.[0-9]{2})`)
	iban := regexp.MustCompile(`"iban":"([A-Z0-9]+)"`)
	currencies := map[string]int{}
	for _, doc := range backlog.Generate(2, 1_000) {
		if doc.Task.Feature != backlog.InvoiceExtraction {
			continue
		}
		sum := new(big.Rat)
		for _, m := range amount.FindAllStringSubmatch(doc.Truth, -1) {
			n, ok := new(big.Rat).SetString(m[1])
			require.True(t, ok)
			sum.Add(sum, n)
		}
		require.Equal(t, total.FindStringSubmatch(doc.Truth)[1], sum.FloatString(2), doc.Truth)
		requireIBAN(t, iban.FindStringSubmatch(doc.Truth)[1])
		for _, c := range []string{"EUR", "GBP", "USD", "CHF"} {
			if strings.Contains(doc.Truth, c) {
				currencies[c]++
			}
		}
	}
	require.Len(t, currencies, 4)
}

// requireIBAN computes the remainder on the number itself, unlike the package.
func requireIBAN(t *testing.T, iban string) {
	t.Helper()
	var digits strings.Builder
	for _, c := range iban[4:] + iban[:4] {
		if c >= 'A' {
			fmt.Fprint(&digits, c-'A'+10)
			continue
		}
		digits.WriteRune(c)
	}
	n, ok := new(big.Int).SetString(digits.String(), 10)
	require.True(t, ok, iban)
	require.Equal(t, int64(1), n.Mod(n, big.NewInt(97)).Int64(), iban)
}

func TestTickets_Variety(t *testing.T) {
	t.Parallel()
	categories, languages := map[string]int{}, map[string]int{}
	label := regexp.MustCompile(`"category":"([a-z_]+)"`)
	for _, doc := range backlog.Generate(4, 2_000) {
		if doc.Task.Feature != backlog.TicketTriage {
			continue
		}
		categories[label.FindStringSubmatch(doc.Truth)[1]]++
		for language, word := range map[string]string{"de": "Grüße", "fr": "Cordialement", "es": "Un saludo", "en": "regards"} {
			if strings.Contains(doc.Task.Input, word) {
				languages[language]++
			}
		}
	}
	require.Len(t, categories, 12)
	require.Len(t, languages, 4)
}

func TestSolve_OtherTexts(t *testing.T) {
	t.Parallel()
	s := backlog.NewSolver()
	for _, tc := range []struct {
		name, system, input string
	}{
		{"OtherPrompt", "Summarise the text.", "My parcel has not arrived."},
		{"OtherTicket", `{"category": "", "priority": ""}`, "What is the capital of Norway?"},
		{"Empty", `{"category": "", "priority": ""}`, ""},
		{"OtherInvoice", `{"invoice_number": "", "iban": ""}`, "Invoice no.: 7\nTotal due: lots"},
		{"NoIBAN", `{"invoice_number": "", "iban": ""}`, "Invoice no.: 7\nInvoice date: 2024-01-02\nItems\n- A; 1; 1.00\nSubtotal: 1.00\nTotal due: GBP 1.00"},
		{"OtherContract", `{"clause_type": "", "quote": ""}`, "Clause under review: 3\n\n4. Nothing\n\n4.1 Nothing."},
		{"ClauseWithoutCue", `{"clause_type": "", "quote": ""}`, "Clause under review: 3\n\n3. Nothing\n\n3.1 Nothing."},
		{"ClauseWithoutNumber", `{"clause_type": "", "quote": ""}`, "Clause under review: \n\n3. Nothing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, ok := s.Solve(tc.system, tc.input)
			require.False(t, ok)
		})
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const mail = "Hello,\n\nMy parcel has not arrived although it left on Monday. There is no hurry, really.\n\n> Please cancel my subscription"
	for _, tc := range []struct {
		name, output string
		want         bool
	}{
		{"Right", `{"category":"delivery","priority":"low"}`, true},
		{"OtherOrder", ` { "priority" : "low", "category" : "delivery" } `, true},
		{"Fenced", "```json\n{\"category\":\"delivery\",\"priority\":\"low\"}\n```", true},
		{"OtherCategory", `{"category":"cancellation","priority":"low"}`, false},
		{"OtherPriority", `{"category":"delivery","priority":"normal"}`, false},
		{"Prose", `It is about a delivery.`, false},
		{"Empty", ``, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, backlog.Judge(backlog.TicketTriage, mail, tc.output))
		})
	}
	require.False(t, backlog.Judge("another", mail, `{}`))
}

func TestTicket_TheRealMatter(t *testing.T) {
	t.Parallel()
	const aside = "By the way, something else that can be ignored here: The export button does nothing when I pick all rows. "
	for _, tc := range []struct {
		name, input, want string
	}{
		{"First", "How do I set up a shared calendar? Apart from that: I cannot log in since Monday.", "how_to"},
		{"MainOne", aside + "The actual reason for my message: Your service is down again.", "outage"},
		{"Shouting", strings.ToUpper("Your service is down again."), "outage"},
		{"Brackets", "(this was settled last month: I cannot log in since Monday.) Your service is down again.", "outage"},
		{"German", "Seit Montag kann ich mich nicht anmelden, warum?", "account_access"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			solution, ok := backlog.Solve(`{"category": "", "priority": ""}`, tc.input)
			require.True(t, ok)
			require.JSONEq(t, fmt.Sprintf(`{"category":%q,"priority":"normal"}`, tc.want), solution.Answer)
		})
	}
}

func FuzzSolve(f *testing.F) {
	for _, doc := range backlog.Generate(3, 12) {
		f.Add(doc.Task.Input)
	}
	s := backlog.NewSolver()
	f.Fuzz(func(t *testing.T, input string) {
		for _, feature := range []string{backlog.TicketTriage, backlog.InvoiceExtraction, backlog.ContractReview} {
			solution, ok := s.SolveFeature(feature, input)
			if !ok {
				continue
			}
			require.True(t, s.Judge(feature, input, solution.Answer))
			d := dice.New(1, input)
			_, _ = solution.Wrong(d, true), solution.Wrong(d, false)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		_ = backlog.Generate(1, 100)
	}
}

func BenchmarkSolve(b *testing.B) {
	s := backlog.NewSolver()
	documents := backlog.Generate(1, 100)
	for b.Loop() {
		for i := range documents {
			_, _ = s.SolveFeature(documents[i].Task.Feature, documents[i].Task.Input)
		}
	}
}
