package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// learnYAML begins with the mini model, whatever the task is: nobody has said anything of its class.
const learnYAML = `
providers:
  gpt: {api: openai, base_url: "%[1]s/v1", allow_private: true}
models:
  mini: {provider: gpt, id: gpt-6-luna, tier: mini}
  mid: {provider: gpt, id: gpt-6.2-sol, tier: mid}
cascades:
  L1: [mini, mid]
  L2: [mid]
  L3: [mid]
classifier: {default: L1, rules: []}
features:
  triage:
    system: Sort the ticket.
    output_schema: {type: object, required: [label], properties: {label: {enum: [billing, bug, other]}}}
    max_output_tokens: 20
`

// What passed at the call path before decides where its next tasks begin, and says so.
func TestLearn_PassRatesBecomeClasses(t *testing.T) {
	t.Parallel()
	const enough = 60
	able, unable := sim.Mini(), sim.Mini()
	able.Skill, able.Truncate, able.Refuse, able.Malformed = 10_000, 0, 0, 0
	unable.Wrong, unable.OffEnum, unable.Truncate, unable.Refuse, unable.Malformed = 1_000, 1_000, 0, 0, 0
	unable.Skill = -10_000
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), learnYAML, sim.Config{Seed: 3, Instant: true, Models: map[string]sim.ModelProfile{
		"gpt-6-luna": unable, "gpt-6.2-sol": able,
	}})
	weir := b.start(t, "")
	publish := func(prefix string, n int) {
		p, err := producer.New(b.nats.Connect(t), producer.Config{Tenant: "acme"})
		require.NoError(t, err)
		tasks := make([]task.Task, n)
		for i := range tasks {
			tasks[i] = task.Task{ID: fmt.Sprint(prefix, i), Feature: "triage", CallPath: "inbox", Input: fmt.Sprint("Ticket ", i)}
		}
		before := b.answered()
		_, err = p.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return b.answered() == before+n }, time.Minute, 20*time.Millisecond)
	}
	publish("first-", enough)
	require.Equal(t, enough, b.count(t, `SELECT count(*) FROM weir.tasks WHERE class_source = 'default' AND stage = 1`))

	rates := b.command(t, "rates", "--take")
	require.Contains(t, rates, "mini   first")
	require.Eventually(t, func() bool { // the process looks again with its next round
		publish(fmt.Sprint("next-", time.Now().UnixNano(), "-"), 1)
		return b.count(t, `SELECT count(*) FROM weir.tasks WHERE class_source = 'prior'`) > 0
	}, time.Minute, 100*time.Millisecond)
	weir.stop(t)

	var e store.Explanation
	id := ""
	require.NoError(t, b.pool.QueryRow(t.Context(),
		`SELECT id::text FROM weir.tasks WHERE class_source = 'prior' ORDER BY id LIMIT 1`).Scan(&id))
	require.NoError(t, json.Unmarshal([]byte(b.command(t, "explain", id, "--json")), &e))
	require.Equal(t, "L2", *e.Class, "mini has failed every time, and mid none of them")
	require.Greater(t, *e.Confidence, 0.9)
	require.InDelta(t, 1, *e.PL1+*e.PL2+*e.PL3, 1e-3)
	require.Equal(t, "mid", *e.Plan)
	require.Len(t, e.Attempts, 1)
	said := b.command(t, "explain", e.Key, "--tenant", "acme")
	require.Contains(t, said, "L2 by prior, confidence 0.9")
	require.Regexp(t, `(?m)^ +1 +1 +mid +accepted +0\.\d+ +\d+$`, said)
	said = b.command(t, "explain", "first-0", "--tenant", "acme")
	require.Regexp(t, `(?m)^ +1 +1 +mini +rejected +0\.\d+ +\d+ +json_schema@1: `, said)
	b.checkBills(t)
	ledgertest.Check(t, b.pool)
}
