package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// letter is a dead letter of a message; the producer behind it can be answered.
func letter(seq uint64, change ...func(*store.DeadLetter)) store.DeadLetter {
	l := store.DeadLetter{
		ID: id(), Stream: task.StreamTasks, Seq: seq, StoredAt: time.Date(2026, 3, 1, 0, 0, 0, 123_456_789, time.UTC),
		Subject: "weir.tasks.acme.triage", Key: "key", Code: string(task.CodeInvalidValue), Reason: "priority is 9",
		Body:    []byte(`{"priority":9}`),
		Refusal: &store.Refusal{TaskID: id(), ResultID: id(), Tenant: "acme", Feature: "triage", Batch: "nightly"},
	}
	for _, c := range change {
		c(&l)
	}
	return l
}

func (b *testBundle) bury(letters ...store.DeadLetter) {
	b.tb.Helper()
	require.NoError(b.tb, pgx.BeginFunc(b.tb.Context(), b.pool, func(tx pgx.Tx) error {
		return store.InsertDeadLetters(b.tb.Context(), tx, id(), time.Now(), letters)
	}))
}

func TestInsertDeadLetters(t *testing.T) {
	t.Parallel()

	t.Run("AnswersTheProducer", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		refused := letter(1)
		b.bury(refused)

		got := b.task(refused.Refusal.TaskID)
		require.Equal(t, "refused", got.State)
		require.Equal(t, "priority is 9", *got.Reason)
		results, err := store.Unpublished(t.Context(), b.pool, 0, store.ResultPosition{}, 10)
		require.NoError(t, err)
		require.Len(t, results, 1)
		result := results[0].Result()
		require.Equal(t, refused.Refusal.ResultID, result.ResultID)
		require.Equal(t, task.Refused, result.Status)
		require.Equal(t, []string{"key", "acme", "triage", "nightly", "priority is 9"},
			[]string{result.ID, result.Tenant, result.Feature, result.Batch, result.Reason})
		require.Zero(t, b.count("weir.task_keys"), "a corrected body may use the key")
		ledgertest.Check(t, b.pool)
	})

	t.Run("ARedeliveredMessageInsertsNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.bury(letter(1), letter(1, func(l *store.DeadLetter) { l.Member = 1 }))
		b.bury(letter(1), letter(1, func(l *store.DeadLetter) { l.Member = 1 }), letter(2))
		// a stream that was made anew counts from 1 again
		b.bury(letter(1, func(l *store.DeadLetter) { l.StoredAt = l.StoredAt.Add(time.Microsecond) }))

		require.Equal(t, 4, b.count("weir.dead_letters"))
		require.Equal(t, 4, b.count("weir.results"))
		require.Equal(t, 4, b.count("weir.tasks"))
		ledgertest.Check(t, b.pool)
	})

	t.Run("WithoutARefusalNobodyIsAnswered", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.bury(letter(1, func(l *store.DeadLetter) { l.Refusal, l.Key = nil, "" }))
		require.Equal(t, 1, b.count("weir.dead_letters WHERE key IS NULL"))
		require.Zero(t, b.count("weir.tasks"))
	})

	t.Run("KeepsAnyBytes", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		raw := []byte("\x00\xff{\"id\": \"\\ud800\"}")
		hostile := letter(1, func(l *store.DeadLetter) {
			l.Body, l.Subject, l.Key, l.Reason = raw, "weir.tasks.acme.\xff", "a\x00key", "the field \"\xfe\x00\" is not known"
			l.Refusal.Batch = "label\x00"
		})
		empty := letter(2, func(l *store.DeadLetter) { l.Body = nil })
		b.bury(hostile, empty)

		row, body, err := store.DeadLetterBody(t.Context(), b.pool, hostile.ID)
		require.NoError(t, err)
		require.Equal(t, raw, body)
		require.Equal(t, "weir.tasks.acme.\uFFFD", row.Subject)
		require.Equal(t, "a\uFFFDkey", *row.Key)
		_, body, err = store.DeadLetterBody(t.Context(), b.pool, empty.ID)
		require.NoError(t, err)
		require.Empty(t, body)
	})
}

func TestDeadLetters_Filter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := letter(1), letter(2, func(l *store.DeadLetter) { l.Code = string(task.CodeConflict) })
	third := letter(3)
	b.bury(first, second, third)
	require.NoError(t, store.MarkRedriven(t.Context(), b.pool, time.Now(), third.ID))

	tests := []struct {
		name   string
		filter store.DeadLetterFilter
		limit  int
		want   []uuid.UUID
	}{
		{"NewestFirst", store.DeadLetterFilter{}, 9, []uuid.UUID{third.ID, second.ID, first.ID}},
		{"AFirstPage", store.DeadLetterFilter{}, 2, []uuid.UUID{third.ID, second.ID}},
		{"TheNextPage", store.DeadLetterFilter{Before: second.ID}, 2, []uuid.UUID{first.ID}},
		{"OneCode", store.DeadLetterFilter{Code: string(task.CodeConflict)}, 9, []uuid.UUID{second.ID}},
		{"OpenOnes", store.DeadLetterFilter{Open: true}, 9, []uuid.UUID{second.ID, first.ID}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			letters, err := store.DeadLetters(t.Context(), b.pool, tt.filter, tt.limit)
			require.NoError(t, err)
			got := make([]uuid.UUID, len(letters))
			for i, l := range letters {
				got[i] = l.ID
				require.Equal(t, len(`{"priority":9}`), l.Bytes)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestDeadLetterBody_Unknown(t *testing.T) {
	t.Parallel()
	_, _, err := store.DeadLetterBody(t.Context(), setup(t).pool, id())
	require.ErrorIs(t, err, pgx.ErrNoRows)
}
