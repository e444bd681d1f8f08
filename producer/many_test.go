package producer_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

func TestProducer_PublishMany_20000(t *testing.T) {
	t.Parallel()
	const n = 20_000
	tests := []struct {
		name     string
		mode     producer.Mode
		messages int
	}{
		{"Batches", producer.Batches, n},
		{"Envelopes", producer.Envelopes, n / 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t)
			var reports []producer.Progress
			start := time.Now()

			done, err := bundle.PublishMany(t.Context(), kibTickets(n), producer.Options{
				Mode:     tt.mode,
				Progress: func(p producer.Progress) { reports = append(reports, p) },
			})

			took := time.Since(start)
			require.NoError(t, err)
			t.Logf("%d tasks of 1 KiB in %v, %.0f tasks/s", n, took, n/took.Seconds())
			require.Less(t, took, 20*time.Second)
			require.Equal(t, n, done.Published)
			require.Equal(t, n, done.Settled)
			require.Equal(t, done, reports[len(reports)-1])
			for i := 1; i < len(reports); i++ {
				require.Greater(t, reports[i].Published, reports[i-1].Published)
				require.LessOrEqual(t, reports[i].Settled, reports[i].Published)
			}
			require.Len(t, bundle.stored(t, task.KindTasks), tt.messages)
			require.Len(t, bundle.storedIDs(t), n)
		})
	}
}

// kibTickets are tasks whose messages have about 1 KiB.
func kibTickets(n int) iter.Seq2[task.Task, error] {
	text := strings.Repeat("My card was declined at the till. ", 28)
	return func(yield func(task.Task, error) bool) {
		for i := range n {
			if !yield(task.Task{ID: fmt.Sprintf("t-%d", i), Feature: "triage", Input: text}, nil) {
				return
			}
		}
	}
}

func TestProducer_PublishMany_DuplicatesSpoilNoBatch(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for _, n := range []int{0, 57, 99} { // the stream has these already
		_, err := bundle.Publish(t.Context(), ticket(n))
		require.NoError(t, err)
	}
	tasks := []task.Task{ticket(5), ticket(5)} // and this one is repeated in the sequence
	for n := range 100 {
		tasks = append(tasks, ticket(n))
	}

	done, err := bundle.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})

	require.NoError(t, err)
	require.Equal(t, 102, done.Published)
	require.Equal(t, 5, done.Duplicates)
	ids := bundle.storedIDs(t)
	require.Len(t, ids, 100)
	for id, times := range ids {
		require.Equal(t, 1, times, id)
	}
}

func TestProducer_PublishMany_Again(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for range 2 { // as after a lost acknowledgement of the whole batch
		done, err := bundle.PublishMany(t.Context(), tickets(0, 1_500), producer.Options{})
		require.NoError(t, err)
		require.Equal(t, 1_500, done.Published)
	}
	require.Len(t, bundle.stored(t, task.KindTasks), 1_500)
}

func TestProducer_PublishMany_WithoutAtomicBatches(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false })

	done, err := bundle.PublishMany(t.Context(), tickets(0, 50), producer.Options{})

	require.NoError(t, err)
	require.Equal(t, 50, done.Published)
	require.Len(t, bundle.storedIDs(t), 50)
}

func TestProducer_PublishMany_OneMessageTooLargeForTheStream(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 2_000 })
	big := task.Task{ID: "big", Feature: "triage", Input: strings.Repeat("x", 3_000)}

	_, err := bundle.PublishMany(t.Context(), producer.Tasks(ticket(1), ticket(2), big, ticket(3)), producer.Options{})

	require.ErrorContains(t, err, `message "acme:big:`, "the one that fails is named")
	require.Equal(t, map[string]int{"t-1": 1, "t-2": 1}, bundle.storedIDs(t))
}

