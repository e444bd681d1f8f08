package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

// In these tests four bytes are a token and a turn costs three more.
const perTurn = 3

// stable is a text of so many tokens.
func stable(tokens int) string { return strings.Repeat("rule", tokens) }

// marked is a request whose system prompt of so many tokens is to be cached.
func marked(t *testing.T, model string, tokens int, ttl, input string) []byte {
	t.Helper()
	control := object{"type": "ephemeral"}
	if ttl != "" {
		control["ttl"] = ttl
	}
	return encode(t, object{
		"model": model, "max_tokens": 500, "messages": []object{{"role": "user", "content": input}},
		"system": []object{{"type": "text", "text": stable(tokens), "cache_control": control}},
	})
}

// classes are the input classes of an answer of the Messages API.
type classes struct{ input, read, short, long int }

func classesOf(t *testing.T, g got) classes {
	t.Helper()
	u := usageOf(t, g)
	c := classes{
		number(t, u, "input_tokens"), number(t, u, "cache_read_input_tokens"),
		number(t, u, "cache_creation.ephemeral_5m_input_tokens"), number(t, u, "cache_creation.ephemeral_1h_input_tokens"),
	}
	require.Equal(t, c.short+c.long, number(t, u, "cache_creation_input_tokens"))
	return c
}

func TestMarkedCache(t *testing.T) {
	t.Parallel()
	now := newClock()
	cfg := fast(1)
	cfg.Now = now.Now
	cfg.Models = map[string]sim.ModelProfile{"m": perfect(), "n": perfect()}
	s := start(t, cfg)
	ask := func(body []byte) classes { return classesOf(t, post(t, s.URL()+pathMessages, body, nil)) }
	const prefix, input = 2000 + perTurn, 1 + perTurn

	require.Equal(t, classes{input: prefix + input}, ask(messagesBody(t, "m", stable(2000), "a")), "nothing is cached unasked")
	require.Equal(t, classes{input: 900 + perTurn + input}, ask(marked(t, "m", 900, "", "a")), "too short")
	require.Equal(t, classes{input: input, short: prefix}, ask(marked(t, "m", 2000, "", "a")))
	require.Equal(t, classes{input: input, read: prefix}, ask(marked(t, "m", 2000, "", "b")), "another question, the same prefix")
	require.Equal(t, classes{input: input, short: prefix}, ask(marked(t, "n", 2000, "", "a")), "every model has a cache of its own")
	require.Equal(t, classes{input: input, short: prefix + 1}, ask(marked(t, "m", 2001, "", "a")), "another prefix")

	now.add(4 * time.Minute)
	require.Equal(t, classes{input: input, read: prefix}, ask(marked(t, "m", 2000, "", "a")))
	now.add(4 * time.Minute)
	require.Equal(t, classes{input: input, read: prefix}, ask(marked(t, "m", 2000, "", "a")), "a read renews the prefix")
	now.add(5 * time.Minute)
	require.Equal(t, classes{input: input, short: prefix}, ask(marked(t, "m", 2000, "", "a")), "forgotten")

	require.Equal(t, classes{input: input, long: prefix + 100}, ask(marked(t, "m", 2100, "1h", "a")))
	now.add(59 * time.Minute)
	require.Equal(t, classes{input: input, read: prefix + 100}, ask(marked(t, "m", 2100, "1h", "a")))
}

func TestMarkedCache_SeveralMarks(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Models = map[string]sim.ModelProfile{"m": perfect()}
	s := start(t, cfg)
	text := func(tokens int, control object) object {
		b := object{"type": "text", "text": stable(tokens)}
		if control != nil {
			b["cache_control"] = control
		}
		return b
	}
	ask := func(last string) classes {
		return classesOf(t, post(t, s.URL()+pathMessages, encode(t, object{
			"model": "m", "max_tokens": 500,
			"tools":         []object{{"name": "f", "input_schema": object{"type": "object"}}},
			"system":        []object{text(1500, object{"type": "ephemeral", "ttl": "1h"}), text(10, nil)},
			"messages":      []object{{"role": "user", "content": []object{text(500, nil), {"type": "text", "text": last}}}},
			"cache_control": object{"type": "ephemeral"}, // marks the last block
		}), nil))
	}
	first := ask("aaaa")
	require.Greater(t, first.long, 1500+perTurn, "the tools come before the system prompt")
	require.Equal(t, 10+500+1+3*perTurn, first.short)
	require.Zero(t, first.input)
	require.Equal(t, classes{read: first.long + first.short}, ask("aaaa"))
	other := ask("bbbb")
	require.Equal(t, first.long, other.read, "the longest prefix at hand that a mark looks back to")
	require.Equal(t, first.short, other.short)
}

