package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// publishLabel publishes n tasks of the starter's feature ticket-triage under a label and waits until they are taken in.
func (b *testBundle) publishLabel(label string, n int) {
	b.tb.Helper()
	var lines strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&lines, `{"id":"%s-%d","input":"My card was declined.","metadata":{"n":"%d"}}`+"\n", label, i+1, i+1)
	}
	out, err := b.run(strings.NewReader(lines.String()), "publish", "--feature", "ticket-triage", "--batch", label, "-")
	require.NoError(b.tb, err, out.stderr)
	require.Eventually(b.tb, func() bool {
		return b.count(`SELECT count(*) FROM weir.tasks WHERE batch = $1`, label) == n
	}, 20*time.Second, 20*time.Millisecond)
}

// end ends live tasks of a label without a worker.
func (b *testBundle) end(label string, status task.Status, ids ...string) {
	b.tb.Helper()
	endings := make([]store.Ending, len(ids))
	for i, id := range ids {
		endings[i] = store.Ending{
			TaskID: b.taskID(label, id), ResultID: uuid.New(), Status: status, Reason: "a line\nand \"another\"",
		}
	}
	ended, err := store.Finish(b.tb.Context(), b.pool, time.Now(), liveStates(), endings)
	require.NoError(b.tb, err)
	require.Len(b.tb, ended, len(ids))
}

func (b *testBundle) taskID(label, id string) (taskID uuid.UUID) {
	b.tb.Helper()
	require.NoError(b.tb, b.pool.QueryRow(b.tb.Context(),
		`SELECT task_id FROM weir.task_keys JOIN weir.tasks t ON t.id = task_id WHERE t.batch = $1 AND t.key = $2`,
		label, id).Scan(&taskID))
	return taskID
}

func TestWatch(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	b.startIngest()
	b.publishLabel("night", 3)
	b.end("night", task.Failed, "night-1", "night-2")

	out, err := b.run(nil, "watch", "--batch", "night", "--timeout", "700ms")
	require.Error(t, err)
	require.Contains(t, out.stderr, "not at an end after 700ms; 1 of 3 tasks not ended")
	require.Contains(t, out.stderr, "2 of 3 tasks ended  0 escalated, 2 failed")

	b.end("night", task.Succeeded, "night-3")
	out = b.mustRun("watch", "--batch", "night", "--timeout", "1m", "--quiet")
	require.Empty(t, out.stderr)
	require.Regexp(t, `(?m)^tasks +3$`, out.stdout)
	require.Regexp(t, `(?m)^ended +failed 2 · succeeded 1$`, out.stdout)

	out = b.mustRun("watch", "--batch", "night", "--timeout", "1m", "--json")
	var last map[string]any
	require.NoError(t, json.Unmarshal([]byte(out.stdout), &last))
	require.Equal(t, true, last["done"])
	require.EqualValues(t, 3, last["ended"])
	require.Equal(t, "0", last["cost_usd"])
}

func TestWatch_EndsWhileItWatches(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	b.startIngest()
	b.publishLabel("night", 2)
	type end struct {
		out output
		err error
	}
	watching := make(chan end, 1)
	go func() {
		out, err := b.run(nil, "watch", "--batch", "night", "--timeout", "1m", "--json")
		watching <- end{out, err}
	}()
	b.end("night", task.Succeeded, "night-1")
	b.end("night", task.Cancelled, "night-2")
	ended := <-watching
	require.NoError(t, ended.err)
	require.Contains(t, ended.out.stdout, `"done":true`)
}

func TestWatch_WaitsForWhatIsNotTakenIn(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	line := `{"id":"early","input":"My card was declined."}`
	_, err := b.run(strings.NewReader(line), "publish", "--feature", "ticket-triage", "--batch", "night", "-")
	require.NoError(t, err)
	_, err = store.InsertTasks(t.Context(), b.pool, uuid.New(), time.Now(), []store.NewTask{{
		ID: uuid.Must(uuid.NewV7()), Tenant: "default", Feature: "ticket-triage", Key: "first", Hash: []byte("hash"), Batch: "night",
		Lane: task.LaneNow, Priority: 2, Body: []byte(line),
	}})
	require.NoError(t, err)
	b.end("night", task.Succeeded, "first")

	out, err := b.run(nil, "watch", "--batch", "night", "--timeout", "700ms")
	require.Error(t, err, "the published task is still on its way")
	require.Contains(t, out.stderr, "0 of 1 task not ended, and not all are taken in")

	b.startIngest()
	require.Eventually(t, func() bool { return b.count(`SELECT count(*) FROM weir.tasks WHERE key = 'early'`) == 1 },
		20*time.Second, 20*time.Millisecond)
	b.end("night", task.Succeeded, "early")
	b.mustRun("watch", "--batch", "night", "--timeout", "1m")
}

