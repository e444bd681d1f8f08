// Package oracle holds weir's own decoders and encoders against the official SDKs: a recorded answer has to give the
// same usage through either, and a request of weir's has to be one in the SDK's types, with nothing left over.
package oracle_test

import (
	"embed"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

//go:embed testdata
var recorded embed.FS

// oracle is a wire format beside the SDK that knows it.
type oracle struct {
	folder string // of its recorded answers
	build  func(providers.Config) (providers.Provider, error)
	// read is what the SDK makes of an answer.
	read func(t *testing.T, body []byte) reading
	// rewrite decodes a request into the SDK's type and encodes it again.
	rewrite func(t *testing.T, body []byte) []byte
	// question decodes a question for a count into the SDK's type and encodes it again, and tokens is what the SDK makes of
	// its answer; nil where the format has none.
	question func(t *testing.T, body []byte) []byte
	tokens   func(t *testing.T, body []byte) int64
	// spell writes a request in the SDK's spelling where the API takes two; nil leaves it.
	spell func(t *testing.T, body []byte) []byte
}

// reading is what is compared of an answer.
type reading struct {
	Model string
	Text  string
	Tools []task.ToolCall
	Tier  string
	Speed string
	Geo   string
	Usage task.Usage
}

func (o oracle) test(t *testing.T) {
	t.Helper()
	t.Run("Answers", func(t *testing.T) {
		t.Parallel()
		files, err := recorded.ReadDir(path.Join("testdata", o.folder))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			t.Run(file.Name(), func(t *testing.T) {
				t.Parallel()
				body, err := recorded.ReadFile(path.Join("testdata", o.folder, file.Name()))
				require.NoError(t, err)
				require.Equal(t, o.read(t, body), o.weirs(t, body))
			})
		}
	})
	t.Run("Requests", func(t *testing.T) {
		t.Parallel()
		provider, err := o.build(providers.Config{Key: providers.NewSecret("key")})
		require.NoError(t, err)
		for name, call := range calls() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				request, err := provider.Prepare(call)
				require.NoError(t, err)
				want := request.Body
				if o.spell != nil {
					want = o.spell(t, want)
				}
				require.JSONEq(t, string(want), string(o.rewrite(t, request.Body)))
			})
		}
	})
}

// testCounts has questions be the SDK's, and the count in an answer the one that the SDK reads.
func (o oracle) testCounts(t *testing.T, answer string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	provider, err := o.build(providers.Config{BaseURL: server.URL, AllowPrivate: true})
	require.NoError(t, err)
	counter, ok := provider.(providers.TokenCounter)
	require.True(t, ok)
	for name, call := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := counter.PrepareCount(call)
			require.NoError(t, err)
			want := request.Body
			if o.spell != nil {
				want = o.spell(t, want)
			}
			require.JSONEq(t, string(want), string(o.question(t, request.Body)))
			n, err := counter.Count(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, o.tokens(t, []byte(answer)), n)
		})
	}
}

// weirs is what weir makes of an answer, through its own client.
func (o oracle) weirs(t *testing.T, body []byte) reading {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	defer server.Close()
	provider, err := o.build(providers.Config{BaseURL: server.URL, AllowPrivate: true})
	require.NoError(t, err)
	request, err := provider.Prepare(calls()["Plain"])
	require.NoError(t, err)
	reply, err := provider.Do(t.Context(), request)
	require.NoError(t, err)
	require.NotNil(t, reply.Usage)
	return reading{
		Model: reply.Model, Text: reply.Output, Tools: reply.ToolCalls, Tier: reply.ServiceTier, Speed: reply.Speed,
		Geo: reply.Geo, Usage: *reply.Usage,
	}
}

// calls are one of each shape.
func calls() map[string]providers.Call {
	user := func(text string) task.Message { return task.Message{Role: "user", Content: text} }
	plain := providers.Call{
		AttemptID: uuid.Must(uuid.NewV7()), Model: "model", MaxOutputTokens: 100, Messages: []task.Message{user("Hello.")},
	}
	full := plain
	full.System, full.Context = "Sort the message.", []string{"Prices are in euros.", "Offices close at six."}
	full.Messages = []task.Message{user("One."), {Role: "assistant", Content: "Two."}, user("Three \"quoted\".\n")}
	tools := full
	tools.Tools = []task.Tool{{
		Name: "lookup", Description: "Finds an order.",
		Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"integer"}},"required":["order"]}`),
	}}
	schema := full
	schema.JSONSchema = true
	schema.Schema = json.RawMessage(
		`{"type":"object","properties":{"total":{"type":"number"}},"required":["total"],"additionalProperties":false}`,
	)
	marked, markedTools := schema, tools
	marked.StableContext, marked.Cache = 1, providers.Cache1h
	markedTools.System, markedTools.Cache = "", providers.Cache5m
	uncached := schema
	uncached.Cache = providers.CacheNone
	attached, filesOnly := full, plain
	attached.Attachments = []providers.Attachment{
		{MediaType: task.MediaPNG, Data: []byte("\x89PNG\r\n\x1a\n")}, {MediaType: task.MediaPDF, Data: []byte("%PDF-1.7")},
	}
	filesOnly.Attachments, filesOnly.Messages = attached.Attachments[1:], []task.Message{user("")}
	shown, settings := schema, schema
	shown.StableContext, shown.Cache, shown.CacheKey = 2, providers.Cache30m, "weir-key"
	halfDay, hour := shown, shown
	halfDay.Cache, halfDay.CacheKey = providers.Cache12h, ""
	shown.Examples = []task.Message{user("In."), {Role: "assistant", Content: "Out."}, user("In again."), {Role: "assistant", Content: "Out again."}}
	hour.Examples, hour.Cache = shown.Examples, providers.Cache1h
	settings.Effort, settings.Temperature, settings.ServiceTier = "low", new(0.25), "flex"
	budget := plain
	budget.ThinkingTokens = 2048
	return map[string]providers.Call{
		"Attached": attached, "FilesOnly": filesOnly,
		"Shown": shown, "ShownForAnHour": hour, "HalfADay": halfDay, "Settings": settings, "Budget": budget,
		"Uncached": uncached,
		"Plain":    plain, "Full": full, "Tools": tools, "Schema": schema, "Marked": marked, "MarkedTools": markedTools,
	}
}

// again decodes into an SDK's type and encodes what came of it.
func again[T any](t *testing.T, body []byte) []byte {
	t.Helper()
	var params T
	require.NoError(t, json.Unmarshal(body, &params))
	out, err := json.Marshal(params)
	require.NoError(t, err)
	return out
}
