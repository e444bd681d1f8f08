package eval_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/embed"
	"github.com/weirhq/weir/classifier/eval"
	"github.com/weirhq/weir/classifier/train"
)

// rows are two classes that their words tell, from four data sets each of two sources.
func rows() []train.Row {
	var all []train.Row
	for i := range 240 {
		level, words := 1, "label the ticket"
		if i%2 == 1 {
			level, words = 3, "prove the theorem"
		}
		all = append(all, train.Row{
			Prompt: fmt.Sprintf("%s number %d", words, i), Level: level, Source: fmt.Sprint("source", i%4/2), Task: fmt.Sprint(level, "-", i%8),
		})
	}
	return all
}

func config(t *testing.T, protocol string) eval.Config {
	t.Helper()
	embedder, err := embed.NewHash(embed.HashDim)
	require.NoError(t, err)
	return eval.Config{Data: rows(), DataHash: "h", Embedder: embedder, Training: train.Default("hash"), Protocol: protocol, Folds: 4, Now: time.Now}
}

// Classes that words tell are told, whatever is kept out; a baseline that only counts is not.
func TestRun(t *testing.T) {
	t.Parallel()
	for protocol, parts := range map[string]int{eval.Random: 4, eval.Group: 4, eval.LeaveSource: 2} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			r, err := eval.Run(t.Context(), config(t, protocol))
			require.NoError(t, err)
			require.Equal(t, parts, r.Parts)
			require.Len(t, r.PartMetrics, parts)
			require.Equal(t, 240, r.Rows)
			require.InDelta(t, 1, r.Accuracy, 1e-9)
			require.InDelta(t, 1, r.MacroF1, 1e-9)
			require.Zero(t, r.L3AsL1)
			require.Less(t, r.ECE, 0.2)
			byName := map[string]eval.Baseline{}
			for _, b := range r.Baselines {
				byName[b.Name] = b
			}
			require.LessOrEqual(t, byName["majority"].Accuracy, 0.5)
			require.InDelta(t, 1, byName["tfidf"].Accuracy, 0.01)
			again, err := eval.Run(t.Context(), config(t, protocol))
			require.NoError(t, err)
			require.Equal(t, r.Probabilities, again.Probabilities, "the same each time, to the last bit")
		})
	}
}

func TestRun_Refuses(t *testing.T) {
	t.Parallel()
	_, err := eval.Run(t.Context(), config(t, eval.Given))
	require.ErrorIs(t, err, eval.ErrNothingToTrain)
	_, err = eval.Run(t.Context(), config(t, "bootstrap"))
	require.ErrorContains(t, err, `unknown protocol "bootstrap"`)
	c := config(t, eval.Given)
	c.Train = c.Data[:1]
	_, err = eval.Run(t.Context(), c)
	require.ErrorIs(t, err, train.ErrOneGroup)
}
