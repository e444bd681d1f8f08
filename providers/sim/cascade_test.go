package sim_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/sim/backlog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// cascadeHead is what a weir.yaml needs beside the backlog's features.
const cascadeHead = `
providers: {sim: {api: anthropic, base_url: "http://127.0.0.1", allow_private: true}}
models: {m: {provider: sim, id: claude-haiku-5-5, tier: mini}}
cascades: {L1: [m], L2: [m], L3: [m]}
`

func features(t *testing.T) map[string]catalog.Feature {
	t.Helper()
	parsed, err := catalog.Parse([]byte(cascadeHead + backlog.FeaturesYAML))
	require.NoError(t, err)
	return parsed.Features
}

// line is a cascade of models by one provider, and what became of the documents.
type line struct {
	t        *testing.T
	provider providers.Provider
	features map[string]catalog.Feature
	chains   map[string]*validators.Chain
	solver   *backlog.Solver
}

func newLine(t *testing.T, p providers.Provider) *line {
	t.Helper()
	l := &line{t: t, provider: p, features: features(t), chains: map[string]*validators.Chain{}, solver: backlog.NewSolver()}
	for name, f := range l.features {
		chain, err := validators.Compile(f.Validators, f.OutputSchema)
		require.NoError(t, err)
		l.chains[name] = chain
	}
	return l
}

// ask gives a document to a model and tells whether the answer was accepted and right.
func (l *line) ask(doc *backlog.Document, model string) (accepted, right bool) {
	l.t.Helper()
	f := l.features[doc.Task.Feature]
	request, err := l.provider.Prepare(providers.Call{
		AttemptID: uuid.New(), Model: model, System: f.System, Schema: f.OutputSchema, JSONSchema: true,
		MaxOutputTokens: f.MaxOutputTokens, Messages: []task.Message{{Role: task.RoleUser, Content: doc.Task.Input}},
	})
	require.NoError(l.t, err)
	reply, err := l.provider.Do(l.t.Context(), request)
	require.NoError(l.t, err)
	require.NotNil(l.t, reply.Usage)
	verdict, err := l.chains[doc.Task.Feature].Validate(&validators.Answer{
		Output: reply.Output, Task: &doc.Task,
		Truncated: reply.Stop == providers.StopMaxTokens, Refused: reply.Stop == providers.StopRefusal,
	})
	require.NoError(l.t, err)
	return verdict.Accepted, l.solver.Judge(doc.Task.Feature, doc.Task.Input, reply.Output)
}

// score counts what a model was given and what it made of it.
type score struct{ given, accepted, right int }

func (s *score) add(accepted, right bool) {
	s.given++
	if accepted {
		s.accepted++
	}
	if accepted && right {
		s.right++
	}
}

func (s *score) share(n int) float64 { return float64(n) / float64(max(1, s.given)) }

func TestCascade_OnTheBacklog(t *testing.T) {
	t.Parallel()
	documents := backlog.Generate(11, 2000)
	for _, tc := range []struct {
		name   string
		new    func(providers.Config) (providers.Provider, error)
		path   string
		models []string
	}{
		{"Anthropic", anthropic.New, "", []string{"claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"}},
		{"OpenAI", openai.New, "/v1", []string{"gpt-6-luna", "gpt-6.2-sol", "gpt-6.2-astra"}},
		{"Gemini", gemini.New, "", []string{"gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-3.1-pro-preview"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fast(5))
			p, err := tc.new(providers.Config{BaseURL: s.URL() + tc.path, AllowPrivate: true})
			require.NoError(t, err)
			c := &race{line: newLine(t, p), models: tc.models}
			for i := range documents {
				c.run(&documents[i])
			}
			c.log()
			mini, mid, flagship := c.alone[0], c.alone[1], c.alone[2]
			require.InDelta(t, 0.85, mini.share(mini.accepted), 0.03)
			require.InDelta(t, 0.80, mini.share(mini.right), 0.03)
			require.InDelta(t, 0.93, mid.share(mid.right), 0.02)
			require.InDelta(t, 0.96, flagship.share(flagship.right), 0.02)
			require.InDelta(t, 0.95, float64(c.right)/float64(len(documents)), 0.015)
			require.Greater(t, c.stages[1].share(c.stages[1].accepted), 0.80, "most of what the mini model fails at is not hard for the next")
			require.Less(t, c.stages[2].given, len(documents)/25, "the flagship sees a few per cent")
		})
	}
}

// race gives every document to every model alone, and to the cascade of all.
type race struct {
	*line
	models []string
	alone  [3]score
	stages [3]score
	right  int // documents that the cascade got right
}

func (c *race) run(doc *backlog.Document) {
	c.t.Helper()
	finished := false
	for i, model := range c.models {
		accepted, right := c.ask(doc, model)
		c.alone[i].add(accepted, right)
		if finished {
			continue
		}
		c.stages[i].add(accepted, right)
		if finished = accepted; accepted && right {
			c.right++
		}
	}
}

func (c *race) log() {
	c.t.Helper()
	for i, model := range c.models {
		a, s := &c.alone[i], &c.stages[i]
		c.t.Logf("%s alone: accepted %.3f right %.3f; in the cascade: given %d accepted %.3f right %.3f", model,
			a.share(a.accepted), a.share(a.right), s.given, s.share(s.accepted), s.share(s.right))
	}
	c.t.Logf("the cascade got %d right", c.right)
}
