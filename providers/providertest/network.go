package providertest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

func (s Suite) testTimeouts(t *testing.T) {
	t.Helper()
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		limit  func(*providers.Config)
	}{
		{"NoHeaders", silent, func(c *providers.Config) { c.HeaderTimeout = shortTime }},
		{"Total", silent, func(c *providers.Config) { c.Timeout = shortTime }},
		{"NoMoreBytes", s.stall(10), func(c *providers.Config) { c.IdleTimeout = shortTime }},
		{"NoBody", s.stall(0), func(c *providers.Config) { c.IdleTimeout = shortTime }},
		{"DripIsStillBounded", drip, func(c *providers.Config) { c.Timeout = 2 * shortTime }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, tc.answer)
			cfg := s.config(srv.URL)
			tc.limit(&cfg)
			s.requireFailure(t, srv, cfg, task.FailTimeout)
		})
	}
	t.Run("RequestOverridesTotal", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, silent)
		p := s.provider(t, s.config(srv.URL))
		c := s.call()
		c.Timeout = shortTime
		_, err := p.Do(t.Context(), prepare(t, p, c))
		require.Equal(t, task.FailTimeout, failure(t, err).Class)
	})
	t.Run("WholeAnswerIsKeptWhenItsEndIsNotTold", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, s.stall(len(s.Good)))
		cfg := s.config(srv.URL)
		cfg.IdleTimeout = safeTime
		s.requireGood(t, srv, cfg)
	})
}

// stall sends the first n bytes of the good answer and then nothing, without an end.
func (s Suite) stall(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, s.Good[:n])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

const slowTick = 10 * time.Millisecond

// drip sends a byte with every tick for as long as it is listened to.
func drip(w http.ResponseWriter, r *http.Request) {
	for tick(r.Context()) {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
	}
}

func tick(ctx context.Context) bool {
	timer := time.NewTimer(slowTick)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s Suite) testNetwork(t *testing.T) {
	t.Helper()
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"ResetAfterWrite", func(w http.ResponseWriter, _ *http.Request) { reset(mustHijack(w)) }},
		{"ClosedAfterWrite", func(w http.ResponseWriter, _ *http.Request) { _ = mustHijack(w).Close() }},
		{"ClosedInsideHeaders", func(w http.ResponseWriter, _ *http.Request) {
			conn := mustHijack(w)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Ty")
			_ = conn.Close()
		}},
		{"ClosedInsideBody", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(s.Good)))
			writeJSON(w, http.StatusOK, s.Good[:len(s.Good)/2])
			panic(http.ErrAbortHandler)
		}},
		{"ResetInsideBody", func(w http.ResponseWriter, _ *http.Request) {
			conn := mustHijack(w)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"model\":")
			reset(conn)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, tc.answer)
			s.requireFailure(t, srv, s.config(srv.URL), task.FailLostNet)
		})
	}
	t.Run("Refused", func(t *testing.T) { t.Parallel(); s.testRefused(t) })
	t.Run("UnknownHost", func(t *testing.T) {
		t.Parallel()
		_, failed := s.do(t, s.provider(t, s.config("http://weir.invalid")))
		require.Equal(t, task.FailNotSent, failed.Class)
	})
	t.Run("UnknownCertificate", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		srv.StartTLS()
		t.Cleanup(srv.Close)
		_, failed := s.do(t, s.provider(t, s.config(srv.URL)))
		require.Equal(t, task.FailNotSent, failed.Class)
	})
	t.Run("NotTLS", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.Good) })
		_, failed := s.do(t, s.provider(t, s.config("https"+srv.URL[len("http"):])))
		require.Equal(t, task.FailNotSent, failed.Class)
		require.Zero(t, srv.requests.Load())
	})
	t.Run("UsedConnectionIsNotRetried", func(t *testing.T) { t.Parallel(); s.testUsedConnection(t) })
}

func (s Suite) testRefused(t *testing.T) {
	t.Helper()
	srv := serve(t, http.NotFound)
	cfg := s.config(srv.URL)
	srv.Close()
	_, failed := s.do(t, s.provider(t, cfg))
	require.Equal(t, task.FailNotSent, failed.Class)
	require.Zero(t, failed.Status)
	require.Zero(t, srv.requests.Load())
}

// testUsedConnection answers the first call and closes the connection, used by then, under the second: net/http would
// send that one again if it could.
func (s Suite) testUsedConnection(t *testing.T) {
	t.Helper()
	var srv *server
	srv = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if srv.requests.Load() == 1 {
			writeJSON(w, http.StatusOK, s.Good)
			return
		}
		reset(mustHijack(w))
	})
	p := s.provider(t, s.config(srv.URL))
	_, failed := s.do(t, p)
	require.Nil(t, failed)
	_, failed = s.do(t, p)
	require.Equal(t, task.FailLostNet, failed.Class)
	require.EqualValues(t, 2, srv.requests.Load())
}

func (s Suite) testCancelled(t *testing.T) {
	t.Helper()
	t.Run("BeforeTheWrite", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, http.NotFound)
		p := s.provider(t, s.config(srv.URL))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := p.Do(ctx, prepare(t, p, s.call()))
		require.Equal(t, task.FailNotSent, failure(t, err).Class)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, srv.requests.Load())
	})
	t.Run("AfterTheWrite", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		srv := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		p := s.provider(t, s.config(srv.URL))
		_, err := p.Do(ctx, prepare(t, p, s.call()))
		require.Equal(t, task.FailLostNet, failure(t, err).Class)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("WaitingForAConnection", func(t *testing.T) { t.Parallel(); s.testNoConnection(t) })
}

// testNoConnection has the only connection busy, so that the second call cannot leave in its time.
func (s Suite) testNoConnection(t *testing.T) {
	t.Helper()
	arrived, answer := make(chan struct{}), make(chan struct{})
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived) // a second request would panic
		<-answer
		writeJSON(w, http.StatusOK, s.Good)
	})
	cfg := s.config(srv.URL)
	cfg.MaxConns = 1
	p := s.provider(t, cfg)
	first := make(chan error, 1)
	go func() {
		r, err := p.Prepare(s.call())
		if err == nil {
			_, err = p.Do(context.WithoutCancel(t.Context()), r)
		}
		first <- err
	}()
	<-arrived
	c := s.call()
	c.Timeout = shortTime
	_, err := p.Do(t.Context(), prepare(t, p, c))
	close(answer)
	require.Equal(t, task.FailNotSent, failure(t, err).Class)
	require.NoError(t, <-first)
	require.EqualValues(t, 1, srv.requests.Load())
}

func mustHijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

// reset closes with an RST instead of an orderly end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
