package sim_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

func counted() providers.Call {
	return providers.Call{
		AttemptID: uuid.New(), Model: "m", System: strings.Repeat("Be brief. ", 700), Context: []string{"One.", "Two."},
		StableContext: 2, MaxOutputTokens: 50, JSONSchema: true, Schema: []byte(`{"type":"object"}`),
		Tools:    []task.Tool{{Name: "f", Parameters: []byte(`{"type":"object"}`)}},
		Examples: []task.Message{{Role: task.RoleUser, Content: "In."}, {Role: task.RoleAssistant, Content: "Out."}},
		Messages: []task.Message{{Role: task.RoleUser, Content: "What is it? \u00e9"}}, Effort: "low", ServiceTier: "default",
	}
}

// TestCounts holds the counts of all formats, of new prompts and of cached ones, against what the calls are billed.
func TestCounts(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]struct {
		build func(providers.Config) (providers.Provider, error)
		cache []providers.Cache
	}{
		"Anthropic": {anthropic.New, []providers.Cache{providers.CacheUnasked, providers.Cache1h}},
		"Responses": {responses.New, []providers.Cache{providers.CacheUnasked, providers.CacheNone, providers.Cache30m}},
		"Gemini":    {gemini.New, []providers.Cache{providers.CacheUnasked}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := fast(1)
			config.AnyModel = true
			server := start(t, config)
			provider, err := format.build(providers.Config{BaseURL: server.URL(), AllowPrivate: true})
			require.NoError(t, err)
			counter, ok := provider.(providers.TokenCounter)
			require.True(t, ok)
			asked := 0
			for _, cache := range format.cache {
				for range 2 { // the second finds the prefix
					question, err := counter.PrepareCount(counted())
					require.NoError(t, err)
					n, err := counter.Count(t.Context(), question)
					require.NoError(t, err)
					asked++
					call := counted()
					call.Cache = cache
					request, err := provider.Prepare(call)
					require.NoError(t, err)
					reply, err := provider.Do(t.Context(), request)
					require.NoError(t, err)
					require.Equal(t, reply.Usage.Prompt(), n)
				}
			}
			require.EqualValues(t, asked, server.Stats().Counts)
			require.Len(t, server.Ledger(), asked, "a count is not booked")

			require.NoError(t, server.AddFault(sim.Script{Counts: true, Fault: sim.FaultOverloaded}))
			question, err := counter.PrepareCount(counted())
			require.NoError(t, err)
			_, err = counter.Count(t.Context(), question)
			var failed *providers.CallError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, task.FailOverloaded, failed.Class)
			request, err := provider.Prepare(counted())
			require.NoError(t, err)
			_, err = provider.Do(t.Context(), request)
			require.NoError(t, err, "calls go on")
			require.Error(t, server.AddFault(sim.Script{Counts: true, Fault: sim.FaultDrip}))
		})
	}
}

func TestCounts_TakesNothingElse(t *testing.T) {
	t.Parallel()
	config := fast(1)
	config.AnyModel = true
	server := start(t, config)
	for path, body := range map[string]string{
		"/v1/messages/count_tokens":      `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`,
		"/v1/responses/input_tokens":     `{"model":"m","store":false,"input":"x"}`,
		"/v1beta/models/m:countTokens":   `{"generationConfig":{},"contents":[{"parts":[{"text":"x"}]}]}`,
		"/v1beta/models/m:countTokens?x": `{}`,
	} {
		require.Equal(t, 400, post(t, server.URL()+path, []byte(body), nil).status, path)
	}
}