func TestProducer_PublishMany_Mistakes(t *testing.T) {
	t.Parallel()
	broken := errors.New("line 2 is torn")
	sequence := func(yield func(task.Task, error) bool) {
		for _, e := range []struct {
			task task.Task
			err  error
		}{{ticket(1), nil}, {task.Task{}, broken}, {task.Task{ID: "x"}, nil}, {ticket(2), nil}} {
			if !yield(e.task, e.err) {
				return
			}
		}
	}

	t.Run("TheFirstEndsIt", func(t *testing.T) {
		t.Parallel()
		bundle := setup(t)
		done, err := bundle.PublishMany(t.Context(), sequence, producer.Options{})
		require.ErrorIs(t, err, broken)
		require.Equal(t, 1, done.Published, "what came before is published")
		require.Equal(t, 1, done.Settled)
		require.Equal(t, map[string]int{"t-1": 1}, bundle.storedIDs(t))
	})
	t.Run("PassedOver", func(t *testing.T) {
		t.Parallel()
		bundle := setup(t)
		var mistakes []error
		done, err := bundle.PublishMany(t.Context(), sequence, producer.Options{
			OnMistake: func(err error) error { mistakes = append(mistakes, err); return nil },
		})
		require.NoError(t, err)
		require.Len(t, mistakes, 2)
		require.ErrorIs(t, mistakes[0], broken)
		require.ErrorContains(t, mistakes[1], `task "x": feature is missing`)
		require.Equal(t, 2, done.Published)
		require.Equal(t, 2, done.PassedOver)
		require.Equal(t, 4, done.Settled)
		require.Equal(t, map[string]int{"t-1": 1, "t-2": 1}, bundle.storedIDs(t))
	})
	t.Run("TheCallerEndsIt", func(t *testing.T) {
		t.Parallel()
		bundle := setup(t)
		enough := errors.New("enough")
		_, err := bundle.PublishMany(t.Context(), sequence, producer.Options{OnMistake: func(error) error { return enough }})
		require.ErrorIs(t, err, enough)
	})
}

func TestProducer_PublishMany_EnvelopesOfManyFeatures(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	var tasks []task.Task
	for n := range 30 {
		tk := ticket(n)
		tk.Feature = []string{"triage", "invoices", "clauses"}[n%3]
		if n == 29 {
			tk.Feature = "alone"
		}
		tasks = append(tasks, tk)
	}
	for n := range 12 { // 9 MiB together: more than one message holds
		tasks = append(tasks, task.Task{ID: fmt.Sprintf("big-%d", n), Feature: "big", Input: strings.Repeat("x", 800<<10)})
	}

	done, err := bundle.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{Mode: producer.Envelopes})

	require.NoError(t, err)
	require.Equal(t, len(tasks), done.Published)
	require.Len(t, bundle.storedIDs(t), len(tasks))
	bySubject := map[string]int{}
	for _, msg := range bundle.stored(t, task.KindTasks) {
		bySubject[msg.Subject()]++
		if msg.Subject() == "weir.tasks.acme.alone" {
			require.True(t, strings.HasPrefix(string(msg.Data()), `{"id":`), "one task needs no envelope")
		}
	}
	require.GreaterOrEqual(t, bySubject["weir.tasks.acme.big"], 2, "no message is above the server's limit")
	delete(bySubject, "weir.tasks.acme.big")
	require.Equal(t, map[string]int{
		"weir.tasks.acme.triage": 1, "weir.tasks.acme.invoices": 1, "weir.tasks.acme.clauses": 1, "weir.tasks.acme.alone": 1,
	}, bySubject)
}

func TestProducer_PublishMany_Nothing(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	done, err := bundle.PublishMany(t.Context(), producer.Tasks(), producer.Options{})
	require.NoError(t, err)
	require.Zero(t, done)
}

func TestProducer_PublishMany_SurvivesARestart(t *testing.T) {
	t.Parallel()
	server := natstest.StartListening(t)
	bundle := &testBundle{server: server, js: server.JetStream(t)}
	bundle.mustCreateStream(t, task.KindTasks)
	p, err := producer.New(server.Connect(t, producer.ConnectOptions()...), producer.Config{
		Tenant: "acme", BatchMessages: 50, Timeout: time.Second, Attempts: 100,
	})
	require.NoError(t, err)
	var restarted atomic.Bool

	done, err := p.PublishMany(t.Context(), tickets(0, 2_000), producer.Options{
		InFlight: 2,
		Progress: func(p producer.Progress) {
			if p.Published >= 500 && restarted.CompareAndSwap(false, true) {
				server.Restart(t)
			}
		},
	})

	require.NoError(t, err)
	require.True(t, restarted.Load())
	require.Equal(t, 2_000, done.Published)
	bundle.js = server.JetStream(t)
	require.Len(t, bundle.storedIDs(t), 2_000, "nothing that was acknowledged is lost")
}

func TestProducer_ReportOutcomes(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	var outcomes []task.Outcome
	for n := range 2_500 {
		outcomes = append(outcomes, task.Outcome{ID: ticket(n).ID, Success: n%3 > 0})
	}

	done, err := bundle.ReportOutcomes(t.Context(), "triage", producer.Outcomes(outcomes...), producer.Options{})

	require.NoError(t, err)
	require.Equal(t, 2_500, done.Published)
	stored := bundle.stored(t, task.KindOutcomes)
	require.Len(t, stored, 2_500)
	for _, msg := range stored {
		_, err := task.DecodeOutcome(msg.Data(), task.Limits{})
		require.NoError(t, err)
	}
}
