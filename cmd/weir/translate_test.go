package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const translateYAML = `
providers:
  deepl: {api: deepl, base_url: "%[1]s", allow_private: true, concurrency: 4}
  own: {api: libretranslate, base_url: "%[1]s", allow_private: true, concurrency: 4}
  anthropic: {api: anthropic, base_url: "%[1]s", allow_private: true, concurrency: 4}
models:
  deepl: {provider: deepl, id: prefer_quality_optimized, tier: mini}
  nllb: {provider: own, id: nllb-200-distilled-600M, tier: mini}
  haiku: {provider: anthropic, id: claude-haiku-5-5, tier: mini}
features:
  letters:
    class: L1
    translate: {source: ru, target: en-GB}
    system: Translate the text into English. Answer with the translation only.
    cascade: [deepl, haiku]
    validators: [{type: language_script, scripts: [latin]}]
  notes:
    class: L1
    translate: {target: en}
    system: Translate the text into English. Answer with the translation only.
    cascade: [nllb, haiku]
    validators: [{type: language_script, scripts: [latin]}]
`

// letter is a text in Cyrillic, as most of what is sent by this test.
func letter(i int) string {
	return fmt.Sprintf("Посылка номер %d до сих пор не пришла, хотя обещали в понедельник. 📦", i)
}

// TestTranslate takes texts the whole way through translation services and the models behind them: from weir.yaml to
// results, each attempt at the cost that the service's own books show, in characters.
func TestTranslate(t *testing.T) {
	t.Parallel()
	service := sim.ModelProfile{Skill: 10_000, Malformed: 400} // two texts in five come back as they were
	service.Snapshot = "quality_optimized"
	haiku := sim.Mini()
	haiku.Truncate, haiku.Refuse = 0, 0
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), translateYAML, sim.Config{
		Seed: 3, Instant: true, Models: map[string]sim.ModelProfile{
			"prefer_quality_optimized": service, "libretranslate": service, "claude-haiku-5-5": haiku,
		},
	})
	const each = 30
	var tasks []task.Task
	for i := range each {
		tasks = append(tasks,
			task.Task{ID: fmt.Sprintf("l%d", i), Feature: "letters", Input: letter(i)},
			task.Task{ID: fmt.Sprintf("n%d", i), Feature: "notes", Input: letter(i)})
	}
	tasks = append(tasks,
		task.Task{ID: "talk", Feature: "letters", Messages: []task.Message{{Role: task.RoleUser, Content: "Где посылка?"}}},
		task.Task{ID: "dear", Feature: "letters", Input: strings.Repeat("я", 10_000), MaxCostUSD: new(task.USD / 5)},
	)
	p, err := producer.New(b.nats.Connect(t), producer.Config{Tenant: "acme"})
	require.NoError(t, err)
	_, err = p.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})
	require.NoError(t, err)
	weir := b.start(t, "")
	require.Eventually(t, func() bool { return b.answered() == len(tasks) }, time.Minute, 20*time.Millisecond)
	weir.stop(t)

	b.checkBills(t)
	ledgertest.Check(t, b.pool)
	b.checkCharacters(t)
	require.Equal(t, 2*each+1, b.count(t, `SELECT count(*) FROM weir.tasks WHERE state = 'succeeded'`))
	escalated := b.count(t, `SELECT count(*) FROM weir.tasks WHERE state = 'succeeded' AND stage = 1`)
	require.Greater(t, escalated, each/3)
	require.Less(t, escalated, 2*each)
	require.Equal(t, escalated, b.count(t, `
		SELECT count(*) FROM weir.attempts WHERE verdict = 'rejected' AND validator LIKE 'language_script@%' AND characters > 0`))

	t.Run("SkipsWhatIsNoText", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 1, b.count(t, `
			SELECT count(*) FROM weir.tasks t JOIN weir.plans p ON p.id = t.plan_id
			WHERE t.key = 'talk' AND t.state = 'succeeded' AND t.model = 'haiku' AND jsonb_array_length(p.stages) = 1
			  AND p.excluded -> 0 ->> 'reason' LIKE 'translates a task''s input and nothing else%'`))
	})
	t.Run("KeepsTheCeiling", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 1, b.count(t, `
			SELECT count(*) FROM weir.tasks WHERE key = 'dear' AND state = 'failed' AND cost_pusd = 0
			  AND reason LIKE 'the next call may cost up to 0.25 USD%'`))
	})
}

