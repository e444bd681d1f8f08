package ingest_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

const plannedYAML = `
providers:
  openai: {api: openai, key_env: KEY}
models:
  luna: {provider: openai, id: gpt-6-luna, tier: mini, max_input: 1000}
  sol: {provider: openai, id: gpt-6.2-sol, tier: mid}
cascades:
  L1: [luna, sol]
  L2: [luna, sol]
  L3: [luna]
features:
  triage: {system: Sort it., max_output_tokens: 400}
classifier:
  default: L1
  rules: [{name: money, class: L1, keywords: [refund]}]
`

// withPlanner plans tasks as they are taken in.
func withPlanner(t *testing.T, change ...func(*catalog.Catalog)) func(*ingest.Config) {
	t.Helper()
	c, err := catalog.Parse([]byte(plannedYAML))
	require.NoError(t, err)
	for _, f := range change {
		f(c)
	}
	book, err := pricing.Embedded()
	require.NoError(t, err)
	rules, err := classifier.New(c.Classifier)
	require.NoError(t, err)
	return func(config *ingest.Config) {
		config.Catalog = c
		config.Planner = planner.New(planner.Config{
			Catalog: c, Models: planner.NewModels(c, book, time.Now), Classifier: rules, Logger: slog.New(slog.DiscardHandler),
		})
	}
}

func TestRun_PlansOnTheWayIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(withPlanner(t))
	b.publish("triage", `{"id":"a","feature":"triage","input":"A refund, please.","max_output_tokens":100}`)
	b.publish("triage", `{"id":"b","feature":"triage","input":"Hello."}`)
	b.drained(task.StreamTasks)
	type row struct {
		State, Class, Source, Model string
		Output, Stages              int
		Cost                        bool
	}
	got := map[string]row{}
	rows, err := b.pool.Query(t.Context(), `
		SELECT t.key, t.state, t.class, t.class_source, t.model, t.max_output_tokens, jsonb_array_length(p.stages),
		       t.expected_cost_pusd > 0 AND t.prompt_tokens > 0
		FROM weir.tasks t JOIN weir.plans p ON p.id = t.plan_id`)
	require.NoError(t, err)
	for rows.Next() {
		var key string
		var r row
		require.NoError(t, rows.Scan(&key, &r.State, &r.Class, &r.Source, &r.Model, &r.Output, &r.Stages, &r.Cost))
		got[key] = r
	}
	require.NoError(t, rows.Err())
	require.Equal(t, map[string]row{
		"a": {State: "ready", Class: "L1", Source: "rule:money", Model: "luna", Output: 100, Stages: 2, Cost: true},
		"b": {State: "ready", Class: "L1", Source: "default", Model: "luna", Output: 400, Stages: 2, Cost: true},
	}, got)
	require.Equal(t, 1, b.count(`weir.plans`), "equal plans are stored once")
	require.Positive(t, b.count(`river.river_job WHERE kind = 'weir_classify'`), "it wakes the dispatcher, wherever that is")
}

func TestRun_LeavesWhatItCannotPlanToTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(withPlanner(t))
	b.publish("triage", fmt.Sprintf(`{"id":"a","feature":"triage","input":"%09000d","class":"L3"}`, 0))
	b.publish("triage", `{"id":"b","feature":"triage","input":"Hello."}`)
	b.drained(task.StreamTasks)
	require.Equal(t, 1, b.count(`weir.tasks WHERE key = 'a' AND state = 'queued' AND class IS NULL`))
	require.Equal(t, 1, b.count(`weir.tasks WHERE key = 'b' AND state = 'ready'`))
}

func TestRun_APoisonedPlanIsLeftToTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(withPlanner(t, func(c *catalog.Catalog) { c.Classifier.Rules[0].Name = "a\x00b" }))
	b.publishAll([]task.Task{
		{ID: "a", Feature: "triage", Input: "Hello."},
		{ID: "b", Feature: "triage", Input: "A refund, please."},
	})
	b.drained(task.StreamTasks)
	require.Equal(t, 1, b.count(`weir.tasks WHERE key = 'a' AND state = 'ready'`))
	require.Equal(t, 1, b.count(`weir.tasks WHERE key = 'b' AND state = 'queued'`))
	require.Zero(t, b.count(`weir.dead_letters`))
}
