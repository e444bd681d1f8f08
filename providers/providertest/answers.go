package providertest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func (s Suite) testAnswers(t *testing.T) {
	t.Helper()
	for _, a := range s.Answers {
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, a.Body) })
			reply, failed := s.do(t, s.provider(t, s.config(srv.URL)))
			if a.Class == "" {
				require.Nil(t, failed)
			} else {
				require.NotNil(t, failed)
				require.Equal(t, a.Class, failed.Class, failed.Message)
				require.Equal(t, http.StatusOK, failed.Status)
			}
			require.Equal(t, a.Want, reply)
			require.EqualValues(t, 1, srv.requests.Load())
		})
	}
}

func (s Suite) testRefusals(t *testing.T) {
	t.Helper()
	for _, r := range s.Refusals {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range r.Header {
					w.Header().Set(name, value)
				}
				writeJSON(w, r.Status, r.Body)
			})
			failed := s.requireFailure(t, srv, s.config(srv.URL), r.Class)
			require.Equal(t, r.Status, failed.Status)
			require.Equal(t, r.RetryAfter, failed.RetryAfter)
			require.Contains(t, failed.Message, r.Message)
		})
	}
}

// testStatuses covers what proxies and gateways answer in bodies of their own.
func (s Suite) testStatuses(t *testing.T) {
	t.Helper()
	page := "<html><body><h1>" + canary + "</h1>" + strings.Repeat("sorry \xff\x00 ", 200) + "</body></html>"
	for status, class := range map[int]task.FailureClass{
		http.StatusMovedPermanently:      task.FailMalformed,
		http.StatusTemporaryRedirect:     task.FailMalformed,
		http.StatusBadRequest:            task.FailBadRequest,
		http.StatusUnauthorized:          task.FailAuth,
		http.StatusPaymentRequired:       task.FailQuota,
		http.StatusForbidden:             task.FailAuth,
		http.StatusNotFound:              task.FailNotFound,
		http.StatusMethodNotAllowed:      task.FailBadRequest,
		http.StatusRequestTimeout:        task.FailServer,
		http.StatusConflict:              task.FailServer,
		http.StatusGone:                  task.FailNotFound,
		http.StatusRequestEntityTooLarge: task.FailTooLong,
		http.StatusUnprocessableEntity:   task.FailBadRequest,
		http.StatusTooManyRequests:       task.FailRateLimited,
		http.StatusInternalServerError:   task.FailServer,
		http.StatusBadGateway:            task.FailServer,
		http.StatusServiceUnavailable:    task.FailOverloaded,
		http.StatusGatewayTimeout:        task.FailServer,
		524:                              task.FailServer,
		529:                              task.FailOverloaded,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(page))
			})
			failed := s.requireFailure(t, srv, s.config(srv.URL), class)
			require.Equal(t, status, failed.Status)
			require.Contains(t, failed.Message, "sorry")
		})
	}
}

func (s Suite) testRetryAfter(t *testing.T) {
	t.Helper()
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		header map[string]string
		want   time.Duration
	}{
		{"None", nil, 0},
		{"Seconds", map[string]string{"Retry-After": "7"}, 7 * time.Second},
		{"Decimals", map[string]string{"Retry-After": "0.25"}, 250 * time.Millisecond},
		{"Hours", map[string]string{"Retry-After": "86400"}, 24 * time.Hour},
		{"Date", map[string]string{"Retry-After": "Fri, 20 Nov 2026 08:01:30 GMT"}, 90 * time.Second},
		{"PastDate", map[string]string{"Retry-After": "Fri, 20 Nov 2026 07:59:00 GMT"}, 0},
		{"Milliseconds", map[string]string{"Retry-After-Ms": "1500", "Retry-After": "9"}, 1500 * time.Millisecond},
		{"Negative", map[string]string{"Retry-After": "-3"}, 0},
		{"Absurd", map[string]string{"Retry-After": "99999999999999999999"}, 31 * 24 * time.Hour},
		{"Words", map[string]string{"Retry-After": "soon"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range tc.header {
					w.Header().Set(name, value)
				}
				writeJSON(w, http.StatusTooManyRequests, "{}")
			})
			cfg := s.config(srv.URL)
			cfg.Now = func() time.Time { return now }
			require.Equal(t, tc.want, s.requireFailure(t, srv, cfg, task.FailRateLimited).RetryAfter)
		})
	}
}
