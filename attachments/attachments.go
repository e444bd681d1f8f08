// Package attachments fetches the files that tasks bring by reference: from NATS's object store, and by https from hosts on
// an allow-list. A file is bounded in bytes and time, its type is what its own bytes say, and nothing inside a private
// network is reached by a task's word. It decides nothing about tasks: an error says whether waiting may help.
package attachments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/media"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

const (
	// CacheBytes is the most bytes of files that a process keeps for the next stage of their tasks.
	CacheBytes = 64 << 20
	// cacheAge is how long a file is kept: longer than a cascade takes, shorter than anybody waits for a corrected file.
	cacheAge = 10 * time.Minute
	// mostConns is how many files are fetched from one host at once; more wait, in their own time.
	mostConns = 8
)

// FetchError is a file that is not to be had.
type FetchError struct {
	// Reason says in words why. It names the attachment by its place and its host, never by its URL, which may hold a secret.
	Reason string
	// Passing says that the same fetch may succeed later.
	Passing bool
	Err     error
}

// Error is the reason.
func (e *FetchError) Error() string { return e.Reason }

// Unwrap is what went wrong underneath; nil when weir itself objects.
func (e *FetchError) Unwrap() error { return e.Err }

// Config is what a Fetcher works with. All of it is needed but Now.
type Config struct {
	Bounds catalog.Attachments
	Stream jetstream.JetStream
	// Now is the clock of the cache. Default time.Now.
	Now func() time.Time
}

// Fetcher fetches. It is safe for concurrent use.
type Fetcher struct {
	bounds catalog.Attachments
	stream jetstream.JetStream
	web    http.RoundTripper
	cache  *cache
}

// New makes a fetcher. It connects to nothing yet.
func New(c Config) *Fetcher {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Fetcher{
		bounds: c.Bounds, stream: c.Stream, web: newTransport(c.Bounds), cache: newCache(CacheBytes, cacheAge, c.Now),
	}
}

// Fetch gets a task's files in their order, together in the configured time and size. What bounds the memory of a process
// is its number of calls under way, each with its files and their base64. Their bytes are shared and must not be changed. Every error is a *FetchError.
func (f *Fetcher) Fetch(ctx context.Context, list []task.Attachment) ([]providers.Attachment, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if err := f.bounds.Check(list); err != nil { // the configuration may be another than when the task was taken in
		return nil, &FetchError{Reason: err.Error(), Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, f.bounds.Timeout)
	defer cancel()
	files := make([]providers.Attachment, len(list))
	left := f.bounds.MaxBytes
	for i, a := range list {
		data, err := f.one(ctx, a, left)
		if err != nil {
			return nil, placed(i, a, err)
		}
		left -= int64(len(data))
		files[i] = providers.Attachment{MediaType: a.MediaType, Data: data}
	}
	return files, nil
}

// placed says of which attachment an error is.
func placed(i int, a task.Attachment, err error) *FetchError {
	where := "host " + a.Host()
	if bucket, _, ok := a.Object(); ok {
		where = "bucket " + bucket
	}
	passing := false
	if inner, ok := errors.AsType[*FetchError](err); ok {
		passing = inner.Passing
	}
	return &FetchError{Reason: fmt.Sprintf("attachments[%d] (%s): %s", i, where, err), Passing: passing, Err: err}
}

// one gets a file from memory or from where it is.
func (f *Fetcher) one(ctx context.Context, a task.Attachment, limit int64) ([]byte, error) {
	if data, ok := f.cache.get(a); ok {
		return bounded(data, limit)
	}
	get := f.byHTTPS
	if _, _, ok := a.Object(); ok {
		get = f.fromStore
	}
	data, err := get(ctx, a, limit)
	if err != nil {
		return nil, err
	}
	if err := examine(a, data); err != nil {
		return nil, err
	}
	f.cache.put(a, data)
	return data, nil
}

func bounded(data []byte, limit int64) ([]byte, error) {
	if int64(len(data)) > limit {
		return nil, tooLarge(limit)
	}
	return data, nil
}

func tooLarge(limit int64) *FetchError {
	return &FetchError{Reason: fmt.Sprintf("the file is larger than the %d bytes that attachments.max_bytes leaves for it", limit)}
}

// examine holds a file against what its task says of it.
func examine(a task.Attachment, data []byte) error {
	if len(data) == 0 {
		return &FetchError{Reason: "the file is empty"}
	}
	if is := media.Sniff(data); is != a.MediaType {
		if is == "" {
			is = "neither an image nor a PDF that weir takes"
		}
		return &FetchError{Reason: fmt.Sprintf("the file is %s, not %s as the task says", is, a.MediaType)}
	}
	if a.SHA256 == "" {
		return nil
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != a.SHA256 {
		return &FetchError{Reason: "the file has another SHA-256 than the task says"}
	}
	return nil
}

// away is a failure that may heal.
func away(what string, err error) *FetchError {
	return &FetchError{Reason: what + ": " + err.Error(), Passing: true, Err: err}
}
