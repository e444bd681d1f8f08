package sim

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// generate is the generateContent method of the Gemini Developer API, whose path names the model.
type generate struct {
	model string
	// counts says that the method is countTokens, which takes a request of the other one in a field.
	counts bool
}

// modelOfPath is the model that a path of a method names.
func modelOfPath(path, method string) (string, bool) {
	path, isMethod := strings.CutSuffix(path, method)
	at := strings.LastIndex(path, "/models/")
	if !isMethod || at < 0 {
		return "", false
	}
	return path[at+len("/models/"):], true
}

func (generate) name() string { return "gemini" }

func (g generate) parse(body []byte, header http.Header) (*question, *problem) {
	r := generateReader{scanner: scanner{data: body}, parts: parts{question: &question{model: g.model}}}
	read := r.read
	if g.counts {
		read = r.readCounted
	}
	if err := read(); err != nil {
		return r.question, invalidf("Invalid JSON payload received: %v", err)
	}
	r.headers(header)
	return r.question, r.check()
}

// generateReader reads one request.
type generateReader struct {
	scanner
	parts
}

func (r *generateReader) read() error {
	err := r.readInto(&r.scanner, r.field)
	r.maxTokens = orDefault(r.maxTokens, defaultMaxTokens)
	return err
}

// readCounted reads a question for a count, of which what is no prompt does not matter.
func (r *generateReader) readCounted() error {
	err := r.readInto(&r.scanner, func(name []byte) error {
		switch string(name) {
		case "generateContentRequest":
			return r.object(r.field)
		case "contents":
			return r.array(r.turn)
		default:
			return unknownField(name)
		}
	})
	r.maxTokens = 1
	return err
}

func (r *generateReader) field(name []byte) error {
	switch string(name) {
	case "systemInstruction":
		return r.find("parts", func() error {
			return r.eachText(func(text string) {
				r.system = append(r.system, block{role: roleSystem, text: text})
			})
		})
	case "contents":
		return r.array(r.turn)
	case "tools":
		return r.array(func() error {
			return r.find("functionDeclarations", func() error { return r.array(r.declaration) })
		})
	case "toolConfig":
		return r.find("functionCallingConfig", func() error { return r.find("mode", r.mode) })
	case "generationConfig":
		return r.object(r.setting)
	default:
		return r.skip()
	}
}

// eachText reads the texts of a list of parts.
func (r *generateReader) eachText(each func(text string)) error {
	return r.array(func() error {
		return r.find("text", func() error {
			text, err := r.text()
			each(text)
			return err
		})
	})
}

// part reads a text or a file.
func (r *generateReader) part() (block, error) {
	var b block
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "text":
			return r.textInto(&b.text)
		case "inlineData":
			var mediaType, data string
			err := r.object(func(name []byte) error {
				switch string(name) {
				case "mimeType":
					return r.textInto(&mediaType)
				case "data":
					return r.textInto(&data)
				default:
					return r.skip()
				}
			})
			if err == nil && mediaType == task.MediaGIF {
				err = errors.New("unsupported MIME type: image/gif")
			}
			if err == nil {
				b.file, err = readFile(mediaType, data)
			}
			if err == nil {
				b.text = b.file.text
			}
			return err
		default:
			return r.skip()
		}
	})
	return b, err
}

func (r *generateReader) mode() error {
	mode, err := r.text()
	r.forced = mode == "ANY"
	return err
}

func (r *generateReader) setting(name []byte) error {
	switch string(name) {
	case "maxOutputTokens":
		return r.numberInto(&r.maxTokens)
	case "responseJsonSchema", "responseSchema":
		raw, err := r.value()
		r.addSchema(raw)
		return err
	case "thinkingConfig":
		return r.object(r.thought)
	case "temperature", "topP", "topK":
		return r.presentInto(&r.sampled)
	default:
		return r.skip()
	}
}

func (r *generateReader) thought(name []byte) error {
	switch string(name) {
	case "thinkingLevel":
		return r.textInto(&r.effort)
	case "thinkingBudget":
		return r.numberInto(&r.thinking)
	default:
		return r.skip()
	}
}

// turn reads one content. Its role may stand behind its parts.
func (r *generateReader) turn() error {
	role := roleUser
	var blocks []block
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "role":
			word, err := r.text()
			if word == "model" {
				role = roleModel
			}
			return err
		case "parts":
			return r.array(func() error {
				b, err := r.part()
				blocks = append(blocks, b)
				return err
			})
		default:
			return r.skip()
		}
	})
	for i := range blocks {
		blocks[i].role = role
	}
	r.message(blocks)
	return err
}

