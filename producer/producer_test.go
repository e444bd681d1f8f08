package producer_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

func TestNew_RefusesABadTenant(t *testing.T) {
	t.Parallel()
	_, err := producer.New(natstest.Start(t).Connect(t), producer.Config{Tenant: "a.b"})
	require.ErrorContains(t, err, "tenant must be 1 to 64 letters")
}

func TestProducer_Publish(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	sent := task.Task{ID: "t-1", Tenant: "acme", Feature: "triage", Input: "<b>Ä</b>", Metadata: map[string]string{"k": "v"}}

	ack, err := bundle.Publish(t.Context(), sent)
	require.NoError(t, err)
	require.Equal(t, producer.Ack{ID: "t-1", Sequence: 1}, ack)
	again, err := bundle.Publish(t.Context(), sent)
	require.NoError(t, err)
	require.True(t, again.Duplicate)
	sent.Input = "other"
	other, err := bundle.Publish(t.Context(), sent)
	require.NoError(t, err)
	require.False(t, other.Duplicate, "ingest has to see that one id has two bodies")

	stored := bundle.stored(t, task.KindTasks)
	require.Len(t, stored, 2)
	require.Equal(t, "weir.tasks.acme.triage", stored[0].Subject())
	require.Equal(t, task.MsgID("acme", "t-1", stored[0].Data()), stored[0].Headers().Get("Nats-Msg-Id"))
	got, err := task.Decode(stored[0].Data(), task.Limits{})
	require.NoError(t, err)
	require.Equal(t, &task.Task{ID: "t-1", Feature: "triage", Input: "<b>Ä</b>", Metadata: map[string]string{"k": "v"}}, got)
}

func TestProducer_PublishRefuses(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	tests := []struct {
		name   string
		task   task.Task
		code   task.Code
		reason string
	}{
		{"NoID", task.Task{Feature: "triage", Input: "x"}, task.CodeMissingField, "id is missing"},
		{"NoFeature", task.Task{ID: "a", Input: "x"}, task.CodeMissingField, "feature is missing"},
		{"OtherTenant", task.Task{ID: "a", Tenant: "other", Feature: "triage", Input: "x"}, task.CodeSubjectMismatch, "another tenant"},
		{"TooLarge", task.Task{ID: "big", Feature: "triage", Input: strings.Repeat("x", 1<<20)}, task.CodeTooLarge, `task "big": the task has`},
		{"ToolTwice", task.Task{
			ID: "a", Feature: "triage", Input: "x",
			Tools: []task.Tool{{Name: "f", Parameters: json.RawMessage(`{"a":1,"a":2}`)}},
		}, task.CodeDuplicateField, "tools[0].parameters.a is given twice"},
	}
	for _, tt := range tests {
		_, err := bundle.Publish(t.Context(), tt.task)

		refused, ok := task.IsRefused(err)
		require.True(t, ok, tt.name)
		require.Equal(t, tt.code, refused.Code, tt.name)
		require.ErrorContains(t, err, tt.reason, tt.name)
	}
	require.Empty(t, bundle.stored(t, task.KindTasks))
}

func TestProducer_PublishRefusesWhatTheServerWould(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	p := mustNew(t, bundle.server, producer.Config{Tenant: "acme", Limits: task.Limits{PayloadBytes: 64 << 20}})

	_, err := p.Publish(t.Context(), task.Task{ID: "big", Feature: "triage", Input: strings.Repeat("x", 9<<20)})

	require.ErrorContains(t, err, `task "big": the task has 9437226 bytes, more than the NATS server takes (max_payload)`)
}

func TestProducer_NoStream(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	p := mustNew(t, server, producer.Config{Tenant: "acme"})

	_, err := p.Publish(t.Context(), ticket(1))
	require.ErrorIs(t, err, producer.ErrNoStream)
	_, err = p.PublishMany(t.Context(), tickets(0, 10), producer.Options{})
	require.ErrorIs(t, err, producer.ErrNoStream)
	_, err = p.Wait(t.Context(), "t-1")
	require.ErrorIs(t, err, producer.ErrNoStream)
}

