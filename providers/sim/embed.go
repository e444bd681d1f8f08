package sim

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

// EmbeddingProfile is how a model embeds texts, and what its API takes in one request.
type EmbeddingProfile struct {
	// Dimensions is the length of a vector that nobody asks to be another; 0 is no model for embeddings.
	Dimensions int
	// Lengths are the other ones that there are; nil is every shorter one.
	Lengths []int
	// Inputs, InputTokens and RequestTokens are the most texts, tokens of a text and tokens of all; 0 is no limit.
	Inputs, InputTokens, RequestTokens int
	// Cuts says that a longer text is cut off without a word instead of refused.
	Cuts bool
	// Untold says that answers tell no usage, though it is billed.
	Untold bool
}

func (p EmbeddingProfile) makes(dimensions int) bool {
	if p.Lengths != nil {
		return dimensions == p.Dimensions || slices.Contains(p.Lengths, dimensions)
	}
	return dimensions > 0 && dimensions <= p.Dimensions
}

// embedders are the profiles of models for embeddings.
func embedders() map[string]ModelProfile {
	with := func(p EmbeddingProfile) ModelProfile {
		return ModelProfile{Embeds: p, Latency: Latency{P50: 120 * time.Millisecond, Spread: 300}}
	}
	openAI := func(dimensions int) ModelProfile {
		return with(EmbeddingProfile{Dimensions: dimensions, Inputs: 2048, InputTokens: 8192, RequestTokens: 300_000})
	}
	voyage := func(tokens int) ModelProfile {
		return with(EmbeddingProfile{
			Dimensions: 1024, Lengths: []int{256, 512, 2048}, Inputs: 1000, InputTokens: 32_000, RequestTokens: tokens,
		})
	}
	google := EmbeddingProfile{Dimensions: 3072, Inputs: 100, InputTokens: 2048, Cuts: true, Untold: true}
	return map[string]ModelProfile{
		"text-embedding-3-small": openAI(1536),
		"text-embedding-3-large": openAI(3072),
		"voyage-4":               voyage(320_000),
		"voyage-4-lite":          voyage(1_000_000),
		"voyage-4-large":         voyage(120_000),
		"voyage-3.5":             voyage(320_000),
		"gemini-embedding-001":   with(google),
	}
}

// anyEmbedder plays models without a profile, under AnyModel.
func anyEmbedder() ModelProfile {
	return ModelProfile{
		Embeds:  EmbeddingProfile{Dimensions: 1024, Inputs: 256, InputTokens: 8192},
		Latency: Latency{P50: 50 * time.Millisecond, Spread: 300},
	}
}

// embedding is what a model for embeddings is asked for.
type embedding struct {
	texts      []string
	dimensions int
	inputType  string
	// cuts says that texts that are too long are to be cut off.
	cuts bool
}

func embeddingQuestion(model string, e embedding, header http.Header) *question {
	q := &question{model: model, users: e.texts, embedding: &e}
	for _, text := range e.texts {
		q.blocks = append(q.blocks, block{role: roleUser, text: text})
	}
	q.headers(header)
	return q
}

// embedWire is a format of embeddings, which has its own words for requests that are too large.
type embedWire interface {
	wire
	tooLarge(x excess) *problem
	badDimensions(p EmbeddingProfile, asked int) *problem
	// prompt is put before each text, and billed.
	prompt(inputType string) string
}

// excess is what exceeds a limit of a request: its texts, the tokens of one text, or those of all.
type excess struct {
	what      excessOf
	model     string
	index     int // of the text
	got, most int
}

type excessOf int

const (
	excessInputs excessOf = iota
	excessInput
	excessTokens
)

// embed answers as a model for embeddings does.
func (c *call) embed() (thought, time.Duration, *problem) {
	w, ok := c.wire.(embedWire)
	if !ok {
		return thought{}, 0, invalidf("%s only embeds", c.model.id)
	}
	e, p := c.q.embedding, c.model.Embeds
	dimensions := orDefault(e.dimensions, p.Dimensions)
	switch {
	case p.Inputs > 0 && len(e.texts) > p.Inputs:
		return thought{}, 0, w.tooLarge(excess{excessInputs, c.model.id, 0, len(e.texts), p.Inputs})
	case !p.makes(dimensions):
		return thought{}, 0, w.badDimensions(p, dimensions)
	}
	total := 0
	before := c.server.counter.count(w.prompt(e.inputType))
	vectors := make([][]float32, len(e.texts))
	for i, text := range e.texts {
		tokens := before + c.server.counter.count(text)
		if p.InputTokens > 0 && tokens > p.InputTokens {
			if !e.cuts && !p.Cuts {
				return thought{}, 0, w.tooLarge(excess{excessInput, c.model.id, i, tokens, p.InputTokens})
			}
			text, tokens = c.server.counter.cut(text, p.InputTokens-before), p.InputTokens
		}
		total += tokens
		vectors[i] = c.vector(text, e.inputType, dimensions)
	}
	if p.RequestTokens > 0 && total > p.RequestTokens {
		return thought{}, 0, w.tooLarge(excess{excessTokens, c.model.id, 0, total, p.RequestTokens})
	}
	seed := c.promptSeed()
	r := c.newReply(seed, answer{}, task.Usage{Input: int64(total)})
	r.vectors = vectors
	c.q.uncounted = p.Untold
	return thought{reply: r}, c.model.Latency.draw(dice.New(seed, "latency")), nil
}

