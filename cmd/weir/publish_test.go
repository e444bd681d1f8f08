package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

func mustWrite(tb testing.TB, path, text string) string {
	tb.Helper()
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(tb, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestPublish_File(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	file := mustWrite(t, filepath.Join(t.TempDir(), "tickets.jsonl"),
		`{"id":"own","input":"1","lane":"batch","priority":1}`+"\n\n"+`{"input":"2"}`+"\n")

	out := b.mustRun("publish", "--feature", "triage", "--batch", "night", "--lane", "now", "--priority", "3",
		"--deadline", "2999-01-02T03:04:05Z", file)

	require.Regexp(t, `^published 2 tasks in \d+\.\d s, \d+ a second\nfollow them: weir watch --batch night\n$`, out.stdout)
	deadline := time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC)
	want := task.Task{Tenant: "default", Feature: "triage", Batch: "night", Deadline: &deadline}
	own, second := want, want
	own.ID, own.Input, own.Lane, own.Priority = "own", "1", task.LaneBatch, 1
	second.ID, second.Input, second.Lane, second.Priority = "tickets.jsonl:3", "2", task.LaneNow, 3
	require.Equal(t, map[string]task.Task{"own": own, "tickets.jsonl:3": second}, b.storedTasks())
	require.Empty(t, b.markers(), "nothing is left of a publishing that is done")
}

func TestPublish_Directory(t *testing.T) {
	t.Parallel()
	b, dir := newTestBundle(t), t.TempDir()
	mustWrite(t, filepath.Join(dir, "a.txt"), "first")
	mustWrite(t, filepath.Join(dir, "deep", "b.txt"), "second")
	mustWrite(t, filepath.Join(dir, ".hidden"), "third")

	b.mustRun("publish", "--feature", "triage", "--tenant", "acme", "--mode", "envelopes", dir)

	require.Equal(t, map[string]task.Task{
		"a.txt":      {ID: "a.txt", Tenant: "acme", Feature: "triage", Input: "first"},
		"deep/b.txt": {ID: "deep/b.txt", Tenant: "acme", Feature: "triage", Input: "second"},
	}, b.storedTasks())
	require.Len(t, b.stored(), 1, "one envelope")
}

func TestPublish_Attachments(t *testing.T) {
	t.Parallel()
	b, dir := newTestBundle(t), t.TempDir()
	scan := "%PDF-1.4\n1 0 obj\n<</Type /Page>>\nendobj\n"
	mustWrite(t, filepath.Join(dir, "invoices", "a.PDF"), scan)
	out, err := b.run(nil, "publish", "--feature", "invoice", "--bucket", "absent", dir)
	require.Error(t, err)
	require.Contains(t, out.stderr, "there is no such bucket: is weir running")
	require.Empty(t, b.storedTasks())

	require.NoError(t, ingest.EnsureStreams(t.Context(), b.js, ingest.StreamConfig{Buckets: []string{task.DefaultBucket}}))
	mustWrite(t, filepath.Join(dir, "b.txt"), "first")
	b.mustRun("publish", "--feature", "invoice", "--tenant", "acme", dir)
	published := b.storedTasks()
	require.Equal(t, task.Task{ID: "b.txt", Tenant: "acme", Feature: "invoice", Input: "first"}, published["b.txt"])
	attached := published["invoices/a.PDF"]
	require.Empty(t, attached.Input)
	require.Len(t, attached.Attachments, 1)
	require.Equal(t, task.MediaPDF, attached.Attachments[0].MediaType)
	bucket, name, ok := attached.Attachments[0].Object()
	require.True(t, ok)
	store, err := b.js.ObjectStore(t.Context(), bucket)
	require.NoError(t, err)
	stored, err := store.GetBytes(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, scan, string(stored))

	mustWrite(t, filepath.Join(dir, "c.png"), "no picture")
	out, err = b.run(nil, "publish", "--feature", "invoice", dir)
	require.Error(t, err)
	require.Contains(t, out.stderr, "published nothing; there are mistakes:\n  c.png: the file is empty, or neither an image nor a PDF")
	list, err := store.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1, "a check stores nothing")
}