// checkCharacters holds what every table and view says of characters against the services' own books.
func (b *crashBundle) checkCharacters(t *testing.T) {
	t.Helper()
	var deepl, libre, calls int
	for _, entry := range b.sim.Ledger() {
		switch entry.API {
		case "deepl":
			deepl += int(entry.Usage.Characters)
			calls++
		case "libretranslate":
			libre += int(entry.Usage.Characters)
		}
	}
	require.Positive(t, deepl)
	require.Positive(t, libre)
	require.Equal(t, deepl, b.count(t, `SELECT sum(characters) FROM weir.attempts WHERE model = 'deepl'`))
	require.Equal(t, libre, b.count(t, `SELECT sum(characters) FROM weir.attempts WHERE model = 'nllb'`))
	require.Equal(t, deepl*25_000_000, b.count(t, `SELECT sum(cost_pusd)::bigint FROM weir.attempts WHERE model = 'deepl'`))
	require.Equal(t, calls, b.count(t, `
		SELECT count(*) FROM weir.attempts
		WHERE model = 'deepl' AND cost_pusd = bound_pusd AND input_tokens = 0 AND output_tokens = 0
		  AND price_row = 'deepl/quality_optimized@always#1' AND model_answered = 'quality_optimized'
		  AND (raw_usage ->> 'billed_characters')::bigint = characters`), "it costs what was known before the call")
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.attempts WHERE model = 'nllb' AND (cost_pusd <> 0 OR bound_pusd <> 0)`))
	require.Equal(t, calls, b.count(t, `
		SELECT count(*) FROM weir.attempt_cost_lines l JOIN weir.attempts a ON a.id = l.attempt_id
		WHERE a.model = 'deepl' AND l.kind = 'characters' AND l.count = a.characters AND l.rate_pusd = 25000000
		  AND l.cost_pusd = a.cost_pusd`))
	require.Equal(t, deepl+libre, b.count(t, `SELECT sum(characters) FROM weir.model_usage`))
	require.Equal(t, deepl+libre, b.count(t, `SELECT sum(characters) FROM weir.attempts_flat`))
	require.Equal(t, utf8.RuneCountInString(letter(7)), b.count(t, `
		SELECT a.characters FROM weir.attempts a JOIN weir.tasks t ON t.id = a.task_id WHERE t.key = 'l7' AND a.model = 'deepl'`))
	report, err := store.ReportModels(t.Context(), b.pool, store.ReportFilter{})
	require.NoError(t, err)
	for _, m := range report {
		require.EqualValues(t, map[string]int{"deepl": deepl, "nllb": libre}[m.Model], m.Characters, m.Model)
	}
	page, remarks := modelsTable(report)
	require.Equal(t, "characters", page.columns[11].title)
	require.Contains(t, remarks[len(remarks)-1], "characters")
}

func TestBuildProviders_PlansOfDeepL(t *testing.T) {
	t.Parallel()
	const template = `
providers:
  deepl: {api: deepl, key_env: DEEPL_AUTH_KEY%s}
models:
  deepl: {provider: deepl, id: deepl, tier: mini}
features:
  letters: {class: L1, translate: {target: en}, cascade: [deepl]}
`
	for _, tt := range []struct{ name, prices, key, want string }{
		{"Pro", "", "k", ""},
		{"Free", ", prices: deepl-free", "k:fx", ""},
		{"FreeKeyAtProPrices", "", "k:fx", "providers.deepl: the key is of DeepL's free plan, which bills nothing: set prices: deepl-free"},
		{"ProKeyAtFreePrices", ", prices: deepl-free", "k", "providers.deepl: the key is not of DeepL's free plan: leave out prices"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newSetup(fmt.Appendf(nil, template, tt.prices))
			require.NoError(t, err)
			clients, err := s.buildProviders(func(string) string { return tt.key })
			if tt.want != "" {
				require.EqualError(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			require.Implements(t, (*providers.Provider)(nil), clients["deepl"])
		})
	}
}