const (
	marksOfWord = 16   // how many numbers of a vector a word changes
	ownShare    = 0.05 // how much of a vector is the text's alone
)

// vector is a unit vector that is always the same for a text, and near those of texts with the same words.
func (c *call) vector(text, inputType string, dimensions int) []float32 {
	sum := make([]float64, dimensions)
	for _, word := range strings.FieldsFunc(strings.ToLower(text), noWord) {
		d := dice.New(dice.Hash(c.model.cacheSeed, word), "word")
		for range marksOfWord {
			if at := d.Below(c.model.Embeds.Dimensions); at < dimensions { // shorter vectors are the beginnings of longer ones
				sum[at] += float64(2*d.Below(2) - 1)
			}
		}
	}
	d := dice.New(dice.Hash(dice.Hash(c.model.cacheSeed, inputType), text), "text")
	var length float64
	for i := range sum {
		sum[i] += ownShare * float64(d.Between(-1000, 1000)) / 1000
		length += sum[i] * sum[i]
	}
	length = math.Sqrt(length)
	vector := make([]float32, dimensions)
	for i := range sum {
		vector[i] = float32(sum[i] / length)
	}
	return vector
}

func noWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }

// embeddingList is /v1/embeddings of OpenAI, and of Voyage, which has the same path: the model tells whose it is.
type embeddingList struct {
	dialect Dialect
	voyage  bool
	packed  bool
}

func (l *embeddingList) name() string {
	if l.voyage {
		return "voyage"
	}
	return "openai-embeddings"
}

func (l *embeddingList) parse(body []byte, header http.Header) (*question, *problem) {
	var r struct {
		Model           string          `json:"model"`
		Input           json.RawMessage `json:"input"`
		Dimensions      *int            `json:"dimensions"`
		OutputDimension *int            `json:"output_dimension"`
		Encoding        string          `json:"encoding_format"`
		InputType       string          `json:"input_type"`
		Truncation      *bool           `json:"truncation"`
	}
	err := json.Unmarshal(body, &r)
	l.voyage = strings.HasPrefix(r.Model, "voyage")
	l.packed = r.Encoding == "base64"
	e := embedding{texts: inputsOf(r.Input), cuts: l.voyage && (r.Truncation == nil || *r.Truncation)}
	asked := r.Dimensions
	if l.voyage {
		e.inputType, asked = r.InputType, r.OutputDimension
	}
	if asked != nil {
		e.dimensions = orDefault(*asked, -1)
	}
	q := embeddingQuestion(r.Model, e, header)
	switch {
	case err != nil:
		return q, invalidf("The JSON body of the request cannot be parsed: %v", err)
	case len(e.texts) == 0, slices.Contains(e.texts, ""):
		return q, invalidf("'$.input' is invalid: texts are neither missing nor empty")
	case r.Encoding != "" && r.Encoding != "float" && r.Encoding != "base64":
		return q, invalidf("'encoding_format' is %q", r.Encoding)
	case l.voyage && e.inputType != "" && e.inputType != "query" && e.inputType != "document":
		return q, invalidf("Argument 'input_type' is %q", e.inputType)
	}
	return q, nil
}

// inputsOf is one text or a list of them; nil for anything else.
func inputsOf(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var texts []string
	if json.Unmarshal(raw, &texts) != nil {
		return nil
	}
	return texts
}

func (l *embeddingList) prompt(inputType string) string {
	switch inputType {
	case "query":
		return "Represent the query for retrieving supporting documents: "
	case "document":
		return "Represent the document for retrieval: "
	}
	return ""
}

func (l *embeddingList) tooLarge(x excess) *problem {
	if l.voyage {
		return l.tooLargeForVoyage(x)
	}
	switch x.what {
	case excessInputs:
		return &problem{kind: invalid, code: "array_above_max_length", message: fmt.Sprintf(
			"Invalid 'input': array too long. Expected an array with maximum length %d, but got one with length %d.",
			x.most, x.got,
		)}
	case excessTokens:
		return &problem{
			kind: invalid, code: "max_tokens_per_request",
			message: fmt.Sprintf("Requested %d tokens, max %d tokens per request", x.got, x.most),
		}
	case excessInput:
	}
	return invalidf("Invalid 'input[%d]': maximum input length is %d tokens.", x.index, x.most)
}

func (l *embeddingList) tooLargeForVoyage(x excess) *problem {
	switch x.what {
	case excessInputs:
		return invalidf("The batch size limit is %d. Your batch size is %d.", x.most, x.got)
	case excessTokens:
		return invalidf("Request to model '%s' failed. The max allowed tokens per submitted batch is %d. Your batch has "+
			"%d tokens after truncation.", x.model, x.most, x.got)
	case excessInput:
	}
	return invalidf("The example at index %d in your batch has too many tokens and does not fit into the model's context "+
		"window of %d tokens.", x.index, x.most)
}

