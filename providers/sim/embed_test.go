package sim_test

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// embedder is a client of an API of the simulator's and a model of it.
type embedder struct {
	*embed.Client
	model string
}

func embedderOf(t *testing.T, s *sim.Server, api, model string) embedder {
	t.Helper()
	c, err := embed.New(api, providers.Config{
		BaseURL: s.URL(), AllowPrivate: true, Key: providers.NewSecret("key"), MaxBodyBytes: 256 << 20,
	})
	require.NoError(t, err)
	return embedder{c, model}
}

func (e embedder) ask(t *testing.T, change func(*embed.Request), texts ...string) (embed.Reply, error) {
	t.Helper()
	r := embed.Request{CallID: uuid.Must(uuid.NewV7()), Model: e.model, Texts: texts}
	if change != nil {
		change(&r)
	}
	p, err := e.Prepare(r)
	require.NoError(t, err)
	return e.Do(t.Context(), p)
}

func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return dot / math.Sqrt(aa*bb)
}

func TestEmbed_VectorsAndUsage(t *testing.T) {
	t.Parallel()
	const question = "Where is my parcel?"
	for _, tt := range []struct {
		name, api, model string
		dimensions       int
		ledger           string
		told             bool
	}{
		{"OpenAI", catalog.APIOpenAI, "text-embedding-3-small", 1536, "openai-embeddings", true},
		{"OpenAILarge", catalog.APIOpenAI, "text-embedding-3-large", 3072, "openai-embeddings", true},
		{"Voyage", catalog.APIVoyage, "voyage-4", 1024, "voyage", true},
		{"Gemini", catalog.APIGemini, "gemini-embedding-001", 3072, "gemini-embeddings", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fast(7))
			e := embedderOf(t, s, tt.api, tt.model)
			reply, err := e.ask(t, nil, question, "my parcel, where is it", "Pi is not a rational number")
			require.NoError(t, err)
			for _, v := range reply.Vectors {
				require.Len(t, v, tt.dimensions)
				require.InDelta(t, 1, cosine(v, v), 1e-6)
			}
			near, far := cosine(reply.Vectors[0], reply.Vectors[1]), cosine(reply.Vectors[0], reply.Vectors[2])
			require.Greater(t, near, far+0.2, "texts that share words are near each other")
			again, err := e.ask(t, nil, question)
			require.NoError(t, err)
			require.Equal(t, reply.Vectors[0], again.Vectors[0], "a text has always the same vector")

			short, err := e.ask(t, func(r *embed.Request) { r.Dimensions = 256 }, question)
			require.NoError(t, err)
			require.Len(t, short.Vectors[0], 256)

			entries := s.Ledger()
			require.Len(t, entries, 3)
			require.Equal(t, tt.ledger, entries[1].API)
			require.Equal(t, tt.model, entries[1].Model)
			require.EqualValues(t, len(question)/4+1, entries[1].Usage.Input)
			if !tt.told {
				require.Nil(t, again.Usage)
				return
			}
			require.Equal(t, &entries[1].Usage, again.Usage, "the client was told what was billed")
		})
	}
}

func TestEmbed_InputTypesCost(t *testing.T) {
	t.Parallel()
	s := start(t, fast(7))
	e := embedderOf(t, s, catalog.APIVoyage, "voyage-4")
	plain, err := e.ask(t, nil, "four")
	require.NoError(t, err)
	query, err := e.ask(t, func(r *embed.Request) { r.InputType = embed.Query }, "four")
	require.NoError(t, err)
	require.EqualValues(t, 1, plain.Usage.Input)
	require.EqualValues(t, 16, query.Usage.Input, "the prompt of the type is billed")
	require.NotEqual(t, plain.Vectors, query.Vectors)
	require.Greater(t, cosine(plain.Vectors[0], query.Vectors[0]), 0.8)
}

