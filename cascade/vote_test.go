package cascade_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

// walk works a task through a cascade with a vote, as the worker does: each stage's answer is a value, "" for an invalid one.
func walk(need int, answers []string) (asked []int, accepted string) {
	v := cascade.Vote{Need: need, Stages: len(answers)}
	for {
		answer := answers[v.Stage]
		asked = append(asked, v.Stage)
		valid := answer != ""
		if valid && !v.Held() {
			return asked, answer
		}
		if valid {
			v.Cast = append(v.Cast, cascade.Cast{Stage: v.Stage, Model: fmt.Sprint(v.Stage), Value: answer})
			if v.Agreed() {
				return asked, answer
			}
		}
		d := cascade.Decide(cascade.State{Stage: v.Stage, Stages: v.Stages, Skip: v.Skip()}, cascade.Event{Failure: task.FailInvalid})
		if d.Action != cascade.Escalate {
			return asked, ""
		}
		v.Stage = d.Stage
	}
}

// The vote of a task that is worked and the policy that is judged on recordings ask the same models for every course that
// answers can take.
func TestVote_IsThePolicyThatIsJudged(t *testing.T) {
	t.Parallel()
	values := []string{"", "x", "y", "z"}
	courses := 0
	for stages := 2; stages <= 5; stages++ {
		for need := 2; need < stages; need++ {
			answers := make([]string, stages)
			for course := range power(len(values), stages) {
				for i := range answers {
					answers[i] = values[course/power(len(values), i)%len(values)]
				}
				asked, accepted := walk(need, answers)
				require.Equal(t, judged(need, answers), asked, "%d of %q", need, answers)
				if last := asked[len(asked)-1]; last < stages-1 {
					require.NotEmpty(t, accepted)
					agreeing := 0
					for _, i := range asked {
						if answers[i] == accepted {
							agreeing++
						}
					}
					require.Equal(t, need, agreeing, "%d of %q", need, answers)
				}
				courses++
			}
		}
	}
	require.Greater(t, courses, 3_000)
}

// judged are the places that a policy asks.
func judged(need int, answers []string) []int {
	p := cascade.Policy{Voters: make([]string, len(answers)-1), Need: need, Stages: []string{"last"}}
	var asked []int
	var votes, staged []cascade.Reply
	for {
		next := p.Next(votes, staged)
		if next.Ask < 0 {
			return asked
		}
		asked = append(asked, next.Ask)
		reply := cascade.Reply{Valid: answers[next.Ask] != "", Value: answers[next.Ask]}
		if next.Ask < len(p.Voters) {
			votes = append(votes, reply)
		} else {
			staged = append(staged, reply)
		}
	}
}

func power(base, exponent int) int {
	n := 1
	for range exponent {
		n *= base
	}
	return n
}

// A model that stood in for two stages does not agree with itself.
func TestVote_OneModelHasOneVote(t *testing.T) {
	t.Parallel()
	v := cascade.Vote{Need: 2, Stages: 4, Stage: 1, Cast: []cascade.Cast{
		{Stage: 0, Model: "a", Value: "x"}, {Stage: 1, Model: "a", Value: "x"},
	}}
	require.False(t, v.Agreed())
	require.Equal(t, []string{"a"}, v.Backers("x"))
	v.Stage, v.Cast = 2, append(slices.Clone(v.Cast), cascade.Cast{Stage: 2, Model: "b", Value: "x"})
	require.True(t, v.Agreed())
	require.Equal(t, []string{"a", "b"}, v.Backers("x"))
}

func TestPlan_Voting(t *testing.T) {
	t.Parallel()
	plan := cascade.Plan{
		Stages:   []cascade.Stage{{Model: "a"}, {Model: "b"}, {Model: "c"}},
		Included: []cascade.Inclusion{{Model: "a"}, {Model: "b"}, {Model: "c"}},
	}
	require.Equal(t, plan, plan.Voting(0))
	require.Equal(t, 2, plan.Voting(2).Agree)
	require.Equal(t, "agreement of 2", plan.Voting(2).Policy)
	short := plan.Voting(3)
	require.Zero(t, short.Agree)
	require.Equal(t, []cascade.Stage{{Model: "c"}}, short.Stages)
	require.Equal(t, []cascade.Exclusion{
		{Model: "a", Reason: "too few models are left to agree with it"}, {Model: "b", Reason: "too few models are left to agree with it"},
	}, short.Excluded)
	require.Zero(t, cascade.Plan{Stages: plan.Stages[:1], Included: plan.Included[:1]}.Voting(2).Agree)
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	require.Equal(t, cascade.Canonical(`{"a": 1.0, "b": ["X y"]}`, nil), cascade.Canonical(" {\"b\":[\"xy\"],\"a\":1} ", nil))
	require.NotEqual(t, cascade.Canonical(`{"a": 1}`, nil), cascade.Canonical(`{"a": "1"}`, nil))
	require.NotEqual(t, cascade.Canonical(`[1]`, nil), cascade.Canonical(`1`, nil))
	require.Equal(t, cascade.Canonical("1,200", nil), cascade.Canonical("$1200.00", nil))
	require.Equal(t, cascade.Canonical("Yes.", nil), cascade.Canonical("yes", nil))
	require.NotEqual(t, cascade.Canonical("yes", nil), cascade.Canonical("no", nil))
	calls := []task.ToolCall{call("f", `{"x":1}`)}
	require.Equal(t, cascade.Canonical("", calls), cascade.Canonical("I call f.", calls), "what is said beside a call does not count")
	require.NotEqual(t, cascade.Canonical("", calls), cascade.Canonical(`{"x":1}`, nil))
	for _, none := range []string{"", "  ", "A text that is longer than any label, so that two models would hardly give it word by word alike."} {
		require.Empty(t, cascade.Canonical(none, nil))
	}
	require.Empty(t, cascade.CanonicalJSON(`{"a":1} and more`))
	require.Empty(t, cascade.CanonicalJSON(`{"a":1}]`))
}
