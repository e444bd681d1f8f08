package cascade_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

func planModels() map[string]cascade.Model {
	priced := func(prompt, output int64) (task.Pico, error) { return task.Pico(prompt + output), nil }
	return map[string]cascade.Model{
		"small":    {MaxInput: 1000, MaxOutput: 500, TokenFactor: 1.5, Expected: priced, Sideways: []string{"other", "unpriced"}},
		"other":    {MaxInput: 1000, MaxOutput: 100, Expected: priced},
		"large":    {MaxInput: 100_000, MaxOutput: 8000, Expected: priced},
		"unpriced": {Expected: func(int64, int64) (task.Pico, error) { return 0, errors.New("no price in force") }},
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		prompt   cascade.Prompt
		stages   []cascade.Stage
		excluded []string
	}{
		{
			"Fits",
			cascade.Prompt{Tokens: 100, MaxOutput: 100},
			[]cascade.Stage{{Model: "small", Sideways: []string{"other"}}, {Model: "large"}},
			[]string{"unpriced"},
		},
		{
			"FactorCountsTowardsTheLimit", cascade.Prompt{Tokens: 601, MaxOutput: 100}, // 601*1.5 rounds up to 902
			[]cascade.Stage{{Model: "large"}}, []string{"small", "unpriced"},
		},
		{
			"ExactlyAtTheLimitFits",
			cascade.Prompt{Tokens: 600, MaxOutput: 100},
			[]cascade.Stage{{Model: "small", Sideways: []string{"other"}}, {Model: "large"}},
			[]string{"unpriced"},
		},
		{
			"AnswerAboveTheOutputLimit",
			cascade.Prompt{Tokens: 10, MaxOutput: 501},
			[]cascade.Stage{{Model: "large"}},
			[]string{"small", "unpriced"},
		},
		{"NothingFits", cascade.Prompt{Tokens: 200_000, MaxOutput: 100}, nil, []string{"small", "large", "unpriced"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := cascade.New(task.L1, planModels(), []string{"small", "large", "unpriced"}, tt.prompt)
			require.Equal(t, tt.stages, plan.Stages)
			require.Len(t, plan.Included, len(plan.Stages))
			for i, included := range plan.Included {
				require.Equal(t, plan.Stages[i].Model, included.Model)
				require.NotEmpty(t, included.Reason)
			}
			var excluded []string
			for _, e := range plan.Excluded {
				require.NotEmpty(t, e.Reason)
				excluded = append(excluded, e.Model)
			}
			require.ElementsMatch(t, tt.excluded, excluded)
		})
	}
}

// cliffModels are two models of equal tier: the cheaper one charges four times as much for prompts above 5,000 tokens.
func cliffModels() map[string]cascade.Model {
	return map[string]cascade.Model{
		"cliff": {
			MaxInput: 100_000, Sideways: []string{"dear", "flat"},
			Expected: func(prompt, output int64) (task.Pico, error) {
				if prompt > 5000 {
					return task.Pico(4 * (prompt + output)), nil
				}
				return task.Pico(prompt + output), nil
			},
			OneBand: func(least, most int64) bool { return least > 5000 || most <= 5000 },
		},
		"flat": {MaxInput: 100_000, Expected: func(prompt, output int64) (task.Pico, error) { return task.Pico(2 * (prompt + output)), nil }},
		"dear": {MaxInput: 100_000, Expected: func(prompt, output int64) (task.Pico, error) { return task.Pico(3 * (prompt + output)), nil }},
	}
}

func TestNew_GoesAroundAPriceCliff(t *testing.T) {
	t.Parallel()
	plan := func(models map[string]cascade.Model, prompt int64) cascade.Inclusion {
		p := cascade.New(task.L1, models, []string{"cliff"}, cascade.Prompt{Tokens: prompt, MaxOutput: 100})
		require.Len(t, p.Stages, 1)
		if p.Stages[0].Model == "flat" {
			require.Equal(t, []string{"cliff", "dear"}, p.Stages[0].Sideways, "in their order otherwise")
		}
		return p.Included[0]
	}
	short := plan(cliffModels(), 5000)
	require.Equal(t, "cliff", short.Model)
	require.Equal(t, "the prompt and the longest answer fit its input limit of 100000 tokens", short.Reason)

	long := plan(cliffModels(), 5001)
	require.Equal(t, "flat", long.Model)
	require.Equal(t, "the prompt and the longest answer fit its input limit of 100000 tokens, and costs less than cliff at the "+
		"rates of its long prompts", long.Reason)

	models := cliffModels()
	near := models["cliff"]
	near.TokenFactor, near.HighFactor = 1, 1.2
	models["cliff"] = near
	require.Equal(t, "cliff", plan(models, 4166).Model)
	require.Equal(t, "flat", plan(models, 4167).Model, "one of a hundred such prompts is beyond the edge")

	delete(models, "flat")
	delete(models, "dear")
	alone := plan(models, 5001)
	require.Equal(t, "cliff", alone.Model)
	require.Contains(t, alone.Reason, "at the rates of its long prompts")
}

func TestNew_TheLongestPromptsHaveToFit(t *testing.T) {
	t.Parallel()
	models := planModels()
	small := models["small"]
	small.TokenFactor, small.HighFactor = 1, 2
	models["small"] = small
	for tokens, want := range map[int64]string{450: "small", 451: "large"} { // 450*2+100 is the limit
		plan := cascade.New(task.L1, models, []string{"small", "large"}, cascade.Prompt{Tokens: tokens, MaxOutput: 100})
		require.Equal(t, want, plan.Stages[0].Model)
	}
}

