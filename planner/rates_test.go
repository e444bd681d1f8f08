package planner_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// barYAML is the configuration with a bar, so that plans go by pass rates.
var barYAML = strings.Replace(yaml, "max_output_tokens: 200", "max_output_tokens: 200, min_success: 0.9", 1)

// passed is a model's pass rates at the call path inbox, in percent of so many tries.
func passed(model string, tried, percent int64, first bool) store.PassRate {
	return store.PassRate{
		Tenant: "acme", Feature: "triage", CallPath: "inbox", Class: task.L1, Model: model, AskedFirst: first,
		Tried: tried, Accepted: tried * percent / 100,
	}
}

// explored is whether the random bits of a task's id make it one that keeps the configured cascade.
func explored(id uuid.UUID) bool {
	return (uint32(id[12])<<24|uint32(id[13])<<16|uint32(id[14])<<8|uint32(id[15]))%50 == 0
}

func TestPlan_ByPassRates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rates []store.PassRate
		task  task.Task
		first string
		said  string // in the plan's policy
		out   string // among the excluded
	}{
		{
			name: "MiniPasses", rates: []store.PassRate{passed("luna", 500, 90, true), passed("sol", 500, 95, false)},
			first: "luna", said: "expected cost, s1",
		},
		{
			name: "MiniFails", rates: []store.PassRate{passed("luna", 500, 0, true), passed("sol", 500, 95, false)},
			first: "sol", said: "expected cost, s1", out: `"model":"luna","reason":"is skipped: it passes 0 % of such tasks`,
		},
		{
			name: "TooLittleIsKnown", rates: []store.PassRate{passed("luna", 500, 0, true), passed("sol", 49, 95, false)},
			first: "luna",
		},
		{name: "NothingIsKnown", first: "luna"},
		{
			name: "AnotherCallPathGoesByTheClass", task: task.Task{CallPath: "other"},
			rates: []store.PassRate{passed("luna", 500, 0, true), passed("sol", 500, 95, false)},
			first: "sol", said: "expected cost, s1", out: `"model":"luna","reason":"is skipped`,
		},
		{
			name: "AFewTasksDoNotOutweighTheClass",
			rates: []store.PassRate{
				{Tenant: "acme", Feature: "other", Class: task.L1, Model: "luna", AskedFirst: true, Tried: 1_000, Accepted: 950},
				passed("luna", 3, 0, true), passed("sol", 500, 95, false),
			},
			first: "luna", said: "expected cost, s1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := plannerBy(t, barYAML, decide(sure))
			if tt.rates != nil {
				p.UseRates(planner.NewRates("s1", tt.rates))
			}
			asked := tt.task
			asked.Tenant, asked.Feature, asked.Input = "acme", "triage", "Hello."
			if asked.CallPath == "" {
				asked.CallPath = "inbox"
			}
			id := uuid.Must(uuid.NewV7())
			for explored(id) {
				id = uuid.Must(uuid.NewV7())
			}
			got, err := p.Plan(t.Context(), id, &asked, 0)
			require.NoError(t, err)
			require.Equal(t, tt.first, got.Model)
			require.Equal(t, tt.said, got.Plan.Policy)
			if tt.out == "" {
				require.JSONEq(t, `[]`, string(got.Plan.Excluded))
				return
			}
			require.Contains(t, string(got.Plan.Excluded), tt.out)
		})
	}
}

// A few tasks keep the cascade as configured, always the same ones.
func TestPlan_Explores(t *testing.T) {
	t.Parallel()
	p := plannerBy(t, barYAML, decide(sure))
	p.UseRates(planner.NewRates("s1", []store.PassRate{passed("luna", 500, 0, true), passed("sol", 500, 95, false)}))
	explored := 0
	for i := range 5_000 {
		id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i))
		got, err := p.Plan(t.Context(), id, &task.Task{Tenant: "acme", Feature: "triage", CallPath: "inbox", Input: "Hello."}, 0)
		require.NoError(t, err)
		if got.Model != "luna" {
			continue
		}
		explored++
		require.Equal(t, "exploring, s1", got.Plan.Policy)
	}
	require.InDelta(t, 100, explored, 40)
}

