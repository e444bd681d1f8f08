package replay_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/replay"
	"github.com/weirhq/weir/task"
)

const goodRow = `{"id":"a","suite":"s","task":"t","prompt":"p","gold":"secret","models":{` +
	`"m":{"ok":1.0,"cost":9.25e-05,"in":3,"out":4,"lat_s":0.5,"text":"x","schema_error":"parse"},"n":{"ok":0.25}}}`

func mustReadRows(t *testing.T, lines ...string) (*replay.Recordings, *replay.Judge, []replay.BadRow) {
	t.Helper()
	recordings, judge, bad, err := replay.Read(strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	return recordings, judge, bad
}

func TestRead(t *testing.T) {
	t.Parallel()
	recordings, judge, bad := mustReadRows(t, goodRow, "", strings.Replace(goodRow, `"id":"a"`, `"id":"b"`, 1))
	require.Empty(t, bad)
	require.Equal(t, "s", recordings.Suite)
	require.Equal(t, []string{"m", "n"}, recordings.Models)
	require.Len(t, recordings.Rows, 2)
	answer := recordings.Rows[0].Answers[0]
	require.Equal(t, task.Pico(92_500_000), *answer.Cost)
	require.Equal(t, 500*time.Millisecond, *answer.Latency)
	require.Equal(t, "x", *answer.Text)
	require.Equal(t, int64(3), *answer.In)
	require.Nil(t, recordings.Rows[0].Answers[1].Cost, "what is not known is not 0")
	require.InDelta(t, 1, judge.Right(0, 0), 0)
	require.InDelta(t, 0.25, judge.Right(1, 1), 0)
	require.False(t, recordings.Priced())
	require.Equal(t, 1, recordings.Model("n"))
	require.Equal(t, -1, recordings.Model("o"))
}

func TestRead_Unpacks(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte(goodRow + "\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	recordings, _, _, err := replay.Read(bytes.NewReader(packed.Bytes()))
	require.NoError(t, err)
	require.Len(t, recordings.Rows, 1)

	_, _, _, err = replay.Read(bytes.NewReader(packed.Bytes()[:packed.Len()-9]))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestRead_NamesBadRows(t *testing.T) {
	t.Parallel()
	change := func(from, to string) string {
		return strings.Replace(strings.Replace(goodRow, `"id":"a"`, `"id":"z"`, 1), from, to, 1)
	}
	_, _, bad := mustReadRows(
		t, goodRow, "{", goodRow, change(`"id":"z"`, `"id":""`), change(`"models"`, `"answers"`), change(`"n":{`, `"o":{`),
		change(`"ok":0.25`, `"ok":2`), change(`"ok":0.25`, `"cost":1`), change("9.25e-05", "1e400"), change("9.25e-05", "-1"),
		change("9.25e-05", "1e7"), change(`"in":3`, `"in":-3`), change(`"lat_s":0.5`, `"lat_s":-1`), change(`"suite":"s"`, `"suite":"r"`),
	)
	var lines []int
	var reasons strings.Builder
	for _, b := range bad {
		lines = append(lines, b.Line)
		reasons.WriteString(b.String() + "\n")
	}
	require.Equal(t, []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, lines)
	for _, reason := range []string{
		"line 2: is no recording", "repeats the id of line 1", "no id", "0 models", "other models", "model n: ok is", "out of range",
		"no amount", "in and out", "lat_s", `of suite "r"`,
	} {
		require.Contains(t, reasons.String(), reason)
	}
}

func TestRead_Refuses(t *testing.T) {
	t.Parallel()
	_, _, bad, err := replay.Read(strings.NewReader("{}\n"))
	require.ErrorContains(t, err, "no good row")
	require.Len(t, bad, 1)
	_, _, _, err = replay.Read(strings.NewReader(strings.Repeat("x", replay.MaxLine+1)))
	require.ErrorContains(t, err, "line 1 is longer than")
}

// TestRow_KnowsNoTruth: whatever a policy may be handed has no room for what was right.
func TestRow_KnowsNoTruth(t *testing.T) {
	t.Parallel()
	var names []string
	for _, of := range []reflect.Type{reflect.TypeFor[replay.Recordings](), reflect.TypeFor[replay.Row](), reflect.TypeFor[replay.Answer]()} {
		for field := range of.Fields() {
			names = append(names, field.Name)
		}
	}
	require.Equal(t, []string{
		"Suite", "Models", "Rows", "ID", "Task", "Prompt", "Functions", "Answers", "Text", "In", "Out", "Cost", "Latency",
	}, names)
}
