package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
)

// geminiBatch is what only Gemini's batches have.
type geminiBatch struct {
	displayName string
	// model is the one in the path.
	model string
	// byFile says that the requests came in a file; the results go into another then, whose name is here once there is one.
	byFile  bool
	results string
}

const geminiBatchPrefix = "batches/"

// operation is a batch as Gemini's API shows it.
type operation struct {
	Name     string          `json:"name"`
	Metadata geminiBatchView `json:"metadata"`
	Done     bool            `json:"done,omitempty"`
	Error    *rpcStatus      `json:"error,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

type geminiBatchView struct {
	Type        string          `json:"@type"`
	Model       string          `json:"model"`
	DisplayName string          `json:"displayName"`
	Name        string          `json:"name"`
	State       string          `json:"state"`
	CreateTime  time.Time       `json:"createTime"`
	UpdateTime  time.Time       `json:"updateTime"`
	EndTime     *time.Time      `json:"endTime,omitempty"`
	Stats       geminiStats     `json:"batchStats"`
	Output      json.RawMessage `json:"output,omitempty"`
}

type geminiStats struct {
	Requests   int `json:"requestCount,string"`
	Pending    int `json:"pendingRequestCount,string,omitempty"`
	Successful int `json:"successfulRequestCount,string,omitempty"`
	Failed     int `json:"failedRequestCount,string,omitempty"`
}

// rpcStatus is an error inside an answer.
type rpcStatus struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (s *Server) handleGeminiBatches(mux *http.ServeMux) {
	const root = "/v1beta/batches"
	mux.HandleFunc("POST /v1beta/models/{method}", s.asking(generate{}, s.createGeminiBatch))
	mux.HandleFunc("GET "+root, s.asking(generate{}, s.listGeminiBatches))
	one := func(answer func(c *call, b *batch) (document, *problem)) http.HandlerFunc {
		return s.asking(generate{}, func(c *call) (document, *problem) {
			s.batches.mu.Lock()
			defer s.batches.mu.Unlock()
			id, _ := strings.CutSuffix(c.r.PathValue("id"), ":cancel")
			b := s.batches.batch(geminiBatches, id)
			if b == nil {
				return document{}, &problem{kind: notFound, message: "Requested entity was not found: " + geminiBatchPrefix + id}
			}
			return answer(c, b)
		})
	}
	mux.HandleFunc("GET "+root+"/{id}", one(func(c *call, b *batch) (document, *problem) {
		return encoded(viewOperation(c, b))
	}))
	mux.HandleFunc("POST "+root+"/{id}", one(s.cancelGeminiBatch))
	mux.HandleFunc("DELETE "+root+"/{id}", one(func(_ *call, b *batch) (document, *problem) {
		s.batches.remove(b) // it ends what has not been worked off, without a result
		return document{body: []byte(`{}`)}, nil
	}))
}

func (s *Server) createGeminiBatch(c *call) (document, *problem) {
	model, _ := strings.CutSuffix(c.r.PathValue("method"), ":batchGenerateContent")
	if s.modelOf(model) == nil {
		return document{}, &problem{kind: unknownModel, message: "models/" + model + " is not found"}
	}
	body, mistake := c.readAll(orDefault(s.config.Batches.MaxBytes, geminiMaxInline))
	if mistake != nil {
		return document{}, mistake
	}
	b := &batch{
		api: geminiBatches, header: c.r.Header, gemini: geminiBatch{model: model},
		newWire: func() wire { return generate{model: model} },
	}
	file, mistake := b.readGeminiBatch(body)
	if mistake != nil {
		return document{}, mistake
	}
	if problem := c.meetBatch(model); problem != nil {
		return document{}, problem
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	if b.gemini.byFile {
		input := s.batches.file(geminiBatches, file, c.entry.At)
		if input == nil {
			return document{}, &problem{kind: notFound, message: "there is no file " + file}
		}
		b.lines, b.errors = readGeminiFile(input.content)
	}
	if most := orDefault(s.config.Batches.MaxLines, geminiMaxLines); len(b.lines) > most {
		return document{}, invalidf("* GenerateContentBatch.input_config: at most %d requests", most)
	}
	if c.entry.Fault == FaultBatchFailed {
		b.errors = []batchError{{message: "The batch could not be processed."}}
	}
	if problem := s.openBatch(c, b); problem != nil {
		return document{}, problem
	}
	return encoded(viewOperation(c, b))
}

// readGeminiBatch reads a batch and its requests, or the name of the file that has them. Unknown fields are refused, as
// Google's APIs do.
func (b *batch) readGeminiBatch(body []byte) (file string, _ *problem) {
	var r struct {
		Batch struct {
			DisplayName string `json:"displayName"`
			InputConfig struct {
				FileName string `json:"fileName"`
				Requests *struct {
					Requests []struct {
						Request  json.RawMessage `json:"request"`
						Metadata json.RawMessage `json:"metadata"`
					} `json:"requests"`
				} `json:"requests"`
			} `json:"inputConfig"`
		} `json:"batch"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return "", invalidf("Invalid JSON payload received: %v", err)
	}
	b.gemini.displayName, file = r.Batch.DisplayName, r.Batch.InputConfig.FileName
	inline := r.Batch.InputConfig.Requests
	switch {
	case b.gemini.displayName == "":
		return "", invalidf("* GenerateContentBatch.display_name: a name is required")
	case (file == "") == (inline == nil || len(inline.Requests) == 0):
		return "", invalidf("* GenerateContentBatch.input_config: either requests or a file is required")
	case file != "":
		b.gemini.byFile = true
		return file, nil
	}
	for i, one := range inline.Requests {
		if len(one.Request) == 0 {
			return "", invalidf("* GenerateContentBatch.input_config.requests[%d].request: is required", i)
		}
		b.lines = append(b.lines, &line{id: keyOf(one.Metadata), metadata: one.Metadata, body: one.Request})
	}
	return "", nil
}

