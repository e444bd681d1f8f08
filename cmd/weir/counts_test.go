package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// countsYAML has three features, one for each format that counts. The limit of each small model is LIMIT tokens, right
// below what weir estimates of the long task. The fourth one's model costs five times as much for more than 100,000 tokens.
const countsYAML = `
providers:
  claude: {api: anthropic, base_url: "%[1]s", allow_private: true, count_tokens: true}
  gpt: {api: openai-responses, base_url: "%[1]s", allow_private: true, count_tokens: true}
  gem: {api: gemini, base_url: "%[1]s", allow_private: true, count_tokens: true}
models:
  claude-small: {provider: claude, id: claude-haiku-5-5, tier: mini, max_input: LIMIT_CLAUDE}
  claude-large: {provider: claude, id: claude-sonnet-5-5, tier: mid}
  edge-small: {provider: claude, id: claude-haiku-5-5, tier: mini}
  gpt-small: {provider: gpt, id: gpt-6-luna, tier: mini, max_input: LIMIT_GPT}
  gpt-large: {provider: gpt, id: gpt-6.2-sol, tier: mid}
  gem-small: {provider: gem, id: gemini-3.5-flash-lite, tier: mini, max_input: LIMIT_GEM}
  gem-large: {provider: gem, id: gemini-3.5-flash, tier: mid}
features:
  claude: {system: Sort it., cascade: [claude-small, claude-large], max_output_tokens: 100}
  edge: {system: Sort it., cascade: [edge-small], max_output_tokens: 100}
  gpt: {system: Sort it., cascade: [gpt-small, gpt-large], max_output_tokens: 100}
  gem: {system: Sort it., cascade: [gem-small, gem-large], max_output_tokens: 100}
`

// countsTest runs a short and a long task of every feature.
func countsTest(t *testing.T, scripts ...sim.Script) *crashBundle {
	t.Helper()
	const words = 600
	const system, framing, answer = 3, 6, 100 // "Sort it.", two texts, and the longest answer
	limit := func(factor float64) string {    // a token less than the estimate needs
		return fmt.Sprint(int(float64(words+system+framing)*factor+0.999) + answer - 1)
	}
	yaml := strings.NewReplacer("LIMIT_CLAUDE", limit(1.7), "LIMIT_GPT", limit(1), "LIMIT_GEM", limit(1.3)).Replace(countsYAML)
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml, sim.Config{Seed: 4, Instant: true, AnyModel: true, Scripts: scripts})
	p, err := producer.New(b.nats.Connect(t), producer.Config{Tenant: "acme"})
	require.NoError(t, err)
	var tasks []task.Task
	for feature, words := range map[string]int{"claude": words, "gpt": words, "gem": words, "edge": 60_000} {
		tasks = append(tasks,
			task.Task{ID: feature + "-short", Feature: feature, Input: "word"},
			task.Task{ID: feature + "-long", Feature: feature, Input: "word" + strings.Repeat(" word", words-1)})
	}
	_, err = p.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})
	require.NoError(t, err)
	weir := b.start(t, "")
	require.Eventually(t, func() bool { return b.answered() == len(tasks) }, time.Minute, 20*time.Millisecond)
	weir.stop(t)
	b.checkBills(t)
	ledgertest.Check(t, b.pool)
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.tasks WHERE state <> 'succeeded'`))
	require.Equal(t, 4, b.count(t, `
		SELECT count(*) FROM weir.tasks t JOIN weir.plans p ON p.id = t.plan_id
		WHERE t.key LIKE '%-short' AND p.stages->0->>'model' LIKE '%-small' AND p.included::text NOT LIKE '%counts%'`),
		"far from every limit nobody is asked")
	return b
}

// long is what the plan of a feature's long task says.
func (b *crashBundle) long(t *testing.T, feature string) (first, included, excluded string) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT p.stages->0->>'model', p.included::text, p.excluded::text
		FROM weir.tasks t JOIN weir.plans p ON p.id = t.plan_id WHERE t.key = $1`, feature+"-long").
		Scan(&first, &included, &excluded))
	return first, included, excluded
}

// TestCounts has tasks whose estimate is a token too long for the small model. Its provider is asked: two of them count
// less than was estimated, one no less, and each plan goes by that and says so.
func TestCounts(t *testing.T) {
	t.Parallel()
	b := countsTest(t)
	require.EqualValues(t, 4, b.sim.Stats().Counts, "each model whose limit or price is in doubt, once")
	for _, feature := range []string{"claude", "gem"} {
		first, included, excluded := b.long(t, feature)
		require.Equal(t, feature+"-small", first)
		require.Contains(t, included, "the prompt as its provider counts it and the longest answer fit its input limit")
		require.Equal(t, "[]", excluded)
	}
	_, edge, _ := b.long(t, "edge")
	require.Contains(t, edge, "as its provider counts it")
	require.NotContains(t, edge, "at the rates of its long prompts")
	first, included, excluded := b.long(t, "gpt")
	require.Equal(t, "gpt-large", first)
	require.NotContains(t, included, "counts it", "of the large one nothing is in doubt")
	require.Contains(t, excluded, "the prompt as its provider counts it and the longest answer exceed the model's input limit")
}

// TestCounts_Down has the endpoints away: the plans are those of the estimate.
func TestCounts_Down(t *testing.T) {
	t.Parallel()
	b := countsTest(t, sim.Script{Counts: true, Fault: sim.FaultUnavailable})
	require.Positive(t, b.sim.Stats().Counts)
	require.LessOrEqual(t, b.sim.Stats().Counts, int64(4))
	_, edge, _ := b.long(t, "edge")
	require.Contains(t, edge, "at the rates of its long prompts", "102,000 tokens are estimated")
	for _, feature := range []string{"claude", "gpt", "gem"} {
		first, included, excluded := b.long(t, feature)
		require.Equal(t, feature+"-large", first)
		require.NotContains(t, included, "counts it")
		require.Contains(t, excluded, "the estimated prompt and the longest answer exceed the model's input limit")
	}
}
