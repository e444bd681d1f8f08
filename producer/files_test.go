package producer_test

import (
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

// collect separates the tasks of a sequence from its errors.
func collect(tasks iter.Seq2[task.Task, error]) (good []task.Task, bad []error) {
	for t, err := range tasks {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		good = append(good, t)
	}
	return good, bad
}

func TestJSONL(t *testing.T) {
	t.Parallel()
	lines := "\ufeff" + `{"id":"a","input":"1"}` + "\r\n" +
		"\n  \n" +
		`{"id":"b","feature":"invoices","batch":"own","input":"2"}` + "\n" +
		`{"id":"c","inputt":"3"}` + "\n" +
		`{"input":"4"}` + "\n" +
		`{"id":"e","input":"` + strings.Repeat("x", 10_000) + `"}` + "\n" +
		`{"id":"f","input":"6"` + "\n" +
		`{"id":"g","input":"7"}`

	good, bad := collect(producer.JSONL(strings.NewReader(lines), "tickets.jsonl",
		producer.Defaults{Feature: "triage", Batch: "night", Limits: task.Limits{PayloadBytes: 9_000}}))

	require.Equal(t, []task.Task{
		{ID: "a", Feature: "triage", Batch: "night", Input: "1"},
		{ID: "b", Feature: "invoices", Batch: "own", Input: "2"},
		{ID: "g", Feature: "triage", Batch: "night", Input: "7"},
	}, good)
	require.Len(t, bad, 4)
	require.EqualError(t, bad[0], `tickets.jsonl line 5: unknown field "inputt"; did you mean "input"?`)
	require.ErrorContains(t, bad[1], "tickets.jsonl line 6: id is missing")
	require.EqualError(t, bad[2], "tickets.jsonl line 7: the line has 10022 bytes; the limit is 9000")
	require.ErrorContains(t, bad[3], "tickets.jsonl line 8: the body is not valid JSON")
	source, ok := errors.AsType[*producer.SourceError](bad[0])
	require.True(t, ok)
	require.Equal(t, 5, source.Line)
	_, ok = task.IsRefused(bad[0])
	require.True(t, ok)
}

func TestJSONL_LineAtTheLimit(t *testing.T) {
	t.Parallel()
	line := `{"id":"a","input":"` + strings.Repeat("x", 9_000) + `"}`
	for _, ending := range []string{"", "\n", "\r\n"} {
		good, bad := collect(producer.JSONL(strings.NewReader(line+ending), "x",
			producer.Defaults{Feature: "triage", Limits: task.Limits{PayloadBytes: len(line)}}))
		require.Empty(t, bad)
		require.Len(t, good, 1)

		_, bad = collect(producer.JSONL(strings.NewReader(line+ending), "x",
			producer.Defaults{Feature: "triage", Limits: task.Limits{PayloadBytes: len(line) - 1}}))
		require.Len(t, bad, 1)
	}
}

func TestJSONL_EndsWithItsReader(t *testing.T) {
	t.Parallel()
	torn := errors.New("torn")
	r := io.MultiReader(strings.NewReader(`{"id":"a","input":"1"}`+"\n"+`{"id":`), iotest.ErrReader(torn))

	good, bad := collect(producer.JSONL(r, "x", producer.Defaults{Feature: "triage"}))

	require.Len(t, good, 1)
	require.Len(t, bad, 1)
	require.ErrorIs(t, bad[0], torn)
	require.EqualError(t, bad[0], "x line 2: torn")
}

func TestDir(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"b.txt":           {Data: []byte("second\n")},
		"a.md":            {Data: []byte("first")},
		"sub/c.txt":       {Data: []byte("third")},
		"sub/large.txt":   {Data: []byte(strings.Repeat("x", 101))},
		"image.png":       {Data: []byte("\x89PNG\x00")},
		"empty.txt":       {Data: []byte(" \n")},
		".hidden":         {Data: []byte("no")},
		".git/config.txt": {Data: []byte("no")},
	}

	good, bad := collect(producer.Dir(fsys, producer.Defaults{Feature: "clauses", Batch: "q", Limits: task.Limits{PayloadBytes: 100}}))

	require.Equal(t, []task.Task{
		{ID: "a.md", Feature: "clauses", Batch: "q", Input: "first"},
		{ID: "b.txt", Feature: "clauses", Batch: "q", Input: "second\n"},
		{ID: "sub/c.txt", Feature: "clauses", Batch: "q", Input: "third"},
	}, good)
	require.Len(t, bad, 3)
	require.ErrorContains(t, bad[0], "empty.txt: input is blank")
	require.ErrorContains(t, bad[1], "image.png: input holds a NUL character; input is not valid UTF-8")
	require.EqualError(t, bad[2], "sub/large.txt: the text has more than 100 bytes")
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"id":"a","input":"1"}`), 0o600))
	defaults := producer.Defaults{Feature: "triage"}

	good, bad := collect(producer.Files(file, defaults))
	require.Empty(t, bad)
	require.Equal(t, []task.Task{{ID: "a", Feature: "triage", Input: "1"}}, good)

	good, bad = collect(producer.Files(dir, defaults))
	require.Empty(t, bad)
	require.Equal(t, []task.Task{{ID: "a.jsonl", Feature: "triage", Input: `{"id":"a","input":"1"}`}}, good)

	_, bad = collect(producer.Files(filepath.Join(dir, "none"), defaults))
	require.Len(t, bad, 1)
	require.ErrorIs(t, bad[0], os.ErrNotExist)
}

func TestFiles_StopsWhenAsked(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"a": {Data: []byte("1")}, "b": {Data: []byte("2")}}
	for _, tasks := range []iter.Seq2[task.Task, error]{
		producer.Dir(fsys, producer.Defaults{Feature: "triage"}),
		producer.JSONL(strings.NewReader("{}\n{}\n"), "x", producer.Defaults{Feature: "triage"}),
		producer.Tasks(ticket(1), ticket(2)),
	} {
		seen := 0
		tasks(func(task.Task, error) bool {
			seen++
			return false
		})
		require.Equal(t, 1, seen)
	}
}

func TestJSONL_LineIDs(t *testing.T) {
	t.Parallel()
	lines := `{"input":"1"}` + "\n\n" + `{"input":"2"}` + "\n" + `{"id":"own","input":"3"}` + "\n"

	good, bad := collect(producer.JSONL(strings.NewReader(lines), "in/tickets.jsonl",
		producer.Defaults{Feature: "triage", LineIDs: true}))

	require.Empty(t, bad)
	require.Equal(t, []task.Task{
		{ID: "tickets.jsonl:1", Feature: "triage", Input: "1"},
		{ID: "tickets.jsonl:3", Feature: "triage", Input: "2"},
		{ID: "own", Feature: "triage", Input: "3"},
	}, good)
}

func TestOutcomesJSONL(t *testing.T) {
	t.Parallel()
	lines := `{"id":"a","success":true}` + "\n" + `{"id":"b"}` + "\n" + `{"id":"c","success":false,"reason":"wrong queue"}`

	var good []task.Outcome
	var bad []error
	for o, err := range producer.OutcomesJSONL(strings.NewReader(lines), "outcomes.jsonl", task.Limits{}) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		good = append(good, o)
	}

	require.Equal(t, []task.Outcome{{ID: "a", Success: true}, {ID: "c", Reason: "wrong queue"}}, good)
	require.Len(t, bad, 1)
	require.EqualError(t, bad[0], "outcomes.jsonl line 2: success is missing: write true or false")
}
