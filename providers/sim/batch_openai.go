package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// openAIBatch is what only OpenAI's batches have.
type openAIBatch struct {
	endpoint, input string
	metadata        map[string]string
	// output and failed are the ids of the files of results and of errors, empty for none.
	output, failed string
	// keep is how long they stay; 0 is the usual time.
	keep time.Duration
}

// batchView is a batch as OpenAI's API shows it.
type batchView struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Endpoint         string            `json:"endpoint"`
	Model            *string           `json:"model"`
	Errors           *batchErrors      `json:"errors"`
	InputFileID      string            `json:"input_file_id"`
	CompletionWindow string            `json:"completion_window"`
	Status           string            `json:"status"`
	OutputFileID     *string           `json:"output_file_id"`
	ErrorFileID      *string           `json:"error_file_id"`
	CreatedAt        int64             `json:"created_at"`
	InProgressAt     *int64            `json:"in_progress_at"`
	ExpiresAt        int64             `json:"expires_at"`
	FinalizingAt     *int64            `json:"finalizing_at"`
	CompletedAt      *int64            `json:"completed_at"`
	FailedAt         *int64            `json:"failed_at"`
	ExpiredAt        *int64            `json:"expired_at"`
	CancellingAt     *int64            `json:"cancelling_at"`
	CancelledAt      *int64            `json:"cancelled_at"`
	RequestCounts    batchCounts       `json:"request_counts"`
	Usage            batchUsage        `json:"usage"`
	Metadata         map[string]string `json:"metadata"`
}

type batchErrors struct {
	Object string           `json:"object"`
	Data   []batchErrorView `json:"data"`
}

type batchErrorView struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
	Line    *int    `json:"line"`
}

