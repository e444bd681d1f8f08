package oracle_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"
	"google.golang.org/genai"

	"github.com/weirhq/weir/providers/sim"
)

// batches is a simulator and the clock on which its batches take an hour.
type batches struct {
	*sim.Server
	mu  sync.Mutex
	now time.Time
}

func startBatches(t *testing.T) *batches {
	t.Helper()
	b := &batches{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)}
	server, err := sim.New(sim.Config{
		Instant: true, Tokens: sim.TokensBytes, Now: b.clock, Batches: sim.Batches{Turnaround: time.Hour},
		Scripts: []sim.Script{{Fault: sim.FaultOverloaded, Lines: true, Count: 1}},
	})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context(), "127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	b.Server = server
	return b
}

func (b *batches) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *batches) wait(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// billed are the entries of a batch's lines by id.
func (b *batches) billed() map[string]sim.Entry {
	entries := map[string]sim.Entry{}
	for _, e := range b.Ledger() {
		entries[e.AttemptID] = e
	}
	return entries
}

func TestAnthropic_Batches(t *testing.T) {
	t.Parallel()
	s := startBatches(t)
	client := anthropic.NewClient(
		anthropicoption.WithoutEnvironmentDefaults(), anthropicoption.WithBaseURL(s.URL()), anthropicoption.WithAPIKey("key"),
		anthropicoption.WithMaxRetries(0),
	)
	params := anthropic.MessageBatchNewParams{}
	for i := range 5 {
		params.Requests = append(params.Requests, anthropic.MessageBatchNewParamsRequest{
			CustomID: fmt.Sprint("line-", i),
			Params: anthropic.MessageBatchNewParamsRequestParams{
				Model: "claude-haiku-5-5", MaxTokens: 100,
				Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(fmt.Sprint("question ", i)))},
			},
		})
	}
	created, err := client.Messages.Batches.New(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, anthropic.MessageBatchProcessingStatusInProgress, created.ProcessingStatus)
	require.EqualValues(t, 5, created.RequestCounts.Processing)
	require.Equal(t, 24*time.Hour, created.ExpiresAt.Sub(created.CreatedAt))
	require.Empty(t, created.ResultsURL)

	s.wait(time.Hour)
	ended, err := client.Messages.Batches.Get(t.Context(), created.ID, anthropic.MessageBatchGetParams{})
	require.NoError(t, err)
	require.Equal(t, anthropic.MessageBatchProcessingStatusEnded, ended.ProcessingStatus)
	require.EqualValues(t, 4, ended.RequestCounts.Succeeded)
	require.EqualValues(t, 1, ended.RequestCounts.Errored)
	require.True(t, ended.JSON.EndedAt.Valid())
	require.False(t, ended.JSON.ArchivedAt.Valid())

	stream := client.Messages.Batches.ResultsStreaming(t.Context(), created.ID, anthropic.MessageBatchResultsParams{})
	seen := 0
	for stream.Next() {
		seen++
		line := stream.Current()
		billed := s.billed()[line.CustomID]
		switch result := line.Result.AsAny().(type) {
		case anthropic.MessageBatchSucceededResult:
			require.Equal(t, anthropic.UsageServiceTierBatch, result.Message.Usage.ServiceTier)
			require.Equal(t, billed.Usage.Output, result.Message.Usage.OutputTokens)
			require.Equal(t, billed.Usage.Input, result.Message.Usage.InputTokens)
			require.NotEmpty(t, result.Message.Content)
		case anthropic.MessageBatchErroredResult:
			require.EqualValues(t, "overloaded_error", result.Error.Error.Type)
			require.Equal(t, sim.FaultOverloaded, billed.Fault)
		default:
			require.Fail(t, "another result", "%T", result)
		}
	}
	require.NoError(t, stream.Err())
	require.Equal(t, 5, seen)

	page, err := client.Messages.Batches.List(t.Context(), anthropic.MessageBatchListParams{})
	require.NoError(t, err)
	require.Equal(t, created.ID, page.Data[0].ID)
	deleted, err := client.Messages.Batches.Delete(t.Context(), created.ID, anthropic.MessageBatchDeleteParams{})
	require.NoError(t, err)
	require.Equal(t, created.ID, deleted.ID)
	_, err = client.Messages.Batches.Cancel(t.Context(), created.ID, anthropic.MessageBatchCancelParams{})
	var failure *anthropic.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 404, failure.StatusCode)

	other, err := client.Messages.Batches.New(t.Context(), params)
	require.NoError(t, err)
	canceling, err := client.Messages.Batches.Cancel(t.Context(), other.ID, anthropic.MessageBatchCancelParams{})
	require.NoError(t, err)
	require.Equal(t, anthropic.MessageBatchProcessingStatusCanceling, canceling.ProcessingStatus)
	require.Equal(t, s.clock(), canceling.CancelInitiatedAt)
}

