package embeddings

import (
	"cmp"
	"strings"

	"github.com/weirhq/weir/catalog"
)

// Limits are what requests keep to.
type Limits struct {
	// Inputs is the most texts of one request.
	Inputs int
	// InputTokens is the most tokens of one text.
	InputTokens int64
	// RequestTokens is the most tokens of one request.
	RequestTokens int64
}

// The limits of the APIs, where neither weir.yaml nor the price book has others.
const (
	// https://platform.openai.com/docs/api-reference/embeddings/create
	openAIInputs        = 2048
	openAIInputTokens   = 8192
	openAIRequestTokens = 300_000

	// https://docs.voyageai.com/reference/embeddings-api and https://docs.voyageai.com/docs/embeddings
	voyageInputs              = 1000
	voyageInputTokens         = 32_000
	voyageRequestTokens       = 120_000 // the large models, those for code, finance and law, and models that are not known
	voyageRequestTokensMiddle = 320_000 // voyage-4, voyage-3.5, voyage-2
	voyageRequestTokensLite   = 1_000_000

	// https://ai.google.dev/gemini-api/docs/embeddings; the number of texts is the API's own refusal, "at most 100
	// requests can be in one batch". There is no limit of a request's tokens but what its texts come to.
	geminiInputs      = 100
	geminiInputTokens = 2048

	// Servers of one's own take the longest text of models such as bge-m3, and few at once: they work them off one by one.
	otherInputs        = 256
	otherInputTokens   = 8192
	otherRequestTokens = 100_000
)

// voyagePrompt is more than the tokens of the prompt that Voyage puts before a text of an input type, and bills.
const voyagePrompt = 12

// fillTo is how full requests are made of tokens, in percent: the count is weir's and not the provider's. A request
// that is refused for its size all the same is halved.
const fillTo = 90

func limitsOf(p catalog.Provider, e catalog.Embedder, window int64) Limits {
	l := limitsOfAPI(p, e.PricedAs())
	l.InputTokens = cmp.Or(e.InputTokens, window, l.InputTokens)
	l.Inputs = cmp.Or(e.Inputs, l.Inputs)
	if e.RequestTokens > 0 {
		l.RequestTokens = e.RequestTokens
	}
	if l.RequestTokens == 0 {
		l.RequestTokens = l.InputTokens * int64(l.Inputs)
	}
	return l
}

// cuts says that a server may cut a text that is too long off instead of refusing it.
func cuts(p catalog.Provider) bool {
	switch {
	case p.API == catalog.APIVoyage, p.API == catalog.APIResponses: // Voyage is told not to
		return false
	case p.Dialect == catalog.DialectOpenAI, p.Dialect == catalog.DialectAzure:
		return false
	}
	return true
}

func limitsOfAPI(p catalog.Provider, model string) Limits {
	switch {
	case p.API == catalog.APIVoyage:
		return Limits{voyageInputs, voyageInputTokens, voyageTokens(model)}
	case p.API == catalog.APIGemini:
		return Limits{Inputs: geminiInputs, InputTokens: geminiInputTokens}
	case p.API == catalog.APIResponses, p.Dialect == catalog.DialectOpenAI, p.Dialect == catalog.DialectAzure:
		return Limits{openAIInputs, openAIInputTokens, openAIRequestTokens}
	}
	return Limits{otherInputs, otherInputTokens, otherRequestTokens}
}

func voyageTokens(model string) int64 {
	switch {
	case strings.HasSuffix(model, "-lite"):
		return voyageRequestTokensLite
	case model == "voyage-4", model == "voyage-3.5", model == "voyage-2":
		return voyageRequestTokensMiddle
	}
	return voyageRequestTokens
}

// span is a range of texts that are embedded by one call.
type span struct{ from, to int }

func (s span) size() int { return s.to - s.from }

// halves are the two parts of a span that is too large.
func (s span) halves() (first, second span) {
	middle := s.from + s.size()/2
	return span{s.from, middle}, span{middle, s.to}
}

// cut puts texts into as few requests as the limits allow without changing their order. Each text fits by itself.
func cut(counts []int64, l Limits) []span {
	var spans []span
	most := l.RequestTokens * fillTo / 100
	from, sum := 0, int64(0)
	for i, n := range counts {
		if i > from && (i-from >= l.Inputs || sum+n > most) {
			spans = append(spans, span{from, i})
			from, sum = i, 0
		}
		sum += n
	}
	if from < len(counts) {
		spans = append(spans, span{from, len(counts)})
	}
	return spans
}
