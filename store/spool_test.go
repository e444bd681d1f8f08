package store_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func newSpool(tb testing.TB, dir string) *store.Spool {
	tb.Helper()
	spool, err := store.NewSpool(dir, id())
	require.NoError(tb, err)
	return spool
}

// keep leaves settlements as a process that has ended does.
func keep(tb testing.TB, dir string, settlements ...store.Settlement) {
	tb.Helper()
	spool := newSpool(tb, dir)
	require.NoError(tb, spool.Keep(settlements))
	require.NoError(tb, spool.Close())
}

func replay(tb testing.TB, dir string, b *testBundle) int {
	tb.Helper()
	n, err := newSpool(tb, dir).Replay(tb.Context(), b.pool, slog.New(slog.DiscardHandler))
	require.NoError(tb, err)
	return n
}

func TestSpool_KeepsEveryField(t *testing.T) {
	t.Parallel()
	b := setup(t)
	calls := b.called(3)
	s := calls[0].rejected(func(s *store.Settlement) {
		s.Usage = &task.Usage{Input: 1, CacheWrite5m: 3, Output: 9, WebSearches: 12}
		s.ToolCalls, s.RawUsage, s.Output = []byte(`[{"name":"f"}]`), []byte(`{"in":1,"in":2}`), []byte("\x00\xff")
		s.Next.Wait, s.Next.Hint = time.Hour, "hint"
	})
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	// an answer without words is not the same as none
	wordless := calls[1].accepted(func(s *store.Settlement) { s.Output = []byte{} })
	keep(t, dir, s, wordless, calls[2].errored())

	require.Equal(t, 3, replay(t, dir, b))

	direct := setup(t)
	twin := direct.called(1)[0]
	s.TaskID, s.BundleID, s.AttemptID = twin.task, twin.bundle, twin.attempt
	direct.settle(s)
	const columns = `SELECT (to_jsonb(a) - '{task_id,bundle_id,id,owner,started_at}'::text[])::text FROM weir.attempts a WHERE id = $1`
	require.JSONEq(t, scalar[string](direct, columns, twin.attempt), scalar[string](b, columns, calls[0].attempt))
	require.Equal(t, direct.task(twin.task), b.task(calls[0].task))
	require.Equal(t, []byte("\x00\xff"), scalar[[]byte](b, `SELECT output FROM weir.outputs WHERE task_id = $1`, calls[0].task))
	require.Equal(t, 1, b.count("weir.outputs WHERE task_id = $1 AND output = '' AND tool_calls IS NULL", calls[1].task))
	require.Zero(t, b.count("weir.outputs WHERE task_id = $1", calls[2].task))
	require.Equal(t, 1, b.count("weir.attempts WHERE id = $1 AND raw_usage IS NULL", calls[2].attempt))
	ledgertest.Check(t, b.pool)
}

func TestSpool_KeepAndForget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spool := newSpool(t, dir)
	one, two := call{id(), id(), id()}.accepted(), call{id(), id(), id()}.accepted()
	require.NoError(t, spool.Forget([]store.Settlement{one}), "nothing is kept yet")

	require.NoError(t, spool.Keep([]store.Settlement{one}))
	require.NoError(t, spool.Keep([]store.Settlement{one, two}))
	require.NoError(t, spool.Keep([]store.Settlement{one, two}))
	require.Equal(t, 2, countLines(t, spoolFiles(t, dir)[0]), "each once")

	require.NoError(t, spool.Forget([]store.Settlement{two}))
	require.Len(t, spoolFiles(t, dir), 1, "one of them is not in Postgres yet")
	require.NoError(t, spool.Forget([]store.Settlement{one}))
	require.Empty(t, spoolFiles(t, dir))

	require.NoError(t, spool.Keep([]store.Settlement{one}))
	require.Equal(t, 1, countLines(t, spoolFiles(t, dir)[0]), "a second time away begins anew")
}

func countLines(tb testing.TB, path string) int {
	tb.Helper()
	data := mustRead(tb, path)
	n := 0
	for _, c := range data {
		if c == '\n' {
			n++
		}
	}
	return n
}

func mustRead(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	require.NoError(tb, err)
	return data
}

