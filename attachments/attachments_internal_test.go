package attachments

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

const limit = 10_000

func picture(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, image.NewGray(image.Rect(0, 0, 20, 10))))
	return out.Bytes()
}

// web is a server whose certificate the fetcher trusts and whose host is allowed.
type web struct {
	*httptest.Server
	fetcher *Fetcher
	asked   atomic.Int32
	clock   atomic.Int64
}

func serve(t *testing.T, handler http.HandlerFunc, changes ...func(*catalog.Attachments)) *web {
	t.Helper()
	w := &web{}
	w.Server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		handler(rw, r)
	}))
	t.Cleanup(w.Close)
	bounds := catalog.Attachments{
		Hosts: []string{strings.TrimPrefix(w.URL, "https://")}, MaxBytes: limit, MaxCount: 4, Timeout: 10 * time.Second, AllowPrivate: true,
	}
	for _, change := range changes {
		change(&bounds)
	}
	w.fetcher = New(Config{Bounds: bounds, Now: func() time.Time { return time.Unix(w.clock.Load(), 0) }})
	transport, ok := w.fetcher.web.(*http.Transport)
	require.True(t, ok)
	transport.TLSClientConfig = &tls.Config{RootCAs: w.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs} //nolint:forcetypeassert // httptest's own
	return w
}

func (w *web) fetch(t *testing.T, list ...task.Attachment) ([]providers.Attachment, *FetchError) {
	t.Helper()
	files, err := w.fetcher.Fetch(t.Context(), list)
	return files, failure(t, err)
}

func failure(t *testing.T, err error) *FetchError {
	t.Helper()
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*FetchError](err)
	require.True(t, ok)
	require.NotContains(t, failed.Error(), "SECRET", "a signed URL is a secret")
	return failed
}

func (w *web) at(path string) task.Attachment {
	return task.Attachment{URL: w.URL + path + "?sig=SECRET", MediaType: task.MediaPNG}
}

func TestFetch_ByHTTPS(t *testing.T) {
	t.Parallel()
	data := picture(t)
	w := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("asked with %s", r.Method)
		}
		_, _ = rw.Write(data)
	})
	sum := sha256.Sum256(data)
	known := w.at("/a")
	known.SHA256 = hex.EncodeToString(sum[:])
	files, failed := w.fetch(t, known, w.at("/b"))
	require.Nil(t, failed)
	require.Equal(t, []providers.Attachment{{MediaType: task.MediaPNG, Data: data}, {MediaType: task.MediaPNG, Data: data}}, files)
	require.EqualValues(t, 2, w.asked.Load())

	_, failed = w.fetch(t, known)
	require.Nil(t, failed)
	require.EqualValues(t, 2, w.asked.Load(), "from memory")
	w.clock.Add(int64(cacheAge / time.Second))
	_, failed = w.fetch(t, known)
	require.Nil(t, failed)
	require.EqualValues(t, 3, w.asked.Load(), "what was kept for long is fetched anew")

	none, err := w.fetcher.Fetch(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestFetch_Answers(t *testing.T) {
	t.Parallel()
	data := picture(t)
	status := func(code int) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
	}
	send := func(body []byte) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(body) }
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
		passing bool
	}{
		{"NotFound", status(404), "attachments[0] (host 127.0.0.1:", false},
		{"Forbidden", status(403), "answered HTTP 403", false},
		{"Unavailable", status(503), "answered HTTP 503", true},
		{"Limited", status(429), "answered HTTP 429", true},
		{"Redirect", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/other", http.StatusFound) }, "redirects are not followed", false},
		{"Empty", send(nil), "the file is empty", false},
		{"OtherType", send([]byte("%PDF-1.7")), "the file is application/pdf, not image/png as the task says", false},
		{"Page", send([]byte("<html>please sign in</html>")), "the file is neither an image nor a PDF", false},
		{"Announced", send(append(picture(t), make([]byte, limit)...)), "larger than the 10000 bytes", false},
		{"Endless", func(rw http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := rw.Write(data); err != nil {
					return
				}
			}
		}, "larger than the 10000 bytes", false},
		{"Cut", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "5000")
			_, _ = rw.Write(data)
		}, "was not fetched whole", true},
		{"Packed", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
			_, _ = rw.Write(data)
		}, "packed the file", false},
		{"Hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "was not fetched: context deadline", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, tt.handler, func(a *catalog.Attachments) {
				if tt.name == "Hangs" {
					a.Timeout = 100 * time.Millisecond
				}
			})
			_, failed := w.fetch(t, w.at("/a.png"))
			require.NotNil(t, failed)
			require.ErrorContains(t, failed, tt.want)
			require.Equal(t, tt.passing, failed.Passing)
			require.EqualValues(t, 1, w.asked.Load())
		})
	}
}

func TestFetch_Refuses(t *testing.T) {
	t.Parallel()
	data := picture(t)
	w := serve(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(data) })
	wrong := w.at("/a")
	wrong.SHA256 = strings.Repeat("0", 64)
	_, failed := w.fetch(t, wrong)
	require.ErrorContains(t, failed, "another SHA-256")
	require.False(t, failed.Passing)

	other := w.at("/a")
	other.URL = "https://example.com/a"
	_, failed = w.fetch(t, other)
	require.ErrorContains(t, failed, `the host "example.com" is not in attachments.hosts`)

	half := serve(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(data) },
		func(a *catalog.Attachments) { a.MaxBytes = int64(len(data)) + 10 })
	_, failed = half.fetch(t, half.at("/a"), half.at("/b"))
	require.ErrorContains(t, failed, "attachments[1]")
	require.ErrorContains(t, failed, "larger than the 10 bytes", "the files of a task share the limit")
}

