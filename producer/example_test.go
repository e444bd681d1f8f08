package producer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/embedded"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

// Publish one task and wait for its result.
func Example() {
	ctx, nc, stop := startExample()
	defer stop()

	// In a service: nc, err := nats.Connect(os.Getenv("NATS_URL"), producer.ConnectOptions()...)
	p, err := producer.New(nc, producer.Config{Tenant: "acme"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ack, err := p.Publish(ctx, task.Task{ID: "ticket-4711", Feature: "ticket-triage", Input: "My card was declined."})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := p.Wait(ctx, ack.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Status, result.Output, result.CostUSD)
	// Output: succeeded card_declined 0.0003
}

// Publish the lines of a file, pass over the bad ones, and see how far it has come.
func ExampleProducer_PublishMany() {
	ctx, nc, stop := startExample()
	defer stop()
	p, err := producer.New(nc, producer.Config{Tenant: "acme"})
	if err != nil {
		fmt.Println(err)
		return
	}

	file := strings.NewReader(`{"id": "a", "input": "My card was declined."}
{"id": "b", "inputt": "Where is my refund?"}
{"id": "c", "input": "How do I change my PIN?"}`)
	tasks := producer.JSONL(file, "tickets.jsonl", producer.Defaults{Feature: "ticket-triage", Batch: "monday"})
	done, err := p.PublishMany(ctx, tasks, producer.Options{
		OnMistake: func(err error) error { fmt.Println(err); return nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(done.Published, "published,", done.PassedOver, "passed over")
	// Output:
	// tickets.jsonl line 2: unknown field "inputt"; did you mean "input"?
	// 2 published, 1 passed over
}

// Follow the results of a batch.
func ExampleProducer_Results() {
	ctx, nc, stop := startExample()
	defer stop()
	p, err := producer.New(nc, producer.Config{Tenant: "acme"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := []string{"a", "b"}
	for _, id := range ids {
		if _, err := p.Publish(ctx, task.Task{ID: id, Feature: "ticket-triage", Input: "My card was declined."}); err != nil {
			fmt.Println(err)
			return
		}
	}
	for result, err := range p.Results(ctx, producer.Filter{IDs: ids, Follow: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.ID, result.Status)
	}
	// Unordered output:
	// a succeeded
	// b succeeded
}

// Report what became of a task, when the business knows it.
func ExampleProducer_ReportOutcome() {
	ctx, nc, stop := startExample()
	defer stop()
	p, err := producer.New(nc, producer.Config{Tenant: "acme"})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = p.ReportOutcome(ctx, "ticket-triage", task.Outcome{ID: "ticket-4711", Success: true, Reason: "no reply needed"})
	fmt.Println(err)
	// Output: <nil>
}

// startExample starts a NATS server with weir's streams, and something that answers tasks as weir would.
func startExample() (ctx context.Context, nc *nats.Conn, stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	dir, err := os.MkdirTemp("", "weir-example-*")
	must(err)
	server, err := embedded.StartNATS(ctx, embedded.NATSConfig{Dir: dir, DontListen: true, Logger: slog.New(slog.DiscardHandler)})
	must(err)
	nc, err = server.Connect()
	must(err)
	js, err := jetstream.New(nc)
	must(err)
	for _, kind := range []task.Kind{task.KindTasks, task.KindResults, task.KindOutcomes} {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: kind.Stream(), Subjects: []string{kind.Subjects()}, AllowAtomicPublish: true,
		})
		must(err)
	}
	_, err = nc.Subscribe(task.KindTasks.Subjects(), func(msg *nats.Msg) { answer(nc, msg) })
	must(err)
	return ctx, nc, func() {
		nc.Close()
		must(server.Stop())
		must(os.RemoveAll(dir))
		cancel()
	}
}

func answer(nc *nats.Conn, msg *nats.Msg) {
	t, err := task.Decode(msg.Data, task.Limits{})
	must(err)
	body, err := json.Marshal(task.Result{
		ResultID: task.ResultID("acme", t.ID, 1), ID: t.ID, Tenant: "acme", Feature: t.Feature,
		Status: task.Succeeded, Output: "card_declined", CostUSD: 300 * task.USD / 1_000_000, Attempts: 1,
	})
	must(err)
	must(nc.Publish(task.ResultSubject("acme", t.Feature), body))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