// keyOf is the key in a request's metadata, empty when there is none.
func keyOf(metadata json.RawMessage) string {
	var m struct {
		Key string `json:"key"`
	}
	_ = json.Unmarshal(metadata, &m) // metadata without a key, or with another kind of one
	return m.Key
}

// readGeminiFile reads the lines of a file, or why the batch fails.
func readGeminiFile(content []byte) ([]*line, []batchError) {
	var lines []*line
	number := 0
	for raw := range bytes.Lines(content) {
		number++
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		var r struct {
			Key     string          `json:"key"`
			Request json.RawMessage `json:"request"`
		}
		if json.Unmarshal(raw, &r) != nil || len(r.Request) == 0 {
			return nil, []batchError{{message: fmt.Sprintf("Line %d of the input file has no request", number), line: number}}
		}
		lines = append(lines, &line{id: r.Key, body: r.Request})
	}
	if len(lines) == 0 {
		return nil, []batchError{{message: "The input file has no requests"}}
	}
	return lines, nil
}

func (s *Server) cancelGeminiBatch(c *call, b *batch) (document, *problem) {
	if !strings.HasSuffix(c.r.PathValue("id"), ":cancel") {
		return document{}, &problem{kind: notFound, message: "there is no such method"}
	}
	if !s.cancel(b, c.entry.At) {
		return document{}, &problem{kind: conflict, message: "a batch that is over cannot be cancelled"}
	}
	return document{body: []byte(`{}`)}, nil
}

