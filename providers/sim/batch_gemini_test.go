package sim_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

const (
	geminiModel     = "gemini-3.8-flash"
	pathGeminiBatch = "/v1beta/models/" + geminiModel + ":batchGenerateContent"
)

// geminiOperation is what the tests look at of a batch.
type geminiOperation struct {
	Name     string `json:"name"`
	Done     bool   `json:"done"`
	Metadata struct {
		State       string            `json:"state"`
		DisplayName string            `json:"displayName"`
		Model       string            `json:"model"`
		Stats       map[string]string `json:"batchStats"`
		EndTime     *time.Time        `json:"endTime"`
		Output      geminiOutput      `json:"output"`
	} `json:"metadata"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Response geminiOutput `json:"response"`
}

type geminiOutput struct {
	ResponsesFile string `json:"responsesFile"`
	Inlined       struct {
		Inlined []geminiResult `json:"inlinedResponses"`
	} `json:"inlinedResponses"`
}

// geminiResult is an answer inside of a batch, or a line of a file of results.
type geminiResult struct {
	Key      string            `json:"key"`
	Metadata map[string]string `json:"metadata"`
	Response *struct {
		Candidates []object `json:"candidates"`
		Usage      object   `json:"usageMetadata"`
	} `json:"response"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func generating(text string) object {
	return object{"contents": []object{{"role": "user", "parts": []object{{"text": text}}}}}
}

func geminiBody(tb testing.TB, requests ...object) []byte {
	tb.Helper()
	inline := make([]object, len(requests))
	for i, r := range requests {
		inline[i] = object{"request": r, "metadata": object{"key": fmt.Sprintf("line-%d", i)}}
	}
	return encode(tb, object{"batch": object{
		"displayName": "b1", "inputConfig": object{"requests": object{"requests": inline}},
	}})
}

func createGemini(tb testing.TB, s *sim.Server, body []byte) geminiOperation {
	tb.Helper()
	var o geminiOperation
	must(tb, post(tb, s.URL()+pathGeminiBatch, body, nil)).json(tb, &o)
	return o
}

func generatings(n int) []object {
	requests := make([]object, n)
	for i := range requests {
		requests[i] = generating(fmt.Sprint("question ", i))
	}
	return requests
}

// uploadGemini stores a file in two pieces and gives its name.
func uploadGemini(tb testing.TB, s *sim.Server, content string) string {
	tb.Helper()
	begun := must(tb, ask(tb, http.MethodPost, s.URL()+"/upload/v1beta/files", encode(tb, object{"file": object{"displayName": "in"}}),
		map[string]string{
			"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start",
			"X-Goog-Upload-Header-Content-Type": "application/jsonl",
		}))
	require.Equal(tb, "active", begun.header.Get("X-Goog-Upload-Status"))
	half := len(content) / 2
	var g got
	for _, piece := range []struct {
		at                    int
		text, command, status string
	}{{0, content[:half], "upload", "active"}, {half, content[half:], "upload, finalize", "final"}} {
		g = must(tb, ask(tb, http.MethodPost, begun.header.Get("X-Goog-Upload-Url"), []byte(piece.text), map[string]string{
			"X-Goog-Upload-Command": piece.command, "X-Goog-Upload-Offset": strconv.Itoa(piece.at),
		}))
		require.Equal(tb, piece.status, g.header.Get("X-Goog-Upload-Status"))
	}
	var uploaded struct {
		File struct {
			Name      string `json:"name"`
			MIMEType  string `json:"mimeType"`
			SizeBytes string `json:"sizeBytes"`
			State     string `json:"state"`
		} `json:"file"`
	}
	g.json(tb, &uploaded)
	require.Equal(tb, "application/jsonl", uploaded.File.MIMEType)
	require.Equal(tb, strconv.Itoa(len(content)), uploaded.File.SizeBytes)
	require.Equal(tb, "ACTIVE", uploaded.File.State)
	return uploaded.File.Name
}

func geminiFileBody(tb testing.TB, name string) []byte {
	tb.Helper()
	return encode(tb, object{"batch": object{"displayName": "b1", "inputConfig": object{"fileName": name}}})
}

func TestGeminiBatches_Inline(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	wrong := generating("x")
	wrong["generationConfig"] = object{"maxOutputTokens": -1}
	o := createGemini(t, s, geminiBody(t, append(generatings(9), wrong)...))
	require.Regexp(t, `^batches/[0-9a-f]{16}$`, o.Name)
	require.Equal(t, "BATCH_STATE_PENDING", o.Metadata.State)
	require.Equal(t, "b1", o.Metadata.DisplayName)
	require.Equal(t, "models/"+geminiModel, o.Metadata.Model)
	require.False(t, o.Done)

	now.add(turnaround / 2)
	half := read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name)
	require.Equal(t, "BATCH_STATE_RUNNING", half.Metadata.State)
	require.Equal(t, "5", half.Metadata.Stats["pendingRequestCount"])

	now.add(turnaround / 2)
	over := read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name)
	require.True(t, over.Done)
	require.Equal(t, "BATCH_STATE_SUCCEEDED", over.Metadata.State, "although not all have succeeded")
	require.Equal(t, map[string]string{"requestCount": "10", "successfulRequestCount": "9", "failedRequestCount": "1"}, over.Metadata.Stats)
	require.Equal(t, now.Now(), *over.Metadata.EndTime)
	require.Nil(t, over.Error)
	require.Equal(t, over.Metadata.Output, over.Response)
	results := over.Response.Inlined.Inlined
	require.Len(t, results, 10)
	for i, r := range results {
		key := fmt.Sprintf("line-%d", i)
		require.Equal(t, map[string]string{"key": key}, r.Metadata, "in the order of the requests")
		e := ledgerOf(s)[key]
		if i == 9 {
			require.Equal(t, 3, r.Error.Code)
			require.Nil(t, r.Response)
			require.Zero(t, e.Usage)
			continue
		}
		require.Nil(t, r.Error)
		require.EqualValues(t, number(t, r.Response.Usage, "promptTokenCount"), e.Usage.Prompt())
		require.Equal(t, "batch", e.Tier)
		require.Equal(t, o.Name, e.Batch)
	}
}

