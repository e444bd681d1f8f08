package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// report is an outcome of tenant acme, at a stream's sequence.
func report(seq uint64, o task.Outcome) store.NewOutcome {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return store.NewOutcome{
		ID: id(), Tenant: "acme", Feature: "triage", Outcome: o, At: at, StreamSeq: seq, StoredAt: at.Add(123_456_789),
	}
}

func (b *testBundle) report(outcomes ...store.NewOutcome) {
	b.tb.Helper()
	require.NoError(b.tb, store.InsertOutcomes(b.tb.Context(), b.pool, time.Now(), outcomes))
}

// joined is the task of the outcome at a sequence; nil when there is none.
func (b *testBundle) joined(seq uint64) *uuid.UUID {
	b.tb.Helper()
	return scalar[*uuid.UUID](b, `SELECT task_id FROM weir.outcomes WHERE stream_seq = $1`, seq)
}

func TestInsertOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine, second := b.accept(1)[0], b.accept(1)[0]
	foreign := b.accept(1, func(n *store.NewTask) { n.Tenant = "globex" })[0]

	value := task.Pico(-5)
	b.report(
		report(1, task.Outcome{TaskID: &mine, Success: true, ValueUSD: &value, Reason: "closed"}),
		report(2, task.Outcome{ID: "key-2", Success: false}),
		report(3, task.Outcome{TaskID: &foreign, Success: true}),
		report(4, task.Outcome{ID: "key-3", Success: true}), // globex's key
		report(5, task.Outcome{TaskID: &mine, ID: "key-2"}), // the task id decides
		report(6, task.Outcome{TaskID: new(id()), Success: true}),
	)
	b.report(report(1, task.Outcome{TaskID: &second, Success: false})) // redelivered

	require.Equal(t, []*uuid.UUID{&mine, &second, nil, nil, &mine, nil},
		[]*uuid.UUID{b.joined(1), b.joined(2), b.joined(3), b.joined(4), b.joined(5), b.joined(6)})
	require.Equal(t, 6, b.count("weir.outcomes"))
	require.Equal(t, 1, b.count(`weir.outcomes
		WHERE stream_seq = 1 AND success AND value_pusd = -5 AND reason = 'closed' AND key IS NULL`))
	ledgertest.Check(t, b.pool)
}

func TestInsertOutcomes_TheLastOneWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	taskID := b.accept(1)[0]
	late, early := report(1, task.Outcome{TaskID: &taskID, Success: true}), report(2, task.Outcome{TaskID: &taskID})
	late.At = early.At.Add(time.Hour)
	b.report(late, early)

	const last = `SELECT success FROM weir.outcomes WHERE task_id = $1 ORDER BY at DESC, id DESC LIMIT 1`
	require.True(t, scalar[bool](b, last, taskID), "what was known last, not what came last")

	tied := report(3, task.Outcome{TaskID: &taskID})
	tied.At = late.At
	b.report(tied)
	require.False(t, scalar[bool](b, last, taskID), "of two at one time what came last")
	require.Equal(t, 3, b.count("weir.outcomes"), "the history stays")
}

func TestInsertOutcomes_TenThousandAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	taskID := b.accept(1)[0]
	outcomes := make([]store.NewOutcome, 10_000)
	for i := range outcomes {
		outcomes[i] = report(uint64(i+1), task.Outcome{ID: "key-1", Success: i%2 == 0})
	}
	b.report(outcomes...)
	require.Equal(t, 10_000, b.count("weir.outcomes WHERE task_id = $1", taskID))
}

func TestJoinOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.newTask(), b.newTask()
	stranger := b.newTask(func(n *store.NewTask) { n.Tenant = "globex" })
	b.report(
		report(1, task.Outcome{TaskID: &first.ID, Success: true}),
		report(2, task.Outcome{ID: second.Key, Success: true}),
		report(3, task.Outcome{ID: second.Key}),
		report(4, task.Outcome{TaskID: &stranger.ID, Success: true}),
		report(5, task.Outcome{ID: "never", Success: true}),
	)
	b.offer(first, second, stranger)

	n, err := store.JoinOutcomes(t.Context(), b.pool, time.Now().Add(time.Hour), 100)
	require.NoError(t, err)
	require.Zero(t, n, "all of them are older")
	n, err = store.JoinOutcomes(t.Context(), b.pool, time.Now().Add(-time.Hour), 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "as many as the limit allows")
	n, err = store.JoinOutcomes(t.Context(), b.pool, time.Time{}, 100)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = store.JoinOutcomes(t.Context(), b.pool, time.Time{}, 100)
	require.NoError(t, err)
	require.Zero(t, n, "the others stay")

	require.Equal(t, []*uuid.UUID{&first.ID, &second.ID, &second.ID, nil, nil},
		[]*uuid.UUID{b.joined(1), b.joined(2), b.joined(3), b.joined(4), b.joined(5)})
	ledgertest.Check(t, b.pool)
}
