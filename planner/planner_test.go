package planner_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/media"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

const yaml = `
providers:
  openai: {api: openai, key_env: KEY}
models:
  luna: {provider: openai, id: gpt-6-luna, tier: mini, max_input: 1000}
  sol: {provider: openai, id: gpt-6.2-sol, tier: mid, max_input: 60000, max_output: 300}
cascades:
  L1: [luna, sol]
  L2: [sol]
  L3: [sol]
features:
  triage: {system: Sort it., max_output_tokens: 200}
`

// decide is a classifier of one answer.
type decide func() (classifier.Decision, error)

func (d decide) Classify(classifier.Subject) (classifier.Decision, error) { return d() }

func sure() (classifier.Decision, error) {
	return classifier.Decision{Class: task.L1, Source: "rule", Rule: "short", Confidence: 0.9}, nil
}

func newPlanner(t *testing.T, c classifier.Classifier) *planner.Planner {
	t.Helper()
	return plannerBy(t, yaml, c)
}

func plannerBy(t *testing.T, yaml string, c classifier.Classifier) *planner.Planner {
	t.Helper()
	parsed, err := catalog.Parse([]byte(yaml))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	models := planner.NewModels(parsed, book, func() time.Time { return time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) })
	require.Empty(t, models.Check())
	return planner.New(planner.Config{
		Catalog: parsed, Models: models, Classifier: c, Logger: slog.New(slog.DiscardHandler),
	})
}

func TestPlan(t *testing.T) {
	t.Parallel()
	p := newPlanner(t, decide(sure))
	id := uuid.Must(uuid.NewV7())
	got, err := p.Plan(t.Context(), id, &task.Task{Feature: "triage", Input: "Hello."}, 0)
	require.NoError(t, err)
	require.Equal(t, id, got.TaskID)
	require.Equal(t, task.L1, got.Class)
	require.Equal(t, "rule:short", got.Source)
	require.InDelta(t, 0.9, got.Confidence, 1e-9)
	require.Equal(t, "luna", got.Model)
	require.Equal(t, 200, got.MaxOutput)
	require.Positive(t, got.ExpectedCost)
	require.Equal(t, got.PlanID, got.Plan.ID)
	require.JSONEq(t, `[]`, string(got.Plan.Excluded))

	again, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), &task.Task{Feature: "triage", Input: "Goodbye."}, 50)
	require.NoError(t, err)
	require.Equal(t, got.Plan, again.Plan, "the id is the content's hash")
	require.Equal(t, 50, again.MaxOutput, "the task's own limit, where it is lower")
	require.Less(t, again.ExpectedCost, got.ExpectedCost)
}

func TestPlan_LeavesOutWhatIsTooSmall(t *testing.T) {
	t.Parallel()
	p := newPlanner(t, decide(sure))
	long := &task.Task{Feature: "triage", Input: string(make([]byte, 9_000))}
	got, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), long, 0)
	require.NoError(t, err)
	require.Equal(t, "sol", got.Model)
	require.Contains(t, string(got.Plan.Excluded), `"luna"`)
}

func TestPlan_SafeClass(t *testing.T) {
	t.Parallel()
	tests := map[string]decide{
		"Error": func() (classifier.Decision, error) { return classifier.Decision{}, errors.New("no model") },
		"Panic": func() (classifier.Decision, error) { panic("a bug") },
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newPlanner(t, c).Plan(t.Context(), uuid.Must(uuid.NewV7()), &task.Task{Feature: "triage", Input: "a"}, 0)
			require.NoError(t, err)
			require.Equal(t, task.L2, got.Class)
			require.Equal(t, "safe", got.Source)
			require.Zero(t, got.Confidence)
		})
	}
}

