package sim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

// The models of translation services by the names that the ledger has for them.
const (
	modelDeepL = "deepl"
	modelLibre = "libretranslate"
)

// maxDeepLBody is the largest request that DeepL takes.
const maxDeepLBody = 128 << 10

// translation is what a translation service is asked for.
type translation struct {
	text   string
	target string
}

// translating makes a question of a translation.
func translating(model string, t translation) *question {
	return &question{
		model: model, users: []string{t.text}, translation: &t,
		blocks: []block{{role: roleSystem, text: t.target}, {role: roleUser, text: t.text}},
	}
}

// translate answers as a translation service does: it bills the characters that it was sent, whatever comes of them.
func (c *call) translate() (thought, time.Duration, *problem) {
	seed := c.promptSeed()
	a := c.server.player.translation(*c.q.translation, c.model, dice.New(seed, "answer"))
	usage := task.Usage{Characters: int64(utf8.RuneCountInString(c.q.translation.text))}
	return thought{reply: c.newReply(seed, a, usage)}, c.model.Latency.draw(dice.New(seed, "latency")), nil
}

// translated is DeepL's translation of texts.
type translated struct{}

func (translated) name() string { return "deepl" }

func (translated) parse(body []byte, header http.Header) (*question, *problem) {
	var r struct {
		Text   []string `json:"text"`
		Target string   `json:"target_lang"`
		Model  string   `json:"model_type"`
		Show   bool     `json:"show_billed_characters"`
	}
	err := json.Unmarshal(body, &r)
	t := translation{target: r.Target}
	if len(r.Text) > 0 {
		t.text = r.Text[0]
	}
	q := translating(orDefault(r.Model, modelDeepL), t)
	q.uncounted = !r.Show
	q.headers(header)
	switch {
	case err != nil:
		return q, invalidf("Bad request. Reason: %v", err)
	case len(body) > maxDeepLBody:
		return q, &problem{kind: tooLarge, message: "Request Entity Too Large"}
	case len(r.Text) != 1:
		return q, invalidf("text: the simulator translates one text at a time")
	case r.Target == "":
		return q, invalidf("Value for 'target_lang' not supported.")
	}
	return q, nil
}

func (translated) reply(r *reply) []byte {
	b := append(make([]byte, 0, len(r.answer.text)+200), `{"translations":[{"detected_source_language":"EN","text":`...)
	b = httpcall.AppendString(b, r.answer.text)
	if !r.unmetered {
		b = append(b, `,"billed_characters":`...)
		b = strconv.AppendInt(b, r.usage.Characters, 10)
	}
	if r.model != modelDeepL { // it is named where it was asked for
		b = append(b, `,"model_type_used":`...)
		b = httpcall.AppendString(b, r.model)
	}
	return append(b, `}]}`...)
}

func (translated) failure(p *problem, _ string) ([]byte, int) {
	b := append([]byte(nil), `{"message":`...)
	return append(httpcall.AppendString(b, p.message), '}'), deeplStatus(p.kind)
}

func deeplStatus(k problemKind) int {
	const quota = 456
	switch k {
	case invalid:
		return http.StatusBadRequest
	case unauthorized:
		return http.StatusForbidden
	case unknownModel:
		return http.StatusBadRequest
	case tooLarge, tooLong:
		return http.StatusRequestEntityTooLarge
	case rateLimited:
		return http.StatusTooManyRequests
	case quotaSpent:
		return quota
	case unavailable:
		return http.StatusServiceUnavailable
	case overloaded, noRoom:
		return statusOverloaded
	case serverError, notFound, conflict: // the last two are those of batches
	}
	return http.StatusInternalServerError
}

func (translated) headers(h http.Header, requestID string, _ limitState) {
	h.Set("X-Trace-Id", requestID)
}

// libre is LibreTranslate's API, which names no model and says nothing of a usage.
type libre struct{}

func (libre) name() string { return "libretranslate" }

func (libre) parse(body []byte, header http.Header) (*question, *problem) {
	var r struct {
		Text   string `json:"q"`
		Source string `json:"source"`
		Target string `json:"target"`
		Key    string `json:"api_key"`
	}
	err := json.Unmarshal(body, &r)
	q := translating(modelLibre, translation{text: r.Text, target: r.Target})
	q.key = r.Key
	q.headers(header)
	switch {
	case err != nil:
		return q, invalidf("Invalid JSON format")
	case r.Text == "":
		return q, invalidf("Invalid request: missing q parameter")
	case r.Source == "":
		return q, invalidf("Invalid request: missing source parameter")
	case r.Target == "":
		return q, invalidf("Invalid request: missing target parameter")
	}
	return q, nil
}

func (libre) reply(r *reply) []byte {
	b := append(make([]byte, 0, len(r.answer.text)+64), `{"translatedText":`...)
	return append(httpcall.AppendString(b, r.answer.text), '}')
}

func (libre) failure(p *problem, _ string) ([]byte, int) {
	words, status := p.message, http.StatusInternalServerError
	switch p.kind {
	case invalid, unknownModel:
		status = http.StatusBadRequest
	case tooLarge, tooLong:
		words, status = "Invalid request: request exceeds text limit: "+p.message, http.StatusBadRequest
	case unauthorized:
		words, status = "Invalid API key", http.StatusForbidden
	case rateLimited, quotaSpent:
		words, status = "Slowdown: "+p.message, http.StatusTooManyRequests
	case unavailable, overloaded, noRoom:
		status = http.StatusServiceUnavailable
	case serverError, notFound, conflict: // the last two are those of batches
	}
	return append(httpcall.AppendString([]byte(`{"error":`), words), '}'), status
}

func (libre) headers(http.Header, string, limitState) {}
