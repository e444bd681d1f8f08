package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/worker"
)

func mustRead(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(data)
}

// blocks are the fenced blocks of a language, without those inside of lists.
func blocks(page, language string) []string {
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		found = append(found, match[1])
	}
	return found
}

// section is what stands under a heading of the second level.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n## "+heading+"\n")
	require.True(t, found, heading)
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// firstCells are the names in the first column of a page's tables.
func firstCells(page, pattern string) []string {
	var names []string
	for _, match := range regexp.MustCompile("(?m)^\\| `("+pattern+")`").FindAllStringSubmatch(page, -1) {
		names = append(names, match[1])
	}
	return names
}

func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/adr/*.md"} {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, match := range matches {
			name, err := filepath.Rel(root, match)
			require.NoError(t, err)
			found = append(found, name)
		}
	}
	return found
}

func TestDocs_Environment(t *testing.T) {
	t.Parallel()
	described := firstCells(section(t, mustRead(t, "docs/configuration.md"), "Environment"), "[A-Z_]+")
	slices.Sort(described)
	require.Equal(t, environmentNames(t), described)
}

// TestDocs_Links: every link to a file or a heading of this repository leads somewhere.
func TestDocs_Links(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			for _, match := range link.FindAllStringSubmatch(mustRead(t, page), -1) {
				target, anchor, _ := strings.Cut(match[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				to := page
				if target != "" {
					to = filepath.Join(filepath.Dir(page), target)
				}
				_, err := os.Stat(filepath.Join(root, to))
				require.NoError(t, err, "%s", match[1])
				if anchor != "" {
					require.Contains(t, anchors(mustRead(t, to)), anchor, "%s", match[1])
				}
			}
		})
	}
}

// anchors are the names that headings get.
func anchors(page string) []string {
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		name := strings.ReplaceAll(strings.ToLower(match[1]), " ", "-")
		names = append(names, regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(name, ""))
	}
	return names
}

func TestDocs_Decisions(t *testing.T) {
	t.Parallel()
	index := mustRead(t, "docs/adr/README.md")
	number := regexp.MustCompile(`^docs/adr/(\d{4})-[a-z0-9-]+\.md$`)
	count := 0
	for _, page := range pages(t) {
		if match := number.FindStringSubmatch(page); match != nil {
			count++
			require.Regexp(t, `^# `+strings.TrimLeft(match[1], "0")+`\. `, mustRead(t, page))
			require.Contains(t, index, "("+filepath.Base(page)+")")
		}
	}
	require.Positive(t, count)
}

func TestDocs_Timing(t *testing.T) {
	t.Parallel()
	page := mustRead(t, "docs/states.md")
	timing := reflect.ValueOf(worker.DefaultTiming())
	for i := range timing.NumField() {
		name := timing.Type().Field(i).Name
		match := regexp.MustCompile("(?m)^\\| `" + name + "` \\| (\\S+) \\|").FindStringSubmatch(page)
		require.NotNil(t, match, "%s is not described", name)
		described, err := time.ParseDuration(match[1])
		require.NoError(t, err)
		require.Equal(t, timing.Field(i).Interface(), described, name)
	}
}

// TestDocs_CrashPoints: the table of architecture.md and the points in the code are the same.
func TestDocs_CrashPoints(t *testing.T) {
	t.Parallel()
	var points []string
	for _, pattern := range []string{"ingest/*.go", "worker/*.go", "store/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			code, err := os.ReadFile(filepath.Clean(file))
			require.NoError(t, err)
			for _, match := range regexp.MustCompile(`\bchaos\("([a-z_]+)"\)`).FindAllSubmatch(code, -1) {
				points = append(points, string(match[1]))
			}
		}
	}
	require.NotEmpty(t, points)
	table := section(t, mustRead(t, "docs/architecture.md"), "What a crash leaves")
	var described []string
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, match := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
			described = append(described, match[1])
		}
	}
	require.ElementsMatch(t, points, described)
}

// TestDocs_OperationsSQL runs what an operator is told to run.
func TestDocs_OperationsSQL(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	queries := blocks(mustRead(t, "docs/operations.md"), "sql")
	require.GreaterOrEqual(t, len(queries), 8)
	for _, query := range queries {
		_, err := pool.Exec(t.Context(), query)
		require.NoError(t, err, query)
	}
}