func TestGeminiBatches_ByFile(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	var file strings.Builder
	for i := range 10 {
		file.Write(encode(t, object{"key": fmt.Sprintf("line-%d", i), "request": generating(fmt.Sprint("question ", i))}))
		file.WriteByte('\n')
	}
	name := uploadGemini(t, s, file.String())
	require.Equal(t, file.String(), string(must(t, ask(t, http.MethodGet, s.URL()+"/v1beta/"+name+":download?alt=media", nil, nil)).body))
	o := createGemini(t, s, geminiFileBody(t, name))
	now.add(turnaround)
	over := read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name)
	require.Empty(t, over.Response.Inlined.Inlined)
	require.Regexp(t, `^files/[0-9a-f]{16}$`, over.Response.ResponsesFile)
	url := s.URL() + "/v1beta/" + over.Response.ResponsesFile
	results := jsonLines[geminiResult](t, must(t, ask(t, http.MethodGet, url+":download?alt=media", nil, nil)).body)
	require.Len(t, results, 10)
	for i, r := range results {
		require.Equal(t, fmt.Sprintf("line-%d", i), r.Key)
		require.NotEmpty(t, r.Response.Candidates)
	}
	require.Equal(t, "GENERATED", read[object](t, url)["source"])
	must(t, ask(t, http.MethodDelete, s.URL()+"/v1beta/"+name, nil, nil))
	require.Equal(t, 404, ask(t, http.MethodGet, s.URL()+"/v1beta/"+name, nil, nil).status)
	now.add(48 * time.Hour)
	require.Equal(t, 404, ask(t, http.MethodGet, url, nil, nil).status, "files expire")
}

