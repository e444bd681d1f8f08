package providertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

func (s Suite) testEgress(t *testing.T) {
	t.Helper()
	t.Run("RedirectIsNotFollowed", func(t *testing.T) {
		t.Parallel()
		other := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.Good) })
		for _, status := range []int{301, 302, 303, 307, 308} {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
			s.requireFailure(t, srv, s.config(srv.URL), task.FailMalformed)
		}
		require.Zero(t, other.requests.Load(), "the key would have gone along")
	})
	t.Run("PrivateAddressIsRefused", func(t *testing.T) {
		t.Parallel()
		for _, host := range []string{
			"127.0.0.1:9", "[::1]:9", "10.1.2.3:9", "192.168.0.1:9", "169.254.169.254", "100.64.0.1:9", "224.0.0.1:9",
			"0.0.0.0:9", "[fd00::1]:9", "[fe80::1]:9", "[::ffff:127.0.0.1]:9", "[64:ff9b::7f00:1]:9", "localhost:9",
		} {
			cfg := s.config("https://" + host)
			cfg.AllowPrivate = false
			_, failed := s.do(t, s.provider(t, cfg))
			require.Equal(t, task.FailNotSent, failed.Class, host)
			require.Contains(t, failed.Message, "not public", host)
		}
	})
	t.Run("BaseURLIsChecked", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{
			"http://api.example.com", "ftp://api.example.com", "https://", "https://user:" + canary + "@api.example.com",
			"https://api.example.com?key=" + canary, "https://api.example.com#x", "://", "api.example.com",
		} {
			cfg := s.config(url)
			cfg.AllowPrivate = false
			_, err := s.New(cfg)
			require.Error(t, err, url)
			require.NotContains(t, err.Error(), canary)
		}
	})
	t.Run("BrokenConfigurationIsRefused", func(t *testing.T) {
		t.Parallel()
		_, err := s.New(providers.Config{Timeout: -1, MaxConns: -1, Key: providers.NewSecret(canary + "\n")})
		require.ErrorContains(t, err, "the timeout is negative")
		require.ErrorContains(t, err, "the number of connections is negative")
		require.ErrorContains(t, err, "printable ASCII")
		require.NotContains(t, err.Error(), canary)
	})
}

func (s Suite) testRequests(t *testing.T) {
	t.Helper()
	t.Run("WhatIsSent", func(t *testing.T) { t.Parallel(); s.testSent(t) })
	t.Run("NoKeyNoHeader", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Header.Get(s.KeyHeader) != "" || s.KeyField != "" && bytes.Contains(body, []byte(s.KeyField)) {
				w.WriteHeader(http.StatusTeapot)
			}
			writeJSON(w, http.StatusOK, s.Good)
		})
		cfg := s.config(srv.URL)
		cfg.Key = providers.Secret{}
		s.requireGood(t, srv, cfg)
	})
	t.Run("KeyIsNotPrinted", func(t *testing.T) {
		t.Parallel()
		cfg := s.config("http://127.0.0.1:9")
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).InfoContext(t.Context(), "configured", slog.Any("config", cfg.Key))
		encoded, err := json.Marshal(cfg.Key)
		require.NoError(t, err)
		for _, printed := range []string{
			fmt.Sprintf("%v %+v %#v %s %q %x", cfg, cfg, cfg, cfg.Key, cfg.Key, cfg.Key),
			fmt.Sprintf("%+v", s.provider(t, cfg)), logged.String(), string(encoded),
		} {
			require.NotContains(t, printed, canary)
		}
	})
	t.Run("ExtraHeaders", func(t *testing.T) { t.Parallel(); s.testExtraHeaders(t) })
	t.Run("UnpreparedIsNotSent", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, http.NotFound)
		_, err := s.provider(t, s.config(srv.URL)).Do(t.Context(), providers.Request{})
		require.Equal(t, task.FailInternal, failure(t, err).Class)
		require.Zero(t, srv.requests.Load())
	})
}

