package features_test

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/task"
)

// counters are those of a view, by name.
func counters(v features.View) map[string]float64 {
	var vector features.Vector
	features.New().Fill(&vector, v)
	found := map[string]float64{}
	for i, name := range features.CounterNames() {
		found[name] = float64(vector.Counters[i])
	}
	return found
}

func TestCounters(t *testing.T) {
	t.Parallel()
	got := counters(features.FromPrompt("Must it PROVE 12?\n(A) yes\nB. no\n- item\n3) item\n$x^2$ {é}"))
	for name, n := range map[string]float64{
		"log lines": 6, "log choices": 2, "log list items": 2, "log questions": 1, "log formula marks": 3, "log code marks": 2,
		"log constraint words": 1, "log reasoning words": 1, "log labelling words": 2, "log messages": 1, "log tools": 0,
	} {
		require.InDelta(t, math.Log1p(n), got[name], 1e-6, name)
	}
	require.Positive(t, got["beyond ASCII share"])
	require.InDelta(t, 0, counters(features.FromPrompt(""))["log characters"], 0)
}

func TestFromTask(t *testing.T) {
	t.Parallel()
	v := features.FromTask(&task.Task{
		Context: []string{"12345"},
		Messages: []task.Message{
			{Role: "user", Content: "first"}, {Role: "assistant", Content: "answer"}, {Role: "user", Content: "last\r\nline"},
		},
		Tools: []task.Tool{{Name: "a", Parameters: []byte(`{"type":"object","required":["x","y"],"properties":{"x":{"type":"array"}}}`)}},
	}, catalog.Feature{System: strings.Repeat("ä", 1000), Context: []string{"123"}})
	require.Equal(t, 3, v.Messages)
	require.Equal(t, 1, v.Tools)
	require.Equal(t, 2, v.Required)
	require.Equal(t, 3, v.Depth)
	require.Equal(t, 8, v.Context)
	require.True(t, strings.HasSuffix(v.Text, "\n\nlast\nline"))
	require.Equal(t, features.SystemBytes/2, utf8.RuneCountInString(strings.TrimSuffix(v.Text, "\n\nlast\nline")), "the head of the system prompt")
}

// A long text costs no more than its head and its tail, in whole characters.
func TestFromPrompt_Bounded(t *testing.T) {
	t.Parallel()
	v := features.FromPrompt(strings.Repeat("ä", 1<<20) + "end")
	require.LessOrEqual(t, len(v.Text), features.HeadBytes+features.TailBytes+1)
	require.True(t, utf8.ValidString(v.Text))
	require.True(t, strings.HasSuffix(v.Text, "end"))
	require.Equal(t, 1<<20+3, v.Chars, "all of it is counted")
	require.Equal(t, features.FromPrompt("é").Text, features.FromPrompt("e\u0301").Text, "one form of what looks the same")
}

// FuzzFill: a vector's weights are finite and of length 1 together, a vector that is used again is as good as a new one, and every
// bucket has a name.
func FuzzFill(f *testing.F) {
	for _, seed := range []string{"", "a a b", "\xff\xfe", "Übung macht 日本語", strings.Repeat("x ", 10_000), "\u0301\u0301"} {
		f.Add(seed)
	}
	extractor := features.New()
	var used features.Vector
	f.Fuzz(func(t *testing.T, text string) {
		view := features.FromPrompt(text)
		var fresh features.Vector
		extractor.Fill(&fresh, view)
		extractor.Fill(&used, view)
		require.Equal(t, fresh.Counters, used.Counters)
		require.Equal(t, append([]uint16{}, fresh.Index...), append([]uint16{}, used.Index...))
		require.Equal(t, append([]float32{}, fresh.Value...), append([]float32{}, used.Value...))
		sum := 0.0
		names := features.Names(view.Text)
		for i, x := range fresh.Value {
			sum += float64(x) * float64(x)
			require.NotEmpty(t, names[fresh.Index[i]])
		}
		if len(fresh.Value) > 0 {
			require.InDelta(t, 1, sum, 1e-4)
		}
		for _, x := range fresh.Counters {
			require.False(t, math.IsNaN(float64(x)) || math.IsInf(float64(x), 0))
		}
	})
}
