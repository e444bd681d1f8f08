package planner_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// taught has seen so many prompts of which the model counted four times what weir counts, and as many of a call path of
// which it counted the same.
func taught(t *testing.T, n int) *planner.Planner {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	config := newCliffPlanner(t).Config
	config.Factors = planner.NewFactors(func() time.Time { return now })
	p := planner.New(config)
	for range n {
		for path, factor := range map[string]int64{"": 4, "mail": 1} {
			now = now.Add(time.Second)
			p.Learn("small", &task.Task{Feature: "bare", Input: words(100), CallPath: path}, factor*(100+framing))
		}
	}
	var rows []store.TokenRatios
	for _, seen := range p.Factors.Take() {
		rows = append(rows, planner.MergeRatios(store.TokenRatios{Model: seen.Model, Feature: seen.Feature, CallPath: seen.CallPath}, seen))
	}
	p.Factors.Learn(rows)
	return p
}

func expected(t *testing.T, p *planner.Planner, callPath string, n int) planner.Planned {
	t.Helper()
	planned, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), &task.Task{Feature: "bare", Input: words(n), CallPath: callPath}, 0)
	require.NoError(t, err)
	return planned
}

func TestFactors_PlansGoByWhatWasLearnt(t *testing.T) {
	t.Parallel()
	fresh, p := newCliffPlanner(t), taught(t, 60)
	// small takes 3,000 tokens with 200 of the answer; the book has 1.5 for each of weir's
	require.Equal(t, "small", expected(t, fresh, "", 1000).Model)
	require.Equal(t, "large", expected(t, p, "", 1000).Model, "4,000 do not fit")
	require.Equal(t, "large", expected(t, p, "web", 1000).Model, "a path that was not seen goes by its feature")
	require.Equal(t, "large", expected(t, fresh, "mail", 2000).Model)
	require.Equal(t, "small", expected(t, p, "mail", 2000).Model, "this path's prompts are short")
}

func TestFactors_FewPromptsTellNothing(t *testing.T) {
	t.Parallel()
	p := taught(t, planner.LeastRatios/2-1)
	require.Equal(t, "small", expected(t, p, "", 1000).Model)
}

func TestFactors_CountsAFewOfMany(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	config := newCliffPlanner(t).Config
	config.Factors = planner.NewFactors(func() time.Time { return now })
	p := planner.New(config)
	for range 1000 {
		now = now.Add(10 * time.Millisecond)
		p.Learn("small", &task.Task{Feature: "bare", Input: words(10)}, 20)
	}
	samples := int64(0)
	for _, seen := range p.Factors.Take() {
		if seen.Feature != "" {
			samples = seen.Samples
		}
	}
	require.EqualValues(t, 40, samples, "four a second")
	require.Empty(t, p.Factors.Take(), "taken once")
}
