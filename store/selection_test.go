package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// backlog is a database with tasks that came in and ended through the store's own functions.
type backlog struct {
	tb   testing.TB
	pool *pgxpool.Pool
}

func newBacklog(tb testing.TB) *backlog {
	tb.Helper()
	return &backlog{tb: tb, pool: pgtest.NewPool(tb)}
}

// accept takes tasks in, whose keys are name-1, name-2, ..., and returns their ids.
func (b *backlog) accept(s store.Selection, n int) []uuid.UUID {
	b.tb.Helper()
	tasks, ids := make([]store.NewTask, n), make([]uuid.UUID, n)
	for i := range tasks {
		ids[i] = uuid.Must(uuid.NewV7())
		key := fmt.Sprintf("%s-%d", s.Key, i+1)
		tasks[i] = store.NewTask{
			ID: ids[i], Tenant: s.Tenant, Feature: s.Feature, Key: key, Hash: []byte(key), Batch: s.Batch,
			CallPath: "mail.go", Lane: task.LaneBatch, Priority: 3, Deadline: new(time.Now().Add(time.Hour)),
			MaxCost: new(task.USD), MaxOutput: 900,
			Body: fmt.Appendf(nil, `{"id":%q,"input":"text","max_output_tokens":700}`, key),
		}
	}
	intakes, err := store.InsertTasks(b.tb.Context(), b.pool, uuid.New(), time.Now(), tasks)
	require.NoError(b.tb, err)
	require.NotContains(b.tb, intakes, store.Duplicate)
	return ids
}

// end ends queued tasks.
func (b *backlog) end(status task.Status, ids ...uuid.UUID) {
	b.tb.Helper()
	endings := make([]store.Ending, len(ids))
	for i, id := range ids {
		endings[i] = store.Ending{TaskID: id, ResultID: uuid.New(), Status: status, Reason: "because"}
	}
	ended, err := store.Finish(b.tb.Context(), b.pool, time.Now(), []string{store.StateQueued}, endings)
	require.NoError(b.tb, err)
	require.Len(b.tb, ended, len(ids))
}

func (b *backlog) exec(sql string, args pgx.NamedArgs) {
	b.tb.Helper()
	_, err := b.pool.Exec(b.tb.Context(), sql, args)
	require.NoError(b.tb, err)
}

func (b *backlog) rerun(s store.Selection, limit int) int {
	b.tb.Helper()
	n, err := store.Rerun(b.tb.Context(), b.pool, time.Now(), uuid.New(), s, newIDs(limit))
	require.NoError(b.tb, err)
	return n
}

func newIDs(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	return ids
}

func TestLive(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	night := b.accept(store.Selection{Tenant: "acme", Feature: "triage", Batch: "night", Key: "a"}, 3)
	day := b.accept(store.Selection{Tenant: "acme", Feature: "summary", Batch: "day", Key: "b"}, 1)
	b.accept(store.Selection{Tenant: "other", Feature: "triage", Batch: "night", Key: "a"}, 1)
	b.end(task.Succeeded, night[1])

	tests := []struct {
		name      string
		selection store.Selection
		after     uuid.UUID
		limit     int
		want      []uuid.UUID
	}{
		{"Batch", store.Selection{Tenant: "acme", Batch: "night"}, uuid.Nil, 10, []uuid.UUID{night[0], night[2]}},
		{"Feature", store.Selection{Tenant: "acme", Feature: "summary"}, uuid.Nil, 10, day},
		{"Key", store.Selection{Tenant: "acme", Key: "a-3"}, uuid.Nil, 10, []uuid.UUID{night[2]}},
		{"Ended", store.Selection{Tenant: "acme", Key: "a-2"}, uuid.Nil, 10, nil},
		{"AllMustFit", store.Selection{Tenant: "acme", Batch: "night", Feature: "summary"}, uuid.Nil, 10, nil},
		{"TenantAlone", store.Selection{Tenant: "acme"}, uuid.Nil, 10, []uuid.UUID{night[0], night[2], day[0]}},
		{"Limit", store.Selection{Tenant: "acme"}, uuid.Nil, 1, night[:1]},
		{"NextPage", store.Selection{Tenant: "acme"}, night[0], 10, []uuid.UUID{night[2], day[0]}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			live, err := store.Live(t.Context(), b.pool, test.selection, test.after, test.limit)
			require.NoError(t, err)
			var got []uuid.UUID
			for _, l := range live {
				require.Equal(t, "acme", l.Tenant)
				got = append(got, l.TaskID)
			}
			require.Equal(t, test.want, got)
			if test.after == uuid.Nil && test.limit == 10 {
				n, err := store.CountLive(t.Context(), b.pool, test.selection)
				require.NoError(t, err)
				require.Len(t, test.want, n)
			}
		})
	}
}

