package ledgertest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// A ledger with a task in every state that weir's own functions reach.
func setup(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.NewPool(t)
	plan, tasks := uuid.New(), make([]store.NewTask, 7)
	for i := range tasks {
		key := fmt.Sprintf("key-%d", i)
		tasks[i] = store.NewTask{
			ID: uuid.Must(uuid.NewV7()), Tenant: "acme", Feature: "triage", Key: key, Hash: []byte(key),
			Lane: task.LaneNow, Priority: 2, Body: []byte("{}"),
		}
	}
	ctx := t.Context()
	_, err := store.InsertTasks(ctx, pool, uuid.New(), time.Now(), tasks)
	require.NoError(t, err)
	require.NoError(t, store.InsertPlans(ctx, pool, time.Now(), []store.StoredPlan{{
		ID: plan, Class: task.L1, Stages: []byte("[]"), Included: []byte("[]"), Excluded: []byte("[]"), ConfigHash: "hash",
	}}))
	classified, ids := make([]store.Classified, 6), make([]uuid.UUID, 5)
	for i := range classified {
		classified[i] = store.Classified{TaskID: tasks[i].ID, Class: task.L1, Source: "test", PlanID: plan, Model: "mini"}
	}
	require.NoError(t, store.MarkReady(ctx, pool, classified))
	for i := range ids {
		ids[i] = tasks[i].ID
	}
	bundle := uuid.New()
	_, err = store.Release(ctx, pool, time.Now(), []store.Bundle{{ID: bundle, Model: "mini", Lane: "now", TaskIDs: ids}})
	require.NoError(t, err)
	owner := uuid.New()
	require.NoError(t, store.Register(ctx, pool, time.Now(), store.Process{ID: owner, Roles: []string{}}))

	bound, cost, free := task.Pico(1_000), task.Pico(400), task.Pico(0)
	intents := make([]store.Intent, len(ids))
	for i, id := range ids {
		intents[i] = store.Intent{
			TaskID: id, BundleID: bundle, AttemptID: uuid.New(), Owner: owner, Mode: "sync", Bound: &bound, StartedAt: time.Now(),
		}
	}
	_, err = store.InsertIntents(ctx, pool, intents)
	require.NoError(t, err)
	closed := func(i int, next store.Next) store.Settlement {
		return store.Settlement{
			TaskID: ids[i], BundleID: bundle, AttemptID: intents[i].AttemptID, State: store.AttemptClosed, Counted: true,
			Verdict: store.VerdictErrored, FinishedAt: time.Now(), Next: next,
		}
	}
	succeeded := closed(0, store.Next{State: "succeeded", Model: "mini", ResultID: uuid.New()})
	succeeded.Verdict, succeeded.Cost, succeeded.Usage = store.VerdictAccepted, &cost, &task.Usage{Input: 1}
	succeeded.Output = []byte("answer")
	failed := closed(1, store.Next{State: "failed", Model: "mini", ResultID: uuid.New()})
	unpriced := closed(2, store.Next{State: "ready", Model: "mini"})
	unpriced.Usage = &task.Usage{Input: 1}
	notSent := closed(3, store.Next{State: "ready", Model: "mini", Wait: time.Hour})
	notSent.State, notSent.Counted, notSent.Cost = store.AttemptNotSent, false, &free
	_, err = store.Settle(ctx, pool, []store.Settlement{succeeded, failed, unpriced, notSent})
	require.NoError(t, err)
	require.NoError(t, store.InsertOutcomes(ctx, pool, time.Now(), []store.NewOutcome{{
		ID: uuid.New(), Tenant: "acme", Outcome: task.Outcome{TaskID: &ids[0]}, At: time.Now(), StoredAt: time.Now(),
	}}))
	return pool
}