// testExtraHeaders has a server that repeats what it was sent, which is to appear nowhere: of two secrets of which one
// begins the other, no rest stays either.
func (s Suite) testExtraHeaders(t *testing.T) {
	t.Helper()
	const bare = canary + "-of-the-gateway"
	const extra = "Bearer " + bare
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Gateway-Auth") != extra {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		writeJSON(w, http.StatusBadRequest, `{"error":{"message":"not `+extra+` but `+bare+` or `+canary+`"}}`)
	})
	cfg := s.config(srv.URL)
	cfg.Headers = map[string]providers.Secret{"x-gateway-auth": providers.NewSecret(extra)}
	p := s.provider(t, cfg)
	_, failed := s.do(t, p)
	require.Equal(t, http.StatusBadRequest, failed.Status)
	require.NotContains(t, failed.Message, "gateway")
	require.Contains(t, failed.Message, "[redacted]")
	require.NotContains(t, fmt.Sprintf("%+v %#v", p, cfg), bare)

	for name, headers := range map[string]map[string]providers.Secret{
		"no valid name": {"a b": providers.NewSecret(bare)},
		"weir's own":    {"content-length": providers.NewSecret(bare)},
		"printable":     {"X-Gateway-Auth": providers.NewSecret(bare + "\r\nX: y")},
		"needs a value": {"X-Gateway-Auth": {}},
		"the key's":     {s.KeyHeader: providers.NewSecret(bare)},
	} {
		if _, keys := headers[""]; keys { // the key is in no header
			continue
		}
		cfg.Headers = headers
		_, err := s.New(cfg)
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), bare)
	}
}

func (s Suite) testSent(t *testing.T) {
	t.Helper()
	type received struct {
		method string
		header http.Header
		body   []byte
	}
	got := make(chan received, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Method, r.Header, body}
		writeJSON(w, http.StatusOK, s.Good)
	}))
	t.Cleanup(srv.Close)
	cfg := s.config(srv.URL)
	cfg.UserAgent = "weir/1.2.3"
	p := s.provider(t, cfg)
	request := prepare(t, p, s.call())
	_, err := p.Do(t.Context(), request)
	require.NoError(t, err)
	sent := <-got
	require.Equal(t, http.MethodPost, sent.method)
	s.requireBody(t, request.Body, sent.body)
	require.Equal(t, "application/json", sent.header.Get("Content-Type"))
	require.Equal(t, "weir/1.2.3", sent.header.Get("User-Agent"))
	require.Equal(t, s.call().AttemptID.String(), sent.header.Get(providers.AttemptHeader))
	if s.KeyField == "" {
		require.Equal(t, s.KeyPrefix+canary, sent.header.Get(s.KeyHeader))
	} else {
		require.NotContains(t, fmt.Sprint(sent.header), canary)
	}
	require.Empty(t, sent.header.Get("Idempotency-Key"))
	require.Empty(t, sent.header.Get("Accept-Encoding"))
}

// requireBody expects the prepared bytes, with the key in its field where it belongs there.
func (s Suite) requireBody(t *testing.T, prepared, sent []byte) {
	t.Helper()
	require.NotContains(t, string(prepared), canary)
	if s.KeyField == "" {
		require.Equal(t, prepared, sent)
		return
	}
	var fields, want map[string]any
	require.NoError(t, json.Unmarshal(sent, &fields))
	require.NoError(t, json.Unmarshal(prepared, &want))
	want[s.KeyField] = canary
	require.Equal(t, want, fields)
}

func (s Suite) testPrepare(t *testing.T) {
	t.Helper()
	p := s.provider(t, s.config("https://api.example.com"))
	t.Run("SameCallSameBytes", func(t *testing.T) {
		t.Parallel()
		first := prepare(t, p, s.call())
		require.True(t, json.Valid(first.Body), string(first.Body))
		require.Equal(t, first, prepare(t, p, s.call()), "from memory")
		require.Equal(t, first, prepare(t, s.provider(t, s.config("https://api.example.com")), s.call()), "encoded anew")
		require.Equal(t, s.call().Model, first.Model)
		require.Equal(t, s.call().AttemptID, first.AttemptID)
	})
	if s.Translation {
		t.Run("TextsAreNotMixedUp", func(t *testing.T) { t.Parallel(); s.testTexts(t, p) })
		t.Run("CharactersAreCounted", func(t *testing.T) { t.Parallel(); s.testCharacters(t, p) })
		t.Run("WhatIsNoTranslationIsRefused", func(t *testing.T) { t.Parallel(); s.testOnlyTranslations(t, p) })
		return
	}
	t.Run("StablePartComesFirst", func(t *testing.T) { t.Parallel(); s.testPrefix(t, p) })
	t.Run("ExamplesEndTheStablePart", func(t *testing.T) { t.Parallel(); s.testExamples(t, p) })
	t.Run("StablePartIsNotMixedUp", func(t *testing.T) { t.Parallel(); s.testDistinct(t, p) })
	t.Run("CallerMayReuseItsBytes", func(t *testing.T) {
		t.Parallel()
		for _, part := range []func(providers.Call) json.RawMessage{
			func(c providers.Call) json.RawMessage { return c.Schema },
			func(c providers.Call) json.RawMessage { return c.Tools[0].Parameters },
		} {
			c, p := s.call(), s.provider(t, s.config("https://api.example.com")) // one that remembers only this call
			before := prepare(t, p, c)
			copied := bytes.Clone(before.Body)
			part(c)[2] = 'T'
			require.Equal(t, copied, before.Body)
			require.NotEqual(t, copied, prepare(t, p, c).Body)
		}
	})
	t.Run("FilesStandBeforeTheText", func(t *testing.T) { t.Parallel(); s.testFiles(t, p) })
	t.Run("MistakesAreNamed", func(t *testing.T) { t.Parallel(); s.testMistakes(t, p) })
}