func TestGeminiBatches_BadFile(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"Empty": "", "NoRequest": `{"key":"a"}`, "NoJSON": "nonsense"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := batching(t, nil)
			o := createGemini(t, s, geminiFileBody(t, uploadGemini(t, s, content)))
			now.add(turnaround)
			over := read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name)
			require.Equal(t, "BATCH_STATE_FAILED", over.Metadata.State)
			require.True(t, over.Done)
			require.NotEmpty(t, over.Error.Message)
			require.Empty(t, over.Response)
		})
	}
}

func TestGeminiBatches_EndsWithoutResults(t *testing.T) {
	t.Parallel()
	t.Run("Cancelled", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, nil)
		o := createGemini(t, s, geminiBody(t, generatings(20)...))
		now.add(turnaround / 2)
		require.JSONEq(t, `{}`, string(must(t, post(t, s.URL()+"/v1beta/"+o.Name+":cancel", nil, nil)).body))
		require.Equal(t, "BATCH_STATE_RUNNING", read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name).Metadata.State)
		now.add(turnaround)
		over := read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name)
		require.Equal(t, "BATCH_STATE_CANCELLED", over.Metadata.State)
		require.Equal(t, 1, over.Error.Code)
		require.Empty(t, over.Response)
		require.Len(t, ledgerOf(s), 10, "what was worked off is billed all the same")
		g := post(t, s.URL()+"/v1beta/"+o.Name+":cancel", nil, nil)
		require.Equal(t, 400, g.status)
		require.Contains(t, string(g.body), "FAILED_PRECONDITION")
	})
	t.Run("Expired", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, func(c *sim.Config) { c.Scripts = []sim.Script{{Fault: sim.FaultBatchStalled, Batches: true}} })
		o := createGemini(t, s, geminiBody(t, generatings(20)...))
		now.add(48*time.Hour - time.Second)
		require.Equal(t, "BATCH_STATE_RUNNING", read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name).Metadata.State)
		now.add(time.Second)
		over := read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name)
		require.Equal(t, "BATCH_STATE_EXPIRED", over.Metadata.State)
		require.Equal(t, 4, over.Error.Code)
		require.Empty(t, over.Response)
		require.Empty(t, ledgerOf(s))
	})
	t.Run("Failed", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, func(c *sim.Config) { c.Scripts = []sim.Script{{Fault: sim.FaultBatchFailed, Batches: true}} })
		o := createGemini(t, s, geminiBody(t, generatings(20)...))
		now.add(turnaround)
		over := read[geminiOperation](t, s.URL()+"/v1beta/"+o.Name)
		require.Equal(t, "BATCH_STATE_FAILED", over.Metadata.State)
		require.Equal(t, 13, over.Error.Code)
	})
}