type batchCounts struct {
	Total     int `json:"total"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
}

// batchUsage has no place for what was written to the cache: only the lines tell that.
type batchUsage struct {
	InputTokens        int64 `json:"input_tokens"`
	InputTokensDetails struct {
		CachedTokens int64 `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	OutputTokens        int64 `json:"output_tokens"`
	OutputTokensDetails struct {
		ReasoningTokens int64 `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	TotalTokens int64 `json:"total_tokens"`
}

const openAIBatchPrefix = "batch_"

func (s *Server) handleOpenAIBatches(mux *http.ServeMux) {
	const root = "/v1/batches"
	mux.HandleFunc("POST "+root, s.asking(completions{}, s.createBatch))
	mux.HandleFunc("GET "+root, s.asking(completions{}, s.listBatches))
	one := func(answer func(c *call, b *batch) (document, *problem)) http.HandlerFunc {
		return s.asking(completions{}, func(c *call) (document, *problem) {
			s.batches.mu.Lock()
			defer s.batches.mu.Unlock()
			id := c.r.PathValue("id")
			b := s.batches.batch(openAIBatches, trimID(id, openAIBatchPrefix))
			if b == nil {
				return document{}, &problem{kind: notFound, message: "No batch found with id '" + id + "'."}
			}
			return answer(c, b)
		})
	}
	mux.HandleFunc("GET "+root+"/{id}", one(func(_ *call, b *batch) (document, *problem) { return encoded(viewBatch(b)) }))
	mux.HandleFunc("POST "+root+"/{id}/cancel", one(s.cancelBatch))
}

// createBatch takes a batch whose file may be wrong: that shows when the file has been validated.
func (s *Server) createBatch(c *call) (document, *problem) {
	var r struct {
		InputFileID        string            `json:"input_file_id"`
		Endpoint           string            `json:"endpoint"`
		CompletionWindow   string            `json:"completion_window"`
		Metadata           map[string]string `json:"metadata"`
		OutputExpiresAfter struct {
			Seconds int `json:"seconds"`
		} `json:"output_expires_after"`
	}
	body, problem := c.readAll(maxBody)
	if problem != nil {
		return document{}, problem
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return document{}, invalidf("The JSON body of the request cannot be parsed: %v", err)
	}
	format := openAIFormats()[r.Endpoint]
	switch {
	case format == nil:
		return document{}, invalidf("Invalid value for 'endpoint': %q. The simulator has batches of %s.",
			r.Endpoint, "/v1/chat/completions, /v1/responses and /v1/embeddings")
	case r.CompletionWindow != "24h":
		return document{}, invalidf("Invalid value for 'completion_window': %q. Supported is '24h'.", r.CompletionWindow)
	case !metadataFits(r.Metadata):
		return document{}, invalidf("Invalid 'metadata': at most 16 pairs, keys of 64 and values of 512 characters.")
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	input := s.batches.file(openAIBatches, r.InputFileID, c.entry.At)
	if input == nil || input.purpose != purposeBatch {
		return document{}, invalidf("Invalid 'input_file_id': there is no file %q with the purpose batch.", r.InputFileID)
	}
	b := &batch{api: openAIBatches, newWire: format, header: c.r.Header, openAI: openAIBatch{
		endpoint: r.Endpoint, input: r.InputFileID, metadata: r.Metadata,
		keep: time.Duration(r.OutputExpiresAfter.Seconds) * time.Second,
	}}
	b.lines, b.errors = readBatchFile(input.content, r.Endpoint, orDefault(s.config.Batches.MaxLines, openAIMaxLines))
	model := ""
	if len(b.lines) > 0 {
		model = b.modelOf(b.lines[0])
	}
	if problem := c.meetBatch(model); problem != nil {
		return document{}, problem
	}
	if c.entry.Fault == FaultBatchFailed {
		b.errors = []batchError{{code: "internal_error", message: "The batch could not be processed."}}
	}
	if problem := s.openBatch(c, b); problem != nil {
		return document{}, problem
	}
	return encoded(viewBatch(b))
}

// openAIFormats are the formats of lines by the endpoint of a batch.
func openAIFormats() map[string]func() wire {
	return map[string]func() wire{
		"/v1/chat/completions": func() wire { return completions{} },
		"/v1/responses":        func() wire { return responses{} },
		endpointEmbeddings:     func() wire { return &embeddingList{} },
	}
}

const endpointEmbeddings = "/v1/embeddings"

func metadataFits(m map[string]string) bool {
	for key, value := range m {
		if len(key) > 64 || len(value) > 512 {
			return false
		}
	}
	return len(m) <= 16
}

// maxBatchErrors is how many mistakes of a file are told.
const maxBatchErrors = 100

// readBatchFile reads the lines of a file, or all that is wrong with it.
func readBatchFile(content []byte, endpoint string, most int) ([]*line, []batchError) {
	var lines []*line
	var mistakes []batchError
	seen := map[string]bool{}
	model, inputs, number := "", 0, 0
	for raw := range bytes.Lines(content) {
		number++
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue
		}
		if len(lines) >= most {
			return nil, []batchError{{code: "too_many_tasks", message: fmt.Sprintf("The batch has more than %d requests.", most)}}
		}
		l, its, mistake := readBatchLine(raw, endpoint)
		if mistake == nil && seen[l.id] {
			mistake = &batchError{code: "duplicate_custom_id", message: "The custom_id '" + l.id + "' was used before."}
		}
		if mistake == nil && len(lines) > 0 && its.Model != model {
			mistake = &batchError{code: "model_mismatch", message: fmt.Sprintf("The model '%s' is not that of the first line, '%s'.", its.Model, model)}
		}
		if mistake != nil {
			if mistake.line = number; len(mistakes) < maxBatchErrors {
				mistakes = append(mistakes, *mistake)
			}
			continue
		}
		seen[l.id], model = true, its.Model
		if endpoint == endpointEmbeddings {
			inputs += len(inputsOf(its.Input))
		}
		lines = append(lines, l)
	}
	switch {
	case number == 0 || len(lines) == 0 && len(mistakes) == 0:
		mistakes = []batchError{{code: "empty_file", message: "The batch input file is empty."}}
	case inputs > openAIMaxInputs: // which code the API has for it is not documented
		mistakes = append(mistakes, batchError{code: "too_many_tasks", message: fmt.Sprintf("The batch has more than %d embedding inputs.", openAIMaxInputs)})
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return lines, nil
}

// batchParams is what validation looks at in a request.
type batchParams struct {
	Model string          `json:"model"`
	Input json.RawMessage `json:"input"`
}

func readBatchLine(raw []byte, endpoint string) (*line, batchParams, *batchError) {
	var r struct {
		CustomID string          `json:"custom_id"`
		Method   string          `json:"method"`
		URL      string          `json:"url"`
		Body     json.RawMessage `json:"body"`
	}
	var its batchParams
	if json.Unmarshal(raw, &r) != nil || len(r.Body) > 0 && json.Unmarshal(r.Body, &its) != nil {
		return nil, its, &batchError{code: "invalid_json_line", message: "This line is not parseable as valid JSON."}
	}
	switch {
	case r.CustomID == "" || r.Method == "" || r.URL == "" || len(r.Body) == 0:
		return nil, its, &batchError{code: "missing_required_parameter", message: "A line has custom_id, method, url and body."}
	case r.Method != http.MethodPost:
		return nil, its, &batchError{code: "invalid_method", message: "The method must be POST."}
	case r.URL != endpoint:
		return nil, its, &batchError{code: "url_mismatch", message: fmt.Sprintf("The URL '%s' is not the batch's endpoint, '%s'.", r.URL, endpoint)}
	}
	return &line{id: r.CustomID, body: r.Body}, its, nil
}

func (s *Server) cancelBatch(c *call, b *batch) (document, *problem) {
	if !s.cancel(b, c.entry.At) {
		return document{}, &problem{kind: conflict, message: "Cannot cancel a batch with status '" + statusOf(b) + "'."}
	}
	return encoded(viewBatch(b))
}

func (s *Server) listBatches(c *call) (document, *problem) {
	limit, problem := c.limitOf("limit", 20, 100)
	if problem != nil {
		return document{}, problem
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	found, more := s.batches.page(openAIBatches, trimID(c.r.URL.Query().Get("after"), openAIBatchPrefix), limit)
	views := make([]batchView, len(found))
	for i, b := range found {
		views[i] = viewBatch(b)
	}
	return listed(views, more, func(v batchView) string { return v.ID })
}

// listed is a page of objects.
func listed[T any](objects []T, more bool, id func(T) string) (document, *problem) {
	page := struct {
		Object  string  `json:"object"`
		Data    []T     `json:"data"`
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
		HasMore bool    `json:"has_more"`
	}{Object: "list", Data: objects, HasMore: more}
	if n := len(objects); n > 0 {
		first, last := id(objects[0]), id(objects[n-1])
		page.FirstID, page.LastID = &first, &last
	}
	return encoded(page)
}

func statusOf(b *batch) string {
	return []string{
		"validating", "in_progress", "finalizing", "cancelling", "completed", "failed", "expired", "cancelled",
	}[b.stage]
}

// orNull is a text, or null when it is empty.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// second is a time in Unix seconds, or null when it is zero.
func second(at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	n := at.Unix()
	return &n
}

func viewBatch(b *batch) batchView {
	v := batchView{
		ID: b.name(), Object: "batch", Endpoint: b.openAI.endpoint, Model: orNull(b.model),
		InputFileID: b.openAI.input, CompletionWindow: "24h", Status: statusOf(b),
		OutputFileID: orNull(b.openAI.output), ErrorFileID: orNull(b.openAI.failed),
		CreatedAt: b.created.Unix(), InProgressAt: second(b.began), ExpiresAt: b.expires.Unix(),
		FinalizingAt: second(b.finalized), CancellingAt: second(b.cancelled), Metadata: b.openAI.metadata,
	}
	switch b.stage {
	case stageEnded:
		v.CompletedAt = second(b.over)
	case stageFailed:
		v.FailedAt = second(b.over)
		v.Errors = &batchErrors{Object: "list"}
		for _, mistake := range b.errors {
			view := batchErrorView{Code: mistake.code, Message: mistake.message}
			if mistake.line > 0 {
				view.Line = &mistake.line
			}
			v.Errors.Data = append(v.Errors.Data, view)
		}
	case stageExpired:
		v.ExpiredAt = second(b.over)
	case stageCancelled:
		v.CancelledAt = second(b.over)
	case stageValidating, stageWorking, stageFinalizing, stageCancelling:
	}
	if b.began.IsZero() { // before that nobody has counted them
		return v
	}
	t := b.tally()
	v.RequestCounts = batchCounts{Total: len(b.lines), Completed: t.succeeded, Failed: t.errored}
	var sum task.Usage
	for _, l := range b.lines {
		addUsage(&sum, l.usage)
	}
	v.Usage.InputTokens, v.Usage.OutputTokens, v.Usage.TotalTokens = sum.Prompt(), sum.Output, sum.Prompt()+sum.Output
	v.Usage.InputTokensDetails.CachedTokens, v.Usage.OutputTokensDetails.ReasoningTokens = sum.CacheRead, sum.Reasoning
	return v
}

// fileOpenAIResults writes what was answered into one file and what was not into another. Neither is there when it would be
// empty.
func (s *Server) fileOpenAIResults(b *batch) {
	if b.stage == stageFailed {
		return
	}
	var output, failed []byte
	for _, l := range b.results() {
		state := b.stateOf(l)
		text := appendBatchLine(nil, l, state)
		if state == lineSucceeded {
			output = append(output, text...)
		} else {
			failed = append(failed, text...)
		}
	}
	store := func(content []byte, name string) string {
		if len(content) == 0 {
			return ""
		}
		f := &storedFile{
			api: openAIBatches, id: openAIFilePrefix + s.batches.newID(s.config.Seed), content: content, created: b.over,
			name: b.name() + name, purpose: "batch_output",
			expires: b.over.Add(orDefault(b.openAI.keep, orDefault(s.config.Batches.Kept, openAIKept))),
		}
		s.batches.files = append(s.batches.files, f)
		return f.id
	}
	b.openAI.output, b.openAI.failed = store(output, "_output.jsonl"), store(failed, "_error.jsonl")
}

func appendBatchLine(b []byte, l *line, state lineState) []byte {
	b = append(b, `{"id":"batch_req_`...)
	b = append(b, l.requestID...)
	b = append(b, `","custom_id":`...)
	b = httpcall.AppendString(b, l.id)
	if slices.Contains([]lineState{lineSucceeded, lineErrored}, state) {
		b = fmt.Appendf(b, `,"response":{"status_code":%d,"request_id":"req_%s","body":`, l.status, l.requestID)
		return append(append(b, l.answer...), "},\"error\":null}\n"...)
	}
	reason := `"code":"batch_expired","message":"This request could not be executed before the completion window expired."`
	if state == lineCanceled {
		reason = `"code":"batch_cancelled","message":"This request was not executed because the batch was cancelled."`
	}
	return append(append(append(b, `,"response":null,"error":{`...), reason...), "}}\n"...)
}
