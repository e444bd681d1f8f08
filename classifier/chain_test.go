package classifier_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/task"
)

// way is a learnt way whose decision is fixed.
type way struct {
	decision classifier.Decision
	sure     bool
}

func (w way) Decide(classifier.Subject) (classifier.Decision, bool) { return w.decision, w.sure }

func TestChain_FirstSureWayDecides(t *testing.T) {
	t.Parallel()

	prior := classifier.Decision{Class: task.L1, Source: classifier.SourcePrior, Confidence: 0.9, Learned: "snapshot"}
	rule := classifier.Decision{Class: task.L3, Source: classifier.SourceRule, Rule: "proof", Confidence: 0.7}
	model := classifier.Decision{
		Class: task.L2, Source: classifier.SourceModel, Confidence: 0.6, Learned: "hash",
		Probabilities: &classifier.Probabilities{0.2, 0.6, 0.2},
	}
	unsure := model
	unsure.Class, unsure.Source, unsure.Confidence, unsure.Abstained = task.L2, classifier.SourceDefault, 0, "unlike"
	tests := []struct {
		name    string
		order   []string
		task    task.Task
		learned classifier.Learned
		want    classifier.Decision
	}{
		{
			name: "PriorComesFirst", task: task.Task{Input: "prove it"}, want: prior,
			learned: classifier.Learned{Prior: way{prior, true}, Model: way{model, true}},
		},
		{
			name: "RulesComeNext", task: task.Task{Input: "prove it"}, want: rule,
			learned: classifier.Learned{Prior: way{prior, false}, Model: way{model, true}},
		},
		{
			name: "TheModelIsLast", task: task.Task{Input: "x"}, want: model,
			learned: classifier.Learned{Model: way{model, true}},
		},
		{
			name: "AnotherOrder", order: []string{catalog.WayModel, catalog.WayRules}, task: task.Task{Input: "prove it"}, want: model,
			learned: classifier.Learned{Prior: way{prior, true}, Model: way{model, true}},
		},
		{
			name: "WhatAnUnsureModelLearntStays", task: task.Task{Input: "x"}, want: unsure,
			learned: classifier.Learned{Model: way{classifier.Decision{
				Probabilities: model.Probabilities, Learned: "hash", Abstained: "unlike",
			}, false}},
		},
		{
			name: "WhatIsFixedIsNotAsked", task: task.Task{Class: task.L3},
			learned: classifier.Learned{Prior: way{prior, true}, Shadow: way{model, true}},
			want:    classifier.Decision{Class: task.L3, Source: classifier.SourceExplicit, Confidence: 1},
		},
		{
			name: "AShadowChangesNothing", task: task.Task{Input: "prove it"}, learned: classifier.Learned{Shadow: way{model, true}},
			want: classifier.Decision{Class: task.L3, Source: classifier.SourceRule, Rule: "proof", Confidence: 0.7, Shadow: &model},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			chain, err := classifier.New(catalog.Classifier{Order: tt.order, Rules: []catalog.Rule{
				{Name: "proof", Class: task.L3, Confidence: 0.7, Keywords: []string{"prove"}},
			}})
			require.NoError(t, err)
			chain.Use(tt.learned)
			got, err := chain.Classify(classifier.Subject{Task: &tt.task})
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// lazy is a way that has to be prepared, and counts how often it was.
type lazy struct {
	way

	prepared []int
}

func (l *lazy) Decide(s classifier.Subject) (classifier.Decision, bool) {
	if len(l.prepared) == 0 {
		return classifier.Decision{Learned: l.decision.Learned, Abstained: "no embedding", Pending: true}, false
	}
	return l.way.Decide(s)
}

func (l *lazy) Prepare(_ context.Context, subjects []classifier.Subject) error {
	l.prepared = append(l.prepared, len(subjects))
	return nil
}

// What hangs on a model that is not prepared is pending, whatever decides meanwhile.
func TestChain_Pending(t *testing.T) {
	t.Parallel()
	proof := []catalog.Rule{{Name: "proof", Class: task.L3, Confidence: 0.7, Keywords: []string{"prove"}}}
	subject := classifier.Subject{Task: &task.Task{Input: "prove it"}}
	decided := classifier.Decision{Class: task.L1, Source: classifier.SourceModel, Learned: "m", Probabilities: &classifier.Probabilities{1, 0, 0}}
	for name, tt := range map[string]struct {
		order   []string
		learned func(classifier.Way) classifier.Learned
		before  classifier.Decision
		after   classifier.Decision
	}{
		"Model": {
			order: []string{"model", "rules"}, learned: func(w classifier.Way) classifier.Learned { return classifier.Learned{Model: w} },
			before: classifier.Decision{Class: task.L3, Source: classifier.SourceRule, Rule: "proof", Confidence: 0.7, Pending: true},
			after:  decided,
		},
		"ModelAlone": {
			order: []string{"model"}, learned: func(w classifier.Way) classifier.Learned { return classifier.Learned{Model: w} },
			before: classifier.Decision{Class: task.L2, Source: classifier.SourceDefault, Learned: "m", Abstained: "no embedding", Pending: true},
			after:  decided,
		},
		"NotAsked": {
			order: []string{"rules", "model"}, learned: func(w classifier.Way) classifier.Learned { return classifier.Learned{Model: w} },
			before: classifier.Decision{Class: task.L3, Source: classifier.SourceRule, Rule: "proof", Confidence: 0.7},
			after:  classifier.Decision{Class: task.L3, Source: classifier.SourceRule, Rule: "proof", Confidence: 0.7},
		},
		"Shadow": {
			order: []string{"rules"}, learned: func(w classifier.Way) classifier.Learned { return classifier.Learned{Shadow: w} },
			before: classifier.Decision{
				Class: task.L3, Source: classifier.SourceRule, Rule: "proof", Confidence: 0.7, Pending: true,
				Shadow: &classifier.Decision{Learned: "m", Abstained: "no embedding", Pending: true},
			},
			after: classifier.Decision{Class: task.L3, Source: classifier.SourceRule, Rule: "proof", Confidence: 0.7, Shadow: &decided},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain, err := classifier.New(catalog.Classifier{Order: tt.order, Rules: proof, Default: task.L2})
			require.NoError(t, err)
			w := &lazy{way: way{decided, true}}
			chain.Use(tt.learned(w))
			before, err := chain.Classify(subject)
			require.NoError(t, err)
			require.Equal(t, tt.before, before)
			require.NoError(t, chain.Prepare(t.Context(), []classifier.Subject{subject, subject}))
			require.Equal(t, []int{2}, w.prepared)
			after, err := chain.Classify(subject)
			require.NoError(t, err)
			require.Equal(t, tt.after, after)
		})
	}
}

func TestNew_RefusesAnUnknownWay(t *testing.T) {
	t.Parallel()
	_, err := classifier.New(catalog.Classifier{Order: []string{"dice"}})
	require.EqualError(t, err, `classifier order: unknown way "dice"`)
}

func TestPrior(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name      string
		mini, mid [2]int64 // tried, accepted
		want      task.Class
		known     bool
	}{
		{name: "TooFew", mini: [2]int64{49, 49}},
		{name: "MiniDoes", mini: [2]int64{50, 45}, want: task.L1, known: true},
		{name: "MiniIsMixed", mini: [2]int64{500, 350}, known: true},
		{name: "MiniFailsAndMidIsUnknown", mini: [2]int64{500, 50}, known: true},
		{name: "MiniFailsAndMidDoes", mini: [2]int64{500, 50}, mid: [2]int64{60, 55}, want: task.L2, known: true},
		{name: "MiniFailsAndMidIsMixed", mini: [2]int64{500, 50}, mid: [2]int64{60, 40}, known: true},
		{name: "BothFail", mini: [2]int64{500, 50}, mid: [2]int64{60, 10}, want: task.L3, known: true},
		{name: "MidAloneTellsNothingOfMini", mid: [2]int64{500, 490}, known: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			path := classifier.CallPath{Tenant: "acme", Feature: "triage", CallPath: "inbox"}
			half := tt.mini[0] / 2 // two models of a tier add up
			prior := classifier.NewPrior("s1", []classifier.Passed{
				{CallPath: path, Tier: catalog.Mini, First: true, Tried: half, Accepted: tt.mini[1]},
				{CallPath: path, Tier: catalog.Mini, First: true, Tried: tt.mini[0] - half},
				{CallPath: path, Tier: catalog.Mini, Tried: 1_000},
				{CallPath: path, Tier: catalog.Mid, Tried: tt.mid[0], Accepted: tt.mid[1]},
				{CallPath: path, Tier: catalog.Flagship, Tried: 1_000},
			})
			asked := &task.Task{Tenant: "acme", Feature: "triage", CallPath: "inbox"}
			got, sure := prior.Decide(classifier.Subject{Task: asked})
			require.Equal(t, tt.want != "", sure)
			require.Equal(t, tt.want, got.Class)
			require.Equal(t, tt.known, got.Probabilities != nil)
			if tt.known {
				require.InDelta(t, 1, got.Probabilities[0]+got.Probabilities[1]+got.Probabilities[2], 1e-9)
				require.Equal(t, "s1", got.Learned)
			}
			for _, other := range []task.Task{
				{Tenant: "other", Feature: "triage", CallPath: "inbox"}, {Tenant: "acme", Feature: "triage"},
			} {
				_, sure := prior.Decide(classifier.Subject{Task: &other})
				require.False(t, sure, "another tenant's or call path's tasks tell nothing")
			}
		})
	}
}
