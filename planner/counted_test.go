package planner_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/task"
)

// newCountingPlanner plans for a provider that can be asked.
func newCountingPlanner(tb testing.TB) *planner.Planner {
	tb.Helper()
	yaml := strings.Replace(cliffCatalog, "api: openai,", "api: openai-responses, count_tokens: true,", 1) +
		"  only: {cascade: [small], max_output_tokens: 200}\n"
	return newPlannerOf(tb, yaml)
}

func TestPlanCounted(t *testing.T) {
	t.Parallel()
	p := newCountingPlanner(t)
	small := []string{"small"}
	for _, tt := range []struct {
		name     string
		feature  string
		words    int
		doubts   []string // of the estimate
		counted  int64
		model    string // empty when none can take it
		expected task.Pico
	}{
		{"FarBelowTheEdge", "bare", 100, nil, 0, "small", 192*micro + 200*4*micro},
		{"WithinTheMarginCheap", "bare", 600, small, 1000, "small", 1000*micro + 200*4*micro},
		{"WithinTheMarginDear", "bare", 600, small, 1001, "small", 1001*2*micro + 200*4*micro},
		{"NotCounted", "bare", 600, small, 0, "small", 905*2*micro + 200*4*micro},
		{"RightPastTheEdgeCheap", "bare", 700, small, 900, "small", 900*micro + 200*4*micro},
		{"BetweenEdgeAndLimit", "bare", 1000, nil, 0, "small", 1505*2*micro + 200*4*micro},
		{"NearTheLimitFits", "bare", 1700, small, 2800, "small", 2800*2*micro + 200*4*micro},
		{"NearTheLimitDoesNotFit", "bare", 1700, small, 2801, "large", 1703*8*micro + 200*16*micro},
		{"RightPastTheLimitFits", "bare", 1900, small, 2000, "small", 2000*2*micro + 200*4*micro},
		{"FarPastTheLimit", "bare", 60_000, nil, 0, "large", 75_003*8*micro + 200*16*micro},
		{"TheOnlyModelFits", "only", 1900, small, 2000, "small", 2000*2*micro + 200*4*micro},
		{"TheOnlyModelDoesNotFit", "only", 1900, small, 2801, "", 0},
		{"NobodyKnowsWhetherTheOnlyModelFits", "only", 1900, small, 0, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			give := &task.Task{Feature: tt.feature, Input: words(tt.words)}
			estimated, _ := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), give, 0)
			require.Equal(t, tt.doubts, estimated.Doubts)
			require.Equal(t, 200, estimated.MaxOutput, "for the call that is counted, with an error too")
			counts := map[string]int64{"small": tt.counted, "gone": 7}
			got, err := p.PlanCounted(t.Context(), uuid.Must(uuid.NewV7()), give, 0, counts)
			if tt.model == "" {
				require.ErrorContains(t, err, "no model of the cascade can take the task")
				require.Equal(t, tt.counted > 0, strings.Contains(err.Error(), "as its provider counts it"))
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.model, got.Model)
			require.Equal(t, tt.expected, got.ExpectedCost)
			said := string(got.Plan.Included) + string(got.Plan.Excluded)
			require.Equal(t, tt.counted > 0, strings.Contains(said, "as its provider counts it"), said)
			if tt.counted > 0 {
				require.Empty(t, got.Doubts)
				require.EqualValues(t, tt.words+framing, got.PromptTokens, "weir's own count stays what it is")
			}
		})
	}
}

func TestPlan_DoubtsNeedAProviderThatIsAsked(t *testing.T) {
	t.Parallel()
	got, err := newCliffPlanner(t).Plan(t.Context(), uuid.Must(uuid.NewV7()), &task.Task{Feature: "bare", Input: words(600)}, 0)
	require.NoError(t, err)
	require.Empty(t, got.Doubts)
}

// Files are not at hand when a plan is made, so a count of the rest would say nothing; and what a model counts of files
// teaches nothing about its texts.
func TestPlan_FilesAreNeitherCountedNorLearntFrom(t *testing.T) {
	t.Parallel()
	p := newCountingPlanner(t)
	withFile := &task.Task{
		Feature: "bare", Input: words(600),
		Attachments: []task.Attachment{{URL: task.ObjectURL(task.DefaultBucket, "a"), MediaType: task.MediaPNG}},
	}
	got, _ := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), withFile, 0)
	require.Empty(t, got.Doubts)
	p.Learn("small", withFile, 10_000)
	require.Empty(t, p.Factors.Take())
	p.Learn("small", &task.Task{Feature: "bare", Input: words(600)}, 10_000)
	require.NotEmpty(t, p.Factors.Take())
}
