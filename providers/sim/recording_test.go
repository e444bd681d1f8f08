package sim_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

const recorded = `{"id":"a","prompt":"Two and two?","models":{"old":{"ok":1.0,"in":12,"out":5,"lat_s":0.2,"text":"It is four."},"silent":{"ok":0.0}}}

{"id":"b","prompt":"Weather?","functions":[{"name":"f"}],"models":{"old":{"ok":1.0,"in":30,"out":9,"text":"[f(\"x\")]"}}}
{"id":"c","prompt":"Weather?","functions":[{"name":"g"}],"models":{"old":{"ok":1.0,"text":"[g()]"}}}
`

func packed(t *testing.T, text string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return &b
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	r, err := sim.ReadRecordings(packed(t, recorded), strings.NewReader(`{"prompt":"More?","models":{"new":{"text":"No."}}}`))
	require.NoError(t, err)
	require.Equal(t, 4, r.Rows())
	require.Equal(t, []string{"new", "old", "silent"}, r.Models())
	cfg := fast(1)
	cfg.Recordings = r
	s := start(t, cfg)
	ask := func(model, prompt string, header map[string]string, tools ...string) got {
		body := object{"model": model, "max_tokens": 100, "messages": []object{
			{"role": "user", "content": "before"}, {"role": "assistant", "content": "-"}, {"role": "user", "content": prompt},
		}}
		for _, name := range tools {
			body["tools"] = []object{{"name": name, "input_schema": object{"type": "object"}}}
		}
		return post(t, s.URL()+pathMessages, encode(t, body), header)
	}
	g := ask("old", "Two and two?", nil)
	text, stop := messageText(t, g)
	require.Equal(t, "It is four.", text)
	require.Equal(t, "end_turn", stop)
	require.Equal(t, classes{input: 12}, classesOf(t, g))
	require.Equal(t, 5, number(t, usageOf(t, g), "output_tokens"))

	for _, tc := range []struct {
		name, want string
		g          got
	}{
		{"FirstOfTwo", `[f("x")]`, ask("old", "Weather?", nil)},
		{"ByFunctions", `[g()]`, ask("old", "Weather?", nil, "g")},
		{"ByID", `[g()]`, ask("old", "whatever", map[string]string{"X-Weir-Recording-Id": "c"})},
		{"OtherFile", "No.", ask("new", "More?", nil)},
	} {
		text, _ := messageText(t, tc.g)
		require.Equal(t, tc.want, text, tc.name)
		require.Positive(t, number(t, usageOf(t, tc.g), "input_tokens"), "counted where it was not recorded")
		require.Positive(t, number(t, usageOf(t, tc.g), "output_tokens"))
	}
	for _, tc := range []struct {
		name   string
		g      got
		status int
		want   string
	}{
		{"OtherPrompt", ask("old", "Three and three?", nil), 400, "no recording of this prompt"},
		{"OtherID", ask("old", "Two and two?", map[string]string{"X-Weir-Recording-Id": "z"}), 400, "no recording"},
		{"NotAsked", ask("new", "Two and two?", nil), 400, "no answer of model"},
		{"NoText", ask("silent", "Two and two?", nil), 400, "but not what it was"},
		{"OtherModel", ask("newer", "Two and two?", nil), 404, "does not exist"},
	} {
		require.Equal(t, tc.status, tc.g.status, tc.name)
		require.Contains(t, string(tc.g.body), tc.want, tc.name)
	}
	require.Equal(t, 200, ask("claude-haiku-5-5", "x", nil).status, "simulated models are there as well")

	g = post(t, s.URL()+pathCompletions, encode(t, object{"model": "old", "max_tokens": 2, "messages": []object{{"role": "user", "content": "Two and two?"}}}), nil)
	require.Contains(t, string(g.body), `"finish_reason":"length"`)
	require.Equal(t, 2, number(t, usageOf(t, g), "completion_tokens"))
}

func TestRecordings_Latency(t *testing.T) {
	t.Parallel()
	r, err := sim.ReadRecordings(strings.NewReader(recorded))
	require.NoError(t, err)
	s := start(t, sim.Config{Tokens: sim.TokensBytes, Recordings: r, Speed: 4})
	begin := time.Now()
	post(t, s.URL()+pathMessages, messagesBody(t, "old", "", "Two and two?"), nil)
	require.GreaterOrEqual(t, time.Since(begin), 50*time.Millisecond)
}

func TestReadRecordings_Mistakes(t *testing.T) {
	t.Parallel()
	cut := packed(t, recorded)
	raw, err := io.ReadAll(cut)
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		file io.Reader
		want string
	}{
		{"NotJSON", strings.NewReader(recorded + "nonsense"), "line 5"},
		{"NoPrompt", strings.NewReader(`{"models":{"a":{}}}`), "needs a prompt"},
		{"NoModels", strings.NewReader(`{"prompt":"a"}`), "needs a prompt and models"},
		{"Negative", strings.NewReader(`{"prompt":"a","models":{"m":{"in":-1}}}`), `model "m"`},
		{"Long", io.MultiReader(strings.NewReader(`{"prompt":"`), io.LimitReader(endless{}, 9<<20)), "line 1 is longer than"},
		{"Cut", bytes.NewReader(raw[:len(raw)/2]), "unexpected EOF"},
		{"NotGzip", strings.NewReader("\x1f\x8bnonsense"), "unpack"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := sim.ReadRecordings(tc.file)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// endless is a file of one line.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// TestRecordings_Real replays the recordings that lie beside the repository.
func TestRecordings_Real(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	for _, tc := range []struct {
		name string
		rows int
		// texts says that the file has the answers and not only whether they were good.
		texts bool
	}{
		{"bfcl17", 866, true}, {"routerbench3", 2205, true}, {"routellm", 9264, false}, {"ulab9", 4346, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, tc.name+".jsonl.gz")
			file, err := os.Open(path)
			require.NoError(t, err)
			defer func() { require.NoError(t, file.Close()) }()
			r, err := sim.ReadRecordings(file)
			require.NoError(t, err)
			require.Equal(t, tc.rows, r.Rows())
			cfg := fast(1)
			cfg.Recordings = r
			s := start(t, cfg)
			for _, row := range firstRows(t, path, 5) {
				for model, answer := range row.Models {
					g := post(t, s.URL()+pathMessages, encode(t, object{
						"model": model, "max_tokens": 100_000, "messages": []object{{"role": "user", "content": row.Prompt}},
					}), map[string]string{"X-Weir-Recording-Id": row.ID})
					if !tc.texts {
						require.Equal(t, 400, g.status)
						continue
					}
					text, _ := messageText(t, g)
					require.Equal(t, answer.Text, text)
					if answer.In > 0 {
						require.Equal(t, answer.In, number(t, usageOf(t, g), "input_tokens"))
						require.Equal(t, answer.Out, number(t, usageOf(t, g), "output_tokens"))
					}
				}
			}
		})
	}
}

// realRow is a row of a recording as this test reads it.
type realRow struct {
	ID     string
	Prompt string
	Models map[string]struct {
		Text    string
		In, Out int
	}
}

func firstRows(t *testing.T, path string, n int) []realRow {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	unpacked, err := gzip.NewReader(file)
	require.NoError(t, err)
	lines := bufio.NewReader(unpacked)
	rows := make([]realRow, n)
	for i := range rows {
		line, err := lines.ReadBytes('\n')
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(line, &rows[i]))
	}
	return rows
}

// dataDir is the folder of recordings beside the repository.
func dataDir(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := filepath.Join(filepath.Dir(root), "shared", "data", "replay")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("there are no recordings beside the repository")
	}
	return dir
}
