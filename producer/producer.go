// Package producer is weir's client for Go services: it publishes tasks, reads their results and reports their outcomes,
// over NATS JetStream. It needs nothing of weir but package task, and other languages can do the same with any NATS
// client: the contract is JSON on subjects.
//
// Publishing is safe to repeat. A task's id is its idempotency key, so a program that does not know whether its last
// attempt arrived publishes again and gets one result all the same.
package producer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/task"
)

// Config is what a Producer works with. Only Tenant is needed.
type Config struct {
	// Tenant is the second part of every subject. The NATS account's permissions decide which tenants a producer may be.
	Tenant string
	// Timeout bounds the wait for one acknowledgement. Default 5 s.
	Timeout time.Duration
	// Attempts is how often one message or batch is tried when NATS does not answer or asks to wait. Default 5.
	Attempts int
	// RetryWait is the pause after the first try; it doubles up to 2 s. Default 100 ms.
	RetryWait time.Duration
	// BatchMessages is the most messages in one atomic batch. Default and maximum 1,000, the server's limit.
	BatchMessages int
	// BatchBytes is the most payload bytes in one atomic batch. Default 8 MiB.
	BatchBytes int
	// Bucket of NATS's object store takes the files of Attach. Default task.DefaultBucket, which weir makes.
	Bucket string
	// AttachmentBytes is the largest file that Attach takes. Default task.DefaultAttachmentBytes.
	AttachmentBytes int64
	// Limits are those that weir is configured with, checked here before anything is sent.
	Limits task.Limits
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

const (
	defaultTimeout    = 5 * time.Second
	defaultAttempts   = 5
	defaultRetryWait  = 100 * time.Millisecond
	maxRetryWait      = 2 * time.Second
	maxBatchMessages  = 1_000
	defaultBatchBytes = 8 << 20
	headerRoom        = 2 << 10 // an id of 200 characters has up to 800 bytes
)

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.Attempts = cmp.Or(c.Attempts, defaultAttempts)
	c.RetryWait = cmp.Or(c.RetryWait, defaultRetryWait)
	c.BatchMessages = min(cmp.Or(c.BatchMessages, maxBatchMessages), maxBatchMessages)
	c.BatchBytes = cmp.Or(c.BatchBytes, defaultBatchBytes)
	c.Bucket = cmp.Or(c.Bucket, task.DefaultBucket)
	c.AttachmentBytes = cmp.Or(c.AttachmentBytes, int64(task.DefaultAttachmentBytes))
	c.Limits.PayloadBytes = cmp.Or(c.Limits.PayloadBytes, task.DefaultPayloadBytes)
	c.Limits.EnvelopeTasks = cmp.Or(c.Limits.EnvelopeTasks, task.DefaultEnvelopeTasks)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Producer publishes for one tenant. It is safe for concurrent use and owns no goroutine between calls.
type Producer struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	config Config
}

// ConnectOptions are options for nats.Connect that suit a producer: it outlives any absence of the server, and a publish
// while the server is away fails at once instead of waiting in a buffer that a crash would lose.
func ConnectOptions() []nats.Option {
	return []nats.Option{
		nats.Name("weir producer"),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(time.Second),
		nats.Timeout(defaultTimeout),
		nats.PingInterval(20 * time.Second),
	}
}