// TestEmbed_Limits: what is beyond an API's limits is refused in its own words, unpaid.
func TestEmbed_Limits(t *testing.T) {
	t.Parallel()
	repeat := func(text string, n int) []string {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = text
		}
		return texts
	}
	words := func(tokens int) string { return strings.Repeat("abcd", tokens) }
	for _, tt := range []struct {
		name, api, model string
		dimensions       int
		texts            []string
		class            task.FailureClass
		message          string
	}{
		{"OpenAIInputs", catalog.APIOpenAI, "text-embedding-3-small", 0, repeat("x", 2049), task.FailBadRequest, "maximum length 2048"},
		{"OpenAIInput", catalog.APIOpenAI, "text-embedding-3-small", 0, []string{"x", words(8193)}, task.FailTooLong, "'input[1]': maximum input length is 8192 tokens"},
		{"OpenAIRequest", catalog.APIOpenAI, "text-embedding-3-small", 0, repeat(words(8000), 38), task.FailTooLong, "Requested 304000 tokens, max 300000 tokens per request"},
		{"OpenAIDimensions", catalog.APIOpenAI, "text-embedding-3-small", 1537, []string{"x"}, task.FailBadRequest, "less than or equal to 1536"},
		{"OpenAIChatModel", catalog.APIOpenAI, "gpt-6-luna", 0, []string{"x"}, task.FailBadRequest, "no model for embeddings"},
		{"OpenAINoModel", catalog.APIOpenAI, "text-embedding-9", 0, []string{"x"}, task.FailNotFound, "does not exist"},
		{"VoyageInputs", catalog.APIVoyage, "voyage-4", 0, repeat("x", 1001), task.FailBadRequest, "batch size limit is 1000"},
		{"VoyageInput", catalog.APIVoyage, "voyage-4", 0, []string{words(32_001)}, task.FailTooLong, "context window of 32000 tokens"},
		{"VoyageRequest", catalog.APIVoyage, "voyage-4-large", 0, repeat(words(30_000), 5), task.FailTooLong, "max allowed tokens per submitted batch is 120000. Your batch has 150000"},
		{"VoyageDimensions", catalog.APIVoyage, "voyage-4", 300, []string{"x"}, task.FailBadRequest, "output_dimension"},
		{"GeminiInputs", catalog.APIGemini, "gemini-embedding-001", 0, repeat("x", 101), task.FailBadRequest, "at most 100 requests"},
		{"GeminiDimensions", catalog.APIGemini, "gemini-embedding-001", 4000, []string{"x"}, task.FailBadRequest, "output_dimensionality"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fast(1))
			_, err := embedderOf(t, s, tt.api, tt.model).ask(t, func(r *embed.Request) { r.Dimensions = tt.dimensions }, tt.texts...)
			var failed *providers.CallError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, tt.class, failed.Class, failed.Message)
			require.Contains(t, failed.Message, tt.message)
			require.Zero(t, s.Ledger()[0].Usage)
		})
	}
}

func TestEmbed_GeminiCutsWithoutAWord(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	e := embedderOf(t, s, catalog.APIGemini, "gemini-embedding-001")
	beginning := strings.Repeat("ab ", 2048*4/3+1)[:2048*4]
	cut, err := e.ask(t, nil, beginning+" and much more")
	require.NoError(t, err)
	whole, err := e.ask(t, nil, beginning)
	require.NoError(t, err)
	require.Equal(t, whole.Vectors, cut.Vectors)
	require.EqualValues(t, 2048, s.Ledger()[0].Usage.Input)
}

// TestEmbed_VoyageCutsUnlessTold: the API's default, which weir never leaves.
func TestEmbed_VoyageCutsUnlessTold(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	body := encode(t, object{"model": "voyage-4", "input": strings.Repeat("abcd", 40_000)})
	answer := post(t, s.URL()+"/v1/embeddings", body, nil)
	require.Equal(t, 32_000, number(t, usageOf(t, answer), "total_tokens"))
}

func TestEmbed_Faults(t *testing.T) {
	t.Parallel()
	for api, model := range map[string]string{
		catalog.APIOpenAI: "text-embedding-3-small", catalog.APIVoyage: "voyage-4", catalog.APIGemini: "gemini-embedding-001",
	} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			cfg := fast(1)
			cfg.Key = "other"
			_, err := embedderOf(t, start(t, cfg), api, model).ask(t, nil, "x")
			var failed *providers.CallError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, task.FailAuth, failed.Class)

			cfg = fast(1)
			cfg.RateLimits = map[string]sim.RateLimit{model: {RequestsPerMinute: 1}}
			e := embedderOf(t, start(t, cfg), api, model)
			_, err = e.ask(t, nil, "x")
			require.NoError(t, err)
			_, err = e.ask(t, nil, "x")
			require.ErrorAs(t, err, &failed)
			require.Equal(t, task.FailRateLimited, failed.Class)
			require.Positive(t, failed.RetryAfter)

			cfg = fast(1)
			cfg.Faults = map[sim.Fault]int{sim.FaultNoUsage: 1000}
			reply, err := embedderOf(t, start(t, cfg), api, model).ask(t, nil, "x")
			require.NoError(t, err)
			require.Nil(t, reply.Usage)
		})
	}
}

func TestEmbed_AnyModel(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.AnyModel = true
	s := start(t, cfg)
	reply, err := embedderOf(t, s, catalog.APIOpenAI, "bge-m3").ask(t, nil, "x")
	require.NoError(t, err)
	require.Len(t, reply.Vectors[0], 1024)
	require.Equal(t, "bge-m3", reply.Model)
	answer := post(t, s.URL()+pathCompletions, completionsBody(t, "bge-m3", "s", "x"), nil)
	require.Equal(t, http.StatusOK, answer.status, "the same name may be another model elsewhere")
	answer = post(t, s.URL()+pathCompletions, completionsBody(t, "voyage-4", "s", "x"), nil)
	require.Equal(t, http.StatusBadRequest, answer.status)
	require.Contains(t, string(answer.body), "does not answer")
}