// TestFetch_PrivateAddress: an allowed name that resolves into a private network is not dialled.
func TestFetch_PrivateAddress(t *testing.T) {
	t.Parallel()
	w := serve(t, func(http.ResponseWriter, *http.Request) {}, func(a *catalog.Attachments) { a.AllowPrivate = false })
	_, failed := w.fetch(t, w.at("/a"))
	require.ErrorContains(t, failed, "is not public")
	require.False(t, failed.Passing)
	require.Zero(t, w.asked.Load())

	w.Close()
	w.fetcher.bounds.AllowPrivate = true
	away := New(Config{Bounds: w.fetcher.bounds})
	_, err := away.Fetch(t.Context(), []task.Attachment{w.at("/a")})
	require.True(t, failure(t, err).Passing, "a host that is down may come back")
}

func TestFetch_FromStore(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t).JetStream(t)
	stores := map[string]jetstream.ObjectStore{}
	for _, bucket := range []string{"files", "private"} {
		store, err := js.CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: bucket})
		require.NoError(t, err)
		stores[bucket] = store
	}
	data, put := picture(t), func(bucket, name string, body []byte) *jetstream.ObjectInfo {
		info, err := stores[bucket].PutBytes(t.Context(), name, body)
		require.NoError(t, err)
		return info
	}
	put("files", "dir/a.png", data)
	put("files", "large.png", append(picture(t), make([]byte, limit)...))
	put("files", "empty.png", nil)
	secret := put("private", "payslip.png", data)
	_, err := stores["files"].AddLink(t.Context(), "link.png", secret)
	require.NoError(t, err)
	_, err = stores["files"].AddBucketLink(t.Context(), "bucket.png", stores["private"])
	require.NoError(t, err)
	put("files", "corrupt.png", data)
	tamper(t, js, "corrupt.png")

	f := New(Config{
		Bounds: catalog.Attachments{Buckets: []string{"files", "gone"}, MaxBytes: limit, MaxCount: 4, Timeout: 5 * time.Second}, Stream: js,
	})
	files, err := f.Fetch(t.Context(), []task.Attachment{{URL: "object:files/dir/a.png", MediaType: task.MediaPNG}})
	require.NoError(t, err)
	require.Equal(t, data, files[0].Data)

	tests := []struct {
		url, want string
		passing   bool
	}{
		{"object:files/b.png", "attachments[0] (bucket files): there is no such file, or it has expired", false},
		{"object:gone/a.png", "there is no such bucket", false},
		{"object:private/payslip.png", `the bucket "private" is not in attachments.buckets`, false},
		{"object:files/link.png", "links are not followed", false},
		{"object:files/bucket.png", "links are not followed", false},
		{"object:files/large.png", "larger than the 10000 bytes", false},
		{"object:files/empty.png", "the file is empty", false},
		{"object:files/corrupt.png", "was not read", true},
	}
	for _, tt := range tests {
		_, err := f.Fetch(t.Context(), []task.Attachment{{URL: tt.url, MediaType: task.MediaPNG}})
		failed := failure(t, err)
		require.NotNil(t, failed, tt.url)
		require.ErrorContains(t, failed, tt.want)
		require.Equal(t, tt.passing, failed.Passing, tt.url)
	}
}

// tamper changes an object's bytes and leaves its digest.
func tamper(t *testing.T, js jetstream.JetStream, name string) {
	t.Helper()
	store, err := js.ObjectStore(t.Context(), "files")
	require.NoError(t, err)
	info, err := store.GetInfo(t.Context(), name)
	require.NoError(t, err)
	subject := "$O.files.C." + info.NUID
	stream, err := js.Stream(t.Context(), "OBJ_files")
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject(subject)))
	_, err = js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: bytes.Repeat([]byte("x"), int(info.Size))})
	require.NoError(t, err)
}

func TestCache_IsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	c := newCache(100, time.Minute, func() time.Time { return now })
	key := func(i int) task.Attachment { return task.Attachment{URL: fmt.Sprint(i)} }
	for i := range 10 {
		c.put(key(i), make([]byte, 30))
		require.LessOrEqual(t, c.bytes, int64(100))
	}
	_, ok := c.get(key(7))
	require.True(t, ok)
	c.put(key(10), make([]byte, 30))
	_, ok = c.get(key(8))
	require.False(t, ok, "the least used leaves first")
	_, ok = c.get(key(7))
	require.True(t, ok)
	c.put(key(7), make([]byte, 5))
	require.EqualValues(t, 65, c.bytes, "a newer file takes the place of the old one")
	c.put(key(11), make([]byte, 101))
	_, ok = c.get(key(11))
	require.False(t, ok, "a file that would displace all others is not kept")
	require.Len(t, c.files, c.order.Len())
	now = now.Add(time.Minute)
	_, ok = c.get(key(7))
	require.False(t, ok)
}