// TestWatchWait: a slow count of a large label does not keep Postgres busy.
func TestWatchWait(t *testing.T) {
	t.Parallel()
	require.Equal(t, watchEvery, watchWait(time.Millisecond))
	require.Equal(t, 5*time.Second, watchWait(time.Second))
}

func TestResults(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	b.startIngest()
	b.publishLabel("night", 4)
	b.end("night", task.Failed, "night-1", "night-3")
	b.end("night", task.Succeeded, "night-2")

	out := b.mustRun("results", "--batch", "night")
	lines := strings.Split(strings.TrimSpace(out.stdout), "\n")
	require.Len(t, lines, 3)
	got := map[string]task.Result{}
	for _, line := range lines {
		var r task.Result
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		got[r.ID] = r
	}
	require.Equal(t, task.Failed, got["night-1"].Status)
	require.Equal(t, map[string]string{"n": "2"}, got["night-2"].Metadata)
	require.Contains(t, out.stderr, "wrote 3 results\n1 of 4 tasks had not ended")

	file := filepath.Join(t.TempDir(), "results.csv")
	out = b.mustRun("results", "--batch", "night", "--format", "csv", "--output", file)
	require.Empty(t, out.stdout)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, []string{"id", "tenant", "feature", "status", "reason"}, rows[0][:5])
	require.Equal(t, []string{"night-1", "default", "ticket-triage", "failed", "a line\nand \"another\""}, rows[1][:5])

	_, err = b.run(nil, "results", "--batch", "nothing", "--output", file)
	require.ErrorIs(t, err, errNoTasks)
	again, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, data, again, "the file is untouched")
}