// A checker that finds nothing is worth something only if it finds what is there: every invariant is broken once.
func TestViolations(t *testing.T) {
	t.Parallel()
	const (
		unchecked = `ALTER TABLE weir.tasks DROP CONSTRAINT tasks_finished_check, DROP CONSTRAINT tasks_fence_check; `
		succeeded = `(SELECT id FROM weir.tasks WHERE state = 'succeeded')`
		ready     = `(SELECT id FROM weir.tasks WHERE state = 'ready' AND calls = 0)`
		called    = `(SELECT id FROM weir.tasks WHERE state = 'released')`
	)
	tests := []struct {
		name       string
		invariant  string
		corruption string
	}{
		{"EndedWithoutATime", "TaskState", unchecked + `
			UPDATE weir.tasks SET state = 'cancelled' WHERE id = ` + ready + `;
			INSERT INTO weir.results (task_id, id, status, created_at)
			SELECT id, id, 'cancelled', now() FROM weir.tasks WHERE state = 'cancelled';
			UPDATE weir.tasks SET finished_at = NULL WHERE state = 'cancelled'`},
		{"ABundleAfterTheEnd", "TaskFence", unchecked + `
			UPDATE weir.tasks SET bundle_id = (SELECT id FROM weir.bundles) WHERE id = ` + succeeded},
		{"ABundleThatIsNotThere", "TaskFence", `UPDATE weir.tasks SET bundle_id = id WHERE id = ` + called},
		{"ParkedForEver", "TaskWait", `UPDATE weir.tasks SET not_before = NULL WHERE state = 'parked'`},
		{"ReadyAndWaiting", "TaskWait", `UPDATE weir.tasks SET not_before = now() WHERE state = 'ready'`},
		{"ReadyWithoutAPlan", "TaskPlan", `UPDATE weir.tasks SET plan_id = NULL WHERE id = ` + ready},
		{"ReadyWithoutAText", "TaskText", `DELETE FROM weir.payloads WHERE task_id = ` + ready},
		{"AKeyOfNoTask", "TaskKey", `UPDATE weir.task_keys SET task_id = gen_random_uuid() WHERE task_id = ` + ready},
		{"TwoTasksOfOneKey", "TaskKey", `
			INSERT INTO weir.tasks (id, tenant, feature, key, lane, priority, state, ingest_batch, payload_bytes, accepted_at)
			SELECT weir.uuid7_at(now()), tenant, feature, key, lane, priority, 'queued', ingest_batch, 2, accepted_at
			FROM weir.tasks WHERE id = ` + ready + `;
			INSERT INTO weir.payloads SELECT id, '{}' FROM weir.tasks WHERE id = weir.uuid7_at(now())`},
		{"AGapInTheNumbers", "AttemptNumbers", `UPDATE weir.attempts SET n = 2 WHERE task_id = ` + succeeded},
		{"AnAttemptThatIsNotCounted", "AttemptNumbers", `UPDATE weir.tasks SET attempts = attempts - 1 WHERE id = ` + succeeded},
		{"ACallOfADeadProcess", "AttemptAlive", `
			DELETE FROM weir.processes;
			UPDATE weir.tasks SET state = 'cancelled', bundle_id = NULL, finished_at = now() WHERE id = ` + called + `;
			INSERT INTO weir.results (task_id, id, status, created_at)
			SELECT id, id, 'cancelled', now() FROM weir.tasks WHERE state = 'cancelled'`},
		{"TwoCallsAtOnce", "AttemptAlive", `
			INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state,
			                           config_hash, started_at)
			SELECT task_id, task_id, task_id, 2, owner, stage, provider, model, model_asked, mode, state, config_hash, started_at
			FROM weir.attempts WHERE state = 'in_flight'`},
		{"AnAttemptOfNoTask", "AttemptTask", `
			DELETE FROM weir.task_keys WHERE task_id = ` + called + `;
			DELETE FROM weir.tasks WHERE state = 'released'`},
		{"AnEndWithoutAResult", "ResultOfTask", `DELETE FROM weir.results WHERE status = 'failed'`},
		{"AResultOfNoTask", "ResultOfTask", `
			INSERT INTO weir.results (task_id, id, status, created_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'failed', now())`},
		{"AResultOfALiveTask", "ResultOfTask", `
			INSERT INTO weir.results (task_id, id, status, created_at) SELECT id, id, 'failed', now() FROM weir.tasks WHERE id = ` + ready},
		{"AnotherStatus", "ResultOfTask", `UPDATE weir.results SET status = 'expired' WHERE status = 'failed'`},
		{"TwoResultsOfOneIdentity", "ResultIdentity", `UPDATE weir.results SET id = '00000000-0000-0000-0000-000000000001'`},
		{"ASuccessWithoutAnAnswer", "ResultAnswer", `DELETE FROM weir.outputs`},
		{"ASuccessWithoutAnAttempt", "ResultAnswer", `UPDATE weir.results SET attempt_id = NULL`},
		{"ASuccessThatWasRejected", "ResultAnswer", `UPDATE weir.attempts SET verdict = 'rejected' WHERE verdict = 'accepted'`},
		{"AnAttemptBeforeItsTask", "TimeOrder", `UPDATE weir.attempts SET started_at = started_at - interval '1 h'`},
		{"AnEndBeforeItsBeginning", "TimeOrder", `
			UPDATE weir.attempts SET finished_at = started_at - interval '1 ms' WHERE finished_at IS NOT NULL`},
		{"AForeignOutcome", "Tenant", `UPDATE weir.outcomes SET tenant = 'globex'`},
		{"ALostCost", "CostSum", `UPDATE weir.tasks SET cost_pusd = cost_pusd - 1 WHERE id = ` + succeeded},
		{"ALostBound", "CostSum", `UPDATE weir.tasks SET cost_high_pusd = 0 WHERE state = 'failed'`},
		{"AnUnknownCostThatNobodyCounts", "CostKnown", `UPDATE weir.tasks SET lost_attempts = 0 WHERE state = 'failed'`},
		{"AMissingPriceThatNobodyCounts", "CostKnown", `UPDATE weir.tasks SET unpriced_attempts = 0`},
		{"ACostOfNothing", "CostNotSent", `UPDATE weir.attempts SET input_tokens = 1 WHERE state = 'not_sent'`},
		{"ABoundThatIsNone", "CostBound", `UPDATE weir.attempts SET bound_pusd = 399 WHERE cost_pusd = 400`},
		{"MoneyAsAFloat", "MoneyType", `ALTER TABLE weir.bundles ADD COLUMN cost_usd double precision`},
		{"ACostOfAnotherPrice", "CostRecomputed", `
			INSERT INTO weir.prices (key, provider, model, valid_from, valid_until, status, variant, band, prompt_from, input_pusd,
			                         modes, geo, source, checked, updated_at)
			VALUES ('r', 'p', 'm', '-infinity', 'infinity', 'in_force', '', 1, 0, 401, '{}', '{}', 'test', now(), now());
			UPDATE weir.attempts SET price_row = 'r' WHERE verdict = 'accepted'`},
		{"APriceOfAnotherTime", "CostRecomputed", `
			INSERT INTO weir.prices (key, provider, model, valid_from, valid_until, status, variant, band, prompt_from, input_pusd,
			                         modes, geo, source, checked, updated_at)
			VALUES ('r', 'p', 'm', 'infinity', 'infinity', 'in_force', '', 1, 0, 400, '{}', '{}', 'test', now(), now());
			UPDATE weir.attempts SET price_row = 'r' WHERE verdict = 'accepted'`},
		{"NegativeTokens", "Tokens", `UPDATE weir.attempts SET reasoning_tokens = -1 WHERE verdict = 'accepted'`},
	}
	broken := map[string]bool{}
	for _, tt := range tests {
		broken[tt.invariant] = true
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pool := setup(t)
			_, err := pool.Exec(t.Context(), tt.corruption)
			require.NoError(t, err)
			found, err := ledgertest.Violations(t.Context(), pool)
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Regexp(t, "^"+tt.invariant+": ", found[0])
		})
	}
	require.Len(t, broken, 21, "every invariant has a corruption")

	t.Run("NoneOnACleanLedger", func(t *testing.T) {
		t.Parallel()
		ledgertest.Check(t, setup(t))
	})
}
