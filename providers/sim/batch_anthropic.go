package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
)

// messageBatch is a batch as Anthropic's API shows it.
type messageBatch struct {
	ID                string        `json:"id"`
	Type              string        `json:"type"`
	ProcessingStatus  string        `json:"processing_status"`
	RequestCounts     messageCounts `json:"request_counts"`
	EndedAt           *time.Time    `json:"ended_at"`
	CreatedAt         time.Time     `json:"created_at"`
	ExpiresAt         time.Time     `json:"expires_at"`
	ArchivedAt        *time.Time    `json:"archived_at"`
	CancelInitiatedAt *time.Time    `json:"cancel_initiated_at"`
	ResultsURL        *string       `json:"results_url"`
}

type messageCounts struct {
	Processing int `json:"processing"`
	Succeeded  int `json:"succeeded"`
	Errored    int `json:"errored"`
	Canceled   int `json:"canceled"`
	Expired    int `json:"expired"`
}

const messageBatchPrefix = "msgbatch_"

func (s *Server) handleAnthropicBatches(mux *http.ServeMux) {
	const root = "/v1/messages/batches"
	mux.HandleFunc("POST "+root, s.asking(messages{}, s.createMessageBatch))
	mux.HandleFunc("GET "+root, s.asking(messages{}, s.listMessageBatches))
	one := func(answer func(c *call, b *batch) (document, *problem)) http.HandlerFunc {
		return s.asking(messages{}, func(c *call) (document, *problem) {
			s.batches.mu.Lock()
			defer s.batches.mu.Unlock()
			id := c.r.PathValue("id")
			b := s.batches.batch(anthropicBatches, trimID(id, messageBatchPrefix))
			if b == nil {
				return document{}, &problem{kind: notFound, message: "batch " + id + " not found"}
			}
			return answer(c, b)
		})
	}
	mux.HandleFunc("GET "+root+"/{id}", one(s.showMessageBatch))
	mux.HandleFunc("GET "+root+"/{id}/results", one(s.messageResults))
	mux.HandleFunc("POST "+root+"/{id}/cancel", one(s.cancelMessageBatch))
	mux.HandleFunc("DELETE "+root+"/{id}", one(s.deleteMessageBatch))
}

// trimID is an id without its prefix; one without a prefix is nobody's.
func trimID(id, prefix string) string {
	if len(id) <= len(prefix) || id[:len(prefix)] != prefix {
		return ""
	}
	return id[len(prefix):]
}

