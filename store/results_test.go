package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestUnpublished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	calls := b.called(4)
	now := time.Now()
	ages := []time.Duration{time.Minute, 3 * time.Minute, -time.Hour, 2 * time.Minute}
	for i, c := range calls {
		b.settle(c.accepted(func(s *store.Settlement) { s.FinishedAt = now.Add(-ages[i]) }))
	}
	read := func(age time.Duration, limit int) []uuid.UUID {
		rows, err := store.Unpublished(t.Context(), b.pool, age, store.ResultPosition{}, limit)
		require.NoError(t, err)
		ids := make([]uuid.UUID, len(rows))
		for i, r := range rows {
			ids[i] = r.TaskID
		}
		return ids
	}
	oldest, older, old, young := calls[1].task, calls[3].task, calls[0].task, calls[2].task
	require.Equal(t, []uuid.UUID{oldest, older, old}, read(30*time.Second, 10), "the oldest first")
	require.Equal(t, []uuid.UUID{oldest, older}, read(90*time.Second, 10))
	require.Equal(t, []uuid.UUID{oldest}, read(30*time.Second, 1))
	page, err := store.Unpublished(t.Context(), b.pool, 30*time.Second, store.ResultPosition{}, 1)
	require.NoError(t, err)
	page, err = store.Unpublished(t.Context(), b.pool, 30*time.Second, page[0].Position(), 1)
	require.NoError(t, err)
	require.Equal(t, older, page[0].TaskID, "a page goes on behind the one before it")
	require.Equal(t, []uuid.UUID{oldest, older, old, young}, read(0, 10),
		"whoever asks for all gets all, also from a worker whose clock is ahead of the database's")

	require.NoError(t, store.MarkPublished(t.Context(), b.pool, now, []uuid.UUID{older, old, id()}))
	require.Equal(t, []uuid.UUID{oldest, young}, read(0, 10))
	require.NoError(t, store.MarkPublished(t.Context(), b.pool, now.Add(time.Hour), []uuid.UUID{older}))
	require.Equal(t, 2, b.count("weir.results WHERE published_at = $1", now.UTC().Truncate(time.Microsecond)), "the first time stays")
	require.NoError(t, store.MarkPublished(t.Context(), b.pool, now, nil))
}

func TestResultRow_Result(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.called(1, func(n *store.NewTask) {
		n.Batch = "nightly"
		n.Body = []byte(`{"input":"x","metadata":{"k":"v"},"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`)
	})[0]
	b.settle(c.errored())
	c = b.again(c.task)
	finished := time.Now().UTC().Truncate(time.Microsecond)
	s := c.accepted(func(s *store.Settlement) {
		s.FinishedAt, s.ToolCalls = finished, []byte(`[{"name":"refund","arguments":"{}"}]`)
	})
	b.settle(s)

	read := func() task.Result {
		rows, err := store.Unpublished(t.Context(), b.pool, 0, store.ResultPosition{}, 10)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		return rows[0].Result()
	}
	got := read()
	require.WithinDuration(t, time.Now(), got.AcceptedAt, time.Minute)
	want := task.Result{
		ResultID: s.Next.ResultID, TaskID: c.task, ID: "key-1", Tenant: "acme", Feature: "triage", Status: task.Succeeded,
		Class: task.L1, Model: miniModel, Output: "answer", ToolCalls: []task.ToolCall{{Name: "refund", Arguments: "{}"}},
		Attempts: 2, CostUSD: 400, CostHighUSD: 1_400, Batch: "nightly", Metadata: map[string]string{"k": "v"},
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", AcceptedAt: got.AcceptedAt, FinishedAt: finished,
	}
	require.Equal(t, want, got)
	require.Equal(t, time.UTC, got.FinishedAt.Location())

	b.exec(`DELETE FROM weir.payloads`)
	b.exec(`DELETE FROM weir.outputs`)
	want.Output, want.ToolCalls, want.Metadata, want.Traceparent = "", nil, nil, ""
	require.Equal(t, want, read(), "after its text was deleted")
	ledgertest.Check(t, b.pool)
}

func TestResultRow_Result_OfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	row := store.ResultRow{Body: []byte("not JSON"), ToolCalls: json.RawMessage("neither"), Status: "refused"}
	got := row.Result()
	require.Nil(t, got.Metadata)
	require.Nil(t, got.ToolCalls)
	require.Equal(t, task.Refused, got.Status)
}

func TestBatchResults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	label := func(n *store.NewTask) { n.Batch = "nightly" }
	calls := b.called(5, label)
	for _, c := range calls[:4] {
		b.settle(c.accepted())
	}
	other := b.called(1)[0]
	b.settle(other.accepted())
	foreign := b.called(1, label, func(n *store.NewTask) { n.Tenant = "globex" })[0]
	b.settle(foreign.accepted())

	var read []uuid.UUID
	after := uuid.Nil
	for range 3 {
		page, err := store.BatchResults(t.Context(), b.pool, "acme", "nightly", after, 3)
		require.NoError(t, err)
		for _, r := range page {
			read = append(read, r.TaskID)
			after = r.TaskID
		}
	}
	require.Equal(t, []uuid.UUID{calls[0].task, calls[1].task, calls[2].task, calls[3].task}, read,
		"every result of the label, and of nobody else, once")
}
