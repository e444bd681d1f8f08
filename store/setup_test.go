package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// Models of the plan that the tests' tasks get: two stages, of which the first one has a fallback.
const (
	miniModel     = "mini"
	fallbackModel = "mini-too"
	midModel      = "mid"
	planStages    = `[{"model": "mini", "sideways": ["mini-too"]}, {"model": "mid"}]`
)

// bound is what every call of the tests may cost at most.
const bound task.Pico = 1_000

// testBundle is a database whose tasks go their way through the store's own functions.
type testBundle struct {
	tb    testing.TB
	pool  *pgxpool.Pool
	owner uuid.UUID // the process that makes the calls
	plan  uuid.UUID
	taken int // tasks accepted so far
}

func setup(tb testing.TB) *testBundle {
	tb.Helper()
	return setupOn(tb, pgtest.NewPool(tb))
}

func setupOn(tb testing.TB, pool *pgxpool.Pool) *testBundle {
	tb.Helper()
	b := &testBundle{tb: tb, pool: pool, owner: id(), plan: id()}
	require.NoError(tb, store.Register(tb.Context(), pool, time.Now(), store.Process{
		ID: b.owner, Host: "test", Roles: []string{"worker"}, Version: "v0",
	}))
	require.NoError(tb, store.InsertPlans(tb.Context(), pool, time.Now(), []store.StoredPlan{{
		ID: b.plan, Class: task.L1, Stages: []byte(planStages), Included: []byte("[]"), Excluded: []byte("[]"), ConfigHash: "hash",
	}}))
	return b
}

func id() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// newTask is a task of tenant acme and feature triage with a key of its own.
func (b *testBundle) newTask(change ...func(*store.NewTask)) store.NewTask {
	b.taken++
	key := fmt.Sprintf("key-%d", b.taken)
	n := store.NewTask{
		ID: id(), Tenant: "acme", Feature: "triage", Key: key, Hash: []byte("hash of " + key), Lane: task.LaneNow,
		Priority: task.DefaultPriority, Body: fmt.Appendf(nil, `{"id":%q,"input":"text"}`, key),
	}
	for _, c := range change {
		c(&n)
	}
	return n
}

// accept takes n tasks in.
func (b *testBundle) accept(n int, change ...func(*store.NewTask)) []uuid.UUID {
	b.tb.Helper()
	tasks, ids := make([]store.NewTask, n), make([]uuid.UUID, n)
	for i := range tasks {
		tasks[i] = b.newTask(change...)
		ids[i] = tasks[i].ID
	}
	intakes, err := store.InsertTasks(b.tb.Context(), b.pool, id(), time.Now(), tasks)
	require.NoError(b.tb, err)
	require.Equal(b.tb, make([]store.Intake, n), intakes, "all are new")
	return ids
}

// ready takes n tasks in and classifies them.
func (b *testBundle) ready(n int, change ...func(*store.NewTask)) []uuid.UUID {
	b.tb.Helper()
	ids := b.accept(n, change...)
	b.classify(miniModel, ids...)
	return ids
}

func (b *testBundle) classify(model string, ids ...uuid.UUID) {
	b.tb.Helper()
	classified := make([]store.Classified, len(ids))
	for i, taskID := range ids {
		classified[i] = store.Classified{
			TaskID: taskID, Class: task.L1, Source: "test", Confidence: 1, PlanID: b.plan, Model: model,
			ExpectedCost: 10, PromptTokens: 100, MaxOutput: 50,
		}
	}
	require.NoError(b.tb, store.MarkReady(b.tb.Context(), b.pool, classified))
}

// release puts ready tasks into one bundle.
func (b *testBundle) release(ids ...uuid.UUID) uuid.UUID {
	b.tb.Helper()
	bundle := store.Bundle{ID: id(), Feature: "triage", Provider: "acme-ai", Model: miniModel, Lane: "now", TaskIDs: ids}
	stored, err := store.Release(b.tb.Context(), b.pool, time.Now(), []store.Bundle{bundle})
	require.NoError(b.tb, err)
	require.Contains(b.tb, stored, bundle.ID)
	require.Len(b.tb, stored, 1)
	return bundle.ID
}

// released takes n tasks in and on into one bundle.
func (b *testBundle) released(n int, change ...func(*store.NewTask)) (uuid.UUID, []uuid.UUID) {
	b.tb.Helper()
	ids := b.ready(n, change...)
	return b.release(ids...), ids
}

func (b *testBundle) intent(bundle, taskID uuid.UUID) store.Intent {
	limit := bound
	return store.Intent{
		TaskID: taskID, BundleID: bundle, AttemptID: id(), Owner: b.owner, Provider: "acme-ai", Model: miniModel,
		ModelAsked: "acme-mini-1", Mode: "sync", Bound: &limit, ConfigHash: "hash", StartedAt: time.Now(),
	}
}

// call is an attempt in flight.
type call struct {
	task, bundle, attempt uuid.UUID
}

// begin commits the intents of a bundle's tasks.
func (b *testBundle) begin(bundle uuid.UUID, ids ...uuid.UUID) []call {
	b.tb.Helper()
	intents, calls := make([]store.Intent, len(ids)), make([]call, len(ids))
	for i, taskID := range ids {
		intents[i] = b.intent(bundle, taskID)
		calls[i] = call{task: taskID, bundle: bundle, attempt: intents[i].AttemptID}
	}
	inserted, err := store.InsertIntents(b.tb.Context(), b.pool, intents)
	require.NoError(b.tb, err)
	require.Len(b.tb, inserted, len(ids))
	return calls
}

// called takes n tasks in and on to a call each.
func (b *testBundle) called(n int, change ...func(*store.NewTask)) []call {
	b.tb.Helper()
	bundle, ids := b.released(n, change...)
	return b.begin(bundle, ids...)
}

