package sim

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
)

// messages is Anthropic's Messages API.
type messages struct {
	// counts says that the method is count_tokens, which knows no limit of the answer.
	counts bool
}

const (
	ttlShort       = 5 * time.Minute
	ttlLong        = time.Hour
	maxBreakpoints = 4
	leastThinking  = 1024
)

func (messages) name() string { return "anthropic" }

func (m messages) parse(body []byte, header http.Header) (*question, *problem) {
	if header.Get("Anthropic-Version") == "" {
		return nil, invalidf("anthropic-version: header is required")
	}
	r := messagesReader{scanner: scanner{data: body}, parts: parts{question: &question{}}, counts: m.counts}
	if err := r.read(); err != nil {
		return r.question, invalidf("The request body is not valid: %v", err)
	}
	r.headers(header)
	if m.counts {
		r.maxTokens = r.thinking + 1
	}
	return r.question, r.check()
}

// messagesReader reads one request.
type messagesReader struct {
	scanner
	parts
	counts bool
	auto   time.Duration // of a top-level cache_control
}

func (r *messagesReader) read() error {
	if err := r.readInto(&r.scanner, r.field); err != nil {
		return err
	}
	if r.auto > 0 && len(r.blocks) > 0 {
		r.blocks[len(r.blocks)-1].ttl = r.auto
	}
	return nil
}

func (r *messagesReader) field(name []byte) error {
	if r.counts {
		switch string(name) {
		case "max_tokens", "service_tier", "metadata", "stream", "temperature", "top_p", "top_k":
			return unknownField(name)
		}
	}
	switch string(name) {
	case "model":
		return r.textInto(&r.model)
	case "max_tokens":
		return r.numberInto(&r.maxTokens)
	case "messages":
		return r.array(r.turn)
	case "system":
		blocks, err := r.content(roleSystem)
		r.system = blocks
		return err
	case "tools":
		return r.array(r.tool)
	case "tool_choice":
		return r.choice()
	case "output_config":
		return r.object(r.outputSetting)
	case "thinking":
		return r.find("budget_tokens", func() error { return r.numberInto(&r.thinking) })
	case "service_tier":
		return r.textInto(&r.tier)
	case "metadata":
		return r.metadata(&r.scanner)
	case "cache_control":
		return r.lifetime(&r.auto)
	case "stream":
		return r.flagInto(&r.streamed)
	case "temperature", "top_p", "top_k":
		return r.presentInto(&r.sampled)
	default:
		return r.skip()
	}
}

// find reads one member of an object and skips the others.
func (s *scanner) find(member string, read func() error) error {
	if s.peek() != '{' {
		return s.skip()
	}
	return s.object(func(name []byte) error {
		if string(name) == member {
			return read()
		}
		return s.skip()
	})
}

func (r *messagesReader) outputSetting(name []byte) error {
	switch string(name) {
	case "format":
		return r.find("schema", r.outputSchema)
	case "effort":
		return r.textInto(&r.effort)
	default:
		return r.skip()
	}
}

func (r *messagesReader) outputSchema() error {
	raw, err := r.value()
	r.addSchema(raw)
	return err
}

func (r *messagesReader) choice() error {
	return r.find("type", func() error {
		kind, err := r.text()
		r.forced = kind == "any" || kind == "tool"
		return err
	})
}

func (r *messagesReader) turn() error {
	role, blocks := "", []block(nil)
	err := r.object(func(name []byte) error {
		var err error
		switch string(name) {
		case "role":
			role, err = r.text()
		case "content":
			blocks, err = r.content("")
		default:
			err = r.skip()
		}
		return err
	})
	for i := range blocks {
		blocks[i].role = role
	}
	r.message(blocks)
	return err
}

// content reads a text or a list of blocks.
func (r *messagesReader) content(role string) ([]block, error) {
	r.space()
	if r.peek() != '[' {
		text, err := r.text()
		return []block{{role: role, text: text}}, err
	}
	var blocks []block
	err := r.array(func() error {
		start := r.at
		b := block{role: role}
		isText := false
		err := r.object(func(name []byte) error {
			switch string(name) {
			case "text":
				isText = true
				return r.textInto(&b.text)
			case "cache_control":
				return r.lifetime(&b.ttl)
			case "source":
				var err error
				b.file, err = r.source()
				return err
			default:
				return r.skip()
			}
		})
		if b.file != nil {
			b.text = b.file.text
		} else if !isText && err == nil {
			b.text = string(r.data[start:r.at]) // a tool's result: it is counted as it is written
		}
		blocks = append(blocks, b)
		return err
	})
	return blocks, err
}

// source reads the content of an image or a document.
func (r *messagesReader) source() (*file, error) {
	var kind, mediaType, data string
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "type":
			return r.textInto(&kind)
		case "media_type":
			return r.textInto(&mediaType)
		case "data":
			return r.textInto(&data)
		default:
			return r.skip()
		}
	})
	if err != nil {
		return nil, err
	}
	if kind != "base64" {
		return nil, errors.New("the simulator takes files in base64 only")
	}
	return readFile(mediaType, data)
}

// lifetime reads a cache_control.
func (r *messagesReader) lifetime(ttl *time.Duration) error {
	if r.peek() != '{' {
		return r.skip()
	}
	*ttl = ttlShort
	return r.find("ttl", func() error {
		text, err := r.text()
		if text == "1h" {
			*ttl = ttlLong
		}
		return err
	})
}