func (l *embeddingList) badDimensions(p EmbeddingProfile, asked int) *problem {
	if l.voyage {
		return invalidf("Argument 'output_dimension' is %d; the model makes %d, or one of %v", asked, p.Dimensions, p.Lengths)
	}
	return invalidf("Invalid value for 'dimensions' = %d. Must be greater than 0 and less than or equal to %d.",
		asked, p.Dimensions)
}

func (l *embeddingList) reply(r *reply) []byte {
	b := append([]byte(nil), `{"object":"list","data":[`...)
	for i, v := range r.vectors {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"object":"embedding","index":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"embedding":`...)
		if l.packed {
			b = appendPacked(b, v)
		} else {
			b = appendNumbers(b, v)
		}
		b = append(b, '}')
	}
	b = append(b, `],"model":`...)
	b = httpcall.AppendString(b, r.model)
	if !r.unmetered {
		b = append(b, `,"usage":{`...)
		if !l.voyage {
			b = append(b, `"prompt_tokens":`...)
			b = strconv.AppendInt(b, r.usage.Input, 10)
			b = append(b, ',')
		}
		b = append(b, `"total_tokens":`...)
		b = strconv.AppendInt(b, r.usage.Input, 10)
		if l.dialect == DialectOpenRouter && r.cost != nil {
			b = append(b, `,"cost":`...)
			b = append(b, asFloat(*r.cost)...)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendPacked(b []byte, v []float32) []byte {
	raw := make([]byte, 0, len(v)*4)
	for _, n := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(n))
	}
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), raw), '"')
}

func appendNumbers(b []byte, v []float32) []byte {
	b = append(b, '[')
	for i, n := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(n), 'g', -1, 32)
	}
	return append(b, ']')
}

func (l *embeddingList) failure(p *problem, requestID string) ([]byte, int) {
	if !l.voyage {
		return completions{}.failure(p, requestID)
	}
	body := append([]byte(nil), `{"detail":`...)
	return append(httpcall.AppendString(body, p.message), '}'), openAITerm(p.kind).status
}

func (l *embeddingList) headers(h http.Header, requestID string, limit limitState) {
	completions{}.headers(h, requestID, limit)
}

// batchEmbed is batchEmbedContents of the Gemini Developer API, whose path names the model.
type batchEmbed struct {
	generate
}

func (batchEmbed) name() string { return "gemini-embeddings" }

func (b batchEmbed) parse(body []byte, header http.Header) (*question, *problem) {
	var r struct {
		Requests []struct {
			Model   string `json:"model"`
			Content struct {
				Parts []struct {
					Text string `json:"text"`
				} `json:"parts"`
			} `json:"content"`
			TaskType   string `json:"taskType"`
			Dimensions *int   `json:"outputDimensionality"`
		} `json:"requests"`
	}
	err := json.Unmarshal(body, &r)
	var e embedding
	var mistake *problem
	for i, one := range r.Requests {
		var parts []string
		for _, part := range one.Content.Parts {
			parts = append(parts, part.Text)
		}
		text := strings.Join(parts, "")
		e.texts, e.inputType = append(e.texts, text), one.TaskType
		if one.Dimensions != nil {
			e.dimensions = orDefault(*one.Dimensions, -1)
		}
		switch {
		case one.Model != "models/"+b.model:
			mistake = invalidf("* BatchEmbedContentsRequest.requests[%d].model: the model must match that of the batch\n", i)
		case text == "":
			mistake = invalidf("* BatchEmbedContentsRequest.requests[%d].content: contents is not specified\n", i)
		}
	}
	q := embeddingQuestion(b.model, e, header)
	switch {
	case err != nil:
		return q, invalidf("Invalid JSON payload received: %v", err)
	case len(e.texts) == 0:
		return q, invalidf("* BatchEmbedContentsRequest.requests: at least one request is needed\n")
	}
	return q, mistake
}

func (batchEmbed) prompt(string) string { return "" }

func (batchEmbed) tooLarge(x excess) *problem {
	if x.what == excessInputs {
		return invalidf("* BatchEmbedContentsRequest.requests: at most %d requests can be in one batch\n", x.most)
	}
	return &problem{kind: tooLong, message: strconv.Itoa(x.got) + " tokens"}
}

func (batchEmbed) badDimensions(p EmbeddingProfile, asked int) *problem {
	return invalidf("Invalid output_dimensionality %d: it must be from 1 to %d", asked, p.Dimensions)
}

func (batchEmbed) reply(r *reply) []byte {
	b := append([]byte(nil), `{"embeddings":[`...)
	for i, v := range r.vectors {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"values":`...)
		b = append(appendNumbers(b, v), '}')
	}
	b = append(b, ']')
	if !r.unmetered {
		b = append(b, `,"usageMetadata":{"promptTokenCount":`...)
		b = strconv.AppendInt(b, r.usage.Input, 10)
		b = append(b, `,"promptTokenDetails":[{"modality":"TEXT","tokenCount":`...)
		b = strconv.AppendInt(b, r.usage.Input, 10)
		b = append(b, `}]}`...)
	}
	return append(b, '}')
}