func (s Suite) testPrefix(t *testing.T, p providers.Provider) {
	t.Helper()
	a, b := s.call(), s.call()
	a.Messages = []task.Message{{Role: "user", Content: "@first"}}
	b.Messages = []task.Message{{Role: "user", Content: "#second"}}
	b.MaxOutputTokens = 4096
	bodyA, bodyB := prepare(t, p, a).Body, prepare(t, p, b).Body
	prefix, _, found := bytes.Cut(bodyA, []byte("@first"))
	require.True(t, found)
	require.True(t, bytes.HasPrefix(bodyB, prefix), "%s\n%s", bodyA, bodyB)
	at := 0
	for _, part := range []string{
		a.Tools[0].Name, string(a.Tools[0].Parameters), a.System, a.Context[0], "in one word",
	} {
		i := bytes.Index(prefix[at:], []byte(part))
		require.GreaterOrEqual(t, i, 0, "%q is missing or out of order in %s", part, prefix)
		at += i + len(part)
	}
	if s.SchemaLast {
		prefix = bodyA
	}
	require.Contains(t, string(prefix), string(a.Schema), "the schema is sent as it is")
}

// files are an image and a PDF, of bytes that base64 writes with every kind of its characters.
func files() []providers.Attachment {
	return []providers.Attachment{
		{MediaType: task.MediaPNG, Data: []byte("\x89PNG\r\n\x1a\n\xfb\xef\xbe\xff")},
		{MediaType: task.MediaPDF, Data: []byte("%PDF-1.7 \xfb\xff")},
	}
}

// testFiles: files are in the last message, whole, in their order and before its text, and change nothing before it.
func (s Suite) testFiles(t *testing.T, p providers.Provider) {
	t.Helper()
	c := s.call()
	c.Messages[2].Content = "#third"
	plain := prepare(t, p, c).Body
	c.Attachments = files()
	body := prepare(t, p, c).Body
	require.True(t, json.Valid(body), string(body))
	prefix, _, found := bytes.Cut(plain, []byte(c.Messages[1].Content))
	require.True(t, found)
	require.True(t, bytes.HasPrefix(body, prefix), "%s\n%s", plain, body)
	at := len(prefix)
	for _, part := range []string{
		task.MediaPNG, base64.StdEncoding.EncodeToString(c.Attachments[0].Data),
		task.MediaPDF, base64.StdEncoding.EncodeToString(c.Attachments[1].Data), "#third",
	} {
		i := bytes.Index(body[at:], []byte(part))
		require.GreaterOrEqual(t, i, 0, "%q is missing or out of order in %s", part, body)
		at += i + len(part)
	}
	c.Messages = []task.Message{{Role: "user"}}
	require.NotContains(t, string(prepare(t, p, c).Body), `"text":""`, "no empty text beside the files")
}

// testExamples looks for them behind the context and before the first turn, however the prefix's end is marked.
func (s Suite) testExamples(t *testing.T, p providers.Provider) {
	t.Helper()
	for _, cache := range []providers.Cache{
		providers.CacheUnasked, providers.CacheNone, providers.Cache5m, providers.Cache30m, providers.Cache1h, providers.Cache12h,
	} {
		a := withExamples(s.call())
		a.Cache, a.CacheKey = cache, "key"
		b := a
		a.Messages = []task.Message{{Role: "user", Content: "@first"}}
		b.Messages = []task.Message{{Role: "user", Content: "#second"}, {Role: "assistant", Content: "x"}, a.Messages[0]}
		b.MaxOutputTokens = 4096
		bodyA, bodyB := prepare(t, p, a).Body, prepare(t, p, b).Body
		require.True(t, json.Valid(bodyA), string(bodyA))
		prefix, _, found := bytes.Cut(bodyA, []byte("@first"))
		require.True(t, found)
		require.True(t, bytes.HasPrefix(bodyB, prefix), "%s\n%s", bodyA, bodyB)
		at := 0
		for _, part := range []string{a.Tools[0].Name, a.System, a.Context[0], "The first example", "shipping!", "The second", "billing!"} {
			i := bytes.Index(prefix[at:], []byte(part))
			require.GreaterOrEqual(t, i, 0, "%q is missing or out of order in %s", part, prefix)
			at += i + len(part)
		}
	}
}

