package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
)

func luna() store.GateKey { return store.GateKey{Scope: store.ScopeModel, Name: "luna"} }

func opening() store.Opening {
	return store.Opening{Failure: "server_error", Reason: "ten in a row", First: 15 * time.Second, Most: 5 * time.Minute}
}

func hard() store.Opening {
	o := opening()
	o.Failure, o.Hard = "auth", time.Hour
	return o
}

// gate is the one gate that matters now.
func (b *testBundle) gate() store.Gate {
	b.tb.Helper()
	gates, err := store.Gates(b.tb.Context(), b.pool)
	require.NoError(b.tb, err)
	require.Len(b.tb, gates, 1)
	return gates[0]
}

func (b *testBundle) open(key store.GateKey, o store.Opening) bool {
	b.tb.Helper()
	opened, err := store.OpenGate(b.tb.Context(), b.pool, key, o)
	require.NoError(b.tb, err)
	return opened
}

// due lets the time to the next probe pass.
func (b *testBundle) due() {
	b.tb.Helper()
	b.exec(`UPDATE weir.gates SET until = now()`)
}

// probe sends a probe and ends it.
func (b *testBundle) probe(end store.ProbeEnd, o store.Opening) {
	b.tb.Helper()
	bundle := uuid.Must(uuid.NewV7())
	require.NoError(b.tb, store.StartProbe(b.tb.Context(), b.pool, bundle, []store.GateKey{luna()}, time.Minute))
	require.Equal(b.tb, store.GateProbing, b.gate().State)
	require.NoError(b.tb, store.EndProbe(b.tb.Context(), b.pool, bundle, store.ScopeModel, end, o))
}

func TestOpenGate_StaysShutLongerEachTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.True(t, b.open(luna(), opening()))
	require.False(t, b.open(luna(), opening()), "others find it open")
	for _, want := range []time.Duration{
		15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute,
	} {
		g := b.gate()
		require.Equal(t, store.GateOpen, g.State)
		require.InDelta(t, want, g.Left, float64(2*time.Second))
		require.False(t, g.Due())
		b.due()
		require.True(t, b.gate().Due())
		b.probe(store.ProbeDown, opening())
	}
}

func TestEndProbe(t *testing.T) {
	t.Parallel()

	t.Run("UpRampsAndClosesForGood", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.open(luna(), opening())
		b.probe(store.ProbeUp, opening())
		g := b.gate()
		require.Equal(t, store.GateRamping, g.State)
		require.False(t, g.Shut())
		require.NoError(t, store.CloseGates(t.Context(), b.pool, []store.GateKey{luna()}))
		gates, err := store.Gates(t.Context(), b.pool)
		require.NoError(t, err)
		require.Empty(t, gates)
		require.True(t, b.open(luna(), opening()))
		require.InDelta(t, 15*time.Second, b.gate().Left, float64(2*time.Second), "openings count anew")
	})

	t.Run("UpSinceTheReaderBegan", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.open(luna(), opening())
		reader, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = reader.Rollback(context.WithoutCancel(t.Context())) }()
		b.probe(store.ProbeUp, opening())
		gates, err := store.Gates(t.Context(), reader)
		require.NoError(t, err)
		require.Len(t, gates, 1)
		require.Equal(t, store.GateRamping, gates[0].State)
		require.Zero(t, gates[0].Ramped)
	})

	t.Run("FailuresWhileItRampsOpenItForLonger", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.open(luna(), opening())
		b.probe(store.ProbeUp, opening())
		require.True(t, b.open(luna(), opening()))
		require.InDelta(t, 30*time.Second, b.gate().Left, float64(2*time.Second))
	})

	t.Run("UnmadeTellsNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.open(luna(), hard())
		b.probe(store.ProbeUnmade, opening())
		g := b.gate()
		require.Equal(t, store.GateOpen, g.State)
		require.True(t, g.Hard)
		require.InDelta(t, 15*time.Second, g.Left, float64(2*time.Second))
	})

	t.Run("AnotherBundleChangesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.open(luna(), opening())
		require.NoError(t, store.StartProbe(t.Context(), b.pool, uuid.Must(uuid.NewV7()), []store.GateKey{luna()}, time.Minute))
		require.NoError(t, store.EndProbe(t.Context(), b.pool, uuid.Must(uuid.NewV7()), store.ScopeModel, store.ProbeUp, opening()))
		require.Equal(t, store.GateProbing, b.gate().State)
		require.False(t, b.gate().Due())
		b.due()
		require.True(t, b.gate().Due(), "a probe whose process has died is given up")
	})
}

