package replay_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/replay"
)

func point(accuracy float64, usd int64) replay.Point {
	return replay.Point{Accuracy: accuracy, USD: (*replay.USD)(big.NewRat(usd, 1))}
}

// By hand: from 2 USD at 0.5 the hull goes to 6 at 0.9, over a point at 4 that lies below, and stays there up to 10.
func TestAIQ(t *testing.T) {
	t.Parallel()
	points := []replay.Point{point(0.6, 4), point(0.9, 6), point(0.5, 2), point(0.7, 8)}
	require.InDelta(t, (4*0.7+4*0.9)/10, replay.AIQ(points, 10), 1e-9)
	require.InDelta(t, 4*0.7/6, replay.AIQ(points, 3), 1e-9, "no plan is cut off")
	require.Zero(t, replay.AIQ(nil, 10))
}

// pairOf is one prompt for each gain: + where only the strong model is right, - where only the weak one is, = where both are.
func pairOf(t *testing.T, gains string) *replay.Pair {
	t.Helper()
	var lines []string
	for i, g := range gains {
		weak, strong := 1.0, 1.0
		switch g {
		case '+':
			weak = 0
		case '-':
			strong = 0
		}
		lines = append(lines, fmt.Sprintf(`{"id":"%d","suite":"s","task":"t%d","prompt":"p","models":{"small":{"ok":%g},"big":{"ok":%g}}}`, i, i%3, weak, strong))
	}
	r, j, bad, err := replay.Read(strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	require.Empty(t, bad)
	p, err := replay.NewPair(r, j, "small", "big")
	require.NoError(t, err)
	return p
}

func TestPair_Route(t *testing.T) {
	t.Parallel()
	p := pairOf(t, "+=+=")
	best := p.Route([]float64{4, 1, 3, 0})
	// the lead is two: after one call half is kept, after two all
	require.InDelta(t, (0.25+0.75+1+1)/4, best.APGR, 1e-9)
	require.InDelta(t, 0.25, best.CPT50, 1e-9)
	require.InDelta(t, 0.5, best.CPT80, 1e-9)
	worst := p.Route([]float64{0, 3, 1, 4})
	require.InDelta(t, (0+0+0.25+0.75)/4, worst.APGR, 1e-9)
	require.InDelta(t, 0.75, worst.CPT50, 1e-9)
	require.InDelta(t, 1, worst.CPT80, 1e-9)
	even := p.Route(make([]float64, 4))
	require.Equal(t, even, p.Route([]float64{7, 7, 7, 7}), "equal scores have one order")
	// a loss is a loss: with one prompt that only the weak model can do, all calls to the strong one keep the whole lead again
	loss := pairOf(t, "++-").Route([]float64{3, 2, 1})
	require.InDelta(t, (0.5+1.5+1.5)/3, loss.APGR, 1e-9)
	require.InDelta(t, 1.0/3, loss.CPT80, 1e-9)
}

func TestPair_Lead(t *testing.T) {
	t.Parallel()
	p := pairOf(t, strings.Repeat("+===", 90))
	good, bad := make([]float64, 360), make([]float64, 360)
	for i := range good {
		good[i] = p.Gain(i)
		bad[i] = -p.Gain(i)
	}
	ci := p.Lead(good, bad)
	require.Positive(t, ci[0])
	require.LessOrEqual(t, ci[0], ci[1])
	require.Equal(t, ci, p.Lead(good, bad), "the same each time")
	require.Equal(t, [2]float64{}, p.Lead(good, good))
}

func TestNewPair_Refuses(t *testing.T) {
	t.Parallel()
	r, j, _, err := replay.Read(strings.NewReader(`{"id":"a","suite":"s","task":"t","prompt":"p","models":{"small":{"ok":1},"big":{"ok":0}}}`))
	require.NoError(t, err)
	_, err = replay.NewPair(r, j, "small", "huge")
	require.ErrorContains(t, err, `model "huge" was not recorded`)
	_, err = replay.NewPair(r, j, "small", "big")
	require.ErrorContains(t, err, "there is nothing to gain")
	weakest, strongest := replay.Extremes(r, j)
	require.Equal(t, []string{"big", "small"}, []string{weakest, strongest})
}

func TestTaskFolds(t *testing.T) {
	t.Parallel()
	r := &replay.Recordings{}
	for i := range 100 {
		r.Rows = append(r.Rows, replay.Row{ID: fmt.Sprint(i), Task: fmt.Sprintf("t%d", i%7)})
	}
	folds := replay.TaskFolds(r, 3)
	byTask, sizes := map[string]int{}, make([]int, 3)
	for i, fold := range folds {
		if before, ok := byTask[r.Rows[i].Task]; ok {
			require.Equal(t, before, fold, "a task is in one fold")
		}
		byTask[r.Rows[i].Task] = fold
		sizes[fold]++
	}
	require.Len(t, byTask, 7)
	for _, size := range sizes {
		require.GreaterOrEqual(t, size, 28)
	}
}
