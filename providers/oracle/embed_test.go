package oracle_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"

	"github.com/google/uuid"
	sdk "github.com/openai/openai-go/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/genai"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/task"
)

// embedding is what is compared of an answer to a request for embeddings.
type embedding struct {
	Model   string
	Vectors [][]float32
	Usage   *task.Usage
}

// embeddingsOf is what weir makes of a recorded answer about two texts.
func embeddingsOf(t *testing.T, api string, body []byte) embedding {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	defer server.Close()
	client, err := embed.New(api, providers.Config{BaseURL: server.URL, AllowPrivate: true})
	require.NoError(t, err)
	prepared, err := client.Prepare(embed.Request{Model: "m", Texts: []string{"one", "two"}})
	require.NoError(t, err)
	reply, err := client.Do(t.Context(), prepared)
	require.NoError(t, err)
	return embedding{Model: reply.Model, Vectors: reply.Vectors, Usage: reply.Usage}
}

func eachRecorded(t *testing.T, folder string, check func(t *testing.T, body []byte)) {
	t.Helper()
	files, err := recorded.ReadDir(path.Join("testdata", folder))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			t.Parallel()
			body, err := recorded.ReadFile(path.Join("testdata", folder, file.Name()))
			require.NoError(t, err)
			check(t, body)
		})
	}
}

// embedRequests are one of each shape.
func embedRequests() map[string]embed.Request {
	plain := embed.Request{CallID: uuid.Must(uuid.NewV7()), Model: "text-embedding-3-small", Texts: []string{"One.", "Two \"quoted\".\n"}}
	query, document := plain, plain
	query.InputType, query.Dimensions = embed.Query, 256
	document.InputType, document.Dimensions = embed.Document, 768
	return map[string]embed.Request{"Plain": plain, "Query": query, "Document": document}
}

func TestOpenAIEmbeddings(t *testing.T) {
	t.Parallel()
	t.Run("Answers", func(t *testing.T) {
		t.Parallel()
		eachRecorded(t, "openai-embeddings", func(t *testing.T, body []byte) {
			t.Helper()
			var theirs sdk.CreateEmbeddingResponse
			require.NoError(t, json.Unmarshal(body, &theirs))
			want := embedding{Model: theirs.Model, Usage: &task.Usage{Input: theirs.Usage.PromptTokens}}
			for i, e := range theirs.Data {
				require.EqualValues(t, i, e.Index)
				var vector []float32
				for _, n := range e.Embedding {
					vector = append(vector, float32(n))
				}
				want.Vectors = append(want.Vectors, vector)
			}
			require.Equal(t, want, embeddingsOf(t, catalog.APIOpenAI, body))
		})
	})
	t.Run("Requests", func(t *testing.T) {
		t.Parallel()
		client, err := embed.New(catalog.APIOpenAI, providers.Config{})
		require.NoError(t, err)
		for name, request := range embedRequests() {
			prepared, err := client.Prepare(request)
			require.NoError(t, err)
			require.JSONEq(t, string(prepared.Body), string(again[sdk.EmbeddingNewParams](t, prepared.Body)), name)
		}
	})
}

func TestGeminiEmbeddings(t *testing.T) {
	t.Parallel()
	t.Run("Answers", func(t *testing.T) {
		t.Parallel()
		eachRecorded(t, "gemini-embeddings", func(t *testing.T, body []byte) {
			t.Helper()
			var theirs genai.EmbedContentResponse
			require.NoError(t, json.Unmarshal(body, &theirs))
			ours := embeddingsOf(t, catalog.APIGemini, body)
			require.Len(t, ours.Vectors, len(theirs.Embeddings))
			for i, e := range theirs.Embeddings {
				require.Equal(t, e.Values, ours.Vectors[i])
			}
			var counted struct { // the SDK has no type for it
				Usage *struct {
					Prompt int64 `json:"promptTokenCount"`
				} `json:"usageMetadata"`
			}
			require.NoError(t, json.Unmarshal(body, &counted))
			if counted.Usage == nil {
				require.Nil(t, ours.Usage)
				return
			}
			require.Equal(t, &task.Usage{Input: counted.Usage.Prompt}, ours.Usage)
		})
	})
	t.Run("Requests", func(t *testing.T) {
		t.Parallel()
		client, err := embed.New(catalog.APIGemini, providers.Config{})
		require.NoError(t, err)
		for name, request := range embedRequests() {
			request.Model = "gemini-embedding-001"
			prepared, err := client.Prepare(request)
			require.NoError(t, err)
			url, body := genaiRequest(t, request)
			require.Equal(t, url, "/v1beta"+prepared.Path, name)
			require.JSONEq(t, string(body), string(prepared.Body), name)
		}
	})
}

// genaiRequest is what the SDK itself posts for a request, and where.
func genaiRequest(t *testing.T, r embed.Request) (url string, body []byte) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, got *http.Request) {
		url = got.URL.Path
		body, _ = io.ReadAll(got.Body)
		_, _ = io.WriteString(w, `{"embeddings":[]}`)
	}))
	defer server.Close()
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "key", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: server.URL},
	})
	require.NoError(t, err)
	var contents []*genai.Content
	for _, text := range r.Texts {
		contents = append(contents, &genai.Content{Parts: []*genai.Part{{Text: text}}})
	}
	config := &genai.EmbedContentConfig{}
	switch r.InputType {
	case embed.Query:
		config.TaskType = "RETRIEVAL_QUERY"
	case embed.Document:
		config.TaskType = "RETRIEVAL_DOCUMENT"
	case embed.Unsaid:
	}
	if r.Dimensions > 0 {
		config.OutputDimensionality = new(int32(r.Dimensions))
	}
	_, err = client.Models.EmbedContent(t.Context(), r.Model, contents, config)
	require.NoError(t, err)
	return url, body
}
