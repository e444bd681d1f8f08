package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

type publishCmd struct {
	Source   string     `arg:"" help:"A JSONL file of tasks, a directory of texts, images and PDFs, or - for standard input."`
	Feature  string     `required:"" help:"The feature of tasks that name none."`
	Tenant   string     `default:"default" help:"The tenant."`
	Batch    string     `help:"A label to follow, fetch, cancel and run the tasks again by."`
	Lane     string     `enum:",now,batch,auto" default:"" help:"now, batch or auto, for tasks that say nothing."`
	Priority int        `help:"1 (first) to 4, for tasks that say nothing."`
	Deadline *time.Time `help:"When tasks expire that say nothing: 2026-01-31T12:00:00Z. A time, not a duration, so that publishing again asks for the same."`
	Bucket   string     `default:"weir-attachments" help:"The bucket of NATS's object store for images and PDFs."`
	Mode     string     `enum:"batches,envelopes" default:"batches" help:"One message for each task, or up to 500 tasks in one."`
	Quiet    bool       `short:"q" help:"No progress bar."`
}

// Help is the long help.
func (publishCmd) Help() string {
	return `A line of a JSONL file is a task: {"id": "...", "input": "..."} and whatever else 'weir schema task' shows. A line
without an id gets <file>:<line>; standard input and pipes need ids. A file of a directory is the input of one task, its relative
path is the id. Images and PDFs (.png, .jpg, .webp, .gif, .pdf) are attached instead: they are stored in the bucket of
NATS's object store that --bucket names, and their tasks refer to them.

A file or directory is checked as a whole before anything is published. Publishing is safe to repeat, because weir works
an id once, and an interrupted command goes on where it stopped when it is run again: how far it came is kept under
$XDG_CACHE_HOME/weir or ~/.cache/weir for as long as the files do not change, and removed at the end.`
}

// Run publishes tasks and waits until the stream has all of them.
func (c *publishCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	again, err := rereadable(c.Source)
	if err != nil {
		return err
	}
	nc, err := a.reachNATS(ctx)
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := producer.New(nc, producer.Config{Tenant: c.Tenant, Bucket: c.Bucket})
	if err != nil {
		return err
	}
	s := shipment[task.Task]{
		what: "task", rereadable: again, check: p.Check, send: p.PublishMany, quiet: c.Quiet,
		read: func() iter.Seq2[task.Task, error] { return c.tasks(a.stdin, again, p.Attachment) },
		last: func() iter.Seq2[task.Task, error] {
			return c.tasks(a.stdin, again, func(data []byte) (task.Attachment, error) { return p.Attach(ctx, data) })
		},
	}
	if c.Mode == "envelopes" {
		s.mode = producer.Envelopes
	}
	if s.rereadable {
		if s.marker, err = c.marker(ctx, a, nc); err != nil {
			return err
		}
	}
	done, err := s.publish(ctx, a)
	if err != nil {
		return err
	}
	s.report(a.stdout, done)
	if c.Batch != "" {
		_, _ = fmt.Fprintf(a.stdout, "follow them: weir watch%s --batch %s\n", tenantFlag(c.Tenant), c.Batch)
	}
	return nil
}

// check tells the mistakes of the command line, which would be those of every task.
func (c *publishCmd) check() error {
	sample := task.Task{ID: "sample", Input: "sample"}
	c.fill(&sample)
	sample.Feature, sample.Batch = c.Feature, c.Batch
	if err := sample.Check(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if c.Deadline != nil && c.Deadline.Before(time.Now()) {
		return fmt.Errorf("%w: the deadline has passed", errUsage)
	}
	return nil
}

// fill gives a task what it does not say itself.
func (c *publishCmd) fill(t *task.Task) {
	if t.Lane == "" {
		t.Lane = task.Lane(c.Lane)
	}
	if t.Priority == 0 {
		t.Priority = c.Priority
	}
	if t.Deadline == nil {
		t.Deadline = c.Deadline
	}
}

func (c *publishCmd) tasks(
	stdin io.Reader, lineIDs bool, attach func([]byte) (task.Attachment, error),
) iter.Seq2[task.Task, error] {
	// the lines of the next pipe would be taken for the same tasks
	defaults := producer.Defaults{Feature: c.Feature, Batch: c.Batch, LineIDs: lineIDs, Attach: attach}
	read := producer.Files(c.Source, defaults)
	if c.Source == standardInput {
		read = producer.JSONL(stdin, "standard input", defaults)
	}
	return func(yield func(task.Task, error) bool) {
		for t, err := range read {
			c.fill(&t)
			if !yield(t, err) {
				return
			}
		}
	}
}

// marker is about the same tasks in the same stream. Without a stream there is none, and publishing says why.
func (c *publishCmd) marker(ctx context.Context, a *app, nc *nats.Conn) (*marker, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	stream, err := js.Stream(ctx, task.StreamTasks)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // a nil marker is ready for use, and publishing meets the same error
	}
	return newMarker(a.cacheDir(), c.Source, struct {
		Stream                                     time.Time // a stream made anew has none of the tasks
		Feature, Tenant, Batch, Lane, Mode, Bucket string
		Priority                                   int
		Deadline                                   *time.Time
	}{stream.CachedInfo().Created, c.Feature, c.Tenant, c.Batch, c.Lane, c.Mode, c.Bucket, c.Priority, c.Deadline})
}

// tenantFlag is what a command line needs for a tenant.
func tenantFlag(tenant string) string {
	if tenant == "default" {
		return ""
	}
	return " --tenant " + tenant
}
