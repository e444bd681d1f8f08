package worker

import (
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func queueFor(feature string, weight, n int, cost task.Pico) *queueOf {
	q := &queueOf{line: store.Line{Model: "m", Feature: feature}, weight: weight}
	for range n {
		q.candidates = append(q.candidates, store.Candidate{ID: uuid.New(), Feature: feature, Cost: cost})
	}
	return q
}

// spent is what each feature was given, by tasks and by cost.
func spent(picked []store.Candidate) (tasks map[string]int, cost map[string]task.Pico) {
	tasks, cost = map[string]int{}, map[string]task.Pico{}
	for _, c := range picked {
		tasks[c.Feature]++
		cost[c.Feature] += c.Cost
	}
	return tasks, cost
}

func TestShare(t *testing.T) {
	t.Parallel()

	t.Run("EverythingGoesWhenThereIsRoom", func(t *testing.T) {
		t.Parallel()
		a, b := queueFor("a", 1, 10, 5), queueFor("b", 1, 20, 5)
		a.line.Deficit = 7
		require.Len(t, share([]*queueOf{a, b}, 30), 30)
		require.Zero(t, a.line.Deficit, "nobody is owed anything")
	})

	t.Run("AFloodDoesNotStarveASmallFeature", func(t *testing.T) {
		t.Parallel()
		tasks, _ := spent(share([]*queueOf{queueFor("flood", 1, 1000, 10), queueFor("small", 1, 10, 10)}, 100))
		require.Equal(t, 10, tasks["small"])
		require.Equal(t, 90, tasks["flood"])
	})

	t.Run("CostIsSharedNotTasks", func(t *testing.T) {
		t.Parallel()
		_, cost := spent(share([]*queueOf{queueFor("dear", 1, 1000, 100), queueFor("cheap", 1, 1000, 1)}, 500))
		require.InDelta(t, float64(cost["dear"]), float64(cost["cheap"]), 200)
	})

	t.Run("WeightsCount", func(t *testing.T) {
		t.Parallel()
		tasks, _ := spent(share([]*queueOf{queueFor("a", 3, 1000, 10), queueFor("b", 1, 1000, 10)}, 400))
		require.InDelta(t, 300, tasks["a"], 3)
	})

	t.Run("FreeTasksEndToo", func(t *testing.T) {
		t.Parallel()
		require.Len(t, share([]*queueOf{queueFor("a", 1, 100, 0), queueFor("b", 1, 100, 0)}, 50), 50)
	})

	t.Run("DeficitsCarryFairnessOverRounds", func(t *testing.T) {
		t.Parallel()
		// a round of one task: only the deficit can remember whose turn it is
		deficits := map[string]task.Pico{}
		total := map[string]task.Pico{}
		for range 2000 {
			a, b := queueFor("a", 1, 50, 10), queueFor("b", 1, 50, 30)
			a.line.Deficit, b.line.Deficit = deficits["a"], deficits["b"]
			_, cost := spent(share([]*queueOf{a, b}, 1))
			total["a"] += cost["a"]
			total["b"] += cost["b"]
			deficits["a"], deficits["b"] = a.line.Deficit, b.line.Deficit
		}
		require.InEpsilon(t, float64(total["a"]), float64(total["b"]), 0.1)
	})
}

func TestShare_Properties(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var queues []*queueOf
		total := 0
		for i := range 1 + rng.IntN(5) {
			n := rng.IntN(40)
			total += n
			queues = append(queues, queueFor(string(rune('a'+i)), 1+rng.IntN(3), n, task.Pico(rng.Int64N(1000))))
		}
		room := rng.IntN(60)
		picked := share(queues, room)
		require.Len(t, picked, min(room, total), "room is neither exceeded nor wasted")
		seen := map[uuid.UUID]bool{}
		for _, c := range picked {
			require.False(t, seen[c.ID], "no task twice")
			seen[c.ID] = true
		}
	}
}
