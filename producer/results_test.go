package producer_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

func TestProducer_Wait_FindsWhatIsThere(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.deliver(t, task.Result{ID: "t-1", Status: task.Refused, Reason: "unknown field"})
	bundle.deliver(t, task.Result{ID: "t-2", Status: task.Succeeded})
	bundle.deliver(t, task.Result{ID: "t-1", Status: task.Succeeded, Output: "refund", CostUSD: task.USD / 500})
	bundle.deliver(t, task.Result{ID: "t-3", Status: task.Succeeded})

	got, err := bundle.Wait(t.Context(), "t-1")

	require.NoError(t, err)
	require.Equal(t, "refund", got.Output, "the newest result counts")
	require.Equal(t, task.USD/500, got.CostUSD)
}

func TestProducer_Wait_WaitsForWhatIsNot(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.deliver(t, task.Result{ID: "t-2", Status: task.Succeeded})
	got := make(chan *task.Result, 1)
	go func() {
		r, err := bundle.Wait(t.Context(), "t-1")
		if err == nil {
			got <- r
		}
		close(got)
	}()
	require.Eventually(t, func() bool { // until the reader is there
		stream, err := bundle.js.Stream(t.Context(), task.StreamResults)
		return err == nil && stream.CachedInfo().State.Consumers > 0
	}, 10*time.Second, time.Millisecond)

	bundle.deliver(t, task.Result{ID: "t-1", Status: task.Failed, Reason: "no model answered"})

	r := <-got
	require.NotNil(t, r)
	require.Equal(t, task.Failed, r.Status)
	require.Equal(t, "no model answered", r.Reason)
}

func TestProducer_Wait_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()

	_, err := bundle.Wait(ctx, "t-1")

	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, `wait for the result of "t-1"`)
}

func TestProducer_WaitFor_LooksWhereItIsTold(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.deliver(t, task.Result{ID: "t-1", Feature: "triage", Status: task.Succeeded, Output: "a"})
	bundle.deliver(t, task.Result{ID: "t-1", Feature: "invoices", Status: task.Succeeded, Output: "b"})

	got, err := bundle.WaitFor(t.Context(), "t-1", producer.Filter{Feature: "triage"})
	require.NoError(t, err)
	require.Equal(t, "a", got.Output)

	_, err = bundle.WaitFor(t.Context(), "t-1", producer.Filter{Feature: "a b"})
	require.ErrorContains(t, err, "feature must be")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = bundle.WaitFor(ctx, "t-1", producer.Filter{Since: time.Now().Add(time.Hour)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestProducer_Results(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.deliver(t, task.Result{ID: "t-1", Status: task.Succeeded, Batch: "night"})
	bundle.deliver(t, task.Result{ID: "t-2", Status: task.Succeeded, Feature: "invoices", Batch: "night"})
	bundle.deliver(t, task.Result{ID: "t-3", Status: task.Failed})
	tests := []struct {
		name   string
		filter producer.Filter
		want   []string
	}{
		{"All", producer.Filter{}, []string{"t-1", "t-2", "t-3"}},
		{"Feature", producer.Filter{Feature: "triage"}, []string{"t-1", "t-3"}},
		{"Batch", producer.Filter{Batch: "night"}, []string{"t-1", "t-2"}},
		{"IDs", producer.Filter{IDs: []string{"t-3", "t-9"}}, []string{"t-3"}},
		{"IDsFollowed", producer.Filter{IDs: []string{"t-1", "t-2"}, Follow: true}, []string{"t-1", "t-2"}},
		{"NoFeatureOfThatName", producer.Filter{Feature: "clauses"}, nil},
		{"Later", producer.Filter{Since: time.Now().Add(time.Hour)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for r, err := range bundle.Results(t.Context(), tt.filter) {
				require.NoError(t, err)
				got = append(got, r.ID)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestProducer_Results_Follow(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.deliver(t, task.Result{ID: "t-1", Status: task.Succeeded})
	var got []string

	for r, err := range bundle.Results(t.Context(), producer.Filter{Follow: true}) {
		require.NoError(t, err)
		got = append(got, r.ID)
		switch len(got) {
		case 1:
			bundle.deliver(t, task.Result{ID: "t-2", Status: task.Succeeded})
		case 2:
			bundle.deliver(t, task.Result{ID: "t-3", Status: task.Succeeded})
		}
		if len(got) == 3 {
			break
		}
	}

	require.Equal(t, []string{"t-1", "t-2", "t-3"}, got)
}

func TestProducer_Results_GoesOnBehindWhatIsNone(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for _, body := range []string{`{`, `{}`} {
		_, err := bundle.js.Publish(t.Context(), task.ResultSubject("acme", "triage"), []byte(body))
		require.NoError(t, err)
	}
	_, err := bundle.js.Publish(t.Context(), task.ResultSubject("acme", "triage"), []byte(`{"id":"t-1","status":"succeeded","added_later":1}`))
	require.NoError(t, err)

	var errs []error
	var ids []string
	for r, err := range bundle.Results(t.Context(), producer.Filter{}) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ids = append(ids, r.ID)
	}

	require.Len(t, errs, 2)
	require.ErrorContains(t, errs[0], "read result 1 of WEIR_RESULTS")
	require.ErrorContains(t, errs[1], "not a result")
	require.Equal(t, []string{"t-1"}, ids)
}

func TestProducer_Results_OnlyTheTenants(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.deliver(t, task.Result{ID: "t-1", Status: task.Succeeded})
	other := mustNew(t, bundle.server, producer.Config{Tenant: "other"})

	require.Empty(t, slices.Collect(func(yield func(string) bool) {
		for r, err := range other.Results(t.Context(), producer.Filter{}) {
			require.NoError(t, err)
			if !yield(r.ID) {
				return
			}
		}
	}))
}
