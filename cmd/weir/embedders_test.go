package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

const hostedYAML = `
providers:
  gpt: {api: openai, base_url: "%[1]s/v1", allow_private: true, prices: openai}
models:
  mini: {provider: gpt, id: gpt-6-luna, tier: mini}
cascades:
  L1: [mini]
  L2: [mini]
  L3: [mini]
classifier: {default: L2, order: [model]}
embedders:
  small: {provider: gpt, id: text-embedding-3-small, dimensions: 64}
features:
  triage: {max_output_tokens: 20}
`

// A model over a provider's embeddings is trained, promoted and used: each text is paid once, by a call in the ledger, and the
// tasks of a batch have theirs made together.
func TestClassifier_HostedEmbedder(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), hostedYAML, sim.Config{Seed: 3, Instant: true, AnyModel: true})
	file, rows := filepath.Join(t.TempDir(), "model"), labelledRows(t, 0)
	said := b.command(t, "train", "--data", rows, "--embedder", "small", "--out", file)
	require.Contains(t, said, "provider:text-embedding-3-small:64")
	inputs := func() int {
		return b.count(t, `SELECT coalesce(sum(inputs), 0) FROM weir.embedding_usage WHERE feature = 'classifier' AND cost_usd > 0`)
	}
	require.Equal(t, 160, inputs())
	again := filepath.Join(t.TempDir(), "again")
	b.command(t, "train", "--data", rows, "--embedder", "small", "--out", again)
	require.Equal(t, 160, inputs(), "all of them are kept")
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	second, err := os.ReadFile(again)
	require.NoError(t, err)
	require.Equal(t, first, second)

	require.Contains(t, b.command(t, "classify", "label the ticket tag 7", "--model", file, "--json"), `"model":"`)
	require.Equal(t, 161, inputs())
	require.Contains(t, b.command(t, "eval", "classifier", "--model", file, "--data", rows), "provider:text-embedding-3-small:64")
	require.Equal(t, 161, inputs())

	b.command(t, "classifier", "promote", file)
	weir := b.start(t, "")
	p, err := producer.New(b.nats.Connect(t), producer.Config{Tenant: "acme"})
	require.NoError(t, err)
	const n = 40
	publish := func(prefix string) {
		tasks := make([]task.Task, n)
		for i := range tasks {
			tasks[i] = task.Task{ID: fmt.Sprint(prefix, i), Feature: "triage", Input: fmt.Sprintf("prove the theorem induction %d 0", 60+i)}
		}
		before := b.answered()
		_, err := p.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return b.answered() == before+n }, time.Minute, 20*time.Millisecond)
	}
	publish("a-")
	publish("b-")
	weir.stop(t)
	require.Equal(t, 161+n/2, inputs(), "half of them were trained on, and the second time each text is known")
	require.Less(t, b.count(t, `SELECT count(*) FROM weir.embedding_calls WHERE inputs < 160`), 8, "many texts share a call")
	require.Equal(t, 2*n, b.count(t, `SELECT count(*) FROM weir.tasks WHERE class_probabilities IS NOT NULL`))
	require.Zero(t, b.count(t, `SELECT count(*) FROM weir.tasks WHERE class_abstained = 'no embedding'`))
	require.Positive(t, b.count(t, `SELECT count(*) FROM weir.tasks WHERE class_source = 'model'`))
	b.checkBills(t)
	ledgertest.Check(t, b.pool)
}

func TestEmbedders_Mistakes(t *testing.T) {
	t.Parallel()
	b := newEmbedBundle(t)
	file, rows := filepath.Join(b.dir, "model"), labelledRows(t, 0)
	_, err := b.run(nil, "train", "--data", rows, "--embedder", "tiny", "--out", file)
	require.EqualError(t, err, `no embedder "tiny": there are static and hash, and weir.yaml has ["faq" "google" "local" "small"]`)

	b.mustRun("train", "--data", rows, "--embedder", "local", "--out", file) // its length is learnt from an answer
	require.NoError(t, os.WriteFile(b.env["WEIR_CONFIG"], fmt.Appendf(nil, hostedYAML, b.sim.URL()), 0o600))
	_, err = b.run(nil, "classify", "where is it", "--model", file)
	require.ErrorContains(t, err, "the model was trained with the embedder provider:bge-m3:")
	require.ErrorContains(t, err, "add it under embedders")
	log := filepath.Join(b.dir, "log.jsonl")
	require.NoError(t, os.WriteFile(log, []byte(`{"timestamp":"2026-11-01T00:00:00Z","model":"gpt-6-luna","input_tokens":1,"output_tokens":1}`), 0o600))
	_, err = b.run(nil, "audit", log, "--model", file)
	require.ErrorContains(t, err, "this command sends nothing")
}
