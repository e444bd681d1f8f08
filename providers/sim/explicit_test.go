package sim_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

const pathResponses = "/v1/responses"

// broken is a request to the Responses API whose system prompt of so many tokens ends with a breakpoint.
func broken(t *testing.T, model string, tokens int, options object, key, input string) []byte {
	t.Helper()
	body := object{
		"model": model, "max_output_tokens": 500, "prompt_cache_options": options,
		"input": []object{
			{"type": "message", "role": "system", "content": []object{{
				"type": "input_text", "text": stable(tokens), "prompt_cache_breakpoint": object{"mode": "explicit"},
			}}},
			{"type": "message", "role": "user", "content": input},
		},
	}
	if key != "" {
		body["prompt_cache_key"] = key
	}
	return encode(t, body)
}

// lifetimes are the input classes of an answer of the Responses API.
type lifetimes struct{ input, read, half, halfDay int }

func lifetimesOf(t *testing.T, g got) lifetimes {
	t.Helper()
	u := usageOf(t, g)
	l := lifetimes{
		read: number(t, u, "input_tokens_details.cached_tokens"),
		half: number(t, u, "input_tokens_details.cache_write_tokens_details.ttl_30m_tokens"), halfDay: number(t, u, "input_tokens_details.cache_write_tokens_details.ttl_12h_tokens"),
	}
	require.Equal(t, l.half+l.halfDay, number(t, u, "input_tokens_details.cache_write_tokens"))
	l.input = number(t, u, "input_tokens") - l.read - l.half - l.halfDay
	return l
}

func TestExplicitCache(t *testing.T) {
	t.Parallel()
	now := newClock()
	cfg := fast(1)
	cfg.Now = now.Now
	s := start(t, cfg)
	ask := func(model string, tokens int, options object, key, input string) lifetimes {
		return lifetimesOf(t, post(t, s.URL()+pathResponses, broken(t, model, tokens, options, key, input), nil))
	}
	explicit, halfDay := object{"mode": "explicit"}, object{"mode": "explicit", "ttl": "12h"}
	const prefix, rest = 2000 + perTurn, 1 + 2*perTurn // an input of one token and the answer's first words

	require.Equal(t, lifetimes{input: 900 + perTurn + rest}, ask("gpt-6-luna", 900, explicit, "", "a"), "too short")
	require.Equal(t, lifetimes{input: rest, half: prefix}, ask("gpt-6-luna", 2000, explicit, "", "a"), "to the token, and nothing behind it")
	require.Equal(t, lifetimes{input: rest, read: prefix}, ask("gpt-6-luna", 2000, explicit, "", "b"))
	require.Equal(t, lifetimes{input: rest, half: prefix}, ask("gpt-6-luna", 2000, explicit, "other", "a"), "another key")
	require.Equal(t, lifetimes{input: rest, read: prefix}, ask("gpt-6-luna", 2000, explicit, "other", "a"))
	require.Equal(t, lifetimes{input: prefix + rest}, ask("gpt-4o-mini", 2000, explicit, "", "a"), "older models write for nothing")
	require.Equal(t, lifetimes{input: rest, read: prefix}, ask("gpt-4o-mini", 2000, explicit, "", "a"))
	now.add(30 * time.Minute)
	require.Equal(t, lifetimes{input: rest, half: prefix}, ask("gpt-6-luna", 2000, explicit, "", "a"), "forgotten")

	require.Equal(t, lifetimes{input: rest, halfDay: prefix}, ask("gpt-6.2-sol", 2000, halfDay, "", "a"))
	now.add(12*time.Hour - time.Second)
	require.Equal(t, lifetimes{input: rest, read: prefix}, ask("gpt-6.2-sol", 2000, halfDay, "", "a"))

	// the implicit mode keeps its grid, for as long as it is told
	implicit := ask("gpt-6.2-sol", 3000, object{"ttl": "12h"}, "implicit", "a")
	require.Equal(t, 2944, implicit.halfDay)
}

