package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

const (
	tenant  = "bench"
	feature = "triage"
	// taskBytes is the length of a task's JSON.
	taskBytes = 1_024
	// publishBatch is how many tasks one atomic batch takes.
	publishBatch = 500
	// stall is how long no result may come before the run is given up.
	stall = 30 * time.Second
)

// load is the backend service: it publishes tasks and reads their results.
type load struct {
	producer *producer.Producer
	results  chan outcome
	mode     producer.Mode
	run      int
}

// outcome is what the load looks at in a result.
type outcome struct {
	ID     string      `json:"id"`
	Status task.Status `json:"status"`
	Reason string      `json:"reason"`
}

// serveLoad publishes and receives when asked to and tells how long it took from the first publish to the last result.
func serveLoad(ctx context.Context, p *peer) error {
	conn, js, err := connect(p.spec.NATS)
	if err != nil {
		return err
	}
	defer conn.Close()
	l := &load{results: make(chan outcome, publishBatch)}
	if p.spec.Envelopes {
		l.mode = producer.Envelopes
	}
	if l.producer, err = producer.New(conn, producer.Config{Tenant: tenant, BatchMessages: publishBatch}); err != nil {
		return err
	}
	// a JetStream consumer: a plain subscription would show the messages of a batch before the batch is stored
	consumer, err := js.OrderedConsumer(ctx, task.StreamResults, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		var o outcome
		if err := json.Unmarshal(m.Data(), &o); err != nil {
			o.Reason = "a result that cannot be read: " + err.Error()
		}
		select {
		case l.results <- o:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	defer consuming.Stop()
	if err := p.ready(""); err != nil {
		return err
	}
	return p.answer(func(r request) (reply, error) { return l.work(ctx, r.Tasks) })
}

// work runs tasks through and counts each id once.
func (l *load) work(ctx context.Context, tasks int) (reply, error) {
	l.run++
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	made := makeTasks(l.run, tasks)
	published := make(chan error, 1)
	start := time.Now()
	go func() {
		_, err := l.producer.PublishMany(ctx, producer.Tasks(made...), producer.Options{Mode: l.mode})
		published <- err
	}()
	done, err := l.receive(ctx, tasks)
	seconds := time.Since(start).Seconds()
	if err != nil {
		cancel()
	}
	return reply{Done: done, Seconds: seconds}, errors.Join(err, <-published)
}

func (l *load) receive(ctx context.Context, tasks int) (int, error) {
	seen := make(map[string]bool, tasks)
	timer := time.NewTimer(stall)
	defer timer.Stop()
	for len(seen) < tasks {
		select {
		case o := <-l.results:
			if o.Status != task.Succeeded {
				return len(seen), fmt.Errorf("task %q ended as %q: %s", o.ID, o.Status, o.Reason)
			}
			seen[o.ID] = true
			timer.Reset(stall)
		case <-timer.C:
			return len(seen), fmt.Errorf("no result for %s, %d of %d had come", stall, len(seen), tasks)
		case <-ctx.Done():
			return len(seen), ctx.Err()
		}
	}
	return len(seen), nil
}

// makeTasks makes tasks of taskBytes, each with a text of its own.
func makeTasks(run, n int) []task.Task {
	words := []string{"parcel", "invoice", "refund", "login", "account", "delivery", "screen", "charge", "address", "return"}
	tasks := make([]task.Task, n)
	for i := range tasks {
		id := fmt.Sprintf("run%d-%07d", run, i)
		room := taskBytes - len(`{"id":"","feature":"","input":""}`) - len(id) - len(feature)
		input := make([]byte, 0, room+len(words[0]))
		for k := i; len(input) < room; k = k*7 + 3 {
			input = append(append(input, words[(k&0xffff)%len(words)]...), ' ')
		}
		tasks[i] = task.Task{ID: id, Feature: feature, Input: string(input[:room])}
	}
	return tasks
}
