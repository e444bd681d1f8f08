package producer_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

// testBundle is a producer on a NATS server of its own that syncs always, with weir's streams.
type testBundle struct {
	*producer.Producer
	server *natstest.Server
	js     jetstream.JetStream
}

func setup(t *testing.T, change ...func(*jetstream.StreamConfig)) *testBundle {
	t.Helper()
	server := natstest.Start(t)
	bundle := &testBundle{server: server, js: server.JetStream(t)}
	for _, kind := range []task.Kind{task.KindTasks, task.KindResults, task.KindOutcomes} {
		bundle.mustCreateStream(t, kind, change...)
	}
	bundle.Producer = mustNew(t, server, producer.Config{Tenant: "acme"})
	return bundle
}

func (b *testBundle) mustCreateStream(t *testing.T, kind task.Kind, change ...func(*jetstream.StreamConfig)) {
	t.Helper()
	config := jetstream.StreamConfig{
		Name: kind.Stream(), Subjects: []string{kind.Subjects()}, Discard: jetstream.DiscardNew,
		Duplicates: time.Minute, AllowAtomicPublish: true,
	}
	for _, c := range change {
		c(&config)
	}
	_, err := b.js.CreateStream(t.Context(), config)
	require.NoError(t, err)
}

func mustNew(t *testing.T, server *natstest.Server, config producer.Config) *producer.Producer {
	t.Helper()
	config.RetryWait = time.Millisecond
	p, err := producer.New(server.Connect(t), config)
	require.NoError(t, err)
	return p
}

// stored are the messages of a stream, in its order.
func (b *testBundle) stored(t *testing.T, kind task.Kind) []jetstream.Msg {
	t.Helper()
	stream, err := b.js.Stream(t.Context(), kind.Stream())
	require.NoError(t, err)
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	if info.State.Msgs == 0 {
		return nil
	}
	consumer, err := b.js.OrderedConsumer(t.Context(), kind.Stream(), jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	messages, err := consumer.Messages()
	require.NoError(t, err)
	defer messages.Stop()
	all := make([]jetstream.Msg, 0, info.State.Msgs)
	for range info.State.Msgs {
		msg, err := messages.Next(jetstream.NextContext(t.Context()))
		require.NoError(t, err)
		all = append(all, msg)
	}
	return all
}

// storedIDs counts how often each task is in the stream, envelopes opened, and checks that ingest would take it.
func (b *testBundle) storedIDs(t *testing.T) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for _, msg := range b.stored(t, task.KindTasks) {
		_, tenant, feature, err := task.ParseSubject(msg.Subject())
		require.NoError(t, err)
		items, err := task.DecodeMessage(msg.Data(), task.Limits{})
		require.NoError(t, err)
		for _, item := range items {
			require.NoError(t, item.Err)
			require.NoError(t, item.Task.Bind(tenant, feature, ""))
			require.NoError(t, item.Task.Check())
			ids[item.ID]++
		}
	}
	return ids
}

func ticket(n int) task.Task {
	return task.Task{ID: fmt.Sprintf("t-%d", n), Feature: "triage", Input: fmt.Sprintf("My card %d was declined.", n)}
}

// tickets are the tasks first, first+1, ..., beyond-1.
func tickets(first, beyond int) iter.Seq2[task.Task, error] {
	return func(yield func(task.Task, error) bool) {
		for n := first; n < beyond; n++ {
			if !yield(ticket(n), nil) {
				return
			}
		}
	}
}

// deliver publishes a result as weir does.
func (b *testBundle) deliver(t *testing.T, r task.Result) {
	t.Helper()
	r.Tenant = "acme"
	if r.Feature == "" {
		r.Feature = "triage"
	}
	body, err := json.Marshal(r)
	require.NoError(t, err)
	_, err = b.js.Publish(t.Context(), task.ResultSubject(r.Tenant, r.Feature), body)
	require.NoError(t, err)
}
