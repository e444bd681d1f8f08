package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/providers/sim"
)

// banking77 is 10,003 real customer queries with one of 77 intents each (Casanueva et al., 2020; CC BY 4.0).
const banking77 = "../../../shared/data/tasks/banking77_train.jsonl.gz"

// readBanking77 returns the queries and the set of intents.
func readBanking77(t *testing.T) (queries, intents []string) {
	t.Helper()
	file, err := os.Open(banking77)
	if os.IsNotExist(err) {
		t.Skip("the banking77 data set is not beside the repository")
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	lines := bufio.NewScanner(unzipped)
	for lines.Scan() {
		var row struct {
			Text  string `json:"text"`
			Label string `json:"label"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		queries, intents = append(queries, row.Text), append(intents, row.Label)
	}
	require.NoError(t, lines.Err())
	slices.Sort(intents)
	return queries, slices.Compact(intents)
}

func banking77YAML(intents []string) string {
	return `
providers:
  sim: {api: openai, base_url: "%s", allow_private: true, concurrency: 64}
models:
  luna: {provider: sim, id: gpt-6-luna, tier: mini}
  sol: {provider: sim, id: gpt-6.2-sol, tier: mid}
  astra: {provider: sim, id: gpt-6.2-astra, tier: flagship}
cascades:
  L1: [luna, sol, astra]
features:
  intent:
    system: |
      Which of these is the customer's message about? Answer with the label alone.
      - ` + strings.Join(intents, "\n      - ") + `
    class: L1
    max_output_tokens: 600
    validators: [{type: enum, values: [` + strings.Join(intents, ", ") + `]}]
`
}

// TestBanking77 takes 10,003 real queries the whole way: published from a file, classified against 77 intents, escalated
// where the simulated answer is none of them, received back, and asked for in SQL.
func TestBanking77(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("ten thousand tasks take a while")
	}
	queries, intents := readBanking77(t)
	require.Len(t, intents, 77)
	dsn := pgtest.DSN(t)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), banking77YAML(intents), sim.Config{Seed: 3, Instant: true})
	path := filepath.Join(t.TempDir(), "queries.jsonl")
	var lines bytes.Buffer
	for i, query := range queries {
		line, err := json.Marshal(map[string]string{"id": fmt.Sprintf("q%d", i), "input": query})
		require.NoError(t, err)
		lines.Write(append(line, '\n'))
	}
	require.NoError(t, os.WriteFile(path, lines.Bytes(), 0o600))

	weir := b.start(t, "")
	began := time.Now()
	b.command(t, "publish", "--feature", "intent", "--batch", "banking77", path)
	published := time.Since(began)
	b.command(t, "watch", "--batch", "banking77", "--timeout", "4m")
	require.Eventually(t, func() bool { return b.answered() == len(queries) }, 30*time.Second, 50*time.Millisecond)
	t.Logf("%d queries: published in %s, answered in %s", len(queries), published.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond))
	weir.stop(t)

	b.mu.Lock()
	for id, results := range b.results {
		require.Len(t, results, 1, id)
		for _, r := range results {
			if r.Status == "succeeded" {
				require.Contains(t, intents, r.Output)
			}
		}
	}
	b.mu.Unlock()
	require.Positive(t, b.count(t, `SELECT count(*) FROM weir.tasks WHERE stage > 0`), "some answers were none of the 77")
	require.Equal(t, len(queries), b.count(t, `SELECT tasks FROM weir.cpuo WHERE feature = 'intent'`))
	require.Equal(t, 1, b.count(t, `SELECT count(*) FROM weir.cpuo WHERE cpuo_usd > 0 AND cost_usd = cost_high_usd`))
	b.checkBills(t)
	ledgertest.Check(t, b.pool)
}

// command runs a subcommand against the bundle's servers.
func (b *crashBundle) command(t *testing.T, args ...string) string {
	t.Helper()
	env := map[string]string{"DATABASE_URL": b.dsn, "NATS_URL": b.nats.URL(), "HOME": t.TempDir(), "WEIR_CONFIG": b.config}
	var out, errs bytes.Buffer
	err := run(t.Context(), args, func(name string) string { return env[name] }, strings.NewReader(""), &out, &errs)
	require.NoError(t, err, "weir %s: %s", strings.Join(args, " "), errs.String())
	return out.String()
}
