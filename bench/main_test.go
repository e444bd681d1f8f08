package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

// TestMain lets the bench start the test's own binary in its roles.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleFlag {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestRun measures everything once, on as little work as the bench takes.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Postgres, NATS and four processes")
	}
	temp := t.TempDir()
	require.NoError(t, os.Chmod(temp, 0o711)) // Postgres runs as another user under root
	require.NoError(t, os.Chmod(filepath.Dir(temp), 0o711))
	t.Setenv("TMPDIR", temp)
	var stdout, stderr bytes.Buffer
	profile := filepath.Join(temp, "cpu.prof")
	args := []string{"-rounds", "1", "-tasks", "1000", "-json", "-", "-cpuprofile", profile}
	require.NoError(t, run(args, &stdout, &stderr), stderr.String())

	var got map[string]any
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &got))
	for _, key := range []string{"river_noop_per_s", "naive_per_s", "weir_per_s", "weir_vs_river", "weir_vs_naive"} {
		require.Positive(t, got[key], key)
	}
	require.Contains(t, got["machine"], "fsync on")
	require.FileExists(t, profile)
	left, err := filepath.Glob(filepath.Join(temp, "weir-bench-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		err  string
	}{
		{name: "Defaults"},
		{name: "One", args: []string{"-only", "weir"}},
		{name: "UnknownVariant", args: []string{"-only", "weir,wier"}, err: `-only names "wier"; there are river, naive, weir, weir_messages, river_tuned`},
		{name: "NoRound", args: []string{"-rounds", "0"}, err: "-rounds must be at least 1 and -tasks at least 1000"},
		{name: "FewTasks", args: []string{"-tasks", "10"}, err: "-rounds must be at least 1 and -tasks at least 1000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, err := parseOptions(test.args, &bytes.Buffer{})
			if test.err != "" {
				require.EqualError(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, defaultRounds, o.rounds)
			require.Equal(t, defaultTasks, o.tasks)
		})
	}
}

func TestReport_Table(t *testing.T) {
	t.Parallel()
	r := &report{Machine: "a machine", samples: map[string][]sample{
		"river": {{PerSecond: 20_000}, {PerSecond: 30_000}},
		"naive": {{PerSecond: 500}},
		"weir": {
			{PerSecond: 9_000, CPUMicros: map[string]float64{"weir": 90}},
			{PerSecond: 4_000, CPUMicros: map[string]float64{"weir": 110}},
			{PerSecond: 5_000, CPUMicros: map[string]float64{"weir": 100}},
		},
	}}
	r.sum()
	require.InDelta(t, 0.2, r.WeirVsRiver, 1e-9)
	require.InDelta(t, 10, r.WeirVsNaive, 1e-9)
	var out bytes.Buffer
	require.NoError(t, r.table(&out))
	require.Equal(t, `
a machine

a second   min     median   max     CPU us for each, by process
river      20000   25000    30000   
naive      500     500      500     
weir       4000    5000     9000    weir 100

weir / river no-op  0.20
weir / naive        10.0
`, out.String())
}

func TestMakeTasks(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, made := range makeTasks(3, 100) {
		body, err := json.Marshal(made)
		require.NoError(t, err)
		require.Len(t, body, taskBytes)
		decoded, err := task.Decode(body, task.Limits{PayloadBytes: taskBytes})
		require.NoError(t, err)
		require.NoError(t, decoded.Check())
		seen[decoded.ID] = true
	}
	require.Len(t, seen, 100)
}

func TestClocks_Since(t *testing.T) {
	t.Parallel()
	start := time.Now()
	before := clocks{at: start, measured: true, machine: time.Second, process: map[string]time.Duration{"weir": time.Second}}
	after := clocks{
		at: start.Add(2 * time.Second), measured: true, machine: 4 * time.Second,
		process: map[string]time.Duration{"weir": 3 * time.Second},
	}
	micros, others := after.since(before, 1_000)
	require.InDelta(t, 2_000, micros["weir"], 1e-9)
	require.InDelta(t, 0.5, others, 1e-9)
	micros, _ = clocks{}.since(before, 1)
	require.Nil(t, micros)
}
