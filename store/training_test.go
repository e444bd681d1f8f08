package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestLabelledTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	save := func(success catalog.Success) {
		require.NoError(t, store.SaveCatalog(t.Context(), b.pool, time.Now(), &catalog.Catalog{
			Providers: map[string]catalog.Provider{"acme-ai": {}},
			Models: map[string]catalog.Model{
				miniModel: {Provider: "acme-ai", ID: "acme-mini-1", Tier: catalog.Mini},
				midModel:  {Provider: "acme-ai", ID: "acme-mid-1", Tier: catalog.Mid},
			},
			Features: map[string]catalog.Feature{"triage": {Name: "triage", Success: success}},
		}, nil))
	}
	save(catalog.SuccessValidated)
	calls := b.called(4, func(n *store.NewTask) { n.CallPath = "inbox" })
	byMini, byMid, byFallback, failed := calls[0], calls[1], calls[2], calls[3]
	b.settle(byMini.accepted(), byMid.rejected(), byFallback.errored(), failed.rejected(func(s *store.Settlement) {
		s.Next = store.Next{State: string(task.Failed), Model: miniModel, ResultID: id()}
	}))
	for _, c := range []call{byMid, byFallback} { // the one after mini was rejected, the other after it was away
		bundle := b.release(c.task)
		intent := b.intent(bundle, c.task)
		intent.Model = midModel
		_, err := store.InsertIntents(t.Context(), b.pool, []store.Intent{intent})
		require.NoError(t, err)
		b.settle(call{task: c.task, bundle: bundle, attempt: intent.AttemptID}.accepted())
	}
	levels := func() map[uuid.UUID]int {
		found, after := map[uuid.UUID]int{}, uuid.Nil
		for {
			page, err := store.LabelledTasks(t.Context(), b.pool, time.Now().Add(-time.Hour), after, 2)
			require.NoError(t, err)
			if len(page) == 0 {
				return found
			}
			for _, l := range page {
				require.Equal(t, []string{"acme", "triage", "inbox"}, []string{l.Tenant, l.Feature, l.CallPath})
				require.Contains(t, string(l.Body), `"input":"text"`)
				found[l.ID] = l.Level
			}
			after = page[len(page)-1].ID
		}
	}
	require.Equal(t, map[uuid.UUID]int{byMini.task: 1, byMid.task: 2, byFallback.task: 0}, levels(),
		"mini, which was not asked in the third, might have done")

	save(catalog.SuccessOutcome)
	require.Equal(t, map[uuid.UUID]int{byMini.task: 0, byMid.task: 0, byFallback.task: 0}, levels(), "no outcome is known")
	b.report(report(1, task.Outcome{TaskID: &byMini.task}), report(2, task.Outcome{TaskID: &byMid.task, Success: true}))
	require.Equal(t, map[uuid.UUID]int{byMini.task: 2, byMid.task: 2, byFallback.task: 0}, levels(), "mini was not enough")
}
