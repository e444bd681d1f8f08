package cascade_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
)

func mustPolicy(t *testing.T, text string) cascade.Policy {
	t.Helper()
	p, err := cascade.ParsePolicy(text)
	require.NoError(t, err)
	return p
}

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]cascade.Policy{
		"single:org/m-1":       {Stages: []string{"org/m-1"}},
		"single:a:b":           {Stages: []string{"a:b"}},
		"cascade:m>n>o":        {Stages: []string{"m", "n", "o"}},
		"agreement:m+n>o":      {Voters: []string{"m", "n"}, Need: 2, Stages: []string{"o"}},
		"agreement:2:m+n+o>p":  {Voters: []string{"m", "n", "o"}, Need: 2, Stages: []string{"p"}},
		"agreement:m+n@A|B>o":  {Voters: []string{"m", "n"}, Need: 2, Trust: []string{"A", "B"}, Stages: []string{"o"}},
		"agreement:m+n+o>p>q":  {Voters: []string{"m", "n", "o"}, Need: 3, Stages: []string{"p", "q"}},
		"agreement:m:x+n:y>ox": {Voters: []string{"m:x", "n:y"}, Need: 2, Stages: []string{"ox"}},
	} {
		got := mustPolicy(t, text)
		require.Equal(t, want, got, text)
		require.Equal(t, text, got.String())
	}
}

func TestParsePolicy_Refuses(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		"":                          "begins with",
		"m>n":                       "begins with",
		"single:":                   "no name",
		"cascade:m>":                "no name",
		"cascade:m>m":               "twice",
		"agreement:m+n":             "no model behind",
		"agreement:m>n":             "1 of 1 voters",
		"agreement:1:m+n>o":         "1 of 2 voters",
		"agreement:3:m+n>o":         "3 of 2 voters",
		"agreement:m+n>m":           "twice",
		"cascade:a>b>c>d>e>f>g>h>i": "more than 8",
	} {
		_, err := cascade.ParsePolicy(text)
		require.ErrorContains(t, err, why, text)
	}
	require.Error(t, cascade.Policy{Need: 2, Stages: []string{"m"}}.Check())
}

func TestPolicy_Next(t *testing.T) {
	t.Parallel()
	a, b, c, bad := valid("A"), valid("B"), valid("C"), cascade.Reply{Value: "A"}
	none := valid("")
	ask := func(at int) cascade.Next { return cascade.Next{Ask: at, Stands: -1} }
	stands := func(at int) cascade.Next { return cascade.Next{Ask: -1, Stands: at} }
	type replies = []cascade.Reply
	for _, tt := range []struct {
		name          string
		policy        string
		votes, staged replies
		want          cascade.Next
	}{
		{"SingleAsks", "single:m", nil, nil, ask(0)},
		{"SingleStands", "single:m", nil, replies{bad}, stands(0)},
		{"CascadeStopsAtTheFirstValid", "cascade:m>n>o", nil, replies{bad, a}, stands(1)},
		{"CascadeGoesOn", "cascade:m>n>o", nil, replies{bad, bad}, ask(2)},
		{"TheLastStandsInAnyCase", "cascade:m>n", nil, replies{bad, bad}, stands(1)},
		{"BothVote", "agreement:m+n>o", replies{a}, nil, ask(1)},
		{"TheyAgree", "agreement:m+n>o", replies{a, a}, nil, stands(0)},
		{"TheyDiffer", "agreement:m+n>o", replies{a, b}, nil, ask(2)},
		{"WithoutTheFirstNobodyCanAgree", "agreement:m+n>o", replies{bad}, nil, ask(2)},
		{"AnAnswerWithoutAFormAgreesWithNothing", "agreement:2:m+n+p>o", replies{none, none}, nil, ask(3)},
		{"ARejectedOneIsNoVote", "agreement:m+n>o", replies{a, bad}, nil, ask(2)},
		{"TheThirdIsNotAskedForNothing", "agreement:2:m+n+p>o", replies{a, a}, nil, stands(0)},
		{"TheThirdDecides", "agreement:2:m+n+p>o", replies{a, b}, nil, ask(2)},
		{"TheThirdDecidesForTheSecond", "agreement:2:m+n+p>o", replies{a, b, b}, nil, stands(1)},
		{"ThreeWays", "agreement:2:m+n+p>o", replies{a, b, c}, nil, ask(3)},
		{"AllThreeAreNeeded", "agreement:m+n+p>o", replies{a, b}, nil, ask(3)},
		{"OnlyTrustedValuesCount", "agreement:m+n@B>o", replies{b, b}, nil, stands(0)},
		{"AnotherValueEndsTheVote", "agreement:m+n@B>o", replies{a}, nil, ask(2)},
		{"BehindTheVoteIsACascade", "agreement:m+n>o>p", replies{a, b}, replies{bad}, ask(3)},
		{"ItsFirstValidStands", "agreement:m+n>o>p", replies{a, b}, replies{c}, stands(2)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, mustPolicy(t, tt.policy).Next(tt.votes, tt.staged))
		})
	}
}

func valid(value string) cascade.Reply { return cascade.Reply{Valid: true, Value: value} }

// TestPolicy_EveryWay answers every question in every way: each way ends, asks nobody twice, never goes back, and an answer
// that stands by a vote has the votes that it needs.
func TestPolicy_EveryWay(t *testing.T) {
	t.Parallel()
	answers := []cascade.Reply{valid("A"), valid("B"), valid(""), {Value: "A"}}
	for _, text := range []string{
		"single:m", "cascade:m>n>o", "agreement:m+n>o", "agreement:2:m+n+p>o", "agreement:m+n+p>o>q", "agreement:2:m+n+p@B>o",
	} {
		policy := mustPolicy(t, text)
		ends := 0
		var explore func(votes, staged []cascade.Reply, last int)
		explore = func(votes, staged []cascade.Reply, last int) {
			next := policy.Next(votes, staged)
			about := fmt.Sprintf("%s after %v %v: %+v", text, votes, staged, next)
			if next.Ask < 0 {
				ends++
				require.GreaterOrEqual(t, next.Stands, 0, about)
				if next.Stands < len(policy.Voters) {
					value, n := votes[next.Stands].Value, 0
					for _, v := range votes {
						if v.Valid && v.Value == value {
							n++
						}
					}
					require.GreaterOrEqual(t, n, policy.Need, about)
					require.NotEmpty(t, value, about)
				}
				return
			}
			require.Equal(t, -1, next.Stands, about)
			require.Greater(t, next.Ask, last, about)
			require.Less(t, next.Ask, len(policy.Models()), about)
			for _, answer := range answers {
				if next.Ask < len(policy.Voters) {
					explore(append(slices.Clip(votes), answer), staged, next.Ask)
					continue
				}
				explore(votes, append(slices.Clip(staged), answer), next.Ask)
			}
		}
		explore(nil, nil, -1)
		require.GreaterOrEqual(t, ends, len(answers), text)
	}
}