func TestGeminiBatches_Refused(t *testing.T) {
	t.Parallel()
	s, _ := batching(t, func(c *sim.Config) { c.Batches.EnqueuedTokens = 100 })
	inline := func(requests ...object) object { return object{"requests": object{"requests": requests}} }
	for name, batch := range map[string]object{
		"NoName":     {"inputConfig": inline(object{"request": generating("x")})},
		"NoInput":    {"displayName": "b", "inputConfig": object{}},
		"NoRequests": {"displayName": "b", "inputConfig": inline()},
		"NoRequest":  {"displayName": "b", "inputConfig": inline(object{"metadata": object{"key": "a"}})},
		"Both":       {"displayName": "b", "inputConfig": object{"fileName": "files/x", "requests": inline(object{"request": generating("x")})["requests"]}},
		"OtherField": {"displayName": "b", "input_config": inline(object{"request": generating("x")})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := post(t, s.URL()+pathGeminiBatch, encode(t, object{"batch": batch}), nil)
			require.Equal(t, 400, g.status)
			require.Contains(t, string(g.body), "INVALID_ARGUMENT")
		})
	}
	require.Equal(t, 404, post(t, s.URL()+pathGeminiBatch, geminiFileBody(t, "files/nobodys"), nil).status)
	require.Equal(t, 404, post(t, s.URL()+"/v1beta/models/nobody:batchGenerateContent", geminiBody(t, generating("x")), nil).status)
	require.Equal(t, 404, ask(t, http.MethodGet, s.URL()+"/v1beta/batches/1", nil, nil).status)

	long := geminiBody(t, generating(strings.Repeat("word", 57)))
	require.Equal(t, 200, post(t, s.URL()+pathGeminiBatch, long, nil).status)
	g := post(t, s.URL()+pathGeminiBatch, long, nil)
	require.Equal(t, 429, g.status, "here it is said at the creation")
	require.Contains(t, string(g.body), "RESOURCE_EXHAUSTED")
	require.Contains(t, string(g.body), "retryDelay")
	require.Empty(t, g.header.Get("Retry-After"))

	small, _ := batching(t, func(c *sim.Config) { c.Batches.MaxBytes, c.Batches.MaxLines = 1000, 2 })
	require.Equal(t, 400, post(t, small.URL()+pathGeminiBatch, geminiBody(t, generating(strings.Repeat("x", 1000))), nil).status)
	require.Equal(t, 400, post(t, small.URL()+pathGeminiBatch, geminiBody(t, generatings(3)...), nil).status)
}

func TestGeminiBatches_Uploads(t *testing.T) {
	t.Parallel()
	s, _ := batching(t, func(c *sim.Config) { c.Batches.MaxBytes = 100 })
	url := s.URL() + "/upload/v1beta/files"
	require.Equal(t, 400, ask(t, http.MethodPost, url, nil, map[string]string{"X-Goog-Upload-Command": "query"}).status)
	piece := map[string]string{"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
	require.Equal(t, 400, ask(t, http.MethodPost, url+"?upload_id=nobodys", []byte("x"), piece).status)
	begun := must(t, ask(t, http.MethodPost, url, nil, map[string]string{"X-Goog-Upload-Command": "start"})).header.Get("X-Goog-Upload-Url")
	require.Equal(t, 400, ask(t, http.MethodPost, begun, []byte(strings.Repeat("x", 101)), piece).status, "too large")
	piece["X-Goog-Upload-Offset"] = "5"
	require.Equal(t, 400, ask(t, http.MethodPost, begun, []byte("x"), piece).status, "a piece is missing")
	piece["X-Goog-Upload-Offset"] = "0"
	require.Equal(t, 200, ask(t, http.MethodPost, begun, []byte("x"), piece).status)
	require.Equal(t, 400, ask(t, http.MethodPost, begun, []byte("x"), piece).status, "it is over")
}

func TestGeminiBatches_ListAndDelete(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	var names []string
	for range 3 {
		names = append(names, createGemini(t, s, geminiBody(t, generating("x"))).Name)
	}
	type page struct {
		Operations []geminiOperation `json:"operations"`
		Next       string            `json:"nextPageToken"`
	}
	first := read[page](t, s.URL()+"/v1beta/batches?pageSize=2")
	require.Len(t, first.Operations, 2)
	require.Equal(t, names[2], first.Operations[0].Name)
	rest := read[page](t, s.URL()+"/v1beta/batches?pageSize=2&pageToken="+first.Next)
	require.Len(t, rest.Operations, 1)
	require.Equal(t, names[0], rest.Operations[0].Name)
	require.Empty(t, rest.Next)
	must(t, ask(t, http.MethodDelete, s.URL()+"/v1beta/"+names[0], nil, nil))
	require.Equal(t, 404, ask(t, http.MethodGet, s.URL()+"/v1beta/"+names[0], nil, nil).status)
	now.add(turnaround)
	require.Len(t, s.Ledger(), 2, "what was deleted is not worked off")
}