func (s *Server) createMessageBatch(c *call) (document, *problem) {
	body, problem := c.readAll(orDefault(s.config.Batches.MaxBytes, anthropicMaxBytes))
	if problem != nil {
		return document{}, problem
	}
	lines, problem := readMessageBatch(body, orDefault(s.config.Batches.MaxLines, anthropicMaxLines))
	if problem != nil {
		return document{}, problem
	}
	b := &batch{api: anthropicBatches, lines: lines, newWire: func() wire { return messages{} }, header: c.r.Header}
	if problem := c.meetBatch(b.modelOf(lines[0])); problem != nil {
		return document{}, problem
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	if problem := s.openBatch(c, b); problem != nil {
		return document{}, problem
	}
	return s.showMessageBatch(c, b)
}

// readMessageBatch refuses what the API refuses at once. What is wrong with the parameters of a request shows when it is
// worked off.
func readMessageBatch(body []byte, most int) ([]*line, *problem) {
	var r struct {
		Requests []struct {
			CustomID string          `json:"custom_id"`
			Params   json.RawMessage `json:"params"`
		} `json:"requests"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, invalidf("The request body is not valid: %v", err)
	}
	if len(r.Requests) == 0 || len(r.Requests) > most {
		return nil, invalidf("requests: must have from 1 to %d entries, found %d", most, len(r.Requests))
	}
	form := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	seen := make(map[string]bool, len(r.Requests))
	lines := make([]*line, len(r.Requests))
	for i, one := range r.Requests {
		switch {
		case !form.MatchString(one.CustomID):
			return nil, invalidf("requests.%d.custom_id: must be 1 to 64 letters, digits, _ and -", i)
		case seen[one.CustomID]:
			return nil, invalidf("requests.%d.custom_id: %s is not unique", i, one.CustomID)
		case len(one.Params) == 0 || one.Params[0] != '{':
			return nil, invalidf("requests.%d.params: field required", i)
		}
		seen[one.CustomID] = true
		lines[i] = &line{id: one.CustomID, body: one.Params}
	}
	return lines, nil
}

// showMessageBatch tells nothing of single requests before the whole batch has ended, as the API does.
func (s *Server) showMessageBatch(c *call, b *batch) (document, *problem) {
	return encoded(s.messageBatchOf(c, b))
}

func (s *Server) messageBatchOf(c *call, b *batch) messageBatch {
	id := b.name()
	view := messageBatch{
		ID: id, Type: "message_batch", ProcessingStatus: "in_progress", CreatedAt: b.created.UTC(), ExpiresAt: b.expires.UTC(),
		RequestCounts: messageCounts{Processing: len(b.lines)},
	}
	if !b.cancelled.IsZero() {
		at := b.cancelled.UTC()
		view.CancelInitiatedAt, view.ProcessingStatus = &at, "canceling"
	}
	if b.over.IsZero() {
		return view
	}
	t, ended := b.tally(), b.over.UTC()
	view.ProcessingStatus, view.EndedAt = "ended", &ended
	view.RequestCounts = messageCounts{Succeeded: t.succeeded, Errored: t.errored, Canceled: t.canceled, Expired: t.expired}
	if archived := s.archived(b); !c.entry.At.Before(archived) {
		view.ArchivedAt = &archived
		return view
	}
	address := c.address("/v1/messages/batches/" + id + "/results")
	view.ResultsURL = &address
	return view
}

// archived is when the results of a batch are gone.
func (s *Server) archived(b *batch) time.Time {
	return b.created.Add(orDefault(s.config.Batches.Kept, anthropicKept)).UTC()
}

func (s *Server) listMessageBatches(c *call) (document, *problem) {
	limit, problem := c.limitOf("limit", 20, 1000)
	if problem != nil {
		return document{}, problem
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	query := c.r.URL.Query()
	found, more := s.batches.page(anthropicBatches, trimID(query.Get("after_id"), messageBatchPrefix), limit)
	if before := query.Get("before_id"); before != "" {
		found, more = s.batches.pageBefore(anthropicBatches, trimID(before, messageBatchPrefix), limit)
	}
	page := struct {
		Data    []messageBatch `json:"data"`
		HasMore bool           `json:"has_more"`
		FirstID *string        `json:"first_id"`
		LastID  *string        `json:"last_id"`
	}{Data: []messageBatch{}, HasMore: more}
	for _, b := range found {
		page.Data = append(page.Data, s.messageBatchOf(c, b))
	}
	if n := len(page.Data); n > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[n-1].ID
	}
	return encoded(page)
}

func (s *Server) cancelMessageBatch(c *call, b *batch) (document, *problem) {
	if !s.cancel(b, c.entry.At) {
		return document{}, &problem{kind: conflict, message: "a batch that has ended cannot be canceled"}
	}
	return s.showMessageBatch(c, b)
}

func (s *Server) deleteMessageBatch(_ *call, b *batch) (document, *problem) {
	if b.over.IsZero() {
		return document{}, &problem{kind: conflict, message: "a batch that is in progress cannot be deleted: cancel it first"}
	}
	s.batches.remove(b)
	return document{body: fmt.Appendf(nil, `{"id":"%s","type":"message_batch_deleted"}`, b.name())}, nil
}

// messageResults is a line for each request, in no order that means anything.
func (s *Server) messageResults(c *call, b *batch) (document, *problem) {
	switch {
	case b.over.IsZero():
		return document{}, &problem{kind: notFound, message: "the batch has no results yet: it has not ended"}
	case !c.entry.At.Before(s.archived(b)):
		return document{}, &problem{kind: notFound, message: "the batch is archived: its results are no longer available"}
	}
	var out []byte
	for _, l := range b.results() {
		out = append(out, `{"custom_id":`...)
		out = httpcall.AppendString(out, l.id)
		out = append(out, `,"result":{"type":`...)
		switch b.stateOf(l) {
		case lineSucceeded:
			out = append(append(append(out, `"succeeded","message":`...), l.answer...), '}')
		case lineErrored:
			out = append(append(append(out, `"errored","error":`...), l.answer...), '}')
		case lineCanceled:
			out = append(out, `"canceled"}`...)
		case lineWaiting, lineExpired:
			out = append(out, `"expired"}`...)
		}
		out = append(out, "}\n"...)
	}
	return document{body: out, mediaType: "application/x-jsonl"}, nil
}