func TestSpool_Replay(t *testing.T) {
	t.Parallel()

	t.Run("Twice", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		c := b.called(1)[0]
		keep(t, dir, c.accepted())
		file := spoolFiles(t, dir)[0]
		data := mustRead(t, file)
		require.Equal(t, 1, replay(t, dir, b))
		before := b.task(c.task)

		require.NoError(t, os.WriteFile(file, data, 0o600)) // a crash before its removal
		require.Equal(t, 1, replay(t, dir, b))

		require.Equal(t, before, b.task(c.task))
		require.Empty(t, spoolFiles(t, dir))
		require.Zero(t, replay(t, dir, b))
		ledgertest.Check(t, b.pool)
	})

	t.Run("ATornLastLine", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		calls := b.called(2)
		keep(t, dir, calls[0].accepted(), calls[1].accepted())
		file := spoolFiles(t, dir)[0]
		data := mustRead(t, file)
		require.NoError(t, os.WriteFile(file, data[:len(data)-20], 0o600))

		require.Equal(t, 1, replay(t, dir, b))
		require.Equal(t, []string{"succeeded", store.StateReleased}, b.states(calls[0].task, calls[1].task))
		ledgertest.Check(t, b.pool)
	})

	t.Run("ABrokenLineIsPutAside", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		calls := b.called(3)
		keep(t, dir, calls[0].accepted(), calls[1].accepted())
		file := spoolFiles(t, dir)[0]
		broken := bytes.Replace(mustRead(t, file), []byte("\n"), []byte("\nnot JSON\n"), 1)
		require.NoError(t, os.WriteFile(file, broken, 0o600))
		keep(t, dir, calls[2].accepted())
		var logged bytes.Buffer

		n, err := newSpool(t, dir).Replay(t.Context(), b.pool, slog.New(slog.NewJSONHandler(&logged, nil)))

		require.NoError(t, err, "the process starts")
		require.Equal(t, 3, n)
		require.Equal(t, 3, b.count("weir.results"), "nothing else is lost")
		require.Empty(t, spoolFiles(t, dir))
		require.Equal(t, broken, mustRead(t, file+".bad"), "somebody has to look at it")
		require.Contains(t, logged.String(), filepath.Base(file)+".bad")
		require.Contains(t, logged.String(), "line 2")
		require.Equal(t, 1, strings.Count(logged.String(), "\n"), "the good file is no news")
		require.Zero(t, replay(t, dir, b), "and it is not met again")
		ledgertest.Check(t, b.pool)
	})

	t.Run("WhatIsRefusedEvenBareIsPutAside", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		settlements := make([]store.Settlement, 5)
		for i, c := range b.called(len(settlements)) {
			settlements[i] = c.accepted()
		}
		negative := task.Pico(-1)
		settlements[2].Cost = &negative
		keep(t, dir, settlements...)
		file := spoolFiles(t, dir)[0]

		require.Equal(t, 5, replay(t, dir, b))

		require.Equal(t, 4, b.count("weir.results"))
		require.Empty(t, spoolFiles(t, dir))
		require.Equal(t, 5, countLines(t, file+".bad"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("ALivingProcessKeepsItsOwn", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		calls := b.called(2)
		living := newSpool(t, dir)
		require.NoError(t, living.Keep([]store.Settlement{calls[0].accepted()}))
		keep(t, dir, calls[1].accepted())

		require.Equal(t, 1, replay(t, dir, b))

		require.Equal(t, []string{store.StateReleased, "succeeded"}, b.states(calls[0].task, calls[1].task))
		require.Len(t, spoolFiles(t, dir), 1)
		require.NoError(t, living.Close())
		require.ErrorIs(t, living.Keep([]store.Settlement{calls[1].accepted()}), os.ErrClosed)
		require.Equal(t, 1, replay(t, dir, b), "until it has ended")
		require.Empty(t, spoolFiles(t, dir))
		ledgertest.Check(t, b.pool)
	})

	t.Run("OfSeveralProcesses", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		calls := b.called(250)
		for start := 0; start < len(calls); start += 125 {
			settlements := make([]store.Settlement, 125)
			for i := range settlements {
				settlements[i] = calls[start+i].accepted()
			}
			keep(t, dir, settlements...)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("not a spool"), 0o600))
		require.Equal(t, 250, replay(t, dir, b))
		require.Equal(t, 250, b.count("weir.results"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("WhatWasGivenUpMeanwhileIsLate", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		c := b.called(1)[0]
		keep(t, dir, c.accepted())
		b.settle(c.lost())
		require.Equal(t, 1, replay(t, dir, b))
		got := b.task(c.task)
		require.Equal(t, []any{store.StateReady, task.Pico(400), task.Pico(400)}, []any{got.State, got.Cost, got.CostHigh})
		ledgertest.Check(t, b.pool)
	})

	t.Run("APoisonedOneGoesWithoutItsProvidersWords", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		dir := t.TempDir()
		calls := b.called(5)
		settlements := make([]store.Settlement, len(calls))
		for i, c := range calls {
			settlements[i] = c.accepted()
		}
		settlements[1].RawUsage = []byte(`{"in": 1`) // no JSON: it cannot even be written to the spool
		settlements[3].RequestID = "poison"          // Postgres will refuse it
		b.exec(`ALTER TABLE weir.attempts ADD CONSTRAINT poison_check CHECK (request_id <> 'poison')`)
		keep(t, dir, settlements...)
		require.Equal(t, 5, replay(t, dir, b))
		require.Equal(t, 5, b.count("weir.results WHERE status = 'succeeded'"))
		require.Equal(t, 3, b.count("weir.attempts WHERE raw_usage IS NOT NULL"))
		ledgertest.Check(t, b.pool)
	})
}

func TestSpool_Errors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := store.NewSpool(filepath.Join(file, "below"), uuid.New())
	require.Error(t, err)

	dir := filepath.Join(t.TempDir(), "spool")
	spool := newSpool(t, dir)
	require.NoError(t, os.RemoveAll(dir))
	s := call{id(), id(), id()}.accepted()
	require.Error(t, spool.Keep([]store.Settlement{s}))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, spool.Keep([]store.Settlement{s}), "what was not kept is kept by the next try")
	require.Len(t, spoolFiles(t, dir), 1)
}
