package sim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

// turnaround is how long a batch takes in tests: work begins after a tenth of it and ends a tenth before it.
const turnaround = 100 * time.Minute

// batching is a simulator whose batches take their time on a clock that the test moves.
func batching(t *testing.T, change func(*sim.Config)) (*sim.Server, *clock) {
	t.Helper()
	now := newClock()
	cfg := fast(1)
	cfg.Now = now.Now
	cfg.Batches.Turnaround = turnaround
	if change != nil {
		change(&cfg)
	}
	return start(t, cfg), now
}

// ask sends a request of any method.
func ask(tb testing.TB, method, url string, body []byte, header map[string]string) got {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), method, url, bytes.NewReader(body))
	require.NoError(tb, err)
	request.Header.Set("Anthropic-Version", "2023-06-01")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(tb, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(tb, err)
	return got{status: response.StatusCode, header: response.Header, body: answer}
}

// read asks for a document, which has to be there.
func read[T any](tb testing.TB, url string) T {
	tb.Helper()
	var v T
	must(tb, ask(tb, http.MethodGet, url, nil, nil)).json(tb, &v)
	return v
}

func must(tb testing.TB, g got) got {
	tb.Helper()
	require.Equal(tb, http.StatusOK, g.status, string(g.body))
	return g
}

// jsonLines decodes a file with an object in each line.
func jsonLines[T any](tb testing.TB, file []byte) []T {
	tb.Helper()
	var out []T
	for line := range bytes.Lines(file) {
		var v T
		require.NoError(tb, json.Unmarshal(line, &v), string(line))
		out = append(out, v)
	}
	return out
}

// upload stores a file for a batch at the simulated OpenAI and gives its id.
func upload(tb testing.TB, url, content string) string {
	tb.Helper()
	g := must(tb, uploadAs(tb, url, "batch", content))
	var file struct {
		ID string `json:"id"`
	}
	g.json(tb, &file)
	return file.ID
}

func uploadAs(tb testing.TB, url, purpose, content string) got {
	tb.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	require.NoError(tb, w.WriteField("purpose", purpose))
	part, err := w.CreateFormFile("file", "input.jsonl")
	require.NoError(tb, err)
	_, err = io.WriteString(part, content)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return ask(tb, http.MethodPost, url+"/v1/files", form.Bytes(), map[string]string{"Content-Type": w.FormDataContentType()})
}

// batchFile is a file with lines of an endpoint and ids line-0 and so on.
func batchFile(tb testing.TB, endpoint string, bodies ...object) string {
	tb.Helper()
	var file strings.Builder
	for i, body := range bodies {
		file.Write(encode(tb, object{"custom_id": fmt.Sprintf("line-%d", i), "method": "POST", "url": endpoint, "body": body}))
		file.WriteByte('\n')
	}
	return file.String()
}

// asked is a request in the Messages API's words, which Chat Completions has too.
func asked(model, text string) object {
	return object{"model": model, "max_tokens": 100, "messages": []object{{"role": "user", "content": text}}}
}

// ledgerOf are the entries of a batch by the client's ids.
func ledgerOf(s *sim.Server) map[string]sim.Entry {
	entries := map[string]sim.Entry{}
	for _, e := range s.Ledger() {
		if e.Batch != "" {
			entries[e.AttemptID] = e
		}
	}
	return entries
}