func TestOpenGate_HardOutranksSoft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.True(t, b.open(luna(), opening()))
	require.True(t, b.open(luna(), hard()))
	require.False(t, b.open(luna(), opening()))
	g := b.gate()
	require.True(t, g.Hard)
	require.InDelta(t, time.Hour, g.Left, float64(2*time.Second))
	require.NoError(t, store.ProbeHard(t.Context(), b.pool))
	require.True(t, b.gate().Due())
}

func TestLimitGate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	limit := func(wait time.Duration) bool {
		limited, err := store.LimitGate(t.Context(), b.pool, luna(), wait, "rate_limited", "busy")
		require.NoError(t, err)
		return limited
	}
	require.True(t, limit(time.Minute))
	require.True(t, limit(time.Hour))
	require.False(t, limit(time.Second), "the longer wait stands")
	require.InDelta(t, time.Hour, b.gate().Left, float64(2*time.Second))
	require.True(t, b.open(luna(), opening()), "broken is worse than limited")
	require.False(t, limit(2*time.Hour))
	keys, err := store.ResetGates(t.Context(), b.pool, "luna")
	require.NoError(t, err)
	require.Equal(t, []store.GateKey{luna()}, keys)
	require.True(t, limit(time.Hour))
	b.exec(`UPDATE weir.gates SET until = now() - interval '1 s'`)
	gates, err := store.Gates(t.Context(), b.pool)
	require.NoError(t, err)
	require.Empty(t, gates, "a limit ends by itself")
}

func TestStrike(t *testing.T) {
	t.Parallel()
	b := setup(t)
	strike := func() bool {
		opened, err := store.Strike(t.Context(), b.pool, "triage", 3, time.Minute, hard())
		require.NoError(t, err)
		return opened
	}
	require.False(t, strike())
	require.False(t, strike())
	b.exec(`UPDATE weir.gates SET strikes_at = now() - interval '2 min'`)
	require.False(t, strike(), "a new minute")
	require.False(t, strike())
	require.True(t, strike())
	require.False(t, strike(), "it is open")
	require.Equal(t, store.GateKey{Scope: store.ScopeFeature, Name: "triage"}, b.gate().GateKey)
}

func TestBeat_TellsTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	self, other, silent := b.register(), b.register(), b.register()
	part := 0.5
	since := time.Now().UTC().Truncate(time.Second)
	rates := map[string]store.Rate{"google/lite": {Demand: 7, Part: &part, Since: &since}, "sol": {Demand: 2}}
	_, err := store.Beat(t.Context(), b.pool, other, rates, time.Minute)
	require.NoError(t, err)
	b.silence(silent, 2*time.Minute)
	b.open(luna(), opening())
	fleet, err := store.Beat(t.Context(), b.pool, self, nil, time.Minute)
	require.NoError(t, err)
	require.Contains(t, fleet.Peers, store.Peer{ID: other, Rates: rates})
	for _, peer := range fleet.Peers {
		require.NotContains(t, []uuid.UUID{self, silent}, peer.ID)
	}
	require.Len(t, fleet.Gates, 1)

	status, err := store.ProviderStatus(t.Context(), b.pool)
	require.NoError(t, err)
	require.Len(t, status, 2)
	require.Equal(t, "luna", status[0].Name)
	require.Equal(t, "server_error", status[0].Failure)
	require.Equal(t, "google/lite", status[1].Name)
	require.Equal(t, "slowed", status[1].State)
	require.Equal(t, 1, status[1].Processes)
	require.InDelta(t, part, *status[1].Part, 1e-9)
	require.True(t, since.Equal(*status[1].Since))
}

func TestMoveReady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.ready(3)
	line := store.Line{Model: *b.task(ids[0]).Model, Feature: b.newTask().Feature}
	waiting, err := store.Waiting(t.Context(), b.pool, line, 2)
	require.NoError(t, err)
	require.Len(t, waiting, 2)
	require.NotEmpty(t, waiting[0].Stages)
	b.release(ids[0])
	moves := make([]store.Move, len(ids))
	for i, id := range ids {
		moves[i] = store.Move{TaskID: id, Model: "nano", Sideways: 1, ExpectedCost: 5, Reason: "luna is left alone for now"}
	}
	moved, err := store.MoveReady(t.Context(), b.pool, moves)
	require.NoError(t, err)
	require.EqualValues(t, 2, moved, "the released one stays")
	require.Equal(t, 2, b.count(`weir.tasks WHERE model = 'nano' AND sideways = 1 AND state = 'ready' AND expected_cost_pusd = 5`))
	n, err := store.CountReady(t.Context(), b.pool, "nano", 1)
	require.NoError(t, err)
	require.Equal(t, 1, n, "it counts no further than it is asked to")
}
