package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
)

func TestWarmth(t *testing.T) {
	t.Parallel()
	w, now := newWarmth(), time.Now()
	p := prefixOf{feature: "triage", model: "sonnet", cache: providers.Cache5m}
	const life = 5 * time.Minute

	first, alone := w.enter(p, now)
	require.True(t, alone)
	second, alone := w.enter(p, now.Add(time.Second))
	require.False(t, alone)
	require.Same(t, first, second)
	require.False(t, w.has(p, now), "it is not written yet")
	w.leave(first, true)
	w.leave(first, false) // once the bundle is over
	<-second.ready
	require.True(t, w.has(p, now))

	k, _ := w.enter(p, now.Add(life-time.Second))
	require.Nil(t, k, "warm")
	k, _ = w.enter(p, now.Add(life))
	require.Nil(t, k, "the one before has renewed it")
	require.False(t, w.has(p, now.Add(3*life)), "it is forgotten")
	_, alone = w.enter(p, now.Add(3*life))
	require.True(t, alone)

	other := p
	other.model = "opus"
	_, alone = w.enter(other, now)
	require.True(t, alone, "each model has its own")
	k, _ = w.enter(prefixOf{feature: "triage", model: "sonnet"}, now)
	require.Nil(t, k)
	w.leave(nil, true)
}

func TestWarmth_ACallWithoutAnAnswerHasWrittenNothing(t *testing.T) {
	t.Parallel()
	w, now := newWarmth(), time.Now()
	p := prefixOf{feature: "triage", model: "sonnet", cache: providers.Cache1h}
	first, _ := w.enter(p, now)
	waiting, _ := w.enter(p, now)
	w.leave(first, false)
	<-waiting.ready
	_, alone := w.enter(p, now)
	require.True(t, alone, "it is the next one's turn")
}
