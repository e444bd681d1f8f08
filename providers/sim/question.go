package sim

import (
	"net/http"
	"strings"
	"time"

	"github.com/weirhq/weir/providers"
)

// question is what the simulator takes from a request, whatever its wire format.
type question struct {
	model     string
	maxTokens int
	// blocks are the prompt in the order in which it is cached: tools, schema, system, messages.
	blocks []block
	// system is the system prompt, and users are the user's turns.
	system string
	users  []string
	schema []byte
	tools  []tool
	// tier is the service tier that was asked for.
	tier string
	// explicit says that of the prompt only marked prefixes are cached, and cacheTTL for how long what is written stays.
	explicit bool
	cacheTTL time.Duration
	// cacheKey parts the cache: prompts with another key do not find what this one wrote.
	cacheKey string
	// effort and thinking are how hard the model is to think: a word, and a budget in tokens.
	effort   string
	thinking int
	// translation is what a translation service is asked for, nil for a model; its key stands in the body with some.
	translation *translation
	key         string
	// embedding is what a model for embeddings is asked for, nil for others.
	embedding *embedding
	// batched says that it is a line of a batch, and apart that it is worked off where nothing is at hand that calls wrote.
	batched, apart bool
	// uncounted says that the answer is not to tell what was billed.
	uncounted bool
	// attempt is the client's id of the request, and recording its id of the prompt.
	attempt, recording string
	// The things that some models refuse.
	sampled, forced, prefilled, streamed bool
}

// block is a part of a prompt that a cached prefix can end with.
type block struct {
	role string
	text string
	// file is an image or a PDF in place of a text; text is what a model reads in it then.
	file *file
	// ttl is the lifetime of the prefix that ends here, 0 when it is not marked.
	ttl time.Duration
}

// tool is a function that the model may call.
type tool struct {
	name   string
	schema []byte
}

const (
	roleTools  = "tools"
	roleSchema = "schema"
	roleSystem = "system"
	roleUser   = "user"
	roleModel  = "assistant"
)

// last is the user's last turn.
func (q *question) last() string {
	if len(q.users) == 0 {
		return ""
	}
	return q.users[len(q.users)-1]
}

// parts are a request's blocks as they are read; their order in the body is the client's.
type parts struct {
	*question
	tools, schemas, system, messages []block
}

// readInto reads a body, which is one object and nothing after it, and joins what field has read of it.
func (p *parts) readInto(s *scanner, field func(name []byte) error) error {
	s.space()
	if err := s.object(field); err != nil {
		return err
	}
	if s.space(); s.at != len(s.data) {
		return errBadJSON
	}
	p.join()
	return nil
}

// join puts the blocks into the order in which they are cached.
func (p *parts) join() {
	p.blocks = make([]block, 0, len(p.tools)+len(p.schemas)+len(p.system)+len(p.messages))
	for _, blocks := range [][]block{p.tools, p.schemas, p.system, p.messages} {
		p.blocks = append(p.blocks, blocks...)
	}
	var texts []string
	for _, b := range p.system {
		texts = append(texts, b.text)
	}
	p.question.system = strings.Join(texts, "\n\n")
	p.prefilled = len(p.messages) > 0 && p.messages[len(p.messages)-1].role == roleModel
}

// message adds the blocks of one turn.
func (p *parts) message(blocks []block) {
	p.messages = append(p.messages, blocks...)
	if len(blocks) == 0 || blocks[0].role != roleUser {
		return
	}
	if len(blocks) == 1 {
		p.users = append(p.users, blocks[0].text)
		return
	}
	var text strings.Builder
	for _, b := range blocks {
		text.WriteString(b.text)
		if b.file != nil {
			text.WriteByte('\n')
		}
	}
	p.users = append(p.users, text.String())
}

// addSchema makes the schema of the answer a part of the prompt.
func (p *parts) addSchema(raw []byte) {
	p.schema = raw
	p.schemas = append(p.schemas, block{role: roleSchema, text: string(raw)})
}

// addTool reads nothing new: it notes a function and makes it a part of the prompt.
func (p *parts) addTool(t tool, raw []byte, ttl time.Duration) {
	p.question.tools = append(p.question.tools, t)
	p.tools = append(p.tools, block{role: roleTools, text: string(raw), ttl: ttl})
}

// metadata reads the ids that a client may send in the request's own metadata.
func (p *parts) metadata(s *scanner) error {
	if s.peek() != '{' {
		return s.skip()
	}
	return s.object(func(name []byte) error {
		switch string(name) {
		case "attempt_id":
			return s.textInto(&p.attempt)
		case "recording_id":
			return s.textInto(&p.recording)
		default:
			return s.skip()
		}
	})
}

func (s *scanner) textInto(target *string) error {
	text, err := s.text()
	*target = text
	return err
}

func (s *scanner) numberInto(target *int) error {
	n, err := s.number()
	*target = n
	return err
}

// flagInto notes whether a value is true.
func (s *scanner) flagInto(target *bool) error {
	raw, err := s.value()
	*target = string(raw) == "true"
	return err
}

// presentInto notes whether there is any value but null.
func (s *scanner) presentInto(target *bool) error {
	raw, err := s.value()
	*target = *target || string(raw) != "null"
	return err
}

// headers reads the ids that a client sends beside the body.
func (q *question) headers(h http.Header) {
	if id := h.Get(providers.AttemptHeader); id != "" {
		q.attempt = id
	}
	if id := h.Get("X-Weir-Attempt-Id"); id != "" {
		q.attempt = id
	}
	if id := h.Get("X-Weir-Recording-Id"); id != "" {
		q.recording = id
	}
}