// again releases a ready task anew and begins its next call.
func (b *testBundle) again(taskID uuid.UUID) call {
	b.tb.Helper()
	return b.begin(b.release(taskID), taskID)[0]
}

// accepted is the settlement of a call whose answer was accepted and cost 400 pico-USD.
func (c call) accepted(change ...func(*store.Settlement)) store.Settlement {
	cost := task.Pico(400)
	s := store.Settlement{
		TaskID: c.task, BundleID: c.bundle, AttemptID: c.attempt, State: store.AttemptClosed, Counted: true,
		Verdict: store.VerdictAccepted, StopReason: "end", ModelAnswered: "acme-mini-1-2026", HTTPStatus: 200,
		Usage: &task.Usage{Input: 100, CacheRead: 20, Output: 30, Reasoning: 5}, RawUsage: []byte(`{"in":100}`),
		Cost: &cost, PriceRow: "acme-mini@2026", PriceBook: "book", Latency: 1500 * time.Millisecond,
		RequestID: "req-1", FinishedAt: time.Now(), Output: []byte("answer"),
		Next: store.Next{State: string(task.Succeeded), Model: miniModel, ResultID: id()},
	}
	return with(s, change)
}

// rejected is the settlement of a call whose answer goes on to the second stage. It cost 300.
func (c call) rejected(change ...func(*store.Settlement)) store.Settlement {
	cost := task.Pico(300)
	s := c.accepted()
	s.Verdict, s.Validator, s.Reason, s.Failure = store.VerdictRejected, "enum@1", "not one of them", task.FailInvalid
	s.Cost = &cost
	s.Next = store.Next{State: store.StateReady, Stage: 1, Model: midModel, ExpectedCost: 70, Reason: "not one of them"}
	return with(s, change)
}

// errored is the settlement of a call that brought no answer and no usage; the same model is called again.
func (c call) errored(change ...func(*store.Settlement)) store.Settlement {
	s := store.Settlement{
		TaskID: c.task, BundleID: c.bundle, AttemptID: c.attempt, State: store.AttemptClosed, Counted: true,
		Verdict: store.VerdictErrored, Reason: "no whole answer", Failure: task.FailTimeout, FinishedAt: time.Now(),
		Next: store.Next{State: store.StateReady, Model: miniModel, ExpectedCost: 10, Reason: "no whole answer"},
	}
	return with(s, change)
}

// lost is what the reaper makes of a call whose process died.
func (c call) lost(change ...func(*store.Settlement)) store.Settlement {
	s := c.errored()
	s.State, s.Failure, s.Reason = store.AttemptLost, task.FailLost, "the process died"
	return with(s, change)
}

func with(s store.Settlement, change []func(*store.Settlement)) store.Settlement {
	for _, c := range change {
		c(&s)
	}
	return s
}

// settle settles in a transaction of its own.
func (b *testBundle) settle(settlements ...store.Settlement) map[uuid.UUID]store.Settled {
	b.tb.Helper()
	var settled map[uuid.UUID]store.Settled
	require.NoError(b.tb, pgx.BeginFunc(b.tb.Context(), b.pool, func(tx pgx.Tx) error {
		var err error
		settled, err = store.Settle(b.tb.Context(), tx, settlements)
		return err
	}))
	return settled
}

// storedTask is what the tests look at of a task.
type storedTask struct {
	State         string
	BundleID      *uuid.UUID
	Stage         int
	Sideways      int
	Model         *string
	Calls         int
	Attempts      int
	ModelAttempts int
	Lost          int
	Unpriced      int
	Cost          task.Pico
	CostHigh      task.Pico
	ExpectedCost  task.Pico
	Parked        bool // it has a not-before time
	Reason        *string
	Hint          *string
	Finished      bool
}

func (b *testBundle) task(taskID uuid.UUID) storedTask {
	b.tb.Helper()
	rows, err := b.pool.Query(b.tb.Context(), `
		SELECT state, bundle_id, stage, sideways, model, calls, attempts, model_attempts, lost_attempts,
		       unpriced_attempts, cost_pusd, cost_high_pusd, expected_cost_pusd, not_before IS NOT NULL, reason, hint,
		       finished_at IS NOT NULL
		FROM weir.tasks WHERE id = $1`, taskID)
	require.NoError(b.tb, err)
	stored, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[storedTask])
	require.NoError(b.tb, err)
	return stored
}

// states are the states of tasks in the order of the ids.
func (b *testBundle) states(ids ...uuid.UUID) []string {
	b.tb.Helper()
	states := make([]string, len(ids))
	for i, taskID := range ids {
		states[i] = b.task(taskID).State
	}
	return states
}

// count is the number of rows of a query's FROM clause.
func (b *testBundle) count(from string, args ...any) int {
	b.tb.Helper()
	return scalar[int](b, `SELECT count(*) FROM `+from, args...)
}

func (b *testBundle) exec(sql string, args ...any) {
	b.tb.Helper()
	_, err := b.pool.Exec(b.tb.Context(), sql, args...)
	require.NoError(b.tb, err)
}

// scalar is the one value of a query.
func scalar[T any](b *testBundle, sql string, args ...any) T {
	b.tb.Helper()
	var value T
	require.NoError(b.tb, b.pool.QueryRow(b.tb.Context(), sql, args...).Scan(&value))
	return value
}

// waitForLock waits until a session of the test's database waits for a lock.
func (b *testBundle) waitForLock() {
	b.tb.Helper()
	require.Eventually(b.tb, func() bool {
		return b.count(`pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	}, 10*time.Second, 2*time.Millisecond)
}