// withExamples makes all of a call's context the feature's and adds two examples.
func withExamples(c providers.Call) providers.Call {
	c.StableContext = len(c.Context)
	c.Examples = []task.Message{
		{Role: "user", Content: "The first example"},
		{Role: "assistant", Content: "shipping!"},
		{Role: "user", Content: "The second"},
		{Role: "assistant", Content: "billing!"},
	}
	return c
}

func (s Suite) testDistinct(t *testing.T, p providers.Provider) {
	t.Helper()
	seen := map[string]int{}
	changes := []func(*providers.Call){
		func(*providers.Call) {},
		func(c *providers.Call) { c.Model = "model-2" },
		func(c *providers.Call) { c.System = "Other." },
		func(c *providers.Call) { c.Context = c.Context[:1] },
		func(c *providers.Call) { c.Context[0], c.Context[1] = c.Context[1], c.Context[0] },
		func(c *providers.Call) { c.Tools = nil },
		func(c *providers.Call) { c.Tools[0].Description = "other" },
		func(c *providers.Call) { c.Tools[0].Parameters = nil },
		func(c *providers.Call) { c.JSONSchema = false },
		func(c *providers.Call) { c.Schema = []byte(`{"type":"object"}`) },
		func(c *providers.Call) { c.Messages = c.Messages[2:] },
		func(c *providers.Call) { c.MaxOutputTokens++ },
		func(c *providers.Call) { c.Attachments = files() },
		func(c *providers.Call) { c.Attachments = files()[1:] },
		func(c *providers.Call) { c.Attachments, c.Messages[2].Content = files(), "" },
		func(c *providers.Call) { *c = withExamples(*c) },
		func(c *providers.Call) { *c = withExamples(*c); c.Examples = c.Examples[:2] },
		func(c *providers.Call) { *c = withExamples(*c); c.Examples[1].Content = "other" },
		func(c *providers.Call) { c.Effort = "low" },
		func(c *providers.Call) { c.Effort = "high" },
		func(c *providers.Call) { c.Temperature = new(0.0) },
		func(c *providers.Call) { c.Temperature = new(0.25) },
		func(c *providers.Call) { c.ServiceTier = "flex" },
	}
	for range 2 { // encoded, then from memory
		for i, change := range changes {
			c := s.call()
			change(&c)
			request := prepare(t, p, c)
			sent := request.Path + string(request.Body) // where the URL names the model, the body does not
			if other, dup := seen[sent]; dup {
				require.Equal(t, other, i)
			}
			seen[sent] = i
		}
	}
	require.Len(t, seen, len(changes))
}

func (s Suite) testMistakes(t *testing.T, p providers.Provider) {
	t.Helper()
	for _, change := range []func(*providers.Call){
		func(c *providers.Call) { c.Model = "" },
		func(c *providers.Call) { c.MaxOutputTokens = 0 },
		func(c *providers.Call) { c.Messages = nil },
		func(c *providers.Call) { c.Messages = c.Messages[:2] },
		func(c *providers.Call) { c.Messages[0].Role = "system" },
		func(c *providers.Call) { c.Tools[0].Name = "" },
		func(c *providers.Call) { c.Attachments = []providers.Attachment{{MediaType: task.MediaPNG}} },
		func(c *providers.Call) {
			c.Attachments = []providers.Attachment{{MediaType: "image/svg+xml", Data: []byte("x")}}
		},
		func(c *providers.Call) { c.Tools[0].Parameters = []byte(`{"type":`) },
		func(c *providers.Call) { c.Schema = []byte(`[]`) },
		func(c *providers.Call) { c.Schema = []byte(`{}}`) },
		func(c *providers.Call) { c.Cache = "2h" },
		func(c *providers.Call) { *c = withExamples(*c); c.StableContext = 1 },
		func(c *providers.Call) { *c = withExamples(*c); c.Examples = c.Examples[:1] },
		func(c *providers.Call) { *c = withExamples(*c); c.Examples[0].Role = "assistant" },
	} {
		c := s.call()
		change(&c)
		_, err := p.Prepare(c)
		require.ErrorIs(t, err, providers.ErrCall)
	}
}
