package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing/feed"
)

func TestPrices_Sync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(dir, "litellm.json")
	require.NoError(t, os.WriteFile(from, []byte(`{
		"claude-opus-5": {"litellm_provider": "anthropic", "input_cost_per_token": 1e-05, "output_cost_per_token": 2.5e-05},
		"gpt-99": {"litellm_provider": "openai"}}`), 0o600))
	args := []string{"sync", "--from", from, "--at", "2026-11-26"}
	stdout, _, err := weirPrices(t, "", append(args, "--all")...)
	require.NoError(t, err)
	require.Regexp(t, `(?m)^anthropic/claude-opus-5 +input +0 +5 +10 +100\.0 +more than 20 %`, stdout)
	require.Contains(t, stdout, "anthropic/claude-opus-5: not listed by LiteLLM: batch\n")
	require.Contains(t, stdout, "1 models compared, 1 listed that the book does not know\nLiteLLM: openai/gpt-99\n")
	require.Contains(t, stdout, "      - from: 2026-11-26\n")

	stdout, _, err = weirPrices(t, "", append(args, "--json")...)
	require.NoError(t, err)
	var p feed.Proposal
	require.NoError(t, json.Unmarshal([]byte(stdout), &p))
	require.True(t, p.Models[0].Changes[0].Large)

	own := filepath.Join(dir, "own")
	require.NoError(t, os.Mkdir(own, 0o700))
	stdout, _, err = weirPrices(t, "", append(args, "--write", own)...)
	require.NoError(t, err)
	require.NotContains(t, stdout, "schema: 1")
	stdout, _, err = weirPrices(t, "", "list", "--pricing-dir", own, "--at", "2026-11-26")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^anthropic/claude-opus-5 +10 +0\.5 +25 .*2026-11-26-anthropic\.yaml$`, stdout)
	_, _, err = weirPrices(t, "", append(args, "--write", own)...)
	require.ErrorIs(t, err, os.ErrExist, "nothing is written over")
}