func TestOpenAI_Batches(t *testing.T) {
	t.Parallel()
	s := startBatches(t)
	client := openai.NewClient(
		option.WithBaseURL(s.URL()+"/v1"), option.WithAPIKey("key"), option.WithMaxRetries(0),
	)
	var input strings.Builder
	for i := range 5 {
		fmt.Fprintf(&input, `{"custom_id":"line-%d","method":"POST","url":"/v1/chat/completions",`+
			`"body":{"model":"gpt-6-luna","messages":[{"role":"user","content":"question %d"}]}}`+"\n", i, i)
	}
	file, err := client.Files.New(t.Context(), openai.FileNewParams{
		Purpose: openai.FilePurposeBatch, File: openai.File(strings.NewReader(input.String()), "in.jsonl", "application/jsonl"),
	})
	require.NoError(t, err)
	require.EqualValues(t, input.Len(), file.Bytes)
	require.Equal(t, openai.FileObjectPurposeBatch, file.Purpose)
	require.Equal(t, "in.jsonl", file.Filename)

	created, err := client.Batches.New(t.Context(), openai.BatchNewParams{
		InputFileID: file.ID, Endpoint: openai.BatchNewParamsEndpointV1ChatCompletions,
		CompletionWindow: openai.BatchNewParamsCompletionWindow24h, Metadata: map[string]string{"weir_batch": "b1"},
	})
	require.NoError(t, err)
	require.Equal(t, openai.BatchStatusValidating, created.Status)
	require.Equal(t, "b1", created.Metadata["weir_batch"])
	require.False(t, created.JSON.OutputFileID.Valid())

	s.wait(time.Hour)
	over, err := client.Batches.Get(t.Context(), created.ID)
	require.NoError(t, err)
	require.Equal(t, openai.BatchStatusCompleted, over.Status)
	require.EqualValues(t, 5, over.RequestCounts.Total)
	require.EqualValues(t, 4, over.RequestCounts.Completed)
	require.EqualValues(t, 1, over.RequestCounts.Failed)
	require.Equal(t, over.CreatedAt+3600, over.CompletedAt)

	var prompt, output int64
	for line := range strings.Lines(readFile(t, client, over.OutputFileID)) {
		id, body := openAILine(t, line)
		var completion openai.ChatCompletion
		require.NoError(t, completion.UnmarshalJSON(body))
		billed := s.billed()[id]
		require.Equal(t, billed.Usage.Output, completion.Usage.CompletionTokens)
		require.Equal(t, billed.Usage.Prompt(), completion.Usage.PromptTokens)
		prompt, output = prompt+completion.Usage.PromptTokens, output+completion.Usage.CompletionTokens
	}
	require.Equal(t, prompt, over.Usage.InputTokens)
	require.Equal(t, output, over.Usage.OutputTokens)
	require.Contains(t, readFile(t, client, over.ErrorFileID), `"status_code":503`)

	page, err := client.Batches.List(t.Context(), openai.BatchListParams{Limit: openai.Int(1)})
	require.NoError(t, err)
	require.Equal(t, created.ID, page.Data[0].ID)
	_, err = client.Batches.Cancel(t.Context(), created.ID)
	var failure *openai.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 409, failure.StatusCode)
	gone, err := client.Files.Delete(t.Context(), file.ID)
	require.NoError(t, err)
	require.True(t, gone.Deleted)

	empty, err := client.Files.New(t.Context(), openai.FileNewParams{
		Purpose: openai.FilePurposeBatch, File: openai.File(strings.NewReader("nonsense\n"), "in.jsonl", "application/jsonl"),
	})
	require.NoError(t, err)
	bad, err := client.Batches.New(t.Context(), openai.BatchNewParams{
		InputFileID: empty.ID, Endpoint: openai.BatchNewParamsEndpointV1Responses,
		CompletionWindow: openai.BatchNewParamsCompletionWindow24h,
	})
	require.NoError(t, err)
	s.wait(time.Hour)
	bad, err = client.Batches.Get(t.Context(), bad.ID)
	require.NoError(t, err)
	require.Equal(t, openai.BatchStatusFailed, bad.Status)
	require.Equal(t, "invalid_json_line", bad.Errors.Data[0].Code)
	require.EqualValues(t, 1, bad.Errors.Data[0].Line)
}

// readFile is the content of a file at the simulated OpenAI.
func readFile(t *testing.T, client openai.Client, id string) string {
	t.Helper()
	response, err := client.Files.Content(t.Context(), id)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(content)
}

