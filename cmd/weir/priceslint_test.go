package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
)

// lintBook is a directory of prices in which the model of one row has what rest says of it.
func lintBook(t *testing.T, rest string) string {
	t.Helper()
	dir := t.TempDir()
	file := "schema: 1\nprovider: own\ncurrency: USD\nmodels:\n  - id: qwen\n    tokenizer: {o200k_factor: \"1\"}\n    prices:\n" +
		"      - {from: always, status: in_force, checked: 2026-01-01, source: rack, " + rest + "}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "own.yaml"), []byte(file), 0o600))
	return dir
}

func TestPrices_Lint(t *testing.T) {
	t.Parallel()
	good := lintBook(t, `bands: [{input: "1", output: "2"}]`)
	bad := lintBook(t, `bands: [{input: "1", cache_read: "2", output: "2"}]`)
	const stale = "warning: own/qwen@always: last checked on 2026-01-01, more than 45 days ago\n"
	const dear = "error: own/qwen@always: cache reads are dearer than the input\n"

	stdout, _, err := weirPrices(t, "", "lint", "--pricing-dir", good)
	require.NoError(t, err, "warnings do not fail")
	require.Contains(t, stdout, stale)
	require.Regexp(t, `(?m)^price book [0-9a-f]{12}: [0-9]+ rows, 0 errors, [0-9]+ warnings$`, stdout)
	stdout, _, err = weirPrices(t, "", "lint", "--pricing-dir", good, "--quiet")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(stdout, "\n"))
	stdout, stderr, err := weirPrices(t, "", "lint", "--pricing-dir", good, "--strict", "--quiet")
	require.Error(t, err)
	require.Contains(t, stdout, stale, "a warning that makes it fail is shown")
	require.Regexp(t, `the price book has [0-9]+ findings to put right`, stderr)

	stdout, stderr, err = weirPrices(t, "", "lint", "--pricing-dir", bad, "--quiet")
	require.Error(t, err)
	require.Regexp(t, `^`+dear+`price book [0-9a-f]{12}: [0-9]+ rows, 1 errors, [0-9]+ warnings\n$`, stdout)
	require.Contains(t, stderr, "has 1 findings to put right")
	stdout, _, err = weirPrices(t, "", "lint", "--pricing-dir", bad, "--quiet", "--json")
	require.Error(t, err)
	var found []pricing.Finding
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.Equal(t, []pricing.Finding{{
		Severity: pricing.Error, Key: "own/qwen@always", Text: "cache reads are dearer than the input", Origin: bad + "/own.yaml",
	}}, found)
	stdout, _, err = weirPrices(t, "", "lint", "--pricing-dir", good, "--quiet", "--json")
	require.NoError(t, err)
	require.Equal(t, "[]\n", stdout)
}
