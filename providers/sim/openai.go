package sim

import (
	"net/http"
	"strconv"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// completions is OpenAI's Chat Completions API.
type completions struct{}

// defaultMaxTokens is the output limit of requests that name none.
const defaultMaxTokens = 4096

func (completions) name() string { return "openai" }

func (completions) parse(body []byte, header http.Header) (*question, *problem) {
	r := completionsReader{scanner: scanner{data: body}, parts: parts{question: &question{}}}
	if err := r.read(); err != nil {
		return r.question, invalidf("The JSON body of the request cannot be parsed: %v", err)
	}
	r.headers(header)
	return r.question, r.check()
}

// completionsReader reads one request.
type completionsReader struct {
	scanner
	parts
	choices int
}

func (r *completionsReader) read() error {
	err := r.readInto(&r.scanner, r.field)
	r.maxTokens = orDefault(r.maxTokens, defaultMaxTokens)
	return err
}

func (r *completionsReader) field(name []byte) error {
	switch string(name) {
	case "model":
		return r.textInto(&r.model)
	case "max_tokens", "max_completion_tokens":
		return r.numberInto(&r.maxTokens)
	case "messages":
		return r.array(r.turn)
	case "tools":
		return r.array(r.tool)
	case "tool_choice":
		return r.choice()
	case "response_format":
		return r.find("json_schema", func() error { return r.find("schema", r.outputSchema) })
	case "metadata":
		return r.metadata(&r.scanner)
	case "prompt_cache_options":
		return r.find("mode", r.cacheMode)
	case "service_tier":
		return r.textInto(&r.tier)
	case "n":
		return r.numberInto(&r.choices)
	case "stream":
		return r.flagInto(&r.streamed)
	case "temperature", "top_p":
		return r.presentInto(&r.sampled)
	default:
		return r.skip()
	}
}

func (r *completionsReader) outputSchema() error {
	raw, err := r.value()
	r.addSchema(raw)
	return err
}

// cacheMode reads prompt_cache_options.mode. Explicit breakpoints are not simulated, so that mode caches nothing.
func (r *completionsReader) cacheMode() error {
	mode, err := r.text()
	r.uncached = mode == "explicit"
	return err
}

func (r *completionsReader) choice() error {
	r.space()
	if r.peek() == '{' {
		r.forced = true
		return r.skip()
	}
	mode, err := r.text()
	r.forced = mode == "required"
	return err
}

func (r *completionsReader) turn() error {
	var b block
	var files []block
	err := r.object(func(name []byte) error {
		var err error
		switch string(name) {
		case "role":
			b.role, err = r.text()
		case "content":
			b.text, files, err = r.content()
		default:
			err = r.skip()
		}
		return err
	})
	if b.role == roleSystem || b.role == "developer" {
		b.role = roleSystem
		r.system = append(r.system, b)
		return err
	}
	for i := range files {
		files[i].role = b.role
	}
	if b.text != "" || len(files) == 0 {
		files = append(files, b)
	}
	r.message(files)
	return err
}

// content reads a text or a list of parts: texts and files.
func (r *completionsReader) content() (string, []block, error) {
	r.space()
	if r.peek() != '[' {
		text, err := r.text()
		return text, nil, err
	}
	var text []byte
	var files []block
	err := r.array(func() error {
		return r.object(func(name []byte) error {
			switch string(name) {
			case "text":
				part, err := r.text()
				text = append(text, part...)
				return err
			case "image_url", "file_data", "file":
				f, err := r.file()
				if f != nil {
					files = append(files, block{text: f.text, file: f})
				}
				return err
			default:
				return r.skip()
			}
		})
	})
	return string(text), files, err
}

// file reads a data URL, by itself as in the Responses API or inside of an object.
func (r *completionsReader) file() (*file, error) {
	var url string
	r.space()
	if r.peek() != '{' {
		if err := r.textInto(&url); err != nil {
			return nil, err
		}
		return readDataURL(url)
	}
	err := r.object(func(name []byte) error {
		if string(name) == "url" || string(name) == "file_data" {
			return r.textInto(&url)
		}
		return r.skip()
	})
	if err != nil {
		return nil, err
	}
	return readDataURL(url)
}

func (r *completionsReader) tool() error {
	start := r.at
	var t tool
	err := r.find("function", func() error {
		return r.object(func(name []byte) error {
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
	})
	if err == nil {
		r.addTool(t, r.data[start:r.at], 0)
	}
	return err
}

func (r *completionsReader) check() *problem {
	switch {
	case r.model == "":
		return invalidf("you must provide a model parameter")
	case r.maxTokens < 0:
		return invalidf("max_completion_tokens must be at least 1")
	case len(r.messages)+len(r.system) == 0:
		return invalidf("messages must have at least one entry")
	case r.choices > 1:
		return invalidf("n must be 1: the simulator gives one choice")
	}
	return nil
}

func (completions) reply(r *reply) []byte {
	b := make([]byte, 0, 900+len(r.answer.text)+len(r.answer.text)/8)
	b = append(b, `{"id":"chatcmpl-`...)
	b = append(b, r.id...)
	b = append(b, `","object":"chat.completion","created":`...)
	b = strconv.AppendInt(b, r.created.Unix(), 10)
	b = append(b, `,"model":`...)
	b = httpcall.AppendString(b, r.model)
	b = append(b, `,"choices":[{"index":0,"message":`...)
	b = appendCompletion(b, r)
	b = append(b, `,"logprobs":null,"finish_reason":"`...)
	b = append(b, completionsStop(r.answer.stop)...)
	b = append(b, `"}]`...)
	if !r.unmetered {
		b = appendCompletionsUsage(b, r.usage)
	}
	b = append(b, `,"service_tier":`...)
	b = httpcall.AppendString(b, tierOf(r.tier))
	return append(b, `,"system_fingerprint":null}`...)
}

// tierOf is the tier that a request is served in: auto means default.
func tierOf(asked string) string {
	switch asked {
	case "flex", "priority":
		return asked
	}
	return "default"
}

func appendCompletion(b []byte, r *reply) []byte {
	b = append(b, `{"role":"assistant","content":`...)
	switch {
	case r.answer.stop == stopRefusal:
		b = append(b, `null,"refusal":`...)
		b = httpcall.AppendString(b, r.answer.text)
	case r.answer.call != "":
		b = append(b, `null,"refusal":null,"tool_calls":[{"id":"call_`...)
		b = append(b, r.id...)
		b = append(b, `","type":"function","function":{"name":`...)
		b = httpcall.AppendString(b, r.answer.call)
		b = append(b, `,"arguments":`...)
		b = httpcall.AppendString(b, r.answer.arguments)
		b = append(b, `}}]`...)
	default:
		b = httpcall.AppendString(b, r.answer.text)
		b = append(b, `,"refusal":null`...)
	}
	return append(b, `,"annotations":[]}`...)
}

func completionsStop(s stop) string {
	switch s {
	case stopTools:
		return "tool_calls"
	case stopLength:
		return "length"
	case stopEnd, stopRefusal:
	}
	return "stop"
}

func appendCompletionsUsage(b []byte, u task.Usage) []byte {
	b = append(b, `,"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, u.Prompt(), 10)
	b = append(b, `,"completion_tokens":`...)
	b = strconv.AppendInt(b, u.Output, 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, u.Prompt()+u.Output, 10)
	b = append(b, `,"prompt_tokens_details":{"cached_tokens":`...)
	b = strconv.AppendInt(b, u.CacheRead, 10)
	b = append(b, `,"cache_write_tokens":`...)
	b = strconv.AppendInt(b, u.CacheWrite30m, 10)
	b = append(b, `,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":`...)
	b = strconv.AppendInt(b, u.Reasoning, 10)
	return append(b, `,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`...)
}

func (completions) failure(p *problem, _ string) ([]byte, int) {
	t := openAITerm(p.kind)
	b := append([]byte(nil), `{"error":{"message":`...)
	b = httpcall.AppendString(b, p.message)
	b = append(b, `,"type":"`...)
	b = append(b, t.kind...)
	b = append(b, `","param":null,"code":`...)
	if t.code == "" {
		b = append(b, `null`...)
	} else {
		b = httpcall.AppendString(b, t.code)
	}
	return append(b, `}}`...), t.status
}

func (completions) headers(h http.Header, requestID string, l limitState) {
	h["X-Request-Id"] = []string{requestID}
	if l.limit > 0 {
		h.Set("X-Ratelimit-Limit-Requests", strconv.Itoa(l.limit))
		h.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(l.remaining))
		h.Set("X-Ratelimit-Reset-Requests", l.wait.Round(time.Millisecond).String())
	}
}