func TestProducer_NoAnswer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	silent := server.Connect(t)
	_, err := silent.SubscribeSync("weir.tasks.>") // takes messages and acknowledges none
	require.NoError(t, err)
	require.NoError(t, silent.Flush())
	p := mustNew(t, server, producer.Config{Tenant: "acme", Timeout: 20 * time.Millisecond, Attempts: 2})

	_, err = p.Publish(t.Context(), ticket(1))

	require.ErrorIs(t, err, producer.ErrNoAnswer)
}

func TestProducer_PublishStopsWithItsContext(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := bundle.Publish(ctx, ticket(1))
	require.ErrorIs(t, err, context.Canceled)
	_, err = bundle.PublishMany(ctx, tickets(0, 10), producer.Options{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = bundle.Wait(ctx, "t-1")
	require.ErrorIs(t, err, context.Canceled)
}

func TestProducer_StreamFull(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 })

	done, err := bundle.PublishMany(t.Context(), tickets(0, 10), producer.Options{})
	require.NoError(t, err)
	require.Equal(t, 10, done.Published)

	_, err = bundle.Publish(t.Context(), ticket(10))
	require.ErrorIs(t, err, producer.ErrStreamFull)
	_, err = bundle.PublishMany(t.Context(), tickets(10, 15), producer.Options{})
	require.ErrorIs(t, err, producer.ErrStreamFull)
}

func TestProducer_StreamFullOfBytes(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(c *jetstream.StreamConfig) { c.MaxBytes = 64 << 10 })

	done, err := bundle.PublishMany(t.Context(), tickets(0, 5_000), producer.Options{InFlight: 1})

	require.ErrorIs(t, err, producer.ErrStreamFull)
	require.ErrorContains(t, err, "maximum bytes exceeded")
	require.Len(t, bundle.storedIDs(t), done.Published, "what is counted is stored")
}

func TestProducer_WaitsForRoom(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 })
	stream, err := bundle.js.Stream(t.Context(), task.StreamTasks)
	require.NoError(t, err)
	purged := 0
	purge := func(producer.Progress) { // weir takes in what is there, each time a batch got through
		require.NoError(t, stream.Purge(t.Context()))
		purged++
	}
	p := mustNew(t, bundle.server, producer.Config{Tenant: "acme", BatchMessages: 10})

	done, err := p.PublishMany(t.Context(), tickets(0, 50), producer.Options{InFlight: 2, FullWait: time.Minute, Progress: purge})

	require.NoError(t, err)
	require.Equal(t, 50, done.Published)
	require.Equal(t, 5, purged)
}

func TestProducer_ReportOutcome(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	p := mustNew(t, bundle.server, producer.Config{Tenant: "acme", Now: func() time.Time { return at }})
	id := task.ResultID("acme", "t-2", 1)

	require.NoError(t, p.ReportOutcome(t.Context(), "triage", task.Outcome{ID: "t-1", Success: true, ValueUSD: new(task.USD)}))
	require.NoError(t, p.ReportOutcome(t.Context(), "triage", task.Outcome{TaskID: &id}))
	require.ErrorContains(t, p.ReportOutcome(t.Context(), "triage", task.Outcome{}), "task_id or id is missing")
	require.ErrorContains(t, p.ReportOutcome(t.Context(), "a b", task.Outcome{ID: "t-1"}), "feature must be")

	stored := bundle.stored(t, task.KindOutcomes)
	require.Len(t, stored, 2)
	require.Equal(t, "weir.outcomes.acme.triage", stored[0].Subject())
	first, err := task.DecodeOutcome(stored[0].Data(), task.Limits{})
	require.NoError(t, err)
	require.Equal(t, &task.Outcome{ID: "t-1", Success: true, ValueUSD: new(task.USD), At: &at}, first)
	second, err := task.DecodeOutcome(stored[1].Data(), task.Limits{})
	require.NoError(t, err)
	require.Equal(t, &task.Outcome{TaskID: &id, At: &at}, second)
}
