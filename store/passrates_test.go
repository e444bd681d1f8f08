package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// Tasks that were put to a vote are counted apart, with every answer, and not before they have ended.
func TestTakeSnapshot_Votes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	ended := b.called(2, func(n *store.NewTask) { n.CallPath = "inbox" })
	for i := range ended {
		b.settle(ended[i].rejected(func(s *store.Settlement) { s.Validator, s.Vote = "agreement@1", &s.AttemptID }))
		b.settle(b.again(ended[i].task).accepted())
	}
	open := b.called(1, func(n *store.NewTask) { n.CallPath = "inbox" })
	b.settle(open[0].rejected())
	_, err := b.pool.Exec(ctx, `UPDATE weir.plans SET agree = 2`)
	require.NoError(t, err)

	now := time.Now()
	taken, err := store.TakeSnapshot(ctx, b.pool, now, now.Add(-time.Hour), now.Add(-24*time.Hour))
	require.NoError(t, err)
	require.True(t, taken)
	last, err := store.LastSnapshot(ctx, b.pool)
	require.NoError(t, err)
	rates, err := store.PassRates(ctx, b.pool, last.ID, 10)
	require.NoError(t, err)
	require.Len(t, rates, 2)
	accepted := map[bool]int64{}
	for _, rate := range rates {
		require.True(t, rate.Voting)
		require.EqualValues(t, 2, rate.Tried, "the open task's answer is not in it")
		accepted[rate.AskedFirst] = rate.Accepted
	}
	require.Equal(t, map[bool]int64{true: 0, false: 2}, accepted)
}

func TestTakeSnapshot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	require.NoError(t, store.SaveCatalog(ctx, b.pool, time.Now(), &catalog.Catalog{
		Providers: map[string]catalog.Provider{"acme-ai": {}},
		Models:    map[string]catalog.Model{miniModel: {Provider: "acme-ai", ID: "acme-mini-1", Tier: catalog.Mini}},
	}, nil))
	calls := b.called(4, func(n *store.NewTask) { n.CallPath = "inbox" })
	b.settle(calls[0].accepted(), calls[1].accepted(func(s *store.Settlement) { s.Cost = nil }), calls[2].rejected(), calls[3].errored())
	b.settle(b.again(calls[2].task).accepted())

	now := time.Now()
	since := now.Add(-time.Hour)
	none, err := store.LastSnapshot(ctx, b.pool)
	require.NoError(t, err)
	require.Nil(t, none)
	taken, err := store.TakeSnapshot(ctx, b.pool, now, since, now.Add(-24*time.Hour))
	require.NoError(t, err)
	require.True(t, taken)
	taken, err = store.TakeSnapshot(ctx, b.pool, now.Add(time.Minute), since, now.Add(-24*time.Hour))
	require.NoError(t, err)
	require.False(t, taken, "one was taken a minute ago")
	last, err := store.LastSnapshot(ctx, b.pool)
	require.NoError(t, err)
	rates, err := store.PassRates(ctx, b.pool, last.ID, 10)
	require.NoError(t, err)
	mini := catalog.Mini
	path := store.PassRate{Tenant: "acme", Feature: "triage", CallPath: "inbox", Class: task.L1, Model: miniModel, Tier: &mini}
	first, second := path, path
	mean, once := task.Pico(350), task.Pico(400)
	first.AskedFirst, first.Tried, first.Accepted, first.Cost, first.Priced = true, 3, 2, &mean, 2
	second.Tried, second.Accepted, second.Cost, second.Priced = 1, 1, &once, 1
	require.Equal(t, []store.PassRate{first, second}, rates, "an error is no answer, and an unknown cost is not 0")
	require.Equal(t, 2, b.count("weir.current_pass_rates"))

	taken, err = store.TakeSnapshot(ctx, b.pool, now.Add(25*time.Hour), now.Add(24*time.Hour), now.Add(time.Hour))
	require.NoError(t, err)
	require.True(t, taken, "a day later")
	require.Zero(t, b.count("weir.current_pass_rates"), "of tasks since then")
	require.Equal(t, 2, b.count("weir.pass_rates"), "the earlier one stays")
}
