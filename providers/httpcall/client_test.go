package httpcall

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// echo is a format whose answers are {"output": "..."}.
type echo struct{}

func (echo) Decode(a Answer) (providers.Reply, *Fault) {
	var body struct{ Output string }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		fault := Garbled(a, err.Error())
		return providers.Reply{}, &fault
	}
	return providers.Reply{Output: body.Output}, nil
}

func (echo) Fault(a Answer) Fault { return Fault{Class: Class(a.Status), Message: Unexplained(a)} }

func newClient(tb testing.TB, base string) *Client {
	tb.Helper()
	target, err := url.Parse(base)
	require.NoError(tb, err)
	c, err := New(providers.Config{AllowPrivate: true, Key: providers.NewSecret("sk-1")}, Wire{
		Format: echo{}, URL: target, KeyHeader: "Authorization", KeyPrefix: "Bearer ", RequestIDHeader: "X-Request-Id",
	})
	require.NoError(tb, err)
	return c
}

func request() providers.Request {
	return providers.Request{AttemptID: uuid.Max, Model: "m", Body: []byte(`{"model":"m"}`)}
}

var errCut = errors.New("cut")

// mute is a connection that takes so many bytes and then breaks.
type mute struct {
	net.Conn
	takes int
}

func (m *mute) Write(p []byte) (int, error) { return min(m.takes, len(p)), errCut }

func TestClient_NotSentMeansNotOneByte(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		takes int
		want  task.FailureClass
	}{
		{"Nothing", 0, task.FailNotSent},
		{"OneByte", 1, task.FailLostNet},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "http://llm.example.com")
			c.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				t.Cleanup(func() { _ = far.Close() })
				return &countingConn{Conn: &mute{Conn: near, takes: tc.takes}}, nil
			}
			_, err := c.Do(t.Context(), request())
			var failed *providers.CallError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, tc.want, failed.Class, failed.Message)
		})
	}
}

func TestClient_UnknownConnectionCountsAsSent(t *testing.T) {
	t.Parallel()
	c := newClient(t, "http://llm.example.com")
	c.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() })
		return &mute{Conn: near}, nil
	}
	_, err := c.Do(t.Context(), request())
	var failed *providers.CallError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, task.FailLostNet, failed.Class)
}

func TestClient_BoundsWhatIsStored(t *testing.T) {
	t.Parallel()
	c := newClient(t, "http://llm.example.com")
	big := make(json.RawMessage, maxRawUsage+1)
	answer := Answer{Header: http.Header{"X-Request-Id": {"req\x01"}}}
	got := c.finish(providers.Reply{
		Model: "m\x00\xff", RawStop: string(make([]byte, 1<<16)), RawUsage: big, Usage: &task.Usage{Input: 1, Output: 1},
	}, answer)
	require.Equal(t, "m �", got.Model)
	require.Empty(t, got.RawStop)
	require.Nil(t, got.RawUsage)
	require.Nil(t, got.Usage)
	require.Equal(t, "req", got.RequestID)

	for _, raw := range []string{`{"tier":"\u0000"}`, "{\"tier\":\"\xff\"}"} {
		got = c.finish(providers.Reply{RawUsage: json.RawMessage(raw), Usage: &task.Usage{Input: 1}}, answer)
		require.Nil(t, got.RawUsage, raw)
		require.Nil(t, got.Usage, raw)
	}
}

func BenchmarkDo(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"output":"shipping"}`)
	}))
	b.Cleanup(srv.Close)
	c := newClient(b, srv.URL)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Do(b.Context(), request()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
