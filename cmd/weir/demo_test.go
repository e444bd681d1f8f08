package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestDemo_JSON(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo starts servers of its own")
	}
	const tasks = 150
	var out, errs bytes.Buffer
	err := run(t.Context(), []string{"demo", "--json", "--tasks", strconv.Itoa(tasks)}, os.Getenv, nil, &out, &errs)
	require.NoError(t, err, errs.String())
	require.Contains(t, errs.String(), "The models are simulated")

	var got struct {
		Tasks           int             `json:"tasks"`
		Succeeded       int             `json:"succeeded"`
		Failed          int             `json:"failed"`
		Escalated       int             `json:"escalated"`
		Seconds         float64         `json:"seconds"`
		CostUSD         task.Pico       `json:"cost_usd"`
		FlagshipCostUSD task.Pico       `json:"flagship_cost_usd"`
		SavedShare      float64         `json:"saved_share"`
		Models          []demoModel     `json:"models"`
		Features        []demoFeature   `json:"features"`
		Rest            json.RawMessage `json:"-"`
	}
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&got))
	require.False(t, decoder.More(), "one object and nothing else")

	require.Equal(t, tasks, got.Tasks)
	require.Equal(t, tasks, got.Succeeded+got.Failed)
	require.Positive(t, got.Escalated)
	require.Positive(t, got.Seconds)
	require.Greater(t, got.FlagshipCostUSD, got.CostUSD)
	require.InDelta(t, 1-float64(got.CostUSD)/float64(got.FlagshipCostUSD), got.SavedShare, 0.0001)

	attempts, share := 0, 0.0
	var cost task.Pico
	for _, m := range got.Models {
		attempts, share, cost = attempts+m.Attempts, share+m.Share, cost+m.CostUSD
	}
	require.GreaterOrEqual(t, attempts, tasks+got.Escalated)
	require.InDelta(t, 1, share, 0.001)
	require.Equal(t, got.CostUSD, cost, "the models' costs are the whole cost")

	var inFeatures int
	var featureCost task.Pico
	for _, f := range got.Features {
		inFeatures, featureCost = inFeatures+f.Tasks, featureCost+f.CostUSD
		require.LessOrEqual(t, f.Useful, f.Tasks)
		if f.Useful > 0 {
			require.InEpsilon(t, float64(f.CostUSD)/float64(f.Useful), float64(*f.CPUOUSD), 0.0001)
		}
	}
	require.Equal(t, tasks, inFeatures)
	require.Equal(t, got.CostUSD, featureCost, "the features' costs are the whole cost")
}