func (r *messagesReader) tool() error {
	start := r.at
	var t tool
	var ttl time.Duration
	err := r.object(func(name []byte) error {
		var err error
		switch string(name) {
		case "name":
			t.name, err = r.text()
		case "input_schema":
			t.schema, err = r.value()
		case "cache_control":
			err = r.lifetime(&ttl)
		default:
			err = r.skip()
		}
		return err
	})
	if err == nil {
		r.addTool(t, r.data[start:r.at], ttl)
	}
	return err
}

// check refuses what the API refuses for every model.
func (r *messagesReader) check() *problem {
	marked := 0
	long := true
	for _, b := range r.blocks {
		if b.ttl == 0 {
			continue
		}
		if marked++; b.ttl == ttlLong && !long {
			return invalidf("cache_control: a ttl of 1h must not come after a ttl of 5m")
		}
		long = b.ttl == ttlLong
	}
	switch {
	case r.model == "":
		return invalidf("model: field required")
	case r.maxTokens <= 0:
		return invalidf("max_tokens: must be at least 1")
	case len(r.messages) == 0:
		return invalidf("messages: at least one message is required")
	case r.messages[0].role != roleUser:
		return invalidf("messages: the first message must have the role user")
	case r.thinking > 0 && (r.thinking < leastThinking || r.thinking >= r.maxTokens):
		return invalidf("thinking.budget_tokens: must be at least %d and less than max_tokens", leastThinking)
	case marked > maxBreakpoints:
		return invalidf("cache_control: at most %d blocks may have it, found %d", maxBreakpoints, marked)
	}
	return nil
}

func (messages) reply(r *reply) []byte {
	b := make([]byte, 0, 640+len(r.answer.text)+len(r.answer.text)/8)
	b = append(b, `{"id":"msg_`...)
	b = append(b, r.id...)
	b = append(b, `","type":"message","role":"assistant","model":`...)
	b = httpcall.AppendString(b, r.model)
	b = append(b, `,"content":[`...)
	switch {
	case r.answer.call != "":
		b = append(b, `{"type":"tool_use","id":"toolu_`...)
		b = append(b, r.id...)
		b = append(b, `","name":`...)
		b = httpcall.AppendString(b, r.answer.call)
		b = append(b, `,"input":`...)
		b = append(append(b, r.answer.arguments...), '}')
	case r.answer.text != "":
		b = append(b, `{"type":"text","text":`...)
		b = append(httpcall.AppendString(b, r.answer.text), '}')
	}
	b = append(b, `],"stop_reason":"`...)
	b = append(b, messagesStop(r.answer.stop)...)
	b = append(b, `","stop_sequence":null`...)
	if r.answer.stop == stopRefusal {
		b = append(b, `,"stop_details":{"type":"refusal","category":"other"}`...)
	}
	if !r.unmetered {
		b = appendMessagesUsage(b, r)
	}
	return append(b, '}')
}

func messagesStop(s stop) string {
	switch s {
	case stopTools:
		return "tool_use"
	case stopLength:
		return "max_tokens"
	case stopRefusal:
		return "refusal"
	case stopEnd:
	}
	return "end_turn"
}

func appendMessagesUsage(b []byte, r *reply) []byte {
	u := r.usage
	b = append(b, `,"usage":{"input_tokens":`...)
	b = strconv.AppendInt(b, u.Input, 10)
	b = append(b, `,"cache_creation_input_tokens":`...)
	b = strconv.AppendInt(b, u.CacheWrite5m+u.CacheWrite1h, 10)
	b = append(b, `,"cache_read_input_tokens":`...)
	b = strconv.AppendInt(b, u.CacheRead, 10)
	b = append(b, `,"cache_creation":{"ephemeral_5m_input_tokens":`...)
	b = strconv.AppendInt(b, u.CacheWrite5m, 10)
	b = append(b, `,"ephemeral_1h_input_tokens":`...)
	b = strconv.AppendInt(b, u.CacheWrite1h, 10)
	b = append(b, `},"output_tokens":`...)
	b = strconv.AppendInt(b, u.Output, 10)
	b = append(b, `,"service_tier":`...)
	if r.batched {
		return append(b, `"batch"}`...)
	}
	return append(b, `"standard"}`...)
}

func (messages) failure(p *problem, requestID string) ([]byte, int) {
	t := anthropicTerm(p.kind)
	b := append([]byte(nil), `{"type":"error","error":{"type":"`...)
	b = append(b, t.kind...)
	b = append(b, `","message":`...)
	b = httpcall.AppendString(b, p.message)
	b = append(b, `},"request_id":"`...)
	b = append(b, requestID...)
	return append(b, `"}`...), t.status
}

func (messages) headers(h http.Header, requestID string, l limitState) {
	h["Request-Id"] = []string{requestID}
	if l.limit > 0 {
		h.Set("Anthropic-Ratelimit-Requests-Limit", strconv.Itoa(l.limit))
		h.Set("Anthropic-Ratelimit-Requests-Remaining", strconv.Itoa(l.remaining))
		h.Set("Anthropic-Ratelimit-Requests-Reset", l.reset.UTC().Format(time.RFC3339))
	}
}

// idOf is 16 hex digits for a number.
func idOf(n uint64) string {
	var raw [8]byte
	for i := range raw {
		raw[i] = byte(n >> (8 * i) & 0xff)
	}
	return hex.EncodeToString(raw[:])
}