func (s *Server) listGeminiBatches(c *call) (document, *problem) {
	limit, problem := c.limitOf("pageSize", 50, 1000)
	if problem != nil {
		return document{}, problem
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	found, more := s.batches.page(geminiBatches, c.r.URL.Query().Get("pageToken"), limit)
	page := struct {
		Operations    []operation `json:"operations,omitempty"`
		NextPageToken string      `json:"nextPageToken,omitempty"`
	}{}
	for _, b := range found {
		page.Operations = append(page.Operations, viewOperation(c, b))
	}
	if more {
		page.NextPageToken = found[len(found)-1].id
	}
	return encoded(page)
}

func viewOperation(c *call, b *batch) operation {
	name, t := b.name(), b.tally()
	o := operation{Name: name, Metadata: geminiBatchView{
		Type:  "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
		Model: "models/" + b.gemini.model, DisplayName: b.gemini.displayName, Name: name, State: geminiState(b.stage),
		CreateTime: b.created.UTC(), UpdateTime: c.entry.At.UTC(),
		Stats: geminiStats{Requests: len(b.lines), Pending: t.waiting, Successful: t.succeeded, Failed: t.errored},
	}}
	if b.over.IsZero() {
		return o
	}
	ended := b.over.UTC()
	o.Done, o.Metadata.EndTime, o.Metadata.UpdateTime = true, &ended, ended
	switch b.stage {
	case stageEnded:
		o.Metadata.Output = b.geminiOutput()
		o.Response = append([]byte(`{"@type":"type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatchOutput",`),
			o.Metadata.Output[1:]...)
	case stageFailed:
		o.Error = &rpcStatus{Code: rpcInternal, Message: b.errors[0].message}
		if b.errors[0].line > 0 {
			o.Error.Code = rpcInvalidArgument
		}
	case stageCancelled:
		o.Error = &rpcStatus{Code: rpcCancelled, Message: "The batch was cancelled"}
	case stageExpired:
		o.Error = &rpcStatus{Code: rpcDeadlineExceeded, Message: "The batch has expired"}
	case stageValidating, stageWorking, stageFinalizing, stageCancelling:
	}
	return o
}

// The codes of google.rpc that errors inside of answers have.
const (
	rpcCancelled         = 1
	rpcInvalidArgument   = 3
	rpcDeadlineExceeded  = 4
	rpcNotFound          = 5
	rpcResourceExhausted = 8
	rpcInternal          = 13
	rpcUnavailable       = 14
)

func rpcCode(k problemKind) int {
	switch k {
	case invalid, tooLong, tooLarge, unauthorized, conflict:
		return rpcInvalidArgument
	case unknownModel, notFound:
		return rpcNotFound
	case rateLimited, quotaSpent:
		return rpcResourceExhausted
	case unavailable, overloaded, noRoom:
		return rpcUnavailable
	case serverError:
	}
	return rpcInternal
}

func geminiState(s stage) string {
	switch s {
	case stageValidating:
		return "BATCH_STATE_PENDING"
	case stageEnded:
		return "BATCH_STATE_SUCCEEDED"
	case stageFailed:
		return "BATCH_STATE_FAILED"
	case stageCancelled:
		return "BATCH_STATE_CANCELLED"
	case stageExpired:
		return "BATCH_STATE_EXPIRED"
	case stageWorking, stageFinalizing, stageCancelling:
	}
	return "BATCH_STATE_RUNNING"
}

// geminiOutput is what a batch that succeeded has brought: a file or the answers themselves.
func (b *batch) geminiOutput() json.RawMessage {
	if b.gemini.byFile {
		return append(httpcall.AppendString([]byte(`{"responsesFile":`), b.gemini.results), '}')
	}
	out := []byte(`{"inlinedResponses":{"inlinedResponses":[`)
	for i, l := range b.inOrder() {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '{')
		out = l.appendGeminiResult(out)
		if len(l.metadata) > 0 {
			out = append(append(out, `,"metadata":`...), l.metadata...)
		}
		out = append(out, '}')
	}
	return append(out, `]}}`...)
}

// inOrder are the results in the order of the requests, in which Gemini's API gives them.
func (b *batch) inOrder() []*line {
	var out []*line
	for _, l := range b.lines {
		if !l.missing {
			out = append(out, l)
		}
		if l.twice {
			out = append(out, l)
		}
	}
	return out
}

func (l *line) appendGeminiResult(b []byte) []byte {
	if l.problem == nil {
		return append(append(b, `"response":`...), l.answer...)
	}
	b = append(b, `"error":{"code":`...)
	b = strconv.AppendInt(b, int64(rpcCode(l.problem.kind)), 10)
	b = append(b, `,"message":`...)
	return append(httpcall.AppendString(b, geminiWords(l.problem)), '}')
}

// fileGeminiResults writes the results of a batch by file into another file. A batch that did not succeed has none.
func (s *Server) fileGeminiResults(b *batch) {
	if b.stage != stageEnded || !b.gemini.byFile {
		return
	}
	var content []byte
	for _, l := range b.inOrder() {
		content = append(content, `{"key":`...)
		content = append(httpcall.AppendString(content, l.id), ',')
		content = append(l.appendGeminiResult(content), "}\n"...)
	}
	b.gemini.results = geminiFilePrefix + s.batches.newID(s.config.Seed) // the SDK reads letters and digits in an address only
	s.batches.files = append(s.batches.files, &storedFile{
		api: geminiBatches, id: b.gemini.results, name: b.gemini.displayName, mediaType: "application/jsonl", content: content,
		created: b.over, expires: b.over.Add(orDefault(s.config.Batches.Kept, geminiKept)), made: true,
	})
}
