package sim_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

// openAIBatch is what the tests look at of a batch.
type openAIBatch struct {
	ID           string            `json:"id"`
	Status       string            `json:"status"`
	Model        string            `json:"model"`
	OutputFileID *string           `json:"output_file_id"`
	ErrorFileID  *string           `json:"error_file_id"`
	CreatedAt    int64             `json:"created_at"`
	InProgressAt *int64            `json:"in_progress_at"`
	FinalizingAt *int64            `json:"finalizing_at"`
	CompletedAt  *int64            `json:"completed_at"`
	FailedAt     *int64            `json:"failed_at"`
	ExpiredAt    *int64            `json:"expired_at"`
	ExpiresAt    int64             `json:"expires_at"`
	CancellingAt *int64            `json:"cancelling_at"`
	CancelledAt  *int64            `json:"cancelled_at"`
	Counts       map[string]int    `json:"request_counts"`
	Usage        object            `json:"usage"`
	Metadata     map[string]string `json:"metadata"`
	Errors       *struct {
		Data []struct {
			Code string `json:"code"`
			Line *int   `json:"line"`
		} `json:"data"`
	} `json:"errors"`
}

// openAILine is a line of an output or an error file.
type openAILine struct {
	ID       string `json:"id"`
	CustomID string `json:"custom_id"`
	Response *struct {
		StatusCode int    `json:"status_code"`
		RequestID  string `json:"request_id"`
		Body       object `json:"body"`
	} `json:"response"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

const (
	pathBatches    = "/v1/batches"
	pathEmbeddings = "/v1/embeddings"
)

// createBatch uploads a file and creates a batch of it.
func createBatch(tb testing.TB, s *sim.Server, endpoint, file string) openAIBatch {
	tb.Helper()
	var b openAIBatch
	must(tb, post(tb, s.URL()+pathBatches, encode(tb, object{
		"input_file_id": upload(tb, s.URL(), file), "endpoint": endpoint, "completion_window": "24h",
		"metadata": object{"weir_batch": "b1"},
	}), nil)).json(tb, &b)
	return b
}

func getBatch(tb testing.TB, s *sim.Server, id string) openAIBatch {
	tb.Helper()
	return read[openAIBatch](tb, s.URL()+pathBatches+"/"+id)
}

// linesOf are the lines of a file by id.
func linesOf(tb testing.TB, s *sim.Server, file *string) map[string]openAILine {
	tb.Helper()
	require.NotNil(tb, file)
	g := must(tb, ask(tb, http.MethodGet, s.URL()+"/v1/files/"+*file+"/content", nil, nil))
	lines := map[string]openAILine{}
	for _, l := range jsonLines[openAILine](tb, g.body) {
		lines[l.CustomID] = l
	}
	return lines
}

func TestBatches_Life(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	b := createBatch(t, s, pathCompletions, batchFile(t, pathCompletions, many(20, "gpt-6-luna")...))
	require.Regexp(t, `^batch_[0-9a-f]{16}$`, b.ID)
	require.Equal(t, "validating", b.Status)
	require.Equal(t, map[string]string{"weir_batch": "b1"}, b.Metadata)
	require.Equal(t, b.CreatedAt+86_400, b.ExpiresAt)
	require.Zero(t, b.Counts["total"])

	now.add(turnaround / 2)
	half := getBatch(t, s, b.ID)
	require.Equal(t, "in_progress", half.Status)
	require.Equal(t, map[string]int{"total": 20, "completed": 10, "failed": 0}, half.Counts)
	require.Nil(t, half.OutputFileID)
	require.Equal(t, b.CreatedAt+600, *half.InProgressAt)

	now.add(4 * turnaround / 10)
	require.Equal(t, "finalizing", getBatch(t, s, b.ID).Status)
	now.add(turnaround / 10)
	over := getBatch(t, s, b.ID)
	require.Equal(t, "completed", over.Status)
	require.Equal(t, "gpt-6-luna", over.Model)
	require.Equal(t, map[string]int{"total": 20, "completed": 20, "failed": 0}, over.Counts)
	require.Equal(t, b.CreatedAt+5400, *over.FinalizingAt)
	require.Equal(t, b.CreatedAt+6000, *over.CompletedAt)
	require.Nil(t, over.ErrorFileID, "there were no errors")

	lines, entries := linesOf(t, s, over.OutputFileID), ledgerOf(s)
	require.Len(t, lines, 20)
	prompt, output := 0, 0
	for id, l := range lines {
		require.Nil(t, l.Error)
		require.Equal(t, 200, l.Response.StatusCode)
		require.Equal(t, "chat.completion", l.Response.Body["object"])
		require.Equal(t, "default", l.Response.Body["service_tier"], "that it was a batch is in no line")
		usage, ok := l.Response.Body["usage"].(object)
		require.True(t, ok)
		prompt += number(t, usage, "prompt_tokens")
		output += number(t, usage, "completion_tokens")
		require.EqualValues(t, number(t, usage, "completion_tokens"), entries[id].Usage.Output)
		require.Equal(t, "batch", entries[id].Tier)
		require.Equal(t, b.ID, entries[id].Batch)
	}
	require.Equal(t, prompt, number(t, over.Usage, "input_tokens"))
	require.Equal(t, output, number(t, over.Usage, "output_tokens"))
	require.Equal(t, prompt+output, number(t, over.Usage, "total_tokens"))

	now.add(30 * 24 * time.Hour)
	require.Equal(t, 404, ask(t, http.MethodGet, s.URL()+"/v1/files/"+*over.OutputFileID+"/content", nil, nil).status, "files expire")
}

func TestBatches_ResponsesAndEmbeddings(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	answers := createBatch(t, s, pathResponses, batchFile(t, pathResponses, object{"model": "gpt-6.2-sol", "input": "hello"}))
	vectors := createBatch(t, s, pathEmbeddings, batchFile(t, pathEmbeddings,
		object{"model": "text-embedding-3-small", "input": []string{"one", "two"}, "dimensions": 8}))
	now.add(turnaround)
	answer := linesOf(t, s, getBatch(t, s, answers.ID).OutputFileID)["line-0"]
	require.Equal(t, "response", answer.Response.Body["object"])
	vector := linesOf(t, s, getBatch(t, s, vectors.ID).OutputFileID)["line-0"]
	data, ok := vector.Response.Body["data"].([]any)
	require.True(t, ok)
	require.Len(t, data, 2)
	require.Equal(t, 2, number(t, getBatch(t, s, vectors.ID).Usage, "input_tokens"))
}

func TestBatches_FailedValidation(t *testing.T) {
	t.Parallel()
	line := func(id, method, url, model string) string {
		return fmt.Sprintf(`{"custom_id":%q,"method":%q,"url":%q,"body":{"model":%q}}`+"\n", id, method, url, model)
	}
	good := line("a", "POST", pathCompletions, "gpt-6-luna")
	for _, tc := range []struct {
		name, file, code string
		line             int
	}{
		{"Empty", "", "empty_file", 0},
		{"BlankLines", "\n \n", "empty_file", 0},
		{"BadJSON", good + "nonsense\n", "invalid_json_line", 2},
		{"SameID", good + good, "duplicate_custom_id", 2},
		{"OtherURL", line("a", "POST", pathResponses, "gpt-6-luna"), "url_mismatch", 1},
		{"OtherMethod", line("a", "GET", pathCompletions, "gpt-6-luna"), "invalid_method", 1},
		{"OtherModel", good + line("b", "POST", pathCompletions, "gpt-6.2-sol"), "model_mismatch", 2},
		{"NoID", line("", "POST", pathCompletions, "gpt-6-luna"), "missing_required_parameter", 1},
		{"TooMany", lines(50_001), "too_many_tasks", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, now := batching(t, nil)
			b := createBatch(t, s, pathCompletions, tc.file)
			require.Equal(t, "validating", b.Status, "the creation succeeds")
			now.add(turnaround / 10)
			failed := getBatch(t, s, b.ID)
			require.Equal(t, "failed", failed.Status)
			require.Equal(t, now.Now().Unix(), *failed.FailedAt)
			require.Len(t, failed.Errors.Data, 1)
			require.Equal(t, tc.code, failed.Errors.Data[0].Code)
			if tc.line > 0 {
				require.Equal(t, tc.line, *failed.Errors.Data[0].Line)
			}
			require.Nil(t, failed.OutputFileID)
			require.Nil(t, failed.ErrorFileID)
			require.Empty(t, s.Ledger())
		})
	}
}

// lines are those of a batch with so many requests.
func lines(n int) string {
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, `{"custom_id":"%d","method":"POST","url":%q,"body":{"model":"gpt-6-luna"}}`+"\n", i, pathCompletions)
	}
	return file.String()
}

func TestBatches_Limits(t *testing.T) {
	t.Parallel()
	t.Run("AsManyAsThereMayBe", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, nil)
		b := createBatch(t, s, pathCompletions, lines(50_000))
		now.add(turnaround / 10)
		require.Equal(t, "in_progress", getBatch(t, s, b.ID).Status)
	})
	t.Run("EmbeddingInputs", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, nil)
		bodies := make([]object, 26)
		for i := range bodies {
			bodies[i] = object{"model": "text-embedding-3-small", "input": strings.Split(strings.Repeat("x,", 1999)+"x", ",")}
		}
		b := createBatch(t, s, pathEmbeddings, batchFile(t, pathEmbeddings, bodies...))
		now.add(turnaround / 10)
		require.Equal(t, "failed", getBatch(t, s, b.ID).Status, "52,000 texts in 26 requests")
		b = createBatch(t, s, pathEmbeddings, batchFile(t, pathEmbeddings, bodies[:25]...))
		now.add(turnaround / 10)
		require.Equal(t, "in_progress", getBatch(t, s, b.ID).Status)
	})
	t.Run("Bytes", func(t *testing.T) {
		t.Parallel()
		s, _ := batching(t, func(c *sim.Config) { c.Batches.MaxBytes = 100 })
		require.Equal(t, http.StatusRequestEntityTooLarge, uploadAs(t, s.URL(), "batch", strings.Repeat("x", 101)).status)
		require.Equal(t, 200, uploadAs(t, s.URL(), "batch", strings.Repeat("x", 100)).status)
	})
	t.Run("EnqueuedTokens", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, func(c *sim.Config) { c.Batches.EnqueuedTokens = 100 })
		file := batchFile(t, pathCompletions, asked("gpt-6-luna", strings.Repeat("word", 57)))
		first, second := createBatch(t, s, pathCompletions, file), createBatch(t, s, pathCompletions, file)
		now.add(turnaround / 10)
		require.Equal(t, "failed", getBatch(t, s, first.ID).Status, "the other one is waiting too")
		require.Equal(t, "token_limit_exceeded", getBatch(t, s, first.ID).Errors.Data[0].Code)
		require.Equal(t, "in_progress", getBatch(t, s, second.ID).Status)
	})
}

func TestBatches_Errors(t *testing.T) {
	t.Parallel()
	wrong := asked("gpt-6-luna", "x")
	wrong["n"] = 2
	t.Run("Some", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, nil)
		b := createBatch(t, s, pathCompletions, batchFile(t, pathCompletions, asked("gpt-6-luna", "x"), wrong))
		now.add(turnaround)
		over := getBatch(t, s, b.ID)
		require.Equal(t, map[string]int{"total": 2, "completed": 1, "failed": 1}, over.Counts)
		require.Len(t, linesOf(t, s, over.OutputFileID), 1)
		failed := linesOf(t, s, over.ErrorFileID)["line-1"]
		require.Equal(t, 400, failed.Response.StatusCode)
		require.Contains(t, failed.Response.Body, "error")
		require.Nil(t, failed.Error)
		require.Zero(t, ledgerOf(s)["line-1"].Usage)
	})
	t.Run("All", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, nil)
		b := createBatch(t, s, pathCompletions, batchFile(t, pathCompletions, wrong))
		now.add(turnaround)
		over := getBatch(t, s, b.ID)
		require.Equal(t, "completed", over.Status)
		require.Nil(t, over.OutputFileID, "completed, and yet there is no output")
		require.Len(t, linesOf(t, s, over.ErrorFileID), 1)
	})
}

func TestBatches_Cancel(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	b := createBatch(t, s, pathCompletions, batchFile(t, pathCompletions, many(20, "gpt-6-luna")...))
	now.add(turnaround / 2)
	var cancelling openAIBatch
	must(t, post(t, s.URL()+pathBatches+"/"+b.ID+"/cancel", nil, nil)).json(t, &cancelling)
	require.Equal(t, "cancelling", cancelling.Status)
	require.Equal(t, now.Now().Unix(), *cancelling.CancellingAt)
	now.add(turnaround / 10)
	over := getBatch(t, s, b.ID)
	require.Equal(t, "cancelled", over.Status)
	require.Equal(t, now.Now().Unix(), *over.CancelledAt)
	require.Equal(t, map[string]int{"total": 20, "completed": 10, "failed": 0}, over.Counts)
	require.Len(t, linesOf(t, s, over.OutputFileID), 10, "what is paid for is there")
	for _, l := range linesOf(t, s, over.ErrorFileID) {
		require.Nil(t, l.Response)
		require.Equal(t, "batch_cancelled", l.Error.Code)
	}
	require.Equal(t, http.StatusConflict, post(t, s.URL()+pathBatches+"/"+b.ID+"/cancel", nil, nil).status)
	now.add(24 * time.Hour)
	require.Len(t, ledgerOf(s), 10)
}

func TestBatches_Expiry(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) { c.Batches.Turnaround = 40 * time.Hour })
	b := createBatch(t, s, pathCompletions, batchFile(t, pathCompletions, many(32, "gpt-6-luna")...))
	now.add(24 * time.Hour) // four hours until work begins, then a line an hour
	over := getBatch(t, s, b.ID)
	require.Equal(t, "expired", over.Status)
	require.Equal(t, b.ExpiresAt, *over.ExpiredAt)
	require.Equal(t, map[string]int{"total": 32, "completed": 19, "failed": 0}, over.Counts, "what has expired has not failed")
	require.Len(t, linesOf(t, s, over.OutputFileID), 19)
	missed := linesOf(t, s, over.ErrorFileID)
	require.Len(t, missed, 13)
	ids := map[string]bool{}
	for id, l := range missed {
		require.Equal(t, "batch_expired", l.Error.Code)
		require.Nil(t, l.Response)
		require.NotContains(t, ledgerOf(s), id)
		ids[l.ID] = true
	}
	require.Len(t, ids, 13, "each has an id of its own")
}

func TestBatches_ExpiresBeforeWorkBegins(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) { c.Batches.Turnaround, c.Batches.Window = 400*time.Hour, 30*time.Hour })
	b := createBatch(t, s, pathCompletions, lines(3))
	now.add(30*time.Hour - time.Second)
	require.Equal(t, "validating", getBatch(t, s, b.ID).Status)
	now.add(20 * time.Hour)
	over := getBatch(t, s, b.ID)
	require.Equal(t, "expired", over.Status)
	require.Equal(t, b.CreatedAt+30*3600, *over.ExpiredAt)
	require.Nil(t, over.OutputFileID)
	require.Len(t, linesOf(t, s, over.ErrorFileID), 3)
}

func TestBatches_Refused(t *testing.T) {
	t.Parallel()
	s, _ := batching(t, nil)
	file := upload(t, s.URL(), lines(1))
	body := func(change object) []byte {
		b := object{"input_file_id": file, "endpoint": pathCompletions, "completion_window": "24h"}
		maps.Copy(b, change)
		return encode(t, b)
	}
	long := object{}
	for i := range 17 {
		long[fmt.Sprint(i)] = "x"
	}
	for name, change := range map[string]object{
		"NoFile": {"input_file_id": "file-1"}, "Endpoint": {"endpoint": "/v1/moderations"}, "Window": {"completion_window": "1h"},
		"Metadata": {"metadata": long}, "LongValue": {"metadata": object{"k": strings.Repeat("x", 513)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := post(t, s.URL()+pathBatches, body(change), nil)
			require.Equal(t, 400, g.status)
			require.Contains(t, string(g.body), "invalid_request_error")
		})
	}
	require.Equal(t, 200, post(t, s.URL()+pathBatches, body(nil), nil).status)
	require.Equal(t, 404, ask(t, http.MethodGet, s.URL()+pathBatches+"/batch_1", nil, nil).status)
	require.Equal(t, 400, uploadAs(t, s.URL(), "fine-tune", "x").status)
	other, _ := batching(t, func(c *sim.Config) { c.Dialect = sim.DialectOpenRouter })
	require.Equal(t, 404, ask(t, http.MethodGet, other.URL()+pathBatches, nil, nil).status, "gateways have no batches here")
}

func TestBatches_ListAndFiles(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	var ids []string
	for range 3 {
		ids = append(ids, createBatch(t, s, pathCompletions, lines(1)).ID)
		now.add(time.Second)
	}
	type page[T any] struct {
		Data    []T    `json:"data"`
		HasMore bool   `json:"has_more"`
		LastID  string `json:"last_id"`
	}
	first := read[page[openAIBatch]](t, s.URL()+pathBatches+"?limit=2")
	require.Len(t, first.Data, 2)
	require.True(t, first.HasMore)
	require.Equal(t, ids[1], first.LastID)
	rest := read[page[openAIBatch]](t, s.URL()+pathBatches+"?limit=2&after="+first.LastID)
	require.Len(t, rest.Data, 1)
	require.False(t, rest.HasMore)
	require.Equal(t, ids[0], rest.Data[0].ID)

	type file struct {
		ID      string `json:"id"`
		Bytes   int    `json:"bytes"`
		Purpose string `json:"purpose"`
		Name    string `json:"filename"`
	}
	files := read[page[file]](t, s.URL()+"/v1/files?purpose=batch&limit=2")
	require.Len(t, files.Data, 2)
	require.True(t, files.HasMore)
	require.Equal(t, file{ID: files.Data[0].ID, Bytes: len(lines(1)), Purpose: "batch", Name: "input.jsonl"}, files.Data[0])
	require.Len(t, read[page[file]](t, s.URL()+"/v1/files?after="+files.LastID).Data, 1)
	url := s.URL() + "/v1/files/" + files.Data[0].ID
	require.Equal(t, files.Data[0], read[file](t, url))
	must(t, ask(t, http.MethodDelete, url, nil, nil))
	require.Equal(t, 404, ask(t, http.MethodGet, url, nil, nil).status)
	now.add(turnaround)
	require.Equal(t, "completed", getBatch(t, s, ids[2]).Status, "the batch had read its file")
}

// TestBatches_Cache has a batch that reads what a call wrote, and whose lines all pay for what none of them had written
// before.
func TestBatches_Cache(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) { c.Batches.Turnaround = 10 * time.Minute })
	body := func(system string, i int) object {
		return object{"model": "gpt-6-luna", "messages": []object{
			{"role": "system", "content": system}, {"role": "user", "content": fmt.Sprint("question ", i)},
		}}
	}
	cold, warm := strings.Repeat("cold", 2000), strings.Repeat("warm", 2000)
	must(t, post(t, s.URL()+pathCompletions, encode(t, body(warm, 0)), nil))
	b := createBatch(t, s, pathCompletions, batchFile(t, pathCompletions, body(cold, 1), body(cold, 2), body(warm, 3)))
	now.add(10 * time.Minute)
	output := linesOf(t, s, getBatch(t, s, b.ID).OutputFileID)
	count := func(id, path string) int {
		usage, ok := output[id].Response.Body["usage"].(object)
		require.True(t, ok)
		return number(t, usage, path)
	}
	for _, id := range []string{"line-0", "line-1"} {
		require.Zero(t, count(id, "prompt_tokens_details.cached_tokens"))
		require.Equal(t, 1920, count(id, "prompt_tokens_details.cache_write_tokens"))
	}
	require.Equal(t, 1920, count("line-2", "prompt_tokens_details.cached_tokens"))
	require.Equal(t, 1920, number(t, getBatch(t, s, b.ID).Usage, "input_tokens_details.cached_tokens"))
}
