package providertest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

const (
	bodyLimit = 1 << 20
	padding   = 4 << 20
)

func (s Suite) testBodies(t *testing.T) {
	t.Helper()
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		class  task.FailureClass // empty means the good answer
	}{
		{"Plain", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.Good) }, ""},
		{"Gzip", func(w http.ResponseWriter, _ *http.Request) { writeGzip(w, strings.NewReader(s.Good)) }, ""},
		{"GzipBomb", func(w http.ResponseWriter, _ *http.Request) { writeGzip(w, s.padded()) }, task.FailMalformed},
		{"NotGzip", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			writeJSON(w, 200, s.Good)
		}, task.FailMalformed},
		{"UnknownEncoding", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			writeJSON(w, 200, s.Good)
		}, task.FailMalformed},
		{"Huge", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(padding+len(s.Good)))
			_, _ = io.Copy(w, s.padded())
		}, task.FailMalformed},
		{"Endless", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, spaces{}) // ends when nobody listens any more
		}, task.FailMalformed},
		{"Truncated", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.Good[:len(s.Good)/2]) }, task.FailMalformed},
		{"Trailing", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.Good+"x") }, task.FailMalformed},
		{"Empty", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, "") }, task.FailMalformed},
		{"Null", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, "null") }, task.FailMalformed},
		{"List", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, "[]") }, task.FailMalformed},
		{"OtherObject", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, `{"ok":true}`) }, task.FailMalformed},
		{"Page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<!DOCTYPE html><p>Sign in to this network, "+canary+"</p>")
		}, task.FailMalformed},
		{"NoContent", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, task.FailMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, tc.answer)
			cfg := s.config(srv.URL)
			cfg.MaxBodyBytes = bodyLimit
			if tc.class == "" {
				s.requireGood(t, srv, cfg)
				return
			}
			failed := s.requireFailure(t, srv, cfg, tc.class)
			require.Equal(t, 2, failed.Status/100)
			require.NotContains(t, failed.Message, s.Output, "the model's words belong into no error")
		})
	}
}

func (s Suite) testHeaders(t *testing.T) {
	t.Helper()
	t.Run("Huge", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Padding", strings.Repeat("x", 128<<10))
			writeJSON(w, http.StatusOK, s.Good)
		})
		s.requireFailure(t, srv, s.config(srv.URL), task.FailMalformed)
	})
	t.Run("Large", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Padding", strings.Repeat("x", 32<<10))
			writeJSON(w, http.StatusOK, s.Good)
		})
		s.requireGood(t, srv, s.config(srv.URL))
	})
	t.Run("NotHTTP", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn := mustHijack(w)
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n\r\n")
		})
		s.requireFailure(t, srv, s.config(srv.URL), task.FailMalformed)
	})
}

// padded is the good answer with more spaces inside than are allowed: only its size is wrong.
func (s Suite) padded() io.Reader {
	return io.MultiReader(strings.NewReader(s.Good[:1]), io.LimitReader(spaces{}, padding), strings.NewReader(s.Good[1:]))
}

// spaces is an endless stream of what JSON allows everywhere and gzip packs best.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	const some = "                                                                "
	n := 0
	for n < len(p) {
		n += copy(p[n:], some)
	}
	return n, nil
}

func writeGzip(w http.ResponseWriter, from io.Reader) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	_, _ = io.Copy(packed, from)
	_ = packed.Close()
}