func (r *generateReader) declaration() error {
	start := r.at
	var t tool
	err := r.object(func(name []byte) error {
		var err error
		switch string(name) {
		case "name":
			t.name, err = r.text()
		case "parametersJsonSchema", "parameters":
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

func (r *generateReader) check() *problem {
	switch {
	case len(r.messages) == 0:
		return invalidf("* GenerateContentRequest.contents: contents is not specified")
	case r.maxTokens < 0:
		return invalidf("max_output_tokens must be positive")
	}
	return nil
}

func (generate) reply(r *reply) []byte {
	b := make([]byte, 0, 600+len(r.answer.text)+len(r.answer.text)/8)
	b = append(b, `{"candidates":[{`...)
	if r.answer.stop != stopRefusal { // what the filter stops is billed, but not shown
		b = append(b, `"content":{"parts":[`...)
		b = appendPart(b, r.answer)
		b = append(b, `],"role":"model"},`...)
	}
	b = append(b, `"finishReason":"`...)
	b = append(b, finishReason(r.answer.stop)...)
	b = append(b, `","index":0}]`...)
	if !r.unmetered {
		b = appendUsageMetadata(b, r.usage, r.cachedImages)
	}
	b = append(b, `,"modelVersion":`...)
	b = httpcall.AppendString(b, r.model)
	b = append(b, `,"responseId":"`...)
	b = append(b, r.id...)
	return append(b, `"}`...)
}

func appendPart(b []byte, a answer) []byte {
	if a.call == "" {
		b = append(b, `{"text":`...)
		b = httpcall.AppendString(b, a.text)
		return append(b, '}')
	}
	b = append(b, `{"functionCall":{"name":`...)
	b = httpcall.AppendString(b, a.call)
	b = append(b, `,"args":`...)
	b = append(b, a.arguments...)
	return append(b, `}}`...)
}

func finishReason(s stop) string {
	switch s {
	case stopLength:
		return "MAX_TOKENS"
	case stopRefusal:
		return "SAFETY"
	case stopEnd, stopTools:
	}
	return "STOP"
}

// appendUsageMetadata writes the thoughts beside the candidates and leaves out what is 0, as Google's JSON does. Of the
// cached tokens so many are images.
func appendUsageMetadata(b []byte, u task.Usage, cachedImages int64) []byte {
	b = append(b, `,"usageMetadata":{"promptTokenCount":`...)
	b = strconv.AppendInt(b, u.Prompt(), 10)
	for _, count := range []struct {
		name string
		n    int64
	}{
		{"candidatesTokenCount", u.Output - u.Reasoning},
		{"totalTokenCount", u.Prompt() + u.Output},
		{"cachedContentTokenCount", u.CacheRead},
		{"thoughtsTokenCount", u.Reasoning},
	} {
		if count.n == 0 {
			continue
		}
		b = append(b, `,"`...)
		b = append(b, count.name...)
		b = append(b, `":`...)
		b = strconv.AppendInt(b, count.n, 10)
	}
	b = appendModalities(append(b, `,"promptTokensDetails":`...), u.Prompt(), u.InputImage+cachedImages)
	if u.CacheRead > 0 {
		b = appendModalities(append(b, `,"cacheTokensDetails":`...), u.CacheRead, cachedImages)
	}
	return append(b, '}')
}

// appendModalities splits a count into text and images.
func appendModalities(b []byte, total, images int64) []byte {
	b = append(b, `[{"modality":"TEXT","tokenCount":`...)
	b = strconv.AppendInt(b, total-images, 10)
	if images > 0 {
		b = append(b, `},{"modality":"IMAGE","tokenCount":`...)
		b = strconv.AppendInt(b, images, 10)
	}
	return append(b, `}]`...)
}

func (generate) failure(p *problem, _ string) ([]byte, int) {
	t := geminiTerm(p.kind)
	b := append([]byte(nil), `{"error":{"code":`...)
	b = strconv.AppendInt(b, int64(t.status), 10)
	b = append(b, `,"message":`...)
	b = httpcall.AppendString(b, geminiWords(p))
	b = append(b, `,"status":"`...)
	b = append(b, t.kind...)
	b = append(b, `","details":[`...)
	b = appendDetails(b, p, t.code)
	return append(b, `]}}`...), t.status
}

// geminiWords are the message, in the words that alone tell some problems from any other invalid argument.
func geminiWords(p *problem) string {
	switch p.kind {
	case tooLong:
		return "The input token count exceeds the maximum number of tokens allowed: " + p.message
	case tooLarge:
		return "Request payload size exceeds the limit: " + p.message
	case invalid, unauthorized, unknownModel, rateLimited, quotaSpent, serverError, unavailable, overloaded, noRoom, notFound,
		conflict:
	}
	return p.message
}

// appendDetails names the reason or the quota, and the wait, which stands in no header here.
func appendDetails(b []byte, p *problem, code string) []byte {
	const google = `{"@type":"type.googleapis.com/google.rpc.`
	switch p.kind {
	case unauthorized:
		b = append(b, google+`ErrorInfo","reason":"`...)
		b = append(b, code...)
		return append(b, `","domain":"googleapis.com"}`...)
	case rateLimited, quotaSpent:
		b = append(b, google+`QuotaFailure","violations":[{"quotaId":"`...)
		b = append(b, code...)
		b = append(b, `"}]},`+google+`RetryInfo","retryDelay":"`...)
		b = strconv.AppendFloat(b, orDefault(p.retryAfter, time.Second).Seconds(), 'f', -1, 64)
		return append(b, `s"}`...)
	case invalid, unknownModel, tooLarge, tooLong, serverError, unavailable, overloaded, noRoom, notFound, conflict:
	}
	return b
}

func (generate) headers(h http.Header, _ string, _ limitState) {
	h.Set("X-Gemini-Service-Tier", "standard")
}
