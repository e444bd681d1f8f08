package sim

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// completions is OpenAI's Chat Completions API, in a dialect of it.
type completions struct {
	dialect Dialect
	// deployment is the model that the path names, in Azure's dialect.
	deployment string
}

// defaultMaxTokens is the output limit of requests that name none.
const defaultMaxTokens = 4096

func (completions) name() string { return "openai" }

func (c completions) parse(body []byte, header http.Header) (*question, *problem) {
	r := completionsReader{scanner: scanner{data: body}, parts: parts{question: &question{}}}
	if err := r.read(); err != nil {
		return r.question, invalidf("The JSON body of the request cannot be parsed: %v", err)
	}
	if c.deployment != "" {
		r.model = c.deployment // whatever the body says
	}
	r.headers(header)
	if problem := r.check(); problem != nil {
		return r.question, problem
	}
	return r.question, r.checkCache(ttlAuto)
}

// completionsReader reads one request.
type completionsReader struct {
	scanner
	parts
	choices int
}

func (r *completionsReader) read() error {
	return r.readWith(r.field)
}

// readWith reads a body and settles what its fields say together.
func (r *completionsReader) readWith(field func(name []byte) error) error {
	err := r.readInto(&r.scanner, field)
	r.maxTokens = orDefault(r.maxTokens, defaultMaxTokens)
	r.cacheTTL = orDefault(r.cacheTTL, ttlAuto)
	for i := range r.blocks {
		if r.blocks[i].ttl == ttlOfRequest {
			r.blocks[i].ttl = r.cacheTTL
		}
	}
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
		return r.object(r.cacheOption)
	case "prompt_cache_key":
		return r.textInto(&r.cacheKey)
	case "reasoning_effort":
		return r.textInto(&r.effort)
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

// ttlOfRequest is the lifetime of a breakpoint until the request's own is known.
const ttlOfRequest = time.Duration(-1)

func (r *completionsReader) cacheOption(name []byte) error {
	switch string(name) {
	case "mode":
		mode, err := r.text()
		r.explicit = mode == "explicit"
		return err
	case "ttl":
		return r.ttlInto(&r.cacheTTL)
	default:
		return r.skip()
	}
}

// ttlInto reads a lifetime; one that the API does not have becomes an hour, which check refuses.
func (r *completionsReader) ttlInto(ttl *time.Duration) error {
	text, err := r.text()
	switch text {
	case "30m":
		*ttl = ttlAuto
	case "12h":
		*ttl = ttlHalfDay
	default:
		*ttl = ttlLong
	}
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
	var role string
	var blocks []block
	err := r.object(func(name []byte) error {
		var err error
		switch string(name) {
		case "role":
			role, err = r.text()
		case "content":
			blocks, err = r.content()
		default:
			err = r.skip()
		}
		return err
	})
	if role == "developer" {
		role = roleSystem
	}
	for i := range blocks {
		blocks[i].role = role
	}
	if role == roleSystem {
		r.system = append(r.system, blocks...)
		return err
	}
	r.message(blocks)
	return err
}

// content reads a text or a list of parts: texts, each of which may be a breakpoint, and files.
func (r *completionsReader) content() ([]block, error) {
	r.space()
	if r.peek() != '[' {
		text, err := r.text()
		return []block{{text: text}}, err
	}
	var blocks []block
	err := r.array(func() error {
		var b block
		err := r.object(func(name []byte) error {
			switch string(name) {
			case "text":
				return r.textInto(&b.text)
			case "image_url", "file_data", "file":
				f, err := r.file()
				if f != nil {
					b.text, b.file = f.text, f
				}
				return err
			case "prompt_cache_breakpoint":
				b.ttl = ttlOfRequest
				return r.find("ttl", func() error { return r.ttlInto(&b.ttl) })
			default:
				return r.skip()
			}
		})
		blocks = append(blocks, b)
		return err
	})
	return blocks, err
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

// checkCache refuses lifetimes that the API does not have, and more breakpoints than it takes.
func (r *completionsReader) checkCache(lifetimes ...time.Duration) *problem {
	if !slices.Contains(lifetimes, r.cacheTTL) {
		return invalidf("prompt_cache_options.ttl: not a lifetime of this API")
	}
	marked := 0
	for _, b := range r.blocks {
		if b.ttl == 0 {
			continue
		}
		marked++
		if !slices.Contains(lifetimes, b.ttl) {
			return invalidf("prompt_cache_breakpoint.ttl: not a lifetime of this API")
		}
	}
	if marked > maxBreakpoints {
		return invalidf("prompt_cache_breakpoint: at most %d, found %d", maxBreakpoints, marked)
	}
	return nil
}

func (c completions) reply(r *reply) []byte {
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
		b = c.appendUsage(b, r)
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

// appendUsage appends the usage, in which OpenRouter tells the cost too.
func (c completions) appendUsage(b []byte, r *reply) []byte {
	b = appendCompletionsUsage(b, r.usage)
	if c.dialect != DialectOpenRouter || r.cost == nil {
		return b
	}
	b = append(b[:len(b)-1], `,"cost":`...)
	b = append(b, asFloat(*r.cost)...)
	return append(b, `,"is_byok":false,"cost_details":{"upstream_inference_cost":null}}`...)
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
	if p.code != "" {
		t.code = p.code
	}
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
