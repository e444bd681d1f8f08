package sim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/providers/sim"
)

// inBatch puts a body into a batch of its own and gives the answer in the results.
type inBatch func(t *testing.T, s *sim.Server, now *clock, body json.RawMessage) json.RawMessage

func inMessageBatch(t *testing.T, s *sim.Server, now *clock, body json.RawMessage) json.RawMessage {
	t.Helper()
	b := createMessages(t, s, encode(t, object{"requests": []object{{"custom_id": "line-0", "params": body}}}))
	now.add(turnaround)
	g := must(t, ask(t, http.MethodGet, s.URL()+pathMessageBatches+"/"+b.ID+"/results", nil, nil))
	return jsonLines[struct {
		Result struct {
			Message json.RawMessage `json:"message"`
		} `json:"result"`
	}](t, g.body)[0].Result.Message
}

func inOpenAIBatch(endpoint string) inBatch {
	return func(t *testing.T, s *sim.Server, now *clock, body json.RawMessage) json.RawMessage {
		t.Helper()
		line := encode(t, object{"custom_id": "line-0", "method": "POST", "url": endpoint, "body": body})
		b := createBatch(t, s, endpoint, string(line))
		now.add(turnaround)
		file := getBatch(t, s, b.ID).OutputFileID
		require.NotNil(t, file)
		g := must(t, ask(t, http.MethodGet, s.URL()+"/v1/files/"+*file+"/content", nil, nil))
		return jsonLines[struct {
			Response struct {
				Body json.RawMessage `json:"body"`
			} `json:"response"`
		}](t, g.body)[0].Response.Body
	}
}

func inGeminiBatch(t *testing.T, s *sim.Server, now *clock, body json.RawMessage) json.RawMessage {
	t.Helper()
	o := createGemini(t, s, encode(t, object{"batch": object{"displayName": "b", "inputConfig": object{
		"requests": object{"requests": []object{{"request": body, "metadata": object{"key": "line-0"}}}},
	}}}))
	now.add(turnaround)
	results := read[struct {
		Response struct {
			Inlined struct {
				Inlined []struct {
					Response json.RawMessage `json:"response"`
				} `json:"inlinedResponses"`
			} `json:"inlinedResponses"`
		} `json:"response"`
	}](t, s.URL()+"/v1beta/"+o.Name).Response.Inlined.Inlined
	require.Len(t, results, 1)
	return results[0].Response
}

// TestBatches_AsWeirReadsThem has weir's own clients write the requests and read the answers of batches: the usage is what
// the ledger has, and by the price book it costs half of what a call does.
func TestBatches_AsWeirReadsThem(t *testing.T) {
	t.Parallel()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	for _, tc := range []struct {
		name, prices, model string
		build               func(providers.Config) (providers.Provider, error)
		run                 inBatch
		tier                string
	}{
		{"Anthropic", "anthropic", "claude-haiku-5-5", anthropic.New, inMessageBatch, "batch"},
		{"ChatCompletions", "openai", "gpt-6-luna", openai.New, inOpenAIBatch(pathCompletions), "default"},
		{"Responses", "openai", "gpt-6.2-sol", responses.New, inOpenAIBatch(pathResponses), "default"},
		{"Gemini", "google", "gemini-3.8-flash", gemini.New, inGeminiBatch, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, now := batching(t, nil)
			now.add(270 * 24 * time.Hour) // to when these models have a price
			writer, err := tc.build(providers.Config{BaseURL: s.URL(), AllowPrivate: true})
			require.NoError(t, err)
			call := question(tc.model)
			call.Messages[0].Content += strings.Repeat(" The letter says a lot.\n", 50)
			request, err := writer.Prepare(call)
			require.NoError(t, err)

			answer := tc.run(t, s, now, request.Body)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(answer)
			}))
			t.Cleanup(server.Close)
			reader, err := tc.build(providers.Config{BaseURL: server.URL, AllowPrivate: true})
			require.NoError(t, err)
			reply, err := reader.Do(t.Context(), request)
			require.NoError(t, err)
			require.NotEmpty(t, reply.Output)
			require.Equal(t, tc.tier, reply.ServiceTier)
			e := ledgerOf(s)["line-0"]
			require.Equal(t, e.Usage, *reply.Usage)

			cost := func(mode pricing.Mode, tier string) int64 {
				price, err := book.Price(pricing.Query{Provider: tc.prices, Model: reply.Model, At: e.At, Mode: mode, ServiceTier: tier})
				require.NoError(t, err)
				c, err := price.Cost(*reply.Usage)
				require.NoError(t, err)
				return int64(c.Total)
			}
			require.Positive(t, cost(pricing.ModeBatch, reply.ServiceTier))
			require.Equal(t, cost(pricing.ModeSync, ""), 2*cost(pricing.ModeBatch, reply.ServiceTier))
		})
	}
}
