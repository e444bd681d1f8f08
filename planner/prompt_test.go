package planner_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

const (
	// cliff is a book in which a prompt of more than 1,000 tokens of small costs twice as much, all of it.
	cliff = `
schema: 1
provider: acme
currency: USD
models:
  - id: small
    limits: {max_input: 3000, max_output: 500}
    tokenizer: {o200k_factor: "1.5"}
    prices:
      - from: 2026-01-01
        status: in_force
        checked: 2026-01-02
        source: price list
        bands:
          - {max_prompt: 1000, input: "1", output: "4"}
          - {input: "2", output: "4"}
  - id: large
    limits: {max_input: 1000000, max_output: 500}
    tokenizer: {o200k_factor: "1"}
    prices:
      - from: 2026-01-01
        status: in_force
        checked: 2026-01-02
        source: price list
        bands:
          - {input: "8", output: "16"}
`
	cliffCatalog = `
providers:
  acme: {api: openai, base_url: "https://acme.example/v1", prices: acme, key_env: KEY}
models:
  small: {provider: acme, id: small, tier: mini}
  large: {provider: acme, id: large, tier: mid}
cascades:
  L1: [small, large]
  L2: [large]
  L3: [large]
features:
  bare: {max_output_tokens: 200}
  lone: {cascade: [large], max_output_tokens: 200}
  full: {system: Sort it., context: [A manual of five words], output_schema: {type: object}, max_output_tokens: 200}
`
	micro   = task.Pico(1_000_000) // a token at 1 USD for a million
	framing = 3                    // tokens around each text
)

func newCliffPlanner(tb testing.TB) *planner.Planner {
	tb.Helper()
	parsed, err := catalog.Parse([]byte(cliffCatalog))
	require.NoError(tb, err)
	book, err := pricing.Load(fstest.MapFS{"acme.yaml": {Data: []byte(cliff)}})
	require.NoError(tb, err)
	models := planner.NewModels(parsed, book, func() time.Time { return time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) })
	require.Empty(tb, models.Check())
	return planner.New(planner.Config{
		Catalog: parsed, Models: models, Classifier: decide(sure), Logger: slog.New(slog.DiscardHandler),
	})
}

// words is a text of n tokens and five times as many bytes.
func words(n int) string { return strings.Repeat(" word", n) }

func TestPlan_CountsWhereItMatters(t *testing.T) {
	t.Parallel()
	p := newCliffPlanner(t)
	tests := []struct {
		name   string
		words  int
		tokens int64
		model  string
		input  task.Pico // expected cost of the prompt
	}{
		{"FarBelowTheEdgeBytesDo", 100, 125 + framing, "small", 192 * micro},
		{"FarFromTheEdgeIsTheLowBand", 563, 566, "small", 849 * micro},
		{"NearTheEdgeIsTheDearBand", 564, 567, "small", 851 * 2 * micro}, // 850.5 is within 15 % of 1,000
		{"PastTheEdge", 700, 703, "small", 1055 * 2 * micro},
		{"ExactlyTheLimit", 1863, 1866, "small", 2799 * 2 * micro}, // and 200 of the answer: 2,999
		{"PastTheLimit", 1864, 1867, "large", 1867 * 8 * micro},
		{"FarPastTheLimitBytesDo", 60_000, 75_000 + framing, "large", 75_003 * 8 * micro},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			give := &task.Task{Feature: "bare", Input: words(tt.words)}
			got, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), give, 0)
			require.NoError(t, err)
			require.Equal(t, tt.model, got.Model)
			require.Equal(t, tt.tokens, got.PromptTokens)
			output := map[string]task.Pico{"small": 200 * 4 * micro, "large": 200 * 16 * micro}[tt.model]
			require.Equal(t, tt.input+output, got.ExpectedCost)
		})
	}
}

// Whether or not the texts were counted, the plan is the one of the exact count, and one is enough for many tasks.
func TestPlan_DecidesAsTheExactCountWould(t *testing.T) {
	t.Parallel()
	p := newCliffPlanner(t)
	plans := map[uuid.UUID]bool{}
	for n := 0; n < 3000; n += 23 {
		half := words(n / 2)
		give := &task.Task{Feature: "bare", Context: []string{half}, Input: words(n - n/2)}
		got, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), give, 0)
		require.NoError(t, err)
		plans[got.PlanID] = true
		exact := int64(n + 2*framing)
		model, rate, factor := "large", task.Pico(8), int64(2)
		if exact*3/2+200 <= 3000 {
			model, rate, factor = "small", 1, 3
			if exact*3 >= 2*850 {
				rate = 2
			}
		}
		require.Equal(t, model, got.Model, n)
		input := task.Pico((got.PromptTokens*factor+1)/2) * rate * micro
		output := map[string]task.Pico{"small": 200 * 4 * micro, "large": 200 * 16 * micro}[model]
		require.Equal(t, input+output, got.ExpectedCost, n)
	}
	require.Len(t, plans, 3, "with small, with small at its higher rates, and without")
}

func TestPlan_CountsWhatTheFeatureSends(t *testing.T) {
	t.Parallel()
	p := newCliffPlanner(t)
	of := func(give *task.Task) int64 {
		got, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), give, 0)
		require.NoError(t, err)
		return got.PromptTokens
	}
	bare := of(&task.Task{Feature: "bare", Input: "Hi"})
	require.Equal(t, int64(1+framing), bare)
	// "Sort it.", the manual and {"type":"object"} have 3, 5 and 5 tokens.
	require.Equal(t, bare+3+5+5+3*framing, of(&task.Task{Feature: "full", Input: "Hi"}))
	require.Greater(t, of(&task.Task{
		Feature: "bare", Messages: []task.Message{{Role: "user", Content: "Hi"}},
		Tools: []task.Tool{{Name: "look", Description: "Looks.", Parameters: []byte(`{}`)}},
	}), bare)
}

// Bytes are enough for the cascade of large alone. Where small's edge or limit is in reach, texts are counted as far as
// they have to be.
func BenchmarkPlan(b *testing.B) {
	p := newCliffPlanner(b)
	id := uuid.Must(uuid.NewV7())
	for _, kib := range []int{1, 100} {
		give := &task.Task{Input: words(kib << 10 / 5)}
		for name, feature := range map[string]string{"Bytes": "lone", "Counted": "bare"} {
			give.Feature = feature
			b.Run(fmt.Sprintf("%s/%dKiB", name, kib), func(b *testing.B) {
				for b.Loop() {
					_, err := p.Plan(b.Context(), id, give, 0)
					require.NoError(b, err)
				}
			})
		}
	}
}
