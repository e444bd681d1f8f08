package cascade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

func doubtfulModels() map[string]cascade.Model {
	flat := func(prompt, output int64) (task.Pico, error) { return task.Pico(prompt + output), nil }
	return map[string]cascade.Model{
		"limited": {MaxInput: 1100, MaxOutput: 500, Countable: true, Expected: flat, Sideways: []string{"banded", "untold"}},
		"learnt": {
			MaxInput: 1100, Countable: true, Expected: flat, TokenFactor: 2, HighFactor: 2.5, LowFactor: 1.6,
		},
		"banded": {
			Countable: true, Expected: flat,
			OneBand:  func(least, most int64) bool { return (least > 1000) == (most > 1000) },
			SureBand: func(least, most int64) bool { return (least > 1000) == (most >= 850) },
		},
		"untold":  {MaxInput: 1100, Expected: flat},
		"service": {MaxInput: 1100, Countable: true, Translation: func(int64) (task.Pico, error) { return 1, nil }},
		"asked":   {MaxInput: 1100, Countable: true, Expected: flat, Counted: 1000},
	}
}

func TestDoubts(t *testing.T) {
	t.Parallel()
	limited, both := []string{"limited"}, []string{"limited", "banded"}
	for _, tt := range []struct {
		name        string
		order       []string
		least, most int64
		output      int64
		want        []string
	}{
		{"FarBelow", limited, 700, 700, 100, nil},
		{"HighMayNotFit", []string{"limited"}, 870, 870, 100, both}, // 1001 of 1000
		{"HighFits", []string{"untold", "limited"}, 869, 869, 100, []string{"banded"}},
		{"LowMayFit", limited, 1177, 1177, 100, both},
		{"LowDoesNotFit", limited, 1178, 1178, 100, nil},
		{"FarAboveBoth", limited, 2000, 2000, 100, nil},
		{"WholeRange", limited, 1, 5000, 100, both},
		{"AnswerTooLong", limited, 870, 870, 501, []string{"banded"}},
		{"WithinTheMargin", []string{"banded"}, 850, 850, 100, []string{"banded"}},
		{"BelowTheMargin", []string{"banded"}, 849, 849, 100, nil},
		{"RightAboveTheEdge", []string{"banded"}, 1177, 1177, 100, []string{"banded"}},
		{"SurelyAboveTheEdge", []string{"banded"}, 1178, 1178, 100, nil},
		{"LearntHighFits", []string{"learnt"}, 400, 400, 100, nil},
		{"LearntHighDoesNot", []string{"learnt"}, 401, 401, 100, []string{"learnt"}},
		{"LearntLowFits", []string{"learnt"}, 625, 625, 100, []string{"learnt"}},
		{"LearntLowDoesNot", []string{"learnt"}, 626, 626, 100, nil},
		{"NobodyToAsk", []string{"untold", "service", "gone"}, 1000, 1000, 100, nil},
		{"AskedAlready", []string{"asked"}, 1000, 1000, 100, nil},
		{"OnceEach", []string{"limited", "limited", "banded"}, 900, 900, 100, both},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, cascade.Doubts(doubtfulModels(), tt.order, tt.least, tt.most, tt.output))
		})
	}
}

// TestNew_TakesCountsAsTheyAre has a count decide where the estimate says the opposite, without a margin.
func TestNew_TakesCountsAsTheyAre(t *testing.T) {
	t.Parallel()
	plan := func(counted, neutral int64) cascade.Plan {
		models := doubtfulModels()
		model := models["learnt"]
		model.Counted = counted
		models["learnt"] = model
		return cascade.New(task.L1, models, []string{"learnt"}, cascade.Prompt{Tokens: neutral, MaxOutput: 100})
	}
	fits := plan(1000, 5000)
	require.Equal(t, []cascade.Stage{{Model: "learnt"}}, fits.Stages)
	require.Equal(t, "the prompt as its provider counts it and the longest answer fit its input limit of 1100 tokens",
		fits.Included[0].Reason)
	exceeds := plan(1001, 10)
	require.Empty(t, exceeds.Stages)
	require.Equal(t, "the prompt as its provider counts it and the longest answer exceed the model's input limit of 1100 tokens",
		exceeds.Excluded[0].Reason)
	require.Equal(t, fits, plan(999, 5001), "plans of many tasks are one")

	unlimited := cascade.New(task.L1, map[string]cascade.Model{
		"m": {Counted: 7, Expected: doubtfulModels()["learnt"].Expected},
	}, []string{"m"}, cascade.Prompt{Tokens: 1})
	require.Equal(t, "its provider has counted the prompt, and its input limit is not known", unlimited.Included[0].Reason)
}
