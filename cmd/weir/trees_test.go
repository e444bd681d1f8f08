package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/features"
)

// stump is an XGBoost model of three trees: a long text is L3, any other L1.
func stump(inputs int, threshold float64) string {
	tree := func(id int, short, long float64) string {
		return fmt.Sprintf(`{"id":%d,"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[0,0,0],`+
			`"split_conditions":[%g,%g,%g],"categories":[]}`, id, threshold, short, long)
	}
	return fmt.Sprintf(`{"learner":{"gradient_booster":{"model":{"tree_info":[0,1,2],"trees":[%s,%s,%s]},"name":"gbtree"},`+
		`"learner_model_param":{"base_score":"5E-1","num_class":"3","num_feature":"%d"},"objective":{"name":"multi:softprob"}},"version":[2,1,0]}`,
		tree(0, 3, -3), tree(1, 0, 0), tree(2, -3, 3), inputs)
}

// Prompts become vectors to train on, and what XGBoost saved becomes a model that decides and is explained.
func TestClassifier_Trees(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rows, vectors := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "vectors.csv")
	require.NoError(t, os.WriteFile(rows, []byte(`{"prompt":"Hi","level":1,"source":"s","task":"a"}`+"\n"+
		`{"prompt":"`+strings.Repeat("word ", 200)+`","level":3,"source":"s","task":"b"}`+"\n"), 0o600))
	out, err := runAlone(t, "classifier", "vectors", "--data", rows, "--embedder", "hash", "--out", vectors)
	require.NoError(t, err)
	require.Contains(t, out, "2 rows of")
	written, err := os.ReadFile(vectors)
	require.NoError(t, err)
	lines, err := csv.NewReader(bytes.NewReader(written)).ReadAll()
	require.NoError(t, err)
	inputs := features.Counters + embed.HashDim
	require.Len(t, lines, 3)
	require.Len(t, lines[1], 2+inputs)
	require.Equal(t, []string{"group", "level", "log characters"}, lines[0][:3])
	require.Equal(t, []string{"0", "2"}, []string{lines[1][1], lines[2][1]})
	short, err := strconv.ParseFloat(lines[1][2], 32)
	require.NoError(t, err)

	trees, model := filepath.Join(dir, "trees.json"), filepath.Join(dir, "trees.weirclf")
	require.NoError(t, os.WriteFile(trees, []byte(stump(inputs, short+1)), 0o600))
	out, err = runAlone(t, "classifier", "import", trees, "--embedder", "hash", "--confidence", "0.9", "--out", model)
	require.NoError(t, err)
	require.Contains(t, out, "wrote "+model)
	for text, class := range map[string]string{"Hi": "L1", strings.Repeat("word ", 200): "L3"} {
		out, err = runAlone(t, "classify", text, "--model", model, "--explain", "--json")
		require.NoError(t, err)
		var said struct {
			Class, Source string
			Confidence    float64
		}
		require.NoError(t, json.Unmarshal([]byte(out), &said))
		require.Equal(t, class, said.Class)
		require.Equal(t, "model", said.Source)
		require.Greater(t, said.Confidence, 0.9)
	}
	other := filepath.Join(dir, "other.json")
	require.NoError(t, os.WriteFile(other, []byte(stump(inputs+1, 0)), 0o600))
	_, err = runAlone(t, "classifier", "import", other, "--embedder", "hash", "--out", model)
	require.ErrorContains(t, err, "the embedder's dimension make")
	_, err = runAlone(t, "classifier", "import", trees, "--embedder", "hash", "--temperature", "0", "--out", model)
	require.ErrorContains(t, err, "--temperature must be above 0")
}