func TestWriteAtomically(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := mustWrite(t, filepath.Join(dir, "file"), "old")
	err := writeAtomically(path, func(file *os.File) error {
		_, err := file.WriteString("half")
		require.NoError(t, err)
		return errCut
	})
	require.ErrorIs(t, err, errCut)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestCancelAndRerun_WaitForWhatIsNotTakenIn(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	line := `{"id":"early","input":"My card was declined."}`
	_, err := b.run(strings.NewReader(line), "publish", "--feature", "ticket-triage", "--batch", "night", "-")
	require.NoError(t, err)

	out := b.mustRun("cancel", "--batch", "night")
	require.Contains(t, out.stdout, "cancelled 0 tasks")
	require.Contains(t, out.stderr, "not all published tasks are taken in yet")

	b.startIngest() // which the command overtakes
	out = b.mustRun("cancel", "--batch", "night")
	require.Contains(t, out.stdout, "cancelled 1 task;")
	require.Empty(t, out.stderr)
	out = b.mustRun("rerun", "--failed", "--batch", "night")
	require.Contains(t, out.stdout, "gave 1 task a new run")
	require.Empty(t, out.stderr)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	b.startIngest()
	b.publishLabel("night", 1_005) // more than a page
	b.publishLabel("day", 2)
	b.end("night", task.Succeeded, "night-1")
	late := b.releaseOne("night", "night-2")

	for _, args := range [][]string{{"cancel"}, {"cancel", "--tenant", "default"}, {"rerun", "--failed"}} {
		_, err := b.run(nil, args...)
		require.ErrorIs(t, err, errUsage)
	}
	require.Contains(t, b.mustRun("cancel", "--batch", "night", "--dry-run").stdout, "1004 tasks would be cancelled")
	require.Contains(t, b.mustRun("cancel", "--batch", "night", "--tenant", "acme").stdout, "cancelled 0 tasks")
	require.Contains(t, b.mustRun("cancel", "--id", "day-1").stdout, "cancelled 1 task;")
	require.Contains(t, b.mustRun("cancel", "--batch", "night").stdout, "cancelled 1004 tasks;")
	require.Contains(t, b.mustRun("cancel", "--batch", "night").stdout, "cancelled 0 tasks")

	require.Equal(t, 1_004, b.count(`
		SELECT count(*) FROM weir.tasks t JOIN weir.results r ON r.task_id = t.id
		WHERE t.batch = 'night' AND t.state = 'cancelled' AND r.status = 'cancelled' AND r.published_at IS NULL`))
	b.answerLate(late)
	require.Equal(t, 1, b.count(`
		SELECT count(*) FROM weir.tasks
		WHERE id = $1 AND state = 'cancelled' AND cost_pusd = 7 AND bundle_id IS NULL`, late.TaskID))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM weir.tasks WHERE batch = 'day' AND state = 'queued'`))
}

// releaseOne puts a task into a bundle with a call under way.
func (b *testBundle) releaseOne(label, id string) store.Intent {
	b.tb.Helper()
	intent := store.Intent{
		TaskID: b.taskID(label, id), BundleID: uuid.New(), AttemptID: uuid.New(), Owner: uuid.New(), Provider: "anthropic",
		Model: "haiku", ModelAsked: "haiku", Mode: "sync", ConfigHash: "hash", StartedAt: time.Now(),
		Bound: new(task.Pico(9)),
	}
	_, err := b.pool.Exec(b.tb.Context(),
		`UPDATE weir.tasks SET state = 'released', bundle_id = @bundle, model = 'haiku' WHERE id = @task`,
		pgx.NamedArgs{"bundle": intent.BundleID, "task": intent.TaskID})
	require.NoError(b.tb, err)
	allowed, err := store.InsertIntents(b.tb.Context(), b.pool, []store.Intent{intent})
	require.NoError(b.tb, err)
	require.True(b.tb, allowed[intent.AttemptID])
	return intent
}

// answerLate settles the call of a task that has ended meanwhile.
func (b *testBundle) answerLate(i store.Intent) {
	b.tb.Helper()
	err := pgx.BeginFunc(b.tb.Context(), b.pool, func(tx pgx.Tx) error {
		settled, err := store.Settle(b.tb.Context(), tx, []store.Settlement{{
			TaskID: i.TaskID, BundleID: i.BundleID, AttemptID: i.AttemptID, State: store.AttemptClosed, Counted: true,
			Verdict: store.VerdictAccepted, Cost: new(task.Pico(7)), FinishedAt: time.Now(), Output: []byte("late"),
			Next: store.Next{State: string(task.Succeeded), Model: "haiku", ResultID: uuid.New()},
		}})
		require.True(b.tb, settled[i.AttemptID].Fenced)
		return err
	})
	require.NoError(b.tb, err)
}

func TestRerunCommand(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	b.startIngest()
	b.publishLabel("night", 1_003) // more than a page
	b.mustRun("cancel", "--batch", "night")
	before := b.count(`SELECT count(*) FROM river.river_job WHERE kind = 'weir_classify'`)

	_, err := b.run(nil, "rerun", "--batch", "night")
	require.ErrorIs(t, err, errUsage, "--failed has to be said")
	require.Contains(t, b.mustRun("rerun", "--failed", "--batch", "night", "--dry-run").stdout, "1003 tasks would run again")
	require.Contains(t, b.mustRun("rerun", "--failed", "--id", "night-7").stdout, "gave 1 task a new run")
	_, err = b.pool.Exec(t.Context(), `DELETE FROM weir.payloads WHERE task_id = $1`, b.taskID("night", "night-8"))
	require.NoError(t, err)
	out := b.mustRun("rerun", "--failed", "--batch", "night")
	require.Contains(t, out.stdout, "gave 1001 tasks a new run")
	require.Contains(t, out.stderr, "1 task cannot run again: the text has been deleted")
	require.Contains(t, b.mustRun("rerun", "--failed", "--batch", "night").stdout, "gave 0 tasks a new run")

	require.Equal(t, 3, b.count(`SELECT count(*) FROM river.river_job WHERE kind = 'weir_classify'`)-before)
	require.Equal(t, 1_002, b.count(`
		SELECT count(*)
		FROM weir.tasks t
		JOIN river.river_job j ON j.kind = 'weir_classify' AND j.args ->> 'batch' = t.ingest_batch::text
		WHERE t.batch = 'night' AND t.state = 'queued' AND t.run = 2`))
}