func TestNew_PlansOfManyTasksAreOne(t *testing.T) {
	t.Parallel()
	order := []string{"small", "large", "unpriced"}
	tooLong := cascade.New(task.L1, planModels(), order, cascade.Prompt{Tokens: 2000, MaxOutput: 100})
	require.Equal(t, "the estimated prompt and the longest answer exceed the model's input limit of 1000 tokens",
		tooLong.Excluded[0].Reason)
	require.Equal(t, tooLong, cascade.New(task.L1, planModels(), order, cascade.Prompt{Tokens: 2001, MaxOutput: 99}))
	tooChatty := cascade.New(task.L1, planModels(), order, cascade.Prompt{Tokens: 10, MaxOutput: 501})
	require.Equal(t, "the answer may be longer than the model's output limit of 500 tokens", tooChatty.Excluded[0].Reason)
	require.Equal(t, tooChatty, cascade.New(task.L1, planModels(), order, cascade.Prompt{Tokens: 11, MaxOutput: 502}))
}

func TestAlike(t *testing.T) {
	t.Parallel()
	models := planModels()
	banded := models["large"]
	banded.OneBand = func(least, most int64) bool { return least > 5000 || most <= 5000 }
	banded.Sideways = []string{"other"}
	models["banded"] = banded
	tests := []struct {
		name        string
		order       []string
		least, most int64
		output      int64
		want        bool
	}{
		{"BothFit", []string{"small"}, 1, 600, 100, true}, // 600*1.5+100 is the limit
		{"LimitBetween", []string{"small"}, 600, 601, 100, false},
		{"BothTooLong", []string{"small"}, 601, 100_000, 100, true},
		{"LeftOutForItsOutput", []string{"small"}, 600, 601, 501, true},
		{"LimitOfALaterModel", []string{"small", "large"}, 10_000, 100_000, 100, false},
		{"LimitOfAFallback", []string{"banded"}, 900, 901, 100, false},
		{"EdgeBetween", []string{"banded"}, 5000, 5001, 100, false},
		{"PastTheEdgeTheCheapestFallbackGoesFirst", []string{"banded"}, 5001, 90_000, 100, false},
		{"PastTheEdgeAndCounted", []string{"banded"}, 5001, 5001, 100, true},
		{"EdgeOfAModelThatIsTooSmall", []string{"banded"}, 100_000, 200_000, 100, true},
		{"UnknownModel", []string{"ghost"}, 1, 1 << 40, 100, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, cascade.Alike(models, tt.order, tt.least, tt.most, tt.output))
		})
	}
}

func TestNew_UnknownModelIsNamed(t *testing.T) {
	t.Parallel()
	plan := cascade.New(task.L2, planModels(), []string{"ghost"}, cascade.Prompt{})
	require.Empty(t, plan.Stages)
	require.Equal(t, []cascade.Exclusion{{Model: "ghost", Reason: "is not defined under models"}}, plan.Excluded)
}

func TestNew_Translation(t *testing.T) {
	t.Parallel()
	models := planModels()
	perCharacter := func(n int64) (task.Pico, error) { return task.Pico(n), nil }
	models["service"] = cascade.Model{MaxInput: 10, MaxOutput: 1, MaxBytes: 20, Translation: perCharacter, Sideways: []string{"other"}}
	models["unpriced service"] = cascade.Model{Translation: func(int64) (task.Pico, error) { return 0, errors.New("no price in force") }}
	order := []string{"service", "unpriced service", "large"}
	tests := []struct {
		name string
		text *cascade.Text
		want string
	}{
		{"Fits", &cascade.Text{Characters: 10, Bytes: 20}, ""},
		{"TooLong", &cascade.Text{Characters: 11, Bytes: 11}, "the text is longer than the service's limit of 10 characters"},
		{"TooLarge", &cascade.Text{Characters: 10, Bytes: 21}, "the text is larger than the 20 bytes that a request to the service has room for"},
		{"NoText", nil, "translates a task's input and nothing else: the task brings messages, context, tools or attachments, or no input"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := cascade.New(task.L1, models, order, cascade.Prompt{Tokens: 1, MaxOutput: 100, Text: tt.text})
			if tt.want == "" {
				require.Equal(t, []cascade.Stage{{Model: "service", Sideways: []string{"other"}}, {Model: "large"}}, plan.Stages)
				require.Equal(t, []cascade.Exclusion{{Model: "unpriced service", Reason: "has no price: no price in force"}}, plan.Excluded)
				return
			}
			require.Equal(t, []cascade.Stage{{Model: "large"}}, plan.Stages)
			require.Equal(t, cascade.Exclusion{Model: "service", Reason: tt.want}, plan.Excluded[0])
		})
	}
}

// Tokens do not matter to a translation service, but to those that stand in for it.
func TestAlike_Translation(t *testing.T) {
	t.Parallel()
	service := cascade.Model{Translation: func(int64) (task.Pico, error) { return 0, nil }, MaxInput: 10, MaxOutput: 1}
	models := planModels()
	models["service"] = service
	require.True(t, cascade.Alike(models, []string{"service"}, 1, 1_000_000, 100))
	service.Sideways = []string{"other"}
	models["service"] = service
	require.False(t, cascade.Alike(models, []string{"service"}, 1, 1_000_000, 100))
}
