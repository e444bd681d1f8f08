package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runAlone runs a command line that needs no servers, and returns what it prints.
func runAlone(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := map[string]string{"HOME": t.TempDir(), "WEIR_CONFIG": ""}
	err := run(t.Context(), args, func(name string) string { return env[name] }, strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), err
}

// auditLog is a log of two call paths and a bad row.
func auditLog(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("timestamp,feature,model,prompt_tokens,completion_tokens,prompt\n")
	for i := range 300 {
		fmt.Fprintf(&b, "2026-11-%02dT10:00:00Z,Mail/Triage,gpt-6.2-astra,1000,5,Classify the ticket %d\n", 18+i%8, i)
		fmt.Fprintf(&b, "2026-11-%02dT10:00:00Z,mail triage,gpt-6.2-astra,4000,900,Summarise the thread %d\n", 18+i%8, i)
	}
	b.WriteString("yesterday,mail,gpt-6.2-astra,1,1,\n")
	file := filepath.Join(t.TempDir(), "calls.csv")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	return file
}

// A log becomes a report in every form, and a configuration that weir takes.
func TestAudit(t *testing.T) {
	t.Parallel()
	log, dir := auditLog(t), t.TempDir()
	page, text, config := filepath.Join(dir, "r.html"), filepath.Join(dir, "r.md"), filepath.Join(dir, "weir.yaml")
	out, err := runAlone(t, "audit", log, "--html", page, "--markdown", text, "--write-config", config)
	require.NoError(t, err)
	require.Contains(t, out, "600 calls of 2 call paths from 2026-11-18 to 2026-11-25")
	require.Contains(t, out, "cascade luna > sol > astra")
	require.Contains(t, out, log+`:602: timestamp "yesterday" is no time`)
	require.Contains(t, out, "wrote "+config)
	for file, has := range map[string]string{page: "<svg", text: "| 1 | mail triage |", config: "  mail-triage-2:\n    class: L1\n    max_output_tokens: 64\n"} {
		written, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(written), has)
	}
	_, err = runAlone(t, "audit", log, "--write-config", config)
	require.ErrorContains(t, err, config+" is there already; --force overwrites it")
	_, err = runAlone(t, "audit", log, "--write-config", config, "--force")
	require.NoError(t, err)
	checked, err := runAlone(t, "config", "check", config)
	require.NoError(t, err)
	require.Contains(t, checked, "2 features, 3 models")
}

func TestAudit_JSON(t *testing.T) {
	t.Parallel()
	out, err := runAlone(t, "audit", auditLog(t), "--json", "--accepted", "1", "--batchable", "0", "--provider", "anthropic")
	require.NoError(t, err)
	var report struct {
		Calls  int64    `json:"calls"`
		Bad    int64    `json:"bad_rows"`
		Ladder []string `json:"ladder"`
		Total  struct {
			Now     string `json:"now_usd"`
			Cached  string `json:"after_caching_usd"`
			Batched string `json:"after_batching_usd"`
		} `json:"total"`
		Top []struct {
			CallPath string   `json:"call_path"`
			Class    string   `json:"class"`
			Cascade  []string `json:"cascade"`
		} `json:"top"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.EqualValues(t, 600, report.Calls)
	require.EqualValues(t, 1, report.Bad)
	require.Equal(t, []string{"haiku", "sonnet", "opus"}, report.Ladder)
	require.Equal(t, "22.86", report.Total.Now, "300 * (1,000 + 4,000) tokens at 8 and 300 * (5 + 900) at 40 USD per million")
	require.Equal(t, report.Total.Cached, report.Total.Batched)
	require.Equal(t, "L2", report.Top[0].Class)
	require.Equal(t, []string{"sonnet", "opus"}, report.Top[0].Cascade)
}

func TestAudit_Refuses(t *testing.T) {
	t.Parallel()
	log := auditLog(t)
	for _, c := range []struct{ flag, says string }{
		{"--accepted=0", "--accepted is 0; it must be above 0"},
		{"--batchable=2", "--batchable is 2"},
		{"--top=0", "--top is 0"},
		{"--provider=acme", "there are anthropic, openai, gemini"},
		{"--map=when=timestamp", `no field "when"`},
		{"--format=excel", "there are plain, litellm"},
	} {
		_, err := runAlone(t, "audit", log, c.flag)
		require.ErrorContains(t, err, c.says)
	}
	bad := filepath.Join(t.TempDir(), "bad.csv")
	require.NoError(t, os.WriteFile(bad, []byte("timestamp,model,cost\nnever,gpt-4o,1\n"), 0o600))
	_, err := runAlone(t, "audit", bad)
	require.ErrorContains(t, err, bad+`:2: timestamp "never" is no time`)
	_, err = runAlone(t, "audit", filepath.Join(t.TempDir(), "none.csv"))
	require.Error(t, err)
}
