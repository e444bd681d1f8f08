package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/replay"
)

const replayData = "../../../shared/data/replay"

// recordingsOf is the path of recorded outcomes, which are no part of this repository.
func recordingsOf(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(replayData, name)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the recorded outcomes %s are not on this machine", name)
	}
	return file
}

type evalFigures struct {
	Accuracy       float64 `json:"accuracy"`
	USDPer1000     float64 `json:"usd_per_1000"`
	EscalatedShare float64 `json:"escalated_share"`
	Baselines      []struct {
		Name     string  `json:"name"`
		Accuracy float64 `json:"accuracy"`
		USD      float64 `json:"usd_per_1000"`
	} `json:"baselines"`
}

// The accounting of the replay by figures that were worked out apart from it: a schema check and two models.
func TestEvalCascade_FixedPoints(t *testing.T) {
	t.Parallel()
	file := recordingsOf(t, "bfcl17.jsonl.gz")
	const sonnet = "claude-3-5-sonnet-20240620"
	for _, c := range []struct {
		policy                   string
		accuracy, usd, escalated float64
	}{
		{"cascade:gpt-4o-mini-2024-07-18>" + sonnet, 0.8988, 0.1221, 0.015},
		{"cascade:claude-3-haiku-20240307>" + sonnet, 0.8908, 0.4756, 0.089},
	} {
		t.Run(c.policy, func(t *testing.T) {
			t.Parallel()
			out, err := runAlone(t, "eval", "cascade", "--recordings", file, "--tasks-exclude", "relevance", "--policy", c.policy, "--json")
			require.NoError(t, err)
			var got evalFigures
			require.NoError(t, json.Unmarshal([]byte(out), &got))
			require.InDelta(t, c.accuracy, got.Accuracy, 0.00005)
			require.InDelta(t, c.usd, got.USDPer1000, 0.00005)
			require.InDelta(t, c.escalated, got.EscalatedShare, 0.0005)
		})
	}
}

// Two cheap models that agree, else the dear one: its accuracy for less than half of its cost.
func TestEvalCascade_Agreement(t *testing.T) {
	t.Parallel()
	file := recordingsOf(t, "bfcl17.jsonl.gz")
	out, err := runAlone(t, "eval", "cascade", "--recordings", file, "--tasks-exclude", "relevance", "--json",
		"--policy", "agreement:gpt-3.5-turbo-0125-FC+gpt-4o-mini-2024-07-18-FC>claude-3-5-sonnet-20240620")
	require.NoError(t, err)
	var got evalFigures
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	for _, b := range got.Baselines {
		if b.Name == "single:claude-3-5-sonnet-20240620" {
			require.GreaterOrEqual(t, got.Accuracy, b.Accuracy-0.002)
			require.Less(t, got.USDPer1000/b.USD, 0.45)
			return
		}
	}
	require.Fail(t, "the dear model is no baseline")
}

