package sim

import (
	"net/http"
	"strconv"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// responses is OpenAI's Responses API.
type responses struct{}

func (responses) name() string { return "openai" }

func (responses) parse(body []byte, header http.Header) (*question, *problem) {
	r := responsesReader{completionsReader{scanner: scanner{data: body}, parts: parts{question: &question{}}}}
	if err := r.read(); err != nil {
		return r.question, invalidf("The JSON body of the request cannot be parsed: %v", err)
	}
	r.headers(header)
	if problem := r.check(); problem != nil {
		return r.question, problem
	}
	return r.question, r.checkCache(ttlAuto, ttlHalfDay)
}

// responsesReader reads one request. What the API shares with Chat Completions is read as there.
type responsesReader struct{ completionsReader }

func (r *responsesReader) read() error {
	return r.readWith(r.field)
}

func (r *responsesReader) field(name []byte) error {
	switch string(name) {
	case "instructions":
		return r.instructions()
	case "input":
		return r.input()
	case "max_output_tokens":
		return r.numberInto(&r.maxTokens)
	case "text":
		return r.find("format", func() error { return r.find("schema", r.outputSchema) })
	case "tools":
		return r.array(r.function)
	case "reasoning":
		return r.find("effort", func() error { return r.textInto(&r.effort) })
	case "reasoning_effort", "messages", "max_tokens", "max_completion_tokens", "response_format", "n":
		return r.skip() // the other API's
	default:
		return r.completionsReader.field(name)
	}
}

func (r *responsesReader) instructions() error {
	r.space()
	if r.peek() == 'n' {
		return r.skip()
	}
	text, err := r.text()
	r.system = append(r.system, block{role: roleSystem, text: text})
	return err
}

// input is a text or a list of messages.
func (r *responsesReader) input() error {
	r.space()
	if r.peek() == '[' {
		return r.array(r.turn)
	}
	text, err := r.text()
	r.message([]block{{role: roleUser, text: text}})
	return err
}

// function reads a tool, whose fields are at its top here.
func (r *responsesReader) function() error {
	start := r.at
	var t tool
	err := r.object(func(name []byte) error {
		var err error
		switch string(name) {
		case "name":
			t.name, err = r.text()
		case "parameters":
			t.schema, err = r.value()
		default:
			err = r.skip()
		}
		return err
	})
	if err == nil {
		r.addTool(t, r.data[start:r.at], 0)
	}
	return err
}

func (responses) reply(r *reply) []byte {
	b := make([]byte, 0, 900+len(r.answer.text)+len(r.answer.text)/8)
	b = append(b, `{"id":"resp_`...)
	b = append(b, r.id...)
	b = append(b, `","object":"response","created_at":`...)
	b = strconv.AppendInt(b, r.created.Unix(), 10)
	b = append(b, `,"status":`...)
	if r.answer.stop == stopLength {
		b = append(b, `"incomplete","incomplete_details":{"reason":"max_output_tokens"}`...)
	} else {
		b = append(b, `"completed","incomplete_details":null`...)
	}
	b = append(b, `,"error":null,"model":`...)
	b = httpcall.AppendString(b, r.model)
	b = append(b, `,"output":[`...)
	b = appendItem(b, r)
	b = append(b, ']')
	if !r.unmetered {
		b = appendResponsesUsage(b, r.usage)
	}
	b = append(b, `,"service_tier":`...)
	b = httpcall.AppendString(b, tierOf(r.tier))
	return append(b, '}')
}

func appendItem(b []byte, r *reply) []byte {
	if r.answer.call != "" {
		b = append(b, `{"type":"function_call","id":"fc_`...)
		b = append(b, r.id...)
		b = append(b, `","call_id":"call_`...)
		b = append(b, r.id...)
		b = append(b, `","status":"completed","name":`...)
		b = httpcall.AppendString(b, r.answer.call)
		b = append(b, `,"arguments":`...)
		b = httpcall.AppendString(b, r.answer.arguments)
		return append(b, '}')
	}
	b = append(b, `{"type":"message","id":"msg_`...)
	b = append(b, r.id...)
	b = append(b, `","role":"assistant","status":"completed","content":[{"type":`...)
	if r.answer.stop == stopRefusal {
		b = append(b, `"refusal","refusal":`...)
		b = httpcall.AppendString(b, r.answer.text)
	} else {
		b = append(b, `"output_text","annotations":[],"text":`...)
		b = httpcall.AppendString(b, r.answer.text)
	}
	return append(b, `}]}`...)
}

func appendResponsesUsage(b []byte, u task.Usage) []byte {
	b = append(b, `,"usage":{"input_tokens":`...)
	b = strconv.AppendInt(b, u.Prompt(), 10)
	b = append(b, `,"input_tokens_details":{"cached_tokens":`...)
	b = strconv.AppendInt(b, u.CacheRead, 10)
	b = append(b, `,"cache_write_tokens":`...)
	b = strconv.AppendInt(b, u.CacheWrite30m+u.CacheWrite12h, 10)
	b = append(b, `,"cache_write_tokens_details":{"ttl_30m_tokens":`...)
	b = strconv.AppendInt(b, u.CacheWrite30m, 10)
	b = append(b, `,"ttl_12h_tokens":`...)
	b = strconv.AppendInt(b, u.CacheWrite12h, 10)
	b = append(b, `}},"output_tokens":`...)
	b = strconv.AppendInt(b, u.Output, 10)
	b = append(b, `,"output_tokens_details":{"reasoning_tokens":`...)
	b = strconv.AppendInt(b, u.Reasoning, 10)
	b = append(b, `},"total_tokens":`...)
	b = strconv.AppendInt(b, u.Prompt()+u.Output, 10)
	return append(b, '}')
}

func (responses) failure(p *problem, requestID string) ([]byte, int) {
	return completions{}.failure(p, requestID)
}

func (responses) headers(h http.Header, requestID string, l limitState) {
	completions{}.headers(h, requestID, l)
}
