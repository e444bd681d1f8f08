package sim_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/providers/sim/backlog"
	"github.com/weirhq/weir/task"
)

// ticketCall is a ticket of the backlog as weir would ask for it.
func ticketCall(tb testing.TB) providers.Call {
	tb.Helper()
	for _, doc := range backlog.Generate(3, 50) {
		if doc.Task.Feature == backlog.TicketTriage {
			return providers.Call{
				AttemptID: uuid.New(), Model: "claude-haiku-5-5", System: `Answer {"category": "...", "priority": "..."}.`,
				MaxOutputTokens: 100, Messages: []task.Message{{Role: task.RoleUser, Content: doc.Task.Input}},
			}
		}
	}
	tb.Fatal("no ticket among the documents")
	return providers.Call{}
}

// nowhere takes an answer and forgets it.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

// BenchmarkHandler is one request without the network. The simulator is to answer 20,000 a second on two processors
// that it shares with its client, so a request may take a quarter of 100 µs here.
func BenchmarkHandler(b *testing.B) {
	p, err := anthropic.New(providers.Config{})
	require.NoError(b, err)
	request, err := p.Prepare(ticketCall(b))
	require.NoError(b, err)
	for _, tokens := range []sim.Tokens{sim.TokensBytes, sim.TokensExact} {
		b.Run(string(tokens), func(b *testing.B) {
			s, err := sim.New(sim.Config{Instant: true, Tokens: tokens, LedgerEntries: 10_000})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/messages", bytes.NewReader(request.Body))
				r.Header.Set("Anthropic-Version", "2023-06-01")
				s.Handler().ServeHTTP(&nowhere{header: http.Header{}}, r)
			}
			require.NoError(b, s.Close())
		})
	}
}

// BenchmarkServer is one request over a socket, client and all.
func BenchmarkServer(b *testing.B) {
	s := start(b, sim.Config{Instant: true, Tokens: sim.TokensBytes, LedgerEntries: 10_000})
	p, err := anthropic.New(providers.Config{BaseURL: s.URL(), AllowPrivate: true, MaxConns: 64})
	require.NoError(b, err)
	call := ticketCall(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request, err := p.Prepare(call)
			require.NoError(b, err)
			_, err = p.Do(b.Context(), request)
			require.NoError(b, err)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
