package ingest_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/task"
)

func TestEnsureStreams(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t).JetStream(t)
	for range 2 {
		require.NoError(t, ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{}))
	}
	for _, kind := range []task.Kind{task.KindTasks, task.KindResults, task.KindOutcomes} {
		stream, err := js.Stream(t.Context(), kind.Stream())
		require.NoError(t, err)
		got := stream.CachedInfo().Config
		require.Equal(t, []string{"weir." + string(kind) + ".*.*"}, got.Subjects)
		require.Equal(t, jetstream.LimitsPolicy, got.Retention)
		require.Equal(t, jetstream.FileStorage, got.Storage)
		require.Equal(t, 7*24*time.Hour, got.MaxAge)
		require.EqualValues(t, 4<<30, got.MaxBytes)
		require.EqualValues(t, 8<<20, got.MaxMsgSize)
		require.Equal(t, 100*time.Millisecond, got.Duplicates)
		require.True(t, got.AllowAtomicPublish)
		require.True(t, got.DenyDelete)
		require.False(t, got.DenyPurge, "maintenance has to make room")
		discard := jetstream.DiscardNew
		if kind == task.KindResults {
			discard = jetstream.DiscardOld
		}
		require.Equal(t, discard, got.Discard)
	}
}

func TestEnsureStreams_KeepsTheLimitsOfAnExistingStream(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t).JetStream(t)
	require.NoError(t, ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{MaxBytes: 1 << 20, MaxAge: 48 * time.Hour}))
	require.NoError(t, ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{MaxBytes: 1 << 30}))
	stream, err := js.Stream(t.Context(), task.StreamTasks)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, stream.CachedInfo().Config.MaxBytes)
	require.Equal(t, 48*time.Hour, stream.CachedInfo().Config.MaxAge)
}

func TestEnsureStreams_RefusesAWeakStream(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		kind   task.Kind
		weaken func(*jetstream.StreamConfig)
		want   string // "" when the stream is good enough
	}{
		{"AsItShouldBe", task.KindTasks, func(*jetstream.StreamConfig) {}, ""},
		{"Memory", task.KindTasks, func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "kept in memory"},
		{"WorkQueue", task.KindOutcomes, func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "limits retention"},
		{"Interest", task.KindTasks, func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }, "limits retention"},
		{"DiscardOld", task.KindTasks, func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "drops old messages"},
		{"DiscardOldOfResults", task.KindResults, func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, ""},
		{"NoAtomicBatches", task.KindTasks, func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }, "atomic batches"},
		{"ShortAge", task.KindTasks, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "less than a day"},
		{"AsyncPersist", task.KindTasks, func(c *jetstream.StreamConfig) {
			c.PersistMode, c.AllowAtomicPublish = jetstream.AsyncPersistMode, false
		}, "persists asynchronously"},
		{"LongDeduplication", task.KindTasks, func(c *jetstream.StreamConfig) { c.Duplicates = time.Minute }, "drops repeated ids"},
		{"OneMessageASubject", task.KindTasks, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, "old messages of a subject"},
		{"OneMessageASubjectOfResults", task.KindResults, func(c *jetstream.StreamConfig) {
			c.MaxMsgsPerSubject, c.Discard = 1, jetstream.DiscardOld
		}, ""},
		{"Rollup", task.KindTasks, func(c *jetstream.StreamConfig) { c.AllowRollup = true }, "replace what is stored"},
		{"SmallMessages", task.KindResults, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 64 << 10 }, "raise max_msg_size"},
		{"FullSubjectsOfResults", task.KindResults, func(c *jetstream.StreamConfig) {
			c.MaxMsgsPerSubject, c.DiscardNewPerSubject = 1, true
		}, "results of a full subject"},
		{"NoAck", task.KindTasks, func(c *jetstream.StreamConfig) { c.NoAck, c.AllowAtomicPublish = true, false }, "acknowledges nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			js := natstest.Start(t).JetStream(t)
			config := jetstream.StreamConfig{
				Name: tt.kind.Stream(), Subjects: []string{tt.kind.Subjects()}, Discard: jetstream.DiscardNew,
				MaxAge: 24 * time.Hour, Duplicates: 10 * time.Second, AllowAtomicPublish: true,
			}
			tt.weaken(&config)
			_, err := js.CreateStream(t.Context(), config)
			require.NoError(t, err)

			err = ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{})

			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ingest.ErrWeakStream)
			require.ErrorContains(t, err, config.Name)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestEnsureStreams_RefusesTooFewReplicas(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t).JetStream(t)
	require.NoError(t, ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{}))
	err := ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{Replicas: 3})
	require.ErrorIs(t, err, ingest.ErrWeakStream)
	require.ErrorContains(t, err, "has 1 replicas, not 3")
}

func TestEnsureStreams_Buckets(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t).JetStream(t)
	with := ingest.StreamConfig{MaxBytes: 1 << 20, Buckets: []string{"files"}}
	for range 2 {
		require.NoError(t, ingest.EnsureStreams(t.Context(), js, with))
	}
	store, err := js.ObjectStore(t.Context(), "files")
	require.NoError(t, err)
	status, err := store.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, 14*24*time.Hour, status.TTL(), "a file outlives its task's message")
	require.Equal(t, jetstream.FileStorage, status.Storage())
	stream, err := js.Stream(t.Context(), "OBJ_files")
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, stream.CachedInfo().Config.MaxBytes)
	require.Equal(t, jetstream.DiscardNew, stream.CachedInfo().Config.Discard)

	for want, weak := range map[string]jetstream.ObjectStoreConfig{
		"kept in memory":         {Bucket: "memory", Storage: jetstream.MemoryStorage},
		"keeps files for 1h0m0s": {Bucket: "short", TTL: time.Hour},
	} {
		_, err := js.CreateObjectStore(t.Context(), weak)
		require.NoError(t, err)
		err = ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{Buckets: []string{weak.Bucket}})
		require.ErrorIs(t, err, ingest.ErrWeakStream)
		require.ErrorContains(t, err, want)
	}
	require.Error(t, ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{Buckets: []string{"a.b"}}))
}

// What an ingester refuses to start with.
func TestRun_RefusesToStart(t *testing.T) {
	t.Parallel()

	t.Run("OnAWeakStream", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.NoError(t, b.js.DeleteStream(t.Context(), task.StreamTasks))
		_, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: task.StreamTasks, Subjects: []string{task.KindTasks.Subjects()}, Storage: jetstream.MemoryStorage,
		})
		require.NoError(t, err)
		require.ErrorIs(t, <-b.run().done, ingest.ErrWeakStream)
	})

	t.Run("OnAConsumerThatSkipsMessages", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, err := b.js.CreateConsumer(t.Context(), task.StreamTasks, jetstream.ConsumerConfig{
			Durable: "weir-ingest", DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		})
		require.NoError(t, err)
		require.ErrorContains(t, <-b.run().done, "consumer")
	})
}