func TestGemini_Batches(t *testing.T) {
	t.Parallel()
	s := startBatches(t)
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "key", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: s.URL()},
	})
	require.NoError(t, err)
	var requests []*genai.InlinedRequest
	for i := range 5 {
		requests = append(requests, &genai.InlinedRequest{
			Contents: genai.Text(fmt.Sprint("question ", i)), Metadata: map[string]string{"key": fmt.Sprint("line-", i)},
			Config: &genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText("Be brief.", genai.RoleUser), MaxOutputTokens: 500},
		})
	}
	created, err := client.Batches.Create(t.Context(), "gemini-3.8-flash",
		&genai.BatchJobSource{InlinedRequests: requests}, &genai.CreateBatchJobConfig{DisplayName: "b1"})
	require.NoError(t, err)
	require.Equal(t, genai.JobStatePending, created.State)
	require.Equal(t, "b1", created.DisplayName)

	s.wait(time.Hour)
	over, err := client.Batches.Get(t.Context(), created.Name, nil)
	require.NoError(t, err)
	require.Equal(t, genai.JobStateSucceeded, over.State)
	require.Equal(t, created.CreateTime.Add(time.Hour), over.EndTime)
	require.Len(t, over.Dest.InlinedResponses, 5)
	failed := 0
	for i, r := range over.Dest.InlinedResponses {
		id := fmt.Sprint("line-", i)
		require.Equal(t, map[string]string{"key": id}, r.Metadata)
		if r.Error != nil {
			failed++
			require.EqualValues(t, 14, *r.Error.Code)
			continue
		}
		billed := s.billed()[id]
		require.EqualValues(t, billed.Usage.Prompt(), r.Response.UsageMetadata.PromptTokenCount)
		require.EqualValues(t, billed.Usage.Output, r.Response.UsageMetadata.CandidatesTokenCount+r.Response.UsageMetadata.ThoughtsTokenCount)
		require.NotEmpty(t, r.Response.Text())
	}
	require.Equal(t, 1, failed)
}

func TestGemini_BatchesByFile(t *testing.T) {
	t.Parallel()
	s := startBatches(t)
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "key", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: s.URL()},
	})
	require.NoError(t, err)
	const input = `{"key":"a","request":{"contents":[{"role":"user","parts":[{"text":"one"}]}]}}
{"key":"b","request":{"contents":[{"role":"user","parts":[{"text":"two"}]}]}}
`
	file, err := client.Files.Upload(t.Context(), strings.NewReader(input), &genai.UploadFileConfig{MIMEType: "application/jsonl"})
	require.NoError(t, err)
	require.EqualValues(t, len(input), *file.SizeBytes)
	require.Equal(t, genai.FileStateActive, file.State)
	created, err := client.Batches.Create(t.Context(), "gemini-3.8-flash",
		&genai.BatchJobSource{FileName: file.Name}, &genai.CreateBatchJobConfig{DisplayName: "b2"})
	require.NoError(t, err)
	s.wait(time.Hour)
	over, err := client.Batches.Get(t.Context(), created.Name, nil)
	require.NoError(t, err)
	require.Equal(t, genai.JobStateSucceeded, over.State)
	results, err := client.Files.Get(t.Context(), over.Dest.FileName, nil)
	require.NoError(t, err)
	require.Equal(t, genai.FileSourceGenerated, results.Source)
	content, err := client.Files.Download(t.Context(), genai.NewDownloadURIFromFile(results), nil)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(content), "\n"))
	require.Contains(t, string(content), `{"key":"a",`)

	for job, err := range client.Batches.All(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, created.Name, job.Name)
	}
	_, err = client.Files.Delete(t.Context(), file.Name, nil)
	require.NoError(t, err)
	other, err := client.Batches.Create(t.Context(), "gemini-3.8-flash",
		&genai.BatchJobSource{InlinedRequests: []*genai.InlinedRequest{{Contents: genai.Text("x")}}}, &genai.CreateBatchJobConfig{DisplayName: "b3"})
	require.NoError(t, err)
	require.NoError(t, client.Batches.Cancel(t.Context(), other.Name, nil))
	s.wait(time.Hour)
	cancelled, err := client.Batches.Get(t.Context(), other.Name, nil)
	require.NoError(t, err)
	require.Equal(t, genai.JobStateCancelled, cancelled.State)
	_, err = client.Batches.Delete(t.Context(), other.Name, nil)
	require.NoError(t, err)
}

// openAILine splits a line of an output file.
func openAILine(t *testing.T, line string) (id string, body json.RawMessage) {
	t.Helper()
	var l struct {
		CustomID string `json:"custom_id"`
		Response struct {
			StatusCode int             `json:"status_code"`
			Body       json.RawMessage `json:"body"`
		} `json:"response"`
	}
	require.NoError(t, json.Unmarshal([]byte(line), &l))
	require.Equal(t, 200, l.Response.StatusCode)
	return l.CustomID, l.Response.Body
}