// New returns a Producer on a connection, which stays the caller's to close. It sends nothing yet.
func New(nc *nats.Conn, config Config) (*Producer, error) {
	config = config.withDefaults()
	if err := task.CheckAddress(config.Tenant, "any"); err != nil {
		return nil, fmt.Errorf("new producer: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(config.Timeout))
	if err != nil {
		return nil, fmt.Errorf("new producer: %w", err)
	}
	return &Producer{nc: nc, js: js, config: config}, nil
}

// Ack is JetStream's word that a task is stored.
type Ack struct {
	// ID is the task's id.
	ID string
	// Sequence is the message's place in the stream.
	Sequence uint64
	// Duplicate is true when the stream has just had the same task.
	Duplicate bool
}

// Check tells what Publish would refuse a task for, as far as it can be told without sending it; nil when there is nothing.
func (p *Producer) Check(t task.Task) error {
	_, err := p.prepare(t)
	return err
}

// Publish publishes one task and waits until the stream has it. A task with mistakes is a *task.RefusedError and is not
// sent. ErrStreamFull and ErrNoStream say what they mean; after any other error the task may have been stored, and
// publishing it again is safe. One at a time costs the stream a disk sync each: use PublishMany for many.
func (p *Producer) Publish(ctx context.Context, t task.Task) (Ack, error) {
	m, err := p.prepare(t)
	if err != nil {
		return Ack{}, err
	}
	ack, err := p.sendOne(ctx, m, 0)
	if err != nil {
		return Ack{}, fmt.Errorf("publish task %q: %w", t.ID, err)
	}
	return Ack{ID: t.ID, Sequence: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// ReportOutcome reports the business success of one task of a feature. An outcome without a time gets the current one.
func (p *Producer) ReportOutcome(ctx context.Context, feature string, o task.Outcome) error {
	m, err := p.prepareOutcome(feature, o)
	if err != nil {
		return err
	}
	if _, err := p.sendOne(ctx, m, 0); err != nil {
		return fmt.Errorf("report outcome of %q: %w", outcomeKey(o), err)
	}
	return nil
}

// message is one message to publish.
type message struct {
	subject string
	id      string // Nats-Msg-Id
	body    []byte
}

// prepare checks a task and makes a message of it.
func (p *Producer) prepare(t task.Task) (message, error) {
	if t.Tenant == p.config.Tenant {
		t.Tenant = "" // the subject says it
	}
	if t.Tenant != "" {
		return message{}, fmt.Errorf("task %q: %w", t.ID,
			task.Refuse(task.CodeSubjectMismatch, "the task is for another tenant than the producer's, %q", p.config.Tenant))
	}
	if err := t.Check(); err != nil {
		return message{}, fmt.Errorf("task %q: %w", t.ID, err)
	}
	body, err := json.Marshal(t)
	if err != nil {
		return message{}, fmt.Errorf("task %q: encode: %w", t.ID, err)
	}
	if err := p.checkBody(body, t); err != nil {
		return message{}, fmt.Errorf("task %q: %w", t.ID, err)
	}
	return message{
		subject: task.Subject(p.config.Tenant, t.Feature),
		id:      task.MsgID(p.config.Tenant, t.ID, body),
		body:    body,
	}, nil
}

// checkBody finds what would be refused later because of its encoding. Only a tool's parameters, JSON by the caller's
// hand, can hold such a thing beside sheer size.
func (p *Producer) checkBody(body []byte, t task.Task) error {
	if len(body) > p.config.Limits.PayloadBytes {
		return task.Refuse(task.CodeTooLarge, "the task has %d bytes; the limit is %d", len(body), p.config.Limits.PayloadBytes)
	}
	if len(body) > p.room() {
		return task.Refuse(task.CodeTooLarge, "the task has %d bytes, more than the NATS server takes (max_payload)", len(body))
	}
	if len(t.Tools) == 0 {
		return nil
	}
	_, err := task.Decode(body, p.config.Limits)
	return err
}

// room is how large a body may be for the server, which counts the headers too. It is unknown before the first connection.
func (p *Producer) room() int {
	limit := int(p.nc.MaxPayload())
	if limit == 0 {
		return p.config.Limits.PayloadBytes
	}
	return limit - headerRoom
}

func (p *Producer) prepareOutcome(feature string, o task.Outcome) (message, error) {
	key := outcomeKey(o)
	if err := task.CheckAddress(p.config.Tenant, feature); err != nil {
		return message{}, fmt.Errorf("outcome of %q: %w", key, err)
	}
	if o.At == nil { // also keeps two equal reports apart: the last one wins, so none may be dropped as a duplicate
		o.At = new(p.config.Now())
	}
	if err := o.Check(); err != nil {
		return message{}, fmt.Errorf("outcome of %q: %w", key, err)
	}
	body, err := json.Marshal(o)
	if err != nil {
		return message{}, fmt.Errorf("outcome of %q: encode: %w", key, err)
	}
	return message{
		subject: task.OutcomeSubject(p.config.Tenant, feature),
		id:      task.MsgID(p.config.Tenant, key, body),
		body:    body,
	}, nil
}

func outcomeKey(o task.Outcome) string {
	if o.TaskID != nil {
		return o.TaskID.String()
	}
	return o.ID
}

// sendOne publishes one message by itself.
func (p *Producer) sendOne(ctx context.Context, m message, fullWait time.Duration) (*jetstream.PubAck, error) {
	var ack *jetstream.PubAck
	err := p.retry(ctx, fullWait, func(ctx context.Context) error {
		var err error
		ack, err = p.js.PublishMsg(ctx, m.nats(), jetstream.WithRetryAttempts(0))
		return err
	})
	if err != nil {
		return nil, err
	}
	if ack == nil {
		return nil, errors.New("no acknowledgement")
	}
	return ack, nil
}

// nats is a fresh message for each try: the client writes headers into it.
func (m message) nats() *nats.Msg {
	return &nats.Msg{Subject: m.subject, Header: nats.Header{jetstream.MsgIDHeader: {m.id}}, Data: m.body}
}