func TestPublish_MistakesOfAFile(t *testing.T) {
	t.Parallel()
	b, dir := newTestBundle(t), t.TempDir()
	lines := `{"id":"good","input":"1"}` + "\n" + `{"id":"b","inputt":"2"}` + "\n" + `{"id":"c"` + "\n"
	few := mustWrite(t, filepath.Join(dir, "few.jsonl"), lines)
	many := mustWrite(t, filepath.Join(dir, "many.jsonl"), strings.Repeat("{}\n", 30))
	empty := mustWrite(t, filepath.Join(dir, "empty.jsonl"), "\n")
	large := filepath.Join(dir, "texts")
	mustWrite(t, filepath.Join(large, "small.txt"), "small")
	mustWrite(t, filepath.Join(large, "big.txt"), strings.Repeat("x", 1<<20))
	mustWrite(t, filepath.Join(large, "huge.txt"), strings.Repeat("x", 1<<20+1))

	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"Few", []string{few}, []string{
			"published nothing; there are mistakes:\n", `few.jsonl line 2: unknown field "inputt"; did you mean "input"?`,
			"few.jsonl line 3: ",
		}},
		{"Many", []string{many}, []string{"many.jsonl line 20: ", "reading stopped here, after 20 of them"}},
		{"Empty", []string{empty}, []string{"there are no tasks in it"}},
		{"TooLarge", []string{large}, []string{
			`task "big.txt": the task has `, "huge.txt: the text has more than 1048576 bytes",
		}},
		{"Absent", []string{filepath.Join(dir, "absent")}, []string{"no such file"}},
		{"Feature", []string{few, "--feature", "no good"}, []string{"feature must be"}},
		{"Tenant", []string{few, "--tenant", "no good"}, []string{"tenant must be"}},
		{"Priority", []string{few, "--priority", "9"}, []string{"priority must be from 1"}},
		{"Deadline", []string{few, "--deadline", "2001-01-01T00:00:00Z"}, []string{"the deadline has passed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out, err := b.run(nil, append([]string{"publish", "--feature", "triage"}, test.args...)...)
			require.Error(t, err)
			for _, want := range test.want {
				require.Contains(t, out.stderr, want)
			}
			require.NotContains(t, out.stderr, "line 21")
			require.Empty(t, b.stored())
		})
	}
}

func TestPublish_StandardInput(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	lines := `{"id":"a","input":"1"}` + "\n" + `{"input":"no id"}` + "\n" + `{"id":"b","input":"2"}` + "\n"

	out, err := b.run(strings.NewReader(lines), "publish", "--feature", "triage", "-")

	require.Error(t, err)
	require.Contains(t, out.stderr, "published 2 tasks; there are mistakes:\n  standard input line 2: id is missing")
	require.Len(t, b.storedTasks(), 2)

	out, err = b.run(iotest.ErrReader(errors.New("the pipe broke")), "publish", "--feature", "triage", "-")
	require.Error(t, err)
	require.Contains(t, out.stderr, "published 0 tasks; there are mistakes:\n  standard input line 1: the pipe broke")
}

func TestPublish_NoNATS(t *testing.T) {
	t.Parallel()
	file := mustWrite(t, filepath.Join(t.TempDir(), "tickets.jsonl"), `{"id":"a","input":"1"}`)
	b := &testBundle{tb: t, env: map[string]string{"NATS_URL": "nats://127.0.0.1:1", "DATABASE_URL": "postgres://unused"}}
	out, err := b.run(nil, "publish", "--feature", "triage", file)
	require.Error(t, err)
	require.Contains(t, out.stderr, "NATS does not answer")
}

// TestPublish_ManyTasks publishes and has taken in more than any bound of one batch.
func TestPublish_ManyTasks(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	var lines strings.Builder
	for n := range 20_000 {
		_, _ = fmt.Fprintf(&lines, `{"id":"t-%d","input":"My card %d was declined."}`+"\n", n, n)
	}
	file := mustWrite(t, filepath.Join(t.TempDir(), "tickets.jsonl"), lines.String())
	start := time.Now()
	b.mustRun("publish", "--feature", "triage", file)
	t.Logf("20,000 tasks in %s", time.Since(start))
	require.Less(t, time.Since(start), 30*time.Second)
	require.Len(t, b.storedTasks(), 20_000)
}

