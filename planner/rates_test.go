package planner_test

import (
	"fmt"
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
