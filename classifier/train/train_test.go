package train_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/model"
	"github.com/weirhq/weir/classifier/train"
	"github.com/weirhq/weir/task"
)

// rows are three kinds of prompts from several templates each, which differ in their words.
func rows() []train.Row {
	kinds := [...][]string{
		{"label the ticket", "copy the field", "name the colour", "tag the mail"},
		{"summarise the meeting and compare", "outline the plan in steps", "rewrite the report shortly", "explain the figure"},
		{"prove the theorem by induction", "derive the estimator and its bound", "analyse the clause in law", "design the kernel"},
	}
	var all []train.Row
	for level, templates := range kinds {
		for group, template := range templates {
			for i := range 12 {
				all = append(all, train.Row{
					Prompt: fmt.Sprintf("%s number %d of %d", template, i, group), Level: level + 1,
					Source: fmt.Sprint("source", group%2), Task: fmt.Sprint(level, "-", group),
				})
			}
		}
	}
	return all
}

func file(t *testing.T) []byte {
	t.Helper()
	embedder, err := embed.NewHash(embed.HashDim)
	require.NoError(t, err)
	set, err := train.Prepare(t.Context(), rows(), "hash", embedder)
	require.NoError(t, err)
	parameters, err := train.Train(set, train.Default("hash"))
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = parameters.Write(&out)
	require.NoError(t, err)
	return out.Bytes()
}

// The same rows make the same file, and what the file decides is what was trained.
func TestTrain(t *testing.T) {
	t.Parallel()
	first := file(t)
	require.Equal(t, first, file(t), "bit by bit")
	parameters, err := model.Read(bytes.NewReader(first))
	require.NoError(t, err)
	embedder, err := embed.NewHash(embed.HashDim)
	require.NoError(t, err)
	m, err := model.New(parameters, embedder)
	require.NoError(t, err)
	require.Len(t, m.Hash(), 64)
	for level, prompt := range []string{"label the ticket number 3 of 0", "outline the plan in steps number 5 of 1", "prove the theorem by induction number 7 of 0"} {
		d, _ := m.Decide(classifier.Subject{Task: &task.Task{Input: prompt}, Feature: catalog.Feature{}})
		require.NotNil(t, d.Probabilities, prompt)
		require.InDelta(t, 1, d.Probabilities[0]+d.Probabilities[1]+d.Probabilities[2], 1e-9)
		for other := range d.Probabilities {
			require.LessOrEqual(t, d.Probabilities[other], d.Probabilities[level], "%s: %v", prompt, d.Probabilities)
		}
		require.Equal(t, m.Hash(), d.Learned)
	}
	other, err := embed.NewStatic()
	require.NoError(t, err)
	_, err = model.New(parameters, other)
	var wrong *model.EmbedderError
	require.ErrorAs(t, err, &wrong)
}

func TestRead_Refuses(t *testing.T) {
	t.Parallel()
	whole := file(t)
	for name, data := range map[string][]byte{
		"Empty": nil, "NoModel": []byte(strings.Repeat("x", 1_000)), "Cut": whole[:len(whole)-1],
		"Changed": append(append(bytes.Clone(whole[:len(whole)/2]), whole[len(whole)/2]^1), whole[len(whole)/2+1:]...),
	} {
		_, err := model.Read(bytes.NewReader(data))
		require.Error(t, err, name)
	}
}

func TestReadRows_NamesBadLines(t *testing.T) {
	t.Parallel()
	_, _, err := train.ReadRows(strings.NewReader("{\"prompt\": \"a\", \"level\": 1}\n\nnonsense\n{\"prompt\": \"b\", \"level\": 4}\n"))
	var bad *train.RowsError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 2, bad.Count)
	require.Contains(t, bad.Error(), "line 3")
	require.Contains(t, bad.Error(), "line 4")
}