func TestMarkedCache_ParallelCallsAllWrite(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Models = map[string]sim.ModelProfile{"m": perfect()}
	s := start(t, cfg)
	s.Hold("")
	answers := make(chan got, 3)
	body := marked(t, "m", 2000, "", "a")
	for range 3 {
		go func() {
			g, _ := try(t, s.URL()+pathMessages, body, nil) // an answer that is none shows below
			answers <- g
		}()
	}
	require.Eventually(t, func() bool { return s.Held() == 3 }, 10*time.Second, time.Millisecond)
	s.Release("")
	for range 3 {
		require.Equal(t, 2000+perTurn, classesOf(t, <-answers).short, "a prefix is read only after an answer with it began")
	}
	require.Equal(t, 2000+perTurn, classesOf(t, post(t, s.URL()+pathMessages, body, nil)).read)
}

func TestCacheSettings(t *testing.T) {
	t.Parallel()
	now := newClock()
	cfg := fast(1)
	cfg.Now, cfg.MinCacheTokens, cfg.CacheTTL = now.Now, 100, time.Minute
	s := start(t, cfg)
	ask := func() classes {
		return classesOf(t, post(t, s.URL()+pathMessages, marked(t, "claude-haiku-5-5", 200, "1h", "a"), nil))
	}
	require.Equal(t, 200+perTurn, ask().long)
	now.add(59 * time.Second)
	require.Equal(t, 200+perTurn, ask().read)
	now.add(time.Minute)
	require.Equal(t, 200+perTurn, ask().long)
}

func TestAutomaticCache(t *testing.T) {
	t.Parallel()
	now := newClock()
	cfg := fast(1)
	cfg.Now = now.Now
	s := start(t, cfg)
	type bill struct{ prompt, read, written int }
	ask := func(model string, tokens int, input string) bill {
		u := usageOf(t, post(t, s.URL()+pathCompletions, completionsBody(t, model, stable(tokens), input), nil))
		require.Equal(t, number(t, u, "total_tokens"), number(t, u, "prompt_tokens")+number(t, u, "completion_tokens"))
		return bill{
			number(t, u, "prompt_tokens"), number(t, u, "prompt_tokens_details.cached_tokens"),
			number(t, u, "prompt_tokens_details.cache_write_tokens"),
		}
	}
	const around = 3*perTurn + 1 // two turns, the answer's first words and an input of one token
	const grid = 1920            // fifteen times 128
	require.Equal(t, bill{1000 + around, 0, 0}, ask("gpt-6-luna", 1000, "a"), "too short")
	require.Equal(t, bill{2000 + around, 0, grid}, ask("gpt-6-luna", 2000, "a"))
	require.Equal(t, bill{2000 + around, grid, 0}, ask("gpt-6-luna", 2000, "b"))
	require.Equal(t, bill{3000 + around, grid, 2944 - grid}, ask("gpt-6-luna", 3000, "a"), "a longer prompt that begins the same")
	require.Equal(t, bill{2000 + around, 0, 0}, ask("gpt-4o-mini", 2000, "a"), "older models write for nothing")
	require.Equal(t, bill{2000 + around, grid, 0}, ask("gpt-4o-mini", 2000, "a"))
	now.add(30 * time.Minute)
	require.Equal(t, bill{2000 + around, 0, grid}, ask("gpt-6-luna", 2000, "a"), "forgotten")

	explicit := encode(t, object{
		"model": "gpt-6-luna", "messages": []object{{"role": "user", "content": stable(5000)}},
		"prompt_cache_options": object{"mode": "explicit"},
	})
	for range 2 {
		u := usageOf(t, post(t, s.URL()+pathCompletions, explicit, nil))
		require.Zero(t, number(t, u, "prompt_tokens_details.cache_write_tokens"))
		require.Zero(t, number(t, u, "prompt_tokens_details.cached_tokens"))
	}
}

func TestAutomaticCache_ExactTokens(t *testing.T) {
	t.Parallel()
	s := start(t, sim.Config{Instant: true})
	body := completionsBody(t, "gpt-6-luna", strings.Repeat("the quick brown fox ", 300), "a")
	first, second := usageOf(t, post(t, s.URL()+pathCompletions, body, nil)), usageOf(t, post(t, s.URL()+pathCompletions, body, nil))
	written := number(t, first, "prompt_tokens_details.cache_write_tokens")
	require.Equal(t, 1152, written, "of 1,200 and some tokens, in steps of 128")
	require.Equal(t, written, number(t, second, "prompt_tokens_details.cached_tokens"))
	require.Equal(t, number(t, first, "prompt_tokens"), number(t, second, "prompt_tokens"))
}