func TestPlan_Refuses(t *testing.T) {
	t.Parallel()
	of := func(class task.Class) decide {
		return func() (classifier.Decision, error) { return classifier.Decision{Class: class, Source: "task"}, nil }
	}
	tests := []struct {
		name string
		give decide
		task task.Task
		want string
	}{
		{
			name: "Feature", give: sure, task: task.Task{Feature: "gone"},
			want: `the feature "gone" is no longer configured`,
		},
		{
			name: "Class", give: of(task.L3), task: task.Task{Feature: "triage"},
			want: "no cascade is configured for class L3",
		},
		{
			name: "Length", give: of(task.L1), task: task.Task{Feature: "triage", Input: string(make([]byte, 9_000_000))},
			want: "no model of the cascade can take the task, about 2250009 tokens and an answer of at most 200: luna the estimated",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t, tt.give)
			delete(p.Catalog.Cascades, task.L3)
			_, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), &tt.task, 0)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestPlan_Attachments: only models that read what a task brings are planned, and a file counts before it is read.
func TestPlan_Attachments(t *testing.T) {
	t.Parallel()
	parsed, err := catalog.Parse([]byte(strings.NewReplacer(
		"openai: {", "google: {api: gemini, key_env: KEY}\n  openai: {",
		"tier: mini, max_input: 1000}", "tier: mini, input: [text, image]}\n  flash: {provider: google, id: gemini-3.5-flash, tier: mid}",
		"max_input: 60000, max_output: 300}", "max_output: 300}", "L1: [luna, sol]", "L1: [luna, flash, sol]",
	).Replace(yaml)))
	require.NoError(t, err)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	p := planner.New(planner.Config{
		Catalog: parsed, Classifier: decide(sure), Logger: slog.New(slog.DiscardHandler),
		Models: planner.NewModels(parsed, book, func() time.Time { return time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) }),
	})
	plan := func(types ...string) planner.Planned {
		one := &task.Task{Feature: "triage", Input: "Hello."}
		for _, mediaType := range types {
			one.Attachments = append(one.Attachments, task.Attachment{URL: "object:weir-attachments/a", MediaType: mediaType})
		}
		planned, err := p.Plan(t.Context(), uuid.Must(uuid.NewV7()), one, 0)
		require.NoError(t, err)
		return planned
	}
	text, image, two := plan(), plan(task.MediaPNG), plan(task.MediaPNG, task.MediaPDF)
	require.Equal(t, text.Plan, image.Plan, "all of them read images")
	require.Equal(t, text.PromptTokens+media.ImageTokens, image.PromptTokens)
	require.Greater(t, image.ExpectedCost, text.ExpectedCost)
	require.Equal(t, "flash", two.Model)
	require.Equal(t, text.PromptTokens+media.ImageTokens+media.PDFTokens, two.PromptTokens)
	require.JSONEq(t, `[{"model":"luna","reason":"does not read application/pdf"}]`, string(two.Plan.Excluded))
	require.JSONEq(t, `[{"model":"flash","reason":"does not read image/gif"}]`, string(plan(task.MediaGIF).Plan.Excluded))
	require.Equal(t, plan(task.MediaGIF, task.MediaPNG).Plan, plan(task.MediaPNG, task.MediaGIF).Plan)

	parsed.Cascades[task.L1] = []string{"luna"}
	_, err = p.Plan(t.Context(), uuid.Must(uuid.NewV7()), &task.Task{
		Feature: "triage", Attachments: []task.Attachment{{URL: "object:weir-attachments/a", MediaType: task.MediaPDF}},
	}, 0)
	require.ErrorContains(t, err, "no model of the cascade can take the task")
	require.ErrorContains(t, err, "luna does not read application/pdf")
}

func TestModels_Limits(t *testing.T) {
	t.Parallel()
	m := newPlanner(t, decide(sure)).Models
	require.Equal(t, media.OpenAI, m.Meter("sol"))
	require.EqualValues(t, 922_000, m.PromptLimit("sol"), "the provider's, not the stricter one of weir.yaml")
}
