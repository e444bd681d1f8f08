// Package providertest is the suite that every wire format passes: what a provider may answer, what a network may do to
// it on the way, and what a request has to look like. It runs against servers on loopback only.
package providertest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// The timeouts of the suite: short ones that expire before the server has done anything, safe ones that leave it time
// for that even on a busy machine, and long ones that are not to expire.
const (
	shortTime = 250 * time.Millisecond
	safeTime  = time.Second
	longTime  = 10 * time.Second
)

// canary is the key that must appear nowhere but in the one header.
const canary = "canary-5f1d7c3a9b"

// Suite is what the tests need of a wire format.
type Suite struct {
	// New is the format's constructor.
	New func(providers.Config) (providers.Provider, error)
	// KeyHeader and KeyPrefix are where the key belongs.
	KeyHeader string
	KeyPrefix string
	// KeyField is the field of the body that takes the key instead of a header.
	KeyField string
	// Translation says that the format translates one text, and takes nothing else that a call can have: the tests then
	// send such a call, and expect every part of any other to be refused.
	Translation bool
	// SchemaLast says that the format has no place for the schema in front of the messages.
	SchemaLast bool
	// Counts is set for a format that counts tokens before a call.
	Counts *Counts
	// Good is a whole answer with Output as its text and Usage as its usage.
	Good   string
	Output string
	Usage  task.Usage
	// Answers are answers of status 200 and what is to become of each.
	Answers []Answer
	// Refusals are answers that are failures and the class of each.
	Refusals []Refusal
}

// Answer is an answer of status 200 that is usable or that was at least metered.
type Answer struct {
	Name string
	Body string
	Want providers.Reply
	// Class is the failure that comes with it; empty means none.
	Class task.FailureClass
}

// Refusal is an answer that is a failure.
type Refusal struct {
	Name   string
	Status int
	Header map[string]string
	Body   string
	Class  task.FailureClass
	// RetryAfter is the wait that it names.
	RetryAfter time.Duration
	// Message is what the failure's message has to contain.
	Message string
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	RunClient(t, s)
	t.Run("Counts", func(t *testing.T) { t.Parallel(); s.testCounts(t) })
	t.Run("Prepare", func(t *testing.T) { t.Parallel(); s.testPrepare(t) })
}

// RunClient runs the part of the suite that holds for every client of a provider's API, whatever it asks: what an answer
// and a network may be, and how a request is sent.
func RunClient(t *testing.T, s Suite) {
	t.Helper()
	t.Run("Answers", func(t *testing.T) { t.Parallel(); s.testAnswers(t) })
	t.Run("Refusals", func(t *testing.T) { t.Parallel(); s.testRefusals(t) })
	t.Run("Statuses", func(t *testing.T) { t.Parallel(); s.testStatuses(t) })
	t.Run("RetryAfter", func(t *testing.T) { t.Parallel(); s.testRetryAfter(t) })
	t.Run("Bodies", func(t *testing.T) { t.Parallel(); s.testBodies(t) })
	t.Run("Headers", func(t *testing.T) { t.Parallel(); s.testHeaders(t) })
	t.Run("Timeouts", func(t *testing.T) { t.Parallel(); s.testTimeouts(t) })
	t.Run("Network", func(t *testing.T) { t.Parallel(); s.testNetwork(t) })
	t.Run("Cancelled", func(t *testing.T) { t.Parallel(); s.testCancelled(t) })
	t.Run("Egress", func(t *testing.T) { t.Parallel(); s.testEgress(t) })
	t.Run("Requests", func(t *testing.T) { t.Parallel(); s.testRequests(t) })
}

// server counts the requests that reach it, which must be one for each Do.
type server struct {
	*httptest.Server
	requests atomic.Int32
}

