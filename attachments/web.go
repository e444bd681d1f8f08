package attachments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

const (
	connectTimeout = 10 * time.Second
	maxHeaderBytes = 64 << 10
	idleConns      = 2
	idleTimeout    = 30 * time.Second
)

// newTransport uses no proxy, which would resolve names itself, and unpacks nothing: the bound counts what arrives.
func newTransport(bounds catalog.Attachments) *http.Transport {
	return &http.Transport{
		DialContext:            httpcall.Dial(connectTimeout, bounds.AllowPrivate),
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConnsPerHost:    idleConns,
		MaxConnsPerHost:        mostConns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
	}
}

// byHTTPS gets a file from a host of the allow-list.
func (f *Fetcher) byHTTPS(ctx context.Context, a task.Attachment, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, http.NoBody)
	if err != nil {
		return nil, &FetchError{Reason: "the URL cannot be read"} // the parser's words repeat it
	}
	request.Header.Set("Accept", a.MediaType)
	request.Header.Set("User-Agent", "weir")
	// RoundTrip and not http.Client: it follows no redirect, which would lead to a host that nobody allowed.
	response, err := f.web.RoundTrip(request)
	if err != nil {
		failed := away("it was not fetched", withoutURL(err))
		failed.Passing = !errors.Is(err, httpcall.ErrNotPublic)
		return nil, failed
	}
	defer func() { _ = response.Body.Close() }()
	if err := judge(response); err != nil {
		return nil, err
	}
	if response.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var out bytes.Buffer
	if response.ContentLength > 0 {
		out.Grow(int(response.ContentLength) + bytes.MinRead)
	}
	if _, err := out.ReadFrom(io.LimitReader(response.Body, limit+1)); err != nil {
		return nil, away("it was not fetched whole", withoutURL(err))
	}
	return bounded(out.Bytes(), limit)
}

// withoutURL leaves out the URL that some errors repeat.
func withoutURL(err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		return inner.Err
	}
	return err
}

// judge is nil for an answer that holds a file.
func judge(r *http.Response) error {
	switch code := r.StatusCode; {
	case code == http.StatusOK:
	case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout,
		code == http.StatusTooEarly:
		return &FetchError{Reason: fmt.Sprintf("the host answered HTTP %d", code), Passing: true}
	case code/100 == http.StatusMultipleChoices/100:
		return &FetchError{Reason: fmt.Sprintf("the host answered HTTP %d, and redirects are not followed", code)}
	default:
		return &FetchError{Reason: fmt.Sprintf("the host answered HTTP %d", code)}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return &FetchError{Reason: "the host packed the file, which was not asked for"}
	}
	return nil
}