func TestRerun(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	night := store.Selection{Tenant: "acme", Feature: "triage", Batch: "night", Key: "a"}
	old := b.accept(night, 5)
	night.Key = ""
	b.end(task.Failed, old[0])
	b.end(task.Expired, old[1])
	b.end(task.Cancelled, old[2])
	b.end(task.Succeeded, old[3])
	b.exec(`UPDATE weir.tasks SET cost_pusd = 7, cost_high_pusd = 9, max_output_tokens = 50 WHERE id = @id`,
		pgx.NamedArgs{"id": old[0]})
	batch, ids := uuid.New(), newIDs(10)

	n, err := store.Rerun(t.Context(), b.pool, time.Now(), batch, night, ids)

	require.NoError(t, err)
	require.Equal(t, 3, n)
	type fresh struct {
		Key, State, CallPath, Batch, Lane string
		Run, Priority, MaxOutput          int
		MaxCost, Cost                     int64
		Deadline                          *time.Time
		Body                              string
	}
	rows, err := b.pool.Query(t.Context(), `
		SELECT t.key, t.state, t.call_path, t.batch, t.lane, k.run, t.priority, t.max_output_tokens, t.max_cost_pusd,
		       t.cost_pusd, t.deadline, convert_from(p.body, 'UTF8')
		FROM weir.tasks t
		JOIN weir.task_keys k ON k.task_id = t.id AND k.key = t.key AND k.run = t.run
		JOIN weir.payloads p ON p.task_id = t.id
		WHERE t.ingest_batch = @batch
		ORDER BY t.id`, pgx.NamedArgs{"batch": batch})
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[fresh])
	require.NoError(t, err)
	want := make([]fresh, 3)
	for i := range want {
		key := fmt.Sprintf("a-%d", i+1)
		want[i] = fresh{
			Key: key, State: "queued", CallPath: "mail.go", Batch: "night", Lane: "batch", Run: 2, Priority: 3,
			MaxOutput: 700, MaxCost: int64(task.USD),
			Body: fmt.Sprintf(`{"id":%q,"input":"text","max_output_tokens":700}`, key),
		}
	}
	require.Equal(t, want, got)
	var state string
	var cost int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT state, cost_pusd FROM weir.tasks WHERE id = @id`,
		pgx.NamedArgs{"id": old[0]}).Scan(&state, &cost))
	require.Equal(t, "failed", state)
	require.EqualValues(t, 7, cost)
	require.Zero(t, b.rerun(night, 10), "a task whose new run has not ended")

	b.end(task.Failed, ids[0])
	require.Equal(t, 1, b.rerun(night, 10), "a third run")
}

func TestRerun_LeavesTasksWithoutText(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	s := store.Selection{Tenant: "acme", Feature: "triage", Batch: "night", Key: "a"}
	ids := b.accept(s, 3)
	s.Key = ""
	b.end(task.Failed, ids...)
	b.exec(`DELETE FROM weir.payloads WHERE task_id = @id`, pgx.NamedArgs{"id": ids[1]})

	withText, withoutText, err := store.Rerunnable(t.Context(), b.pool, s)

	require.NoError(t, err)
	require.Equal(t, 2, withText)
	require.Equal(t, 1, withoutText)
	require.Equal(t, 1, b.rerun(s, 1), "one page")
	require.Equal(t, 1, b.rerun(s, 10))
	require.Zero(t, b.rerun(s, 10))
}

func TestRerun_TwoAtOnceMakeOneRun(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	s := store.Selection{Tenant: "acme", Feature: "triage", Batch: "night", Key: "a"}
	b.end(task.Failed, b.accept(s, 20)...)
	s.Key = ""
	made := make([]int, 4)
	var group errgroup.Group
	for i := range made {
		group.Go(func() error {
			var err error
			made[i], err = store.Rerun(t.Context(), b.pool, time.Now(), uuid.New(), s, newIDs(20))
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 20, made[0]+made[1]+made[2]+made[3])
	live, err := store.CountLive(t.Context(), b.pool, s)
	require.NoError(t, err)
	require.Equal(t, 20, live)
}