func serve(t *testing.T, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body)) // for handlers that look at it; the connection has it whole
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s Suite) config(url string) providers.Config {
	return providers.Config{
		BaseURL: url, Key: providers.NewSecret(canary), AllowPrivate: true,
		ConnectTimeout: longTime, Timeout: longTime, IdleTimeout: longTime,
	}
}

func (s Suite) provider(t *testing.T, cfg providers.Config) providers.Provider {
	t.Helper()
	p, err := s.New(cfg)
	require.NoError(t, err)
	return p
}

// call is a call of every part that the format takes.
func (s Suite) call() providers.Call {
	if s.Translation {
		return providers.Call{
			AttemptID: uuid.MustParse("01900000-0000-7000-8000-000000000001"),
			Model:     "model-1",
			Messages:  []task.Message{{Role: "user", Content: "Number 7, café \u2028 \\ \x00 \U0001F4E6"}},
			Translate: &providers.Translate{Source: "de", Target: "en"},
		}
	}
	return providers.Call{
		AttemptID: uuid.MustParse("01900000-0000-7000-8000-000000000001"),
		Model:     "model-1",
		System:    "You sort tickets.",
		Context:   []string{"The teams: billing, shipping.", "Answer \"in one word\" <&>."},
		Tools: []task.Tool{{
			Name: "lookup", Description: "finds an order",
			Parameters: []byte(`{"type":"object", "properties":{"order":{"type":"string"}}}`),
		}},
		Messages: []task.Message{
			{Role: "user", Content: "Where is my parcel?"},
			{Role: "assistant", Content: "Which order?"},
			{Role: "user", Content: "Number 7, café \u2028 \\ \x00"},
		},
		Schema:          []byte(`{"type":"object","properties":{"team":{"type":"string"}},"required":["team"],"additionalProperties":false}`),
		JSONSchema:      true,
		MaxOutputTokens: 64,
	}
}

func prepare(t *testing.T, p providers.Provider, c providers.Call) providers.Request {
	t.Helper()
	r, err := p.Prepare(c)
	require.NoError(t, err)
	return r
}

// do sends one call and checks what holds for every failure.
func (s Suite) do(t *testing.T, p providers.Provider) (providers.Reply, *providers.CallError) {
	t.Helper()
	reply, err := p.Do(t.Context(), prepare(t, p, s.call()))
	return reply, failure(t, err)
}

func failure(t *testing.T, err error) *providers.CallError {
	t.Helper()
	if err == nil {
		return nil
	}
	var failed *providers.CallError
	require.ErrorAs(t, err, &failed)
	require.NotEmpty(t, failed.Class)
	require.NotEmpty(t, failed.Message)
	require.True(t, utf8.ValidString(failed.Message))
	require.LessOrEqual(t, utf8.RuneCountInString(failed.Message), 500)
	for e := err; e != nil; e = errors.Unwrap(e) {
		require.NotContains(t, e.Error(), canary)
		require.NotContains(t, e.Error(), "\x00")
	}
	return failed
}

// requireFailure sends one call and expects the class, after exactly one request.
func (s Suite) requireFailure(t *testing.T, srv *server, cfg providers.Config, class task.FailureClass) providers.CallError {
	t.Helper()
	started := time.Now()
	reply, failed := s.do(t, s.provider(t, cfg))
	require.NotNil(t, failed, "no failure, but the output %q", reply.Output)
	require.Less(t, time.Since(started), longTime, "another limit than the tested one ended the call")
	require.Equal(t, class, failed.Class, failed.Message)
	require.EqualValues(t, 1, srv.requests.Load(), "one Do is one request")
	return *failed
}

func (s Suite) requireGood(t *testing.T, srv *server, cfg providers.Config) providers.Reply {
	t.Helper()
	reply, failed := s.do(t, s.provider(t, cfg))
	require.Nil(t, failed)
	require.Equal(t, s.Output, reply.Output)
	require.Equal(t, &s.Usage, reply.Usage)
	require.EqualValues(t, 1, srv.requests.Load(), "one Do is one request")
	return reply
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