// madeUp are recordings of two models on two kinds of prompts, each of which suits one of them.
func madeUp(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 60 {
		kind, small := "easy", 1
		if i%2 == 1 {
			kind, small = "hard", 0
		}
		row := map[string]any{
			"id": i, "suite": "made-up", "task": kind, "prompt": kind,
			"models": map[string]any{"small": map[string]any{"ok": small, "cost": 0.001}, "big": map[string]any{"ok": 1, "cost": 0.1}},
		}
		row["id"] = "row-" + string(rune('A'+i%26)) + string(rune('a'+i/26))
		line, err := json.Marshal(row)
		require.NoError(t, err)
		b.Write(append(line, '\n'))
	}
	file := filepath.Join(t.TempDir(), "rows.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	return file
}

// A plan is found, swept, saved and judged by another file.
func TestEvalCascade_Planned(t *testing.T) {
	t.Parallel()
	rows, plan := madeUp(t), filepath.Join(t.TempDir(), "plan.json")
	judge := func(args ...string) evalFigures {
		out, err := runAlone(t, append([]string{"eval", "cascade", "--recordings", rows, "--json"}, args...)...)
		require.NoError(t, err)
		var got evalFigures
		require.NoError(t, json.Unmarshal([]byte(out), &got))
		return got
	}
	trained := judge("--policy", "planned", "--train", rows, "--quality", "1", "--of", "big", "--save", plan)
	require.InDelta(t, 1, trained.Accuracy, 1e-9)
	require.InDelta(t, 1000*(0.001+0.1)/2, trained.USDPer1000, 1e-6, "each kind goes to the model that it takes")
	require.Equal(t, trained, judge("--policy", plan))
	easy := judge("--policy", plan, "--tasks-exclude", "hard")
	require.InDelta(t, 1, easy.USDPer1000, 1e-6)
	out, err := runAlone(t, "eval", "cascade", "--recordings", rows, "--sweep", "--of", "big")
	require.NoError(t, err)
	require.Contains(t, out, "AIQ ")
	again, err := runAlone(t, "eval", "cascade", "--recordings", rows, "--sweep", "--of", "big")
	require.NoError(t, err)
	require.Equal(t, out, again)
}

func TestEvalCascade_Refuses(t *testing.T) {
	t.Parallel()
	rows := madeUp(t)
	broken := filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte(`{"low": {}}`), 0o600))
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--policy", "single:huge"}, "huge"},
		{[]string{"--policy", "fastest"}, "neither a policy nor a file"},
		{[]string{"--policy", broken}, "read plan"},
		{nil, "name a --policy"},
		{[]string{"--policy", "single:big", "--tasks", "none"}, "no row is left"},
		{[]string{"--policy", "planned", "--folds", "1"}, "1 folds"},
		{[]string{"--policy", "planned", "--save", broken}, "--save needs --train"},
	} {
		_, err := runAlone(t, append([]string{"eval", "cascade", "--recordings", rows}, c.args...)...)
		require.ErrorContains(t, err, c.says)
	}
}

// How well a text tells which model it needs: a kind of prompt that was seen does, one that was not does not.
func TestEvalRouter(t *testing.T) {
	t.Parallel()
	out, err := runAlone(t, "eval", "router", "--recordings", madeUp(t), "--folds", "2", "--embedder", "hash", "--json")
	require.NoError(t, err)
	var got struct {
		Weak    string `json:"weak"`
		Strong  string `json:"strong"`
		Routers []struct {
			Name string  `json:"name"`
			APGR float64 `json:"apgr"`
		} `json:"routers"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, []string{"small", "big"}, []string{got.Weak, got.Strong})
	apgr := map[string]float64{}
	for _, r := range got.Routers {
		apgr[r.Name] = r.APGR
	}
	require.InDelta(t, 0.75, apgr["oracle"], 0.02)
	require.InDelta(t, 0.75, apgr["text, tasks seen"], 0.02)
	require.InDelta(t, 0.5, apgr["random"], 0.25)
}

// The page of figures is that of this code: all of it but the plans, whose search takes minutes.
func TestDocs_Evaluation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/evaluation.md")
	require.NoError(t, err)
	for part := range strings.SplitSeq(reportText, "<!-- ") {
		_, text, _ := strings.Cut(part, " -->\n")
		require.Contains(t, string(page), strings.TrimSpace(text))
	}
	for _, s := range suites() {
		t.Run(s.title, func(t *testing.T) {
			t.Parallel()
			c := &evalCascadeCmd{Recordings: recordingsOf(t, s.file), TasksExclude: s.exclude}
			if s.prices != "" {
				c.Prices = recordingsOf(t, s.prices)
			}
			judged, err := c.load(io.Discard, c.Recordings)
			require.NoError(t, err)
			var b strings.Builder
			require.NoError(t, policyTable(&b, judged, s.policies, fallback(s.of, replay.Strongest(judged.replay, judged.judge))))
			require.Contains(t, string(page), b.String(), "run weir eval report")
		})
	}
}
