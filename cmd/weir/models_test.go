package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// labelledRows are prompts of two classes from four templates each.
func labelledRows(t *testing.T, seed int) string {
	t.Helper()
	var b strings.Builder
	for level, words := range map[int]string{1: "label the ticket tag", 3: "prove the theorem induction"} {
		for i := range 80 {
			fmt.Fprintf(&b, `{"prompt":"%s %d %d","level":%d,"source":"s","task":"%d-%d"}`+"\n", words, i, seed, level, level, i%4)
		}
	}
	file := filepath.Join(t.TempDir(), "rows.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	return file
}

// Trained models are stored, decide or look on, and the one before comes back.
func TestClassifier_Roles(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	models, hashes := make([]string, 2), make([]string, 2)
	for i := range models {
		models[i] = filepath.Join(t.TempDir(), "model")
		var said struct {
			Hash string `json:"sha256"`
		}
		out := b.mustRun("train", "--data", labelledRows(t, i), "--embedder", "hash", "--out", models[i], "--json")
		require.NoError(t, json.Unmarshal([]byte(out.stdout), &said))
		hashes[i] = said.Hash[:shortHash]
	}
	require.NotEqual(t, hashes[0], hashes[1])
	roles := func() map[string]string {
		found := map[string]string{}
		for line := range strings.Lines(b.mustRun("classifier", "list", "--json").stdout) {
			var m struct {
				Hash string
				Role *string
			}
			require.NoError(t, json.Unmarshal([]byte(line), &m))
			if m.Role != nil {
				found[*m.Role] = m.Hash[:shortHash]
			}
		}
		return found
	}
	_, err := b.run(nil, "classifier", "rollback")
	require.ErrorContains(t, err, "no trained model has ever decided")
	require.Contains(t, b.mustRun("classifier", "promote", models[0]).stdout, "model "+hashes[0]+" decides")
	require.Contains(t, b.mustRun("classifier", "shadow", models[1]).stdout, "model "+hashes[1]+" looks on")
	require.Equal(t, map[string]string{"active": hashes[0], "shadow": hashes[1]}, roles())
	b.mustRun("classifier", "promote", hashes[1]) // by its hash: it is stored by now
	require.Equal(t, map[string]string{"active": hashes[1]}, roles(), "who decides does not look on")
	require.Contains(t, b.mustRun("classifier", "rollback").stdout, "model "+hashes[0]+" decides")
	require.Equal(t, map[string]string{"active": hashes[0]}, roles())
	b.mustRun("classifier", "shadow", hashes[1])
	require.Contains(t, b.mustRun("classifier", "shadow", "--off").stdout, "no model looks on")
	require.Equal(t, map[string]string{"active": hashes[0]}, roles())
	require.Contains(t, b.mustRun("classifier", "rollback").stdout, "model "+hashes[1]+" decides", "it did before the first came back")
	_, err = b.run(nil, "classifier", "promote", "nothing")
	require.ErrorContains(t, err, "neither a file nor a stored model")
	_, err = b.run(nil, "classifier", "shadow")
	require.ErrorContains(t, err, "name a model, or say --off")
}

// What was recorded of tasks labels them: here those that the mini model did, and those that only a dearer one could.
func TestTrain_FromDB(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	out := filepath.Join(t.TempDir(), "model")
	_, err := b.run(nil, "train", "--from-db", "--embedder", "hash", "--out", out)
	require.ErrorContains(t, err, "no recorded task tells what it required")
	_, err = b.pool.Exec(t.Context(), `
		INSERT INTO weir.models (name, provider, model_id, tier, price_provider, config_hash, updated_at)
		VALUES ('mini', 'acme', 'mini-1', 'mini', 'acme', 'hash', now()), ('big', 'acme', 'big-1', 'mid', 'acme', 'hash', now());
		INSERT INTO weir.features (name, success, failure_cost_pusd, config_hash, updated_at) VALUES ('triage', 'validated', 0, 'hash', now());
		INSERT INTO weir.plans (id, class, stages, included, excluded, config_hash, created_at)
		VALUES (gen_random_uuid(), 'L1', '[{"model": "mini"}, {"model": "big"}]', '[]', '[]', 'hash', now());
		INSERT INTO weir.tasks (id, tenant, feature, key, lane, priority, state, class, stage, model, plan_id, ingest_batch, attempts, calls,
		                        cost_pusd, cost_high_pusd, payload_bytes, call_path, accepted_at, finished_at)
		SELECT (left(weir.uuid7_at(now())::text, 24) || lpad(n::text, 12, '0'))::uuid, 'acme', 'triage', n, 'now', 2, 'succeeded', 'L1',
		       n % 2, CASE n % 2 WHEN 0 THEN 'mini' ELSE 'big' END, p.id, gen_random_uuid(), 1 + n % 2, 1 + n % 2, 0, 0, 1, 'path-' || n % 8, now(), now()
		FROM generate_series(1, 160) n, weir.plans p;
		INSERT INTO weir.payloads (task_id, body)
		SELECT id, convert_to(json_build_object('id', key, 'feature', 'triage', 'input',
		       CASE stage WHEN 0 THEN 'label the ticket ' ELSE 'prove the theorem ' END || key)::text, 'UTF8')
		FROM weir.tasks;
		INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state, verdict, config_hash,
		                           started_at, finished_at)
		SELECT id, id, id, 1, id, 0, 'acme', 'mini', 'mini-1', 'sync', 'closed', CASE stage WHEN 0 THEN 'accepted' ELSE 'rejected' END, 'hash', now(), now()
		FROM weir.tasks
		UNION ALL
		SELECT id, ingest_batch, ingest_batch, 2, id, 1, 'acme', 'big', 'big-1', 'sync', 'closed', 'accepted', 'hash', now(), now()
		FROM weir.tasks WHERE stage = 1`)
	require.NoError(t, err)
	said := b.mustRun("train", "--from-db", "--embedder", "hash", "--out", out).stdout
	require.Contains(t, said, "of 8 groups")
	for text, class := range map[string]string{"label the ticket 7": `"L1"`, "prove the theorem 7": `"L2"`} {
		require.Contains(t, b.mustRun("classify", text, "--model", out, "--json").stdout, `"class":`+class)
	}
}
