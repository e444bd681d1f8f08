package attachments

import (
	"context"
	"errors"
	"io"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/task"
)

// fromStore gets a file from NATS's object store, whose client holds the file against the digest in its own entry.
func (f *Fetcher) fromStore(ctx context.Context, a task.Attachment, limit int64) ([]byte, error) {
	bucket, name, _ := a.Object()
	store, err := f.stream.ObjectStore(ctx, bucket)
	if err != nil {
		return nil, ofStore(err)
	}
	object, err := store.Get(ctx, name)
	if err != nil {
		return nil, ofStore(err)
	}
	defer func() { _ = object.Close() }() // ends the subscription where reading stopped early
	info, err := object.Info()
	if err != nil {
		return nil, ofStore(err)
	}
	// The client follows links, which may lead into a bucket that nobody allowed.
	if info.Bucket != bucket || info.Name != name {
		return nil, &FetchError{Reason: "the entry is a link to another file, and links are not followed"}
	}
	if info.Size > uint64(limit) { //nolint:gosec // a limit is never negative: each file before fits into what was left
		return nil, tooLarge(limit)
	}
	data, err := io.ReadAll(io.LimitReader(object, limit+1))
	if err != nil {
		return nil, ofStore(err)
	}
	if err := object.Error(); err != nil {
		return nil, ofStore(err)
	}
	if uint64(len(data)) < info.Size {
		return nil, away("it was not read whole", io.ErrUnexpectedEOF)
	}
	return bounded(data, limit)
}

// ofStore tells what is gone from what is away. A file whose digest is wrong may be one that is being replaced.
func ofStore(err error) *FetchError {
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return &FetchError{Reason: "there is no such file, or it has expired", Err: err}
	case errors.Is(err, jetstream.ErrBucketNotFound):
		return &FetchError{Reason: "there is no such bucket", Err: err}
	case errors.Is(err, jetstream.ErrCantGetBucket):
		return &FetchError{Reason: "the entry is a link to another file, and links are not followed", Err: err}
	}
	return away("it was not read", err)
}