// markers are the files that remember interrupted publishings.
func (b *testBundle) markers() []string {
	b.tb.Helper()
	found, err := filepath.Glob(filepath.Join(b.env["HOME"], ".cache", "weir", "publish", "*"))
	require.NoError(b.tb, err)
	return found
}

// sends is a send of a shipment that publishes up to a limit and fails then.
type sends struct {
	limit int
	got   []int
}

var errCut = errors.New("the line was cut")

func (s *sends) send(_ context.Context, elements iter.Seq2[int, error], o producer.Options) (producer.Progress, error) {
	var p producer.Progress
	for n, err := range elements {
		switch {
		case err != nil:
			if err := o.OnMistake(err); err != nil {
				return p, err
			}
			p.PassedOver++
		case len(s.got) == s.limit:
			return p, errCut
		default:
			s.got = append(s.got, n)
			p.Published++
		}
		p.Settled++
		o.Progress(p)
	}
	return p, nil
}

func TestShipment_GoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := &testBundle{tb: t, env: map[string]string{"HOME": t.TempDir()}}
	a := &app{getenv: func(name string) string { return b.env[name] }, stderr: &strings.Builder{}}
	source := mustWrite(t, filepath.Join(t.TempDir(), "numbers"), "0 1 2 3 4 5 6 7 8 9")
	publish := func(s *sends, purpose string) (shipped, error) {
		t.Helper()
		m, err := newMarker(a.cacheDir(), source, purpose)
		require.NoError(t, err)
		return shipment[int]{
			what: "number", rereadable: true, marker: m, send: s.send, check: func(int) error { return nil },
			read: func() iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for n := range 10 {
						if !yield(n, nil) {
							return
						}
					}
				}
			},
		}.publish(t.Context(), a)
	}

	cut := &sends{limit: 4}
	_, err := publish(cut, "one")
	require.ErrorIs(t, err, errCut)
	require.ErrorContains(t, err, "published 4 of 10 numbers; run the same command again to go on")
	require.Equal(t, []int{0, 1, 2, 3}, cut.got)
	require.Len(t, b.markers(), 1)

	elsewhere := &sends{limit: 10}
	done, err := publish(elsewhere, "another")
	require.NoError(t, err)
	require.Equal(t, 10, done.Published, "another purpose begins at the beginning")

	rest := &sends{limit: 10}
	done, err = publish(rest, "one")
	require.NoError(t, err)
	require.Equal(t, []int{4, 5, 6, 7, 8, 9}, rest.got)
	require.Equal(t, 4, done.earlier)
	require.Empty(t, b.markers())

	_, err = publish(&sends{limit: 4}, "one")
	require.ErrorIs(t, err, errCut)
	mustWrite(t, source, "changed in length")
	changed := &sends{limit: 10}
	_, err = publish(changed, "one")
	require.NoError(t, err)
	require.Len(t, changed.got, 10, "a changed file begins at the beginning")
}

func TestShipment_MistakesForgetThePlace(t *testing.T) {
	t.Parallel()
	b := &testBundle{tb: t, env: map[string]string{"HOME": t.TempDir()}}
	a := &app{getenv: func(name string) string { return b.env[name] }, stderr: &strings.Builder{}}
	m, err := newMarker(a.cacheDir(), mustWrite(t, filepath.Join(t.TempDir(), "numbers"), "0"), "")
	require.NoError(t, err)
	s := &sends{limit: 10}
	first := true
	_, err = shipment[int]{
		what: "number", rereadable: true, marker: m, send: s.send, check: func(int) error { return nil },
		read: func() iter.Seq2[int, error] {
			bad := !first // found only while publishing
			first = false
			return func(yield func(int, error) bool) {
				if bad && !yield(0, errors.New("one is bad")) {
					return
				}
				yield(1, nil)
			}
		},
	}.publish(t.Context(), a)
	require.ErrorContains(t, err, "published 1 of 1 number; there are mistakes:\n  one is bad")
	require.Empty(t, b.markers(), "the next run must meet the mistake again")
}

func TestStopped(t *testing.T) {
	t.Parallel()
	err := stopped(context.Canceled, true, "%d done", 3)
	require.EqualError(t, err, "interrupted: 3 done")
	require.NotErrorIs(t, err, context.Canceled)
	require.EqualError(t, stopped(errCut, false, "%d done", 3), "the line was cut; 3 done")
}