// A vote is compared with doing without it, by what both have come to.
func TestPlan_Vote(t *testing.T) {
	t.Parallel()
	yaml := strings.NewReplacer(
		"max_output_tokens: 200", "max_output_tokens: 200, min_success: 0.9, agree: 2",
		"  sol:", "  low: {provider: openai, id: gpt-6-luna, tier: mini}\n  sol:", "L1: [luna, sol]", "L1: [luna, low, sol]",
	).Replace(yaml)
	plain := func(share int64) []store.PassRate {
		return []store.PassRate{
			passed("luna", 500, share, true), passed("luna", 500, share, false), passed("low", 500, share, true),
			passed("low", 500, share, false), passed("sol", 500, 95, true),
		}
	}
	// of 500 tasks, so many were settled by the vote and right, and the others went to the last
	vote := func(settled, right int64) []store.PassRate {
		rows := []store.PassRate{passed("luna", 500, 0, true), passed("low", 500, right, false), passed("sol", 500-5*settled, 96, false)}
		for i := range rows {
			rows[i].Voting = true
		}
		return rows
	}
	for _, c := range []struct {
		name   string
		rates  []store.PassRate
		agree  int
		plan   string
		policy string
	}{
		{"NothingIsKnown", nil, 2, "luna low sol", "agreement of 2"},
		{"OnlyTheVoteIsKnown", vote(90, 88), 2, "luna low sol", "agreement of 2"},
		{"OnlyTheRestIsKnown", plain(95), 2, "luna low sol", "agreement of 2"},
		{"ThereIsNoNeedForAVote", slices.Concat(plain(97), vote(90, 88)), 0, "luna low sol", "expected cost, s1"},
		{"CheapAnswersAreOftenWrong", slices.Concat(plain(30), vote(90, 88)), 2, "luna low sol", "agreement of 2, expected cost, s1"},
		{"NobodyAgrees", slices.Concat(plain(0), vote(0, 0)), 0, "sol", "expected cost, s1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := plannerBy(t, yaml, decide(sure))
			p.UseRates(planner.NewRates("s1", c.rates))
			asked := task.Task{Tenant: "acme", Feature: "triage", CallPath: "inbox", Input: "Hello."}
			policies, plans := map[string]int{}, map[string]int{}
			for i := range 500 {
				got, err := p.Plan(t.Context(), uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)), &asked, 0)
				require.NoError(t, err)
				policies[got.Plan.Policy]++
				if got.Plan.Policy == c.policy {
					require.Equal(t, c.agree, got.Plan.Agree)
					plans[modelsOf(t, got)]++
				}
			}
			require.Equal(t, []string{c.plan}, slices.Collect(maps.Keys(plans)))
			require.Greater(t, policies[c.policy], 450)
			require.Positive(t, policies["exploring, s1"], "some do without the vote")
			require.Positive(t, policies["agreement of 2, exploring, s1"], "some keep it")
		})
	}
}

// modelsOf are the models of a plan's stages.
func modelsOf(t *testing.T, p planner.Planned) string {
	t.Helper()
	var stages []struct {
		Model string `json:"model"`
	}
	require.NoError(t, json.Unmarshal(p.Plan.Stages, &stages))
	var models []string
	for _, stage := range stages {
		models = append(models, stage.Model)
	}
	return strings.Join(models, " ")
}

// Where a call path's calls are known, what they have cost decides, and not what they could.
func TestPlan_ByCostsOfTheCallPath(t *testing.T) {
	t.Parallel()
	p := plannerBy(t, barYAML, decide(sure))
	cost := func(row store.PassRate, usd task.Pico) store.PassRate {
		row.Cost, row.Priced = &usd, row.Tried
		return row
	}
	rows := []store.PassRate{passed("luna", 500, 40, true), passed("sol", 500, 95, true)}
	plan := func() string {
		p.UseRates(planner.NewRates("s1", rows))
		got, err := p.Plan(t.Context(), uuid.NewSHA1(uuid.Nil, []byte("a")), &task.Task{Tenant: "acme", Feature: "triage", CallPath: "inbox", Input: "Hello."}, 0)
		require.NoError(t, err)
		return modelsOf(t, got)
	}
	require.Equal(t, "luna sol", plan())
	rows[0], rows[1] = cost(rows[0], 90), cost(rows[1], 100) // its cache makes the dear one cheap here
	require.Equal(t, "sol", plan())
	rows[0].Priced = planner.LeastTries - 1
	require.Equal(t, "luna sol", plan(), "too few calls are known")
}
