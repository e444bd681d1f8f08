package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// document is an answer about batches or files.
type document struct {
	body []byte
	// mediaType is application/json when empty.
	mediaType string
	header    http.Header
}

// batchRoots are where the APIs of batches and files begin in a path, behind any prefix of a base URL.
func batchRoots() []string {
	return []string{
		"/v1/messages/batches", "/v1/batches", "/v1/files", "/upload/v1beta/files", "/v1beta/batches", "/v1beta/files",
		"/v1beta/models/",
	}
}

// splitBatchPath is the prefix of a path and what comes behind it; false for paths of other things.
func splitBatchPath(path string) (prefix, rest string, ok bool) {
	for _, root := range batchRoots() {
		at := strings.LastIndex(path, root)
		if at < 0 || root == "/v1beta/models/" && !strings.HasSuffix(path, ":batchGenerateContent") {
			continue
		}
		if after := path[at+len(root):]; after == "" || after[0] == '/' || strings.HasSuffix(root, "/") {
			return path[:at], path[at:], true
		}
	}
	return "", "", false
}

// isBatchPath says that a path is one of batches or files. Gateways and Azure have other ones: there are none there.
func (s *Server) isBatchPath(path string) bool {
	_, _, ok := splitBatchPath(path)
	return ok && s.config.Dialect == DialectOpenAI
}

// prefixValue is the name under which the prefix of the base URL goes to where addresses are written.
const prefixValue = "prefix"

func (s *Server) serveBatches(w http.ResponseWriter, r *http.Request) {
	prefix, rest, _ := splitBatchPath(r.URL.Path)
	inner := r.WithContext(r.Context())
	inner.URL = &url.URL{Path: rest, RawQuery: r.URL.RawQuery}
	inner.SetPathValue(prefixValue, prefix)
	s.api.ServeHTTP(w, inner)
}

// newBatchAPI serves batches and files in all formats.
func (s *Server) newBatchAPI() http.Handler {
	mux := http.NewServeMux()
	s.handleAnthropicBatches(mux)
	s.handleOpenAIBatches(mux)
	s.handleOpenAIFiles(mux)
	s.handleGeminiBatches(mux)
	s.handleGeminiFiles(mux)
	return mux
}

// asking is a handler of questions in a format. They have no place in the ledger.
func (s *Server) asking(format wire, answer func(c *call) (document, *problem)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{server: s, wire: format, w: w, r: r, unbooked: true, entry: Entry{At: s.config.Now()}}
		var d document
		problem := c.authorize()
		if _, versioned := format.(messages); versioned && problem == nil && r.Header.Get("Anthropic-Version") == "" {
			problem = invalidf("anthropic-version: header is required")
		}
		if problem == nil {
			d, problem = answer(c)
		}
		switch {
		case problem != nil:
			c.refuse(problem, OutcomeRefused)
		case c.entry.Fault == FaultHTML:
			c.failAtOnce(FaultHTML)
		case c.entry.Fault == FaultTimeout:
			select {
			case <-r.Context().Done():
			case <-s.done:
			}
			c.reset()
		case c.entry.Fault == FaultReset:
			c.reset()
		default:
			c.show(d)
		}
	}
}

func (c *call) show(d document) {
	header := c.w.Header()
	c.wire.headers(header, c.requestID(), c.limit)
	maps.Copy(header, d.header)
	header.Set("Content-Type", orDefault(d.mediaType, "application/json"))
	c.finishWith(http.StatusOK, d.body, OutcomeAnswered)
}

// readAll reads a body of a bounded length.
func (c *call) readAll(most int) ([]byte, *problem) {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, int64(most)+1))
	switch {
	case err != nil:
		return nil, invalidf("the request body cannot be read")
	case len(body) > most:
		return nil, &problem{kind: tooLarge, message: fmt.Sprintf("Request exceeds the maximum size of %d bytes", most)}
	}
	return body, nil
}

// meetBatch lets a fault meet the creation of a batch. The problem is one of faults that are an answer.
func (c *call) meetBatch(model string) *problem {
	c.entry.Fault = c.server.faults.nextOf(batchesMet, model, c.entry.At)
	return c.entry.Fault.problem()
}

// encoded is a value as the answer.
func encoded(v any) (document, *problem) {
	body, err := json.Marshal(v)
	if err != nil {
		return document{}, &problem{kind: serverError, message: err.Error()}
	}
	return document{body: body}, nil
}

// limitOf is how many objects a page may have.
func (c *call) limitOf(name string, usual, most int) (int, *problem) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, invalidf("%s: must be from 1 to %d", name, most)
	}
	return n, nil
}

// address is the URL of a path at this server, as the client reaches it.
func (c *call) address(path string) string {
	return "http://" + c.r.Host + c.r.PathValue(prefixValue) + path
}
