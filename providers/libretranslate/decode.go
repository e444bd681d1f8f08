package libretranslate

import (
	"encoding/json"
	"net/http"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

type format struct{}

// Decode reads an answer. It says nothing of a usage or a model.
func (format) Decode(a httpcall.Answer) (providers.Reply, *httpcall.Fault) {
	var got struct {
		Text  *string `json:"translatedText"`
		Error *string `json:"error"`
	}
	err := json.Unmarshal(a.Body, &got)
	reply := providers.Reply{Stop: providers.StopOther}
	switch {
	case err != nil:
		fault := httpcall.Garbled(a, "the answer is no translation: "+err.Error())
		return reply, &fault
	case got.Error != nil: // as some proxies of such servers answer
		return reply, &httpcall.Fault{Class: class(http.StatusInternalServerError, *got.Error), Message: *got.Error}
	case got.Text == nil:
		fault := httpcall.Garbled(a, "the answer is no translation: it has no text")
		return reply, &fault
	}
	reply.Output, reply.Stop = *got.Text, providers.StopEnd
	return reply, nil
}

// Fault reads an error answer, {"error": words}.
func (format) Fault(a httpcall.Answer) httpcall.Fault {
	var body struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(a.Body, &body) // a body in another form has no words, and the status still tells the class
	if body.Error == "" {
		return httpcall.Fault{Class: httpcall.Class(a.Status), Message: httpcall.Unexplained(a)}
	}
	return httpcall.Fault{Class: class(a.Status, body.Error), Message: body.Error}
}

// class goes by the words where one status has several meanings: they are all that the API has.
func class(status int, words string) task.FailureClass {
	switch {
	case httpcall.Mentions(words, "exceeds text limit"):
		return task.FailTooLong
	case httpcall.Mentions(words, "api key"):
		return task.FailAuth
	case httpcall.Mentions(words, "too many request limits violations"):
		return task.FailRateLimited // banned for a while
	case httpcall.Mentions(words, "is not supported", "is not available as a target language"):
		return task.FailRefusal // a language that this server does not have; another model may
	}
	return httpcall.Class(status)
}

// ReadUsage reads weir's own count, {"characters": n}, as the API has none. It is nil when it is missing or absurd.
func ReadUsage(raw json.RawMessage) *task.Usage {
	var counts struct {
		Characters int64 `json:"characters"`
	}
	if json.Unmarshal(raw, &counts) != nil {
		return nil
	}
	return httpcall.Metered(task.Usage{Characters: counts.Characters})
}
