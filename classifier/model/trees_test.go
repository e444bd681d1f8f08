package model_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/classifier/model"
)

// treesDim is the dimension of the embedding that the trees of testdata were trained with.
const treesDim = 4

func treesFile(tb testing.TB) []byte {
	tb.Helper()
	document, err := os.ReadFile("testdata/trees.json")
	require.NoError(tb, err)
	return document
}

// What XGBoost saved predicts here what XGBoost predicted: testdata/trees.py has made both.
func TestTrees_PredictAsXGBoost(t *testing.T) {
	t.Parallel()
	trees, err := model.ParseTrees(treesFile(t), treesDim)
	require.NoError(t, err)
	data, err := os.ReadFile("testdata/trees_expected.json")
	require.NoError(t, err)
	var expected struct {
		Inputs        [][]float32              `json:"inputs"`
		Probabilities [][model.Classes]float64 `json:"probabilities"`
	}
	require.NoError(t, json.Unmarshal(data, &expected))
	require.Len(t, expected.Inputs, 40)
	for i, x := range expected.Inputs {
		v := &features.Vector{Embedding: x[features.Counters:]}
		copy(v.Counters[:], x)
		p := model.Softmax(trees.Score(v), 1)
		for k := range p {
			require.InDelta(t, expected.Probabilities[i][k], p[k], 1e-6)
		}
	}
}

func TestParseTrees_Refuses(t *testing.T) {
	t.Parallel()
	good := string(treesFile(t))
	for _, c := range []struct{ name, old, new, says string }{
		{"NoJSON", "{", "", "read XGBoost model"},
		{"Booster", `"name":"gbtree"`, `"name":"dart"`, "gbtree is read"},
		{"Objective", `"multi:softprob"`, `"rank:ndcg"`, `the objective is "rank:ndcg"`},
		{"Classes", `"num_class":"3"`, `"num_class":"4"`, `"4" classes`},
		{"Inputs", `"num_feature":"26","num_target"`, `"num_feature":"25","num_target"`, `"25" inputs; 22 counters and the embedder's dimension make 26`},
		{"BaseScore", `"base_score":"`, `"base_score":"x`, "the base score is"},
		{"Infinite", `"split_conditions":[`, `"split_conditions":[1e39,`, ""},
		{"Loop", `"left_children":[1,`, `"left_children":[0,`, "node 0 has no child 0"},
		{"BeyondTheEnd", `"left_children":[1,`, `"left_children":[999,`, "node 0 has no child 999"},
		{"TwoParents", `"left_children":[1,`, `"left_children":[2,`, "or it is another's"},
		{"Input", `"split_indices":[`, `"split_indices":[99,`, "its lists are not of one length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, c.old)
			_, err := model.ParseTrees([]byte(strings.Replace(good, c.old, c.new, 1)), treesDim)
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err := model.ParseTrees([]byte(good), 5)
	require.ErrorContains(t, err, "make 27")
	_, err = model.ParseTrees(bytes.Repeat([]byte(" "), model.MaxFileBytes+1), treesDim)
	require.ErrorIs(t, err, model.ErrTooLarge)
}

func FuzzParseTrees(f *testing.F) {
	f.Add(treesFile(f))
	f.Add([]byte(`{"learner":{"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{}]}}}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		trees, err := model.ParseTrees(document, treesDim)
		if err != nil {
			return
		}
		score := trees.Score(&features.Vector{Embedding: make([]float32, treesDim)}) // it ends
		require.Len(t, score, model.Classes)
	})
}
