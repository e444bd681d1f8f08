package worker

import (
	"cmp"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
)

// What changes while a member waits for a slot is seen before the call, and the slot is free for others again.
func TestStage_TakeLooksAgainAfterTheWait(t *testing.T) {
	t.Parallel()
	const wait = time.Second
	cases := []struct {
		name    string
		change  func(w *stage, cancel context.CancelFunc)
		window  time.Duration
		silence time.Duration // 0 means the default
		want    string
	}{
		{name: "nothing", window: time.Minute},
		{
			name: "the model is left alone", window: time.Minute, want: leftAlone,
			change: func(w *stage, _ context.CancelFunc) {
				w.gates.mu.Lock()
				defer w.gates.mu.Unlock()
				w.gates.shut[store.GateKey{Scope: store.ScopeModel, Name: "mini"}] = true
			},
		},
		{
			name: "the lease is in doubt", window: time.Minute, silence: wait, want: "the process cannot renew its lease",
		},
		{
			name: "the job is cancelled", window: time.Minute, want: jobCancelled,
			change: func(_ *stage, cancel context.CancelFunc) { cancel() },
		},
		{name: "the window ends", window: wait, want: windowEnded},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				timing := DefaultTiming()
				timing.Silence = cmp.Or(tc.silence, timing.Silence)
				models := &catalog.Catalog{Models: map[string]catalog.Model{"mini": {}}}
				w := &stage{
					catalog: models, gates: newGates(Config{Catalog: models, Timing: timing, Now: time.Now}), now: time.Now,
					lease: newLease(nil, uuid.Nil, timing, slog.New(slog.DiscardHandler)),
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				slots := make(chan struct{}, 1)
				slots <- struct{}{} // taken by another call
				window := time.NewTimer(tc.window)
				defer window.Stop()
				go func() {
					<-time.After(wait)
					if tc.change != nil {
						tc.change(w, cancel)
					}
					<-slots
				}()
				_, _, reason := w.take(ctx, &store.Member{Model: "mini"}, slots, window.C)
				require.Equal(t, tc.want, reason)
				synctest.Wait()
				if tc.want == "" {
					require.Len(t, slots, 1)
					return
				}
				require.Empty(t, slots)
			})
		})
	}
}

// A job outlives its longest call, also one that waits for room in the flex tier.
func TestStageTimeout_Flex(t *testing.T) {
	t.Parallel()
	c := &catalog.Catalog{
		Providers: map[string]catalog.Provider{"acme": {Timeout: time.Minute}},
		Models:    map[string]catalog.Model{"a": {Provider: "acme"}},
	}
	require.Equal(t, time.Minute+unwind, stageTimeout(c))
	c.Models["b"] = catalog.Model{Provider: "acme", ServiceTier: catalog.TierFlex}
	require.Equal(t, catalog.FlexTimeout+unwind, stageTimeout(c))
}
