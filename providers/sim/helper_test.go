package sim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

func start(tb testing.TB, cfg sim.Config) *sim.Server {
	tb.Helper()
	s, err := sim.New(cfg)
	require.NoError(tb, err)
	require.NoError(tb, s.Start(tb.Context(), "127.0.0.1:0"))
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// fast is a simulator without latency that counts bytes.
func fast(seed uint64) sim.Config {
	return sim.Config{Seed: seed, Instant: true, Tokens: sim.TokensBytes}
}

// perfect is a model that makes no mistakes.
func perfect() sim.ModelProfile { return sim.ModelProfile{Skill: 10_000} }

const (
	pathMessages    = "/v1/messages"
	pathCompletions = "/v1/chat/completions"
)

// got is an answer.
type got struct {
	status int
	header http.Header
	body   []byte
}

// post sends a request with the headers that both APIs take.
func post(tb testing.TB, url string, body []byte, header map[string]string) got {
	tb.Helper()
	g, err := try(tb, url, body, header)
	require.NoError(tb, err)
	return g
}

func try(tb testing.TB, url string, body []byte, header map[string]string) (got, error) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return got{}, err
	}
	request.Header.Set("Anthropic-Version", "2023-06-01")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return got{}, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	return got{status: response.StatusCode, header: response.Header, body: answer}, err
}

// json decodes an answer.
func (g got) json(tb testing.TB, into any) {
	tb.Helper()
	require.NoError(tb, json.Unmarshal(g.body, into), string(g.body))
}

// usageOf is an answer's usage in the provider's own words.
func usageOf(tb testing.TB, g got) map[string]any {
	tb.Helper()
	require.Equal(tb, http.StatusOK, g.status, string(g.body))
	var answer struct {
		Usage map[string]any `json:"usage"`
	}
	g.json(tb, &answer)
	require.NotNil(tb, answer.Usage)
	return answer.Usage
}

// number reads a number of a usage by its path, such as prompt_tokens_details.cached_tokens.
func number(tb testing.TB, usage map[string]any, path string) int {
	tb.Helper()
	for {
		first, rest, nested := strings.Cut(path, ".")
		if !nested {
			n, ok := usage[first].(float64)
			require.True(tb, ok, "%s in %v", path, usage)
			return int(n)
		}
		inner, ok := usage[first].(map[string]any)
		require.True(tb, ok, path)
		usage, path = inner, rest
	}
}

// encode is a value as JSON.
func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	raw, err := json.Marshal(v)
	require.NoError(tb, err)
	return raw
}

type object = map[string]any

// messagesBody is a request to the Messages API with a system prompt and one question.
func messagesBody(tb testing.TB, model, system, input string) []byte {
	tb.Helper()
	return encode(tb, object{
		"model": model, "max_tokens": 500, "system": system,
		"messages": []object{{"role": "user", "content": input}},
	})
}

func completionsBody(tb testing.TB, model, system, input string) []byte {
	tb.Helper()
	return encode(tb, object{
		"model": model, "max_tokens": 500,
		"messages": []object{{"role": "system", "content": system}, {"role": "user", "content": input}},
	})
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
