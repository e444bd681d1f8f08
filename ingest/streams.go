// Package ingest brings messages from NATS JetStream into Postgres: tasks, their dead letters, and outcomes. It owns the
// streams' definitions. It meets the workers only in Postgres.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/task"
)

// StreamConfig bounds the three streams.
type StreamConfig struct {
	// MaxBytes is the most bytes of one stream. Publishers are refused beyond it. Default 4 GiB.
	MaxBytes int64
	// MaxAge is how long messages are kept: the window for a replay. Default 7 days.
	MaxAge time.Duration
	// MaxMessageBytes is the largest message. Default 8 MiB: an envelope holds many tasks.
	MaxMessageBytes int32
	// Replicas is 1 on one server, 3 on a cluster. Default 1.
	Replicas int
	// Buckets are those of the object store that tasks bring files in; none are made without it. Each takes MaxBytes, and its
	// files live twice as long as a message, so that a task that is taken in late, or waits, still has its files.
	Buckets []string
}

const (
	defaultMaxBytes     = 4 << 30
	defaultMaxAge       = 7 * 24 * time.Hour
	defaultMessageBytes = 8 << 20
	// leastMessageBytes is the least that a stream's largest message has to be: a task of the default limit, or a result
	// without its output, has to fit with its headers.
	leastMessageBytes = task.DefaultPayloadBytes + overheadBytes
	// dedupeWindow is JetStream's least. Its deduplication drops a message by its id alone, whatever its body says;
	// weir's own is by key and body, in Postgres, for good.
	dedupeWindow = 100 * time.Millisecond
)

// ErrWeakStream says that a stream exists with settings that could lose accepted tasks.
var ErrWeakStream = errors.New("the stream is weaker than weir's promise")

func (c StreamConfig) withDefaults() StreamConfig {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.MaxAge == 0 {
		c.MaxAge = defaultMaxAge
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = defaultMessageBytes
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	return c
}

func (c StreamConfig) stream(kind task.Kind) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               kind.Stream(),
		Subjects:           []string{kind.Subjects()},
		Retention:          jetstream.LimitsPolicy, // an ack deletes nothing: replays stay possible, acks need no fsync
		Discard:            jetstream.DiscardNew,   // a full stream refuses, it never drops what was accepted
		Storage:            jetstream.FileStorage,
		MaxBytes:           c.MaxBytes,
		MaxAge:             c.MaxAge,
		MaxMsgSize:         c.MaxMessageBytes,
		Duplicates:         dedupeWindow,
		Replicas:           c.Replicas,
		DenyDelete:         true,
		AllowAtomicPublish: true,
		AllowDirect:        true,
	}
}

// EnsureStreams makes the streams and buckets that are missing. An existing stream keeps its own limits, but one that could lose what
// it acknowledged is refused with ErrWeakStream.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, config StreamConfig) error {
	config = config.withDefaults()
	for _, kind := range []task.Kind{task.KindTasks, task.KindResults, task.KindOutcomes} {
		want := config.stream(kind)
		if kind == task.KindResults {
			// results are also in Postgres: an unread stream must not stop the deliverer
			want.Discard = jetstream.DiscardOld
		}
		existing, err := js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			existing, err = js.CreateStream(ctx, want)
		}
		if err != nil {
			return fmt.Errorf("ensure stream %s: %w", want.Name, err)
		}
		if err := assertStream(existing.CachedInfo().Config, want); err != nil {
			return err
		}
	}
	return ensureBuckets(ctx, js, config)
}

func assertStream(got, want jetstream.StreamConfig) error {
	var weak []error
	refuse := func(bad bool, why string) {
		if bad {
			weak = append(weak, fmt.Errorf("%w: %s %s", ErrWeakStream, got.Name, why))
		}
	}
	refuse(got.Storage != jetstream.FileStorage, "is kept in memory; recreate it with file storage")
	refuse(got.Retention != jetstream.LimitsPolicy, "does not use limits retention")
	refuse(want.Discard == jetstream.DiscardNew && got.Discard != jetstream.DiscardNew,
		"drops old messages when it is full; set discard to new")
	refuse(want.Discard == jetstream.DiscardNew && got.MaxMsgsPerSubject > 0 && !got.DiscardNewPerSubject,
		"drops the old messages of a subject; remove max_msgs_per_subject")
	refuse(got.AllowRollup, "lets a publisher replace what is stored; set allow_rollup_hdrs to false")
	refuse(got.NoAck, "acknowledges nothing; set no_ack to false")
	refuse(!got.AllowAtomicPublish, "does not allow atomic batches; set allow_atomic")
	refuse(got.MaxAge > 0 && got.MaxAge < 24*time.Hour, "keeps messages for less than a day")
	refuse(got.PersistMode != jetstream.DefaultPersistMode, "persists asynchronously, which disables sync_interval: always")
	refuse(got.Duplicates > 10*time.Second, "drops repeated ids for longer than 10 s, whatever their body; lower duplicate_window")
	refuse(got.MaxMsgSize > 0 && got.MaxMsgSize < leastMessageBytes,
		fmt.Sprintf("takes messages of %d bytes at most; raise max_msg_size to %d or more", got.MaxMsgSize, leastMessageBytes))
	refuse(want.Discard == jetstream.DiscardOld && got.DiscardNewPerSubject,
		"refuses the results of a full subject; set discard_new_per_subject to false")
	refuse(got.Replicas < want.Replicas, fmt.Sprintf("has %d replicas, not %d", got.Replicas, want.Replicas))
	return errors.Join(weak...)
}

// consumerName is the durable consumer of each stream that ingest reads.
const consumerName = "weir-ingest"

// consumer makes the durable consumer of a stream. MaxDeliver is unlimited: who gives a message up is weir, with a dead
// letter, never the server.
func consumer(ctx context.Context, js jetstream.JetStream, stream string, ackWait time.Duration) (jetstream.Consumer, error) {
	c, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable:       consumerName,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxAckPending: 20_000,
		MaxDeliver:    -1,
		DeliverPolicy: jetstream.DeliverAllPolicy,
	})
	if err != nil {
		return nil, fmt.Errorf("ensure consumer of %s: %w", stream, err)
	}
	return c, nil
}