func TestExplicitCache_Refusals(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	refused := func(path string, body []byte, words string) {
		g := post(t, s.URL()+path, body, nil)
		require.Equal(t, http.StatusBadRequest, g.status)
		require.Contains(t, string(g.body), words)
	}
	refused(pathResponses, broken(t, "gpt-6-luna", 10, object{"ttl": "1h"}, "", "a"), "prompt_cache_options.ttl")
	chat := func(options, breakpoint object, marks int) []byte {
		parts := []object{}
		for range marks {
			parts = append(parts, object{"type": "text", "text": "a", "prompt_cache_breakpoint": breakpoint})
		}
		return encode(t, object{
			"model": "gpt-6-luna", "prompt_cache_options": options, "messages": []object{{"role": "user", "content": parts}},
		})
	}
	require.Equal(t, http.StatusOK, post(t, s.URL()+pathCompletions, chat(object{"ttl": "30m"}, object{}, 4), nil).status)
	refused(pathCompletions, chat(object{"ttl": "12h"}, object{}, 1), "prompt_cache_options.ttl")
	refused(pathCompletions, chat(object{"ttl": "30m"}, object{"ttl": "12h"}, 1), "prompt_cache_breakpoint.ttl")
	refused(pathCompletions, chat(object{"ttl": "30m"}, object{}, 5), "at most 4, found 5")
}

func TestEffort(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	thinks := perfect()
	thinks.Reasoning = 1000
	always, strict := thinks, thinks
	always.AlwaysThinks, strict.Strict = true, true
	plain := perfect()
	cfg.Models = map[string]sim.ModelProfile{"thinks": thinks, "always": always, "strict": strict, "plain": plain}
	s := start(t, cfg)
	reasoning := func(model string, setting object) int {
		body := object{"model": model, "max_output_tokens": 5000, "input": "a"}
		maps.Copy(body, setting)
		g := post(t, s.URL()+pathResponses, encode(t, body), nil)
		return number(t, usageOf(t, g), "output_tokens_details.reasoning_tokens")
	}
	effort := func(word string) object { return object{"reasoning": object{"effort": word}} }
	usual := reasoning("thinks", nil)
	require.Positive(t, usual)
	require.Zero(t, reasoning("thinks", effort("none")))
	require.Equal(t, usual/2, reasoning("thinks", effort("low")))
	require.Equal(t, usual, reasoning("thinks", effort("medium")))
	require.Equal(t, 2*usual, reasoning("thinks", effort("high")))

	none := encode(t, object{"model": "always", "reasoning_effort": "none", "messages": []object{{"role": "user", "content": "a"}}})
	require.Equal(t, http.StatusBadRequest, post(t, s.URL()+pathCompletions, none, nil).status)

	budget := func(model string, tokens, most int) got {
		return post(t, s.URL()+pathMessages, encode(t, object{
			"model": model, "max_tokens": most, "thinking": object{"type": "enabled", "budget_tokens": tokens},
			"output_config": object{"effort": "max"}, "service_tier": "auto", "messages": []object{{"role": "user", "content": "a"}},
		}), nil)
	}
	require.Greater(t, number(t, usageOf(t, budget("plain", 1024, 5000)), "output_tokens"), 64, "it thinks when it has a budget")
	require.Equal(t, http.StatusBadRequest, budget("plain", 1023, 5000).status)
	require.Equal(t, http.StatusBadRequest, budget("plain", 2000, 2000).status)
	require.Equal(t, http.StatusBadRequest, budget("strict", 1024, 5000).status)

	level := func(config object) int64 {
		before := s.Stats().Models["plain"].Usage.Reasoning
		g := post(t, s.URL()+"/v1beta/models/plain:generateContent", encode(t, object{
			"contents":         []object{{"role": "user", "parts": []object{{"text": "a"}}}},
			"generationConfig": object{"thinkingConfig": config},
		}), nil)
		require.Equal(t, http.StatusOK, g.status)
		return s.Stats().Models["plain"].Usage.Reasoning - before
	}
	require.Zero(t, level(object{"thinkingLevel": "HIGH"}), "this one never thinks by itself")
	require.EqualValues(t, 5, level(object{"thinkingBudget": 5}), "no more than its budget")
}

// What the answer is served in is what it says and what is billed.
func TestServiceTier(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Scripts = []sim.Script{{Fault: sim.FaultStandard, After: 1, Count: 1}}
	s := start(t, cfg)
	body := encode(t, object{"model": "gpt-6-luna", "service_tier": "flex", "input": "a"})
	for _, want := range []string{"flex", "default", "flex"} {
		var answer struct {
			Tier string `json:"service_tier"`
		}
		post(t, s.URL()+pathResponses, body, nil).json(t, &answer)
		require.Equal(t, want, answer.Tier)
	}
	require.Equal(t, "default", s.Ledger()[1].Tier)
	require.Equal(t, "flex", s.Ledger()[2].Tier)
}
