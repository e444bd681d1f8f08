package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// fileAges is how many times as long as a message a file lives.
const fileAges = 2

// ensureBuckets makes the buckets that are missing. An existing one keeps its own limits, but one whose files may be gone
// before their tasks are taken in is refused with ErrWeakStream.
func ensureBuckets(ctx context.Context, js jetstream.JetStream, config StreamConfig) error {
	for _, bucket := range config.Buckets {
		store, err := js.ObjectStore(ctx, bucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			store, err = js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{
				Bucket: bucket, Description: "files of weir's tasks", TTL: fileAges * config.MaxAge, MaxBytes: config.MaxBytes,
				Storage: jetstream.FileStorage, Replicas: config.Replicas,
			})
			if errors.Is(err, jetstream.ErrBucketExists) { // another process was quicker
				store, err = js.ObjectStore(ctx, bucket)
			}
		}
		if err != nil {
			return fmt.Errorf("ensure bucket %s: %w", bucket, err)
		}
		if err := assertBucket(ctx, store, bucket, config); err != nil {
			return err
		}
	}
	return nil
}

func assertBucket(ctx context.Context, store jetstream.ObjectStore, bucket string, config StreamConfig) error {
	status, err := store.Status(ctx)
	if err != nil {
		return fmt.Errorf("ensure bucket %s: %w", bucket, err)
	}
	switch {
	case status.Storage() != jetstream.FileStorage:
		return fmt.Errorf("%w: the bucket %s is kept in memory; recreate it with file storage", ErrWeakStream, bucket)
	case status.TTL() > 0 && status.TTL() < config.MaxAge:
		return fmt.Errorf("%w: the bucket %s keeps files for %s, less than the stream keeps tasks (%s)", ErrWeakStream,
			bucket, status.TTL(), config.MaxAge)
	case status.Replicas() < config.Replicas:
		return fmt.Errorf("%w: the bucket %s has %d replicas, not %d", ErrWeakStream, bucket, status.Replicas(), config.Replicas)
	}
	return nil
}
