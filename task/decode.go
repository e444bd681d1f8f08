package task

import (
	"errors"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits bound what is decoded. A zero field takes its default.
type Limits struct {
	// PayloadBytes is the most bytes of one task or outcome. Default 1 MiB.
	PayloadBytes int
	// EnvelopeTasks is the most tasks in one message. Default 500.
	EnvelopeTasks int
	// Depth is the deepest nesting of objects and arrays. Default 32.
	Depth int
	// NumberChars is the longest number literal. Default 64.
	NumberChars int
}

// The defaults of Limits.
const (
	DefaultPayloadBytes  = 1 << 20
	DefaultEnvelopeTasks = 500
	DefaultDepth         = 32
	DefaultNumberChars   = 64
)

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.PayloadBytes, DefaultPayloadBytes},
		{&l.EnvelopeTasks, DefaultEnvelopeTasks},
		{&l.Depth, DefaultDepth},
		{&l.NumberChars, DefaultNumberChars},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return l
}

// Item is one task of a message.
type Item struct {
	// Raw is the task's own bytes, a part of the message's body.
	Raw []byte
	// Task is the decoded task, nil when Err is not.
	Task *Task
	// Err is a *RefusedError when the body cannot be decoded.
	Err error
	// ID is the task's id as far as it can be read, also where Err is set, so that the producer can be answered. It is
	// empty when there is none, or none that is sure.
	ID string
}

// Envelope is several tasks in one message. All of them belong to the tenant and feature of the message's subject.
type Envelope struct {
	// Tasks are the tasks, up to 500 by default. Each needs its own id, because they share one message.
	Tasks []Task `json:"tasks"`
}

// Decode reads one task. What it checks needs no more than the body: its size, its JSON and text, the fields' names and
// types. Bind and Check do the rest. Every error is a *RefusedError.
func Decode(body []byte, limits Limits) (*Task, error) {
	item, _ := decodeOne(body, limits.withDefaults())
	return item.Task, item.Err
}

// DecodeMessage reads the body of one message: a task, or an envelope of tasks. A task that cannot be decoded is an Item
// with its error beside the good ones. The error of DecodeMessage is a *RefusedError about an envelope in which no task
// can be told from another; no Item is returned then. A body that is no envelope always gives one Item.
func DecodeMessage(body []byte, limits Limits) ([]Item, error) {
	limits = limits.withDefaults()
	item, isEnvelope := decodeOne(body, limits)
	if !isEnvelope {
		return []Item{item}, nil
	}
	return decodeEnvelope(body, limits)
}

func decodeOne(body []byte, limits Limits) (item Item, isEnvelope bool) {
	r := reader{data: body, limits: limits}
	t, raw := r.task()
	r.end()
	return r.item(t, raw), r.isEnvelope
}

// task reads one task and keeps its bytes.
func (r *reader) task() (*Task, []byte) {
	r.peek()
	start := r.pos
	t := &Task{}
	if r.is('{', "an object with the task's fields") {
		r.object(func(name string) { r.taskField(t, name) })
	}
	return t, r.data[start:r.pos]
}

// item makes an Item of what was read.
func (r *reader) item(t *Task, raw []byte) Item {
	if r.broken {
		raw = r.data
	}
	if len(raw) > r.limits.PayloadBytes {
		r.found.add(CodeTooLarge, "the task has %d bytes; the limit is %d", len(raw), r.limits.PayloadBytes)
	}
	r.validText(raw)
	item := Item{Raw: raw, Task: t, Err: r.found.err()}
	if !r.badID && checkID(t.ID) == "" {
		item.ID = t.ID
	}
	if item.Err != nil {
		item.Task = nil
	}
	return item
}

func decodeEnvelope(body []byte, limits Limits) ([]Item, error) {
	r := reader{data: body, limits: limits}
	var items []Item
	if r.is('{', "an envelope") {
		r.object(func(name string) {
			switch {
			case name != "tasks":
				r.unknown(name, reflect.TypeFor[Envelope]())
			case r.is('[', "an array of tasks"):
				items = r.members()
			}
		})
	}
	r.end()
	err := r.found.err()
	switch {
	case r.broken, len(items) == 0 && err != nil:
		return nil, err
	case len(items) == 0:
		return nil, Refuse(CodeMissingField, "the envelope holds no tasks")
	}
	for i := range items {
		if err != nil && items[i].Err == nil {
			items[i].Task, items[i].Err = nil, err
		}
	}
	return items, nil
}

// members reads the tasks of an envelope, each with mistakes of its own.
func (r *reader) members() []Item {
	var items []Item
	r.array(func(i int) {
		if i == r.limits.EnvelopeTasks {
			r.found.add(CodeTooManyTasks, "the envelope holds more than %d tasks", i)
			r.broken = true
			return
		}
		member := reader{data: r.data, pos: r.pos, limits: r.limits, isMember: true}
		t, raw := member.task()
		r.pos = member.pos
		if member.broken {
			r.found, r.broken = member.found, true
			return
		}
		items = append(items, member.item(t, raw))
	})
	return items
}

// DecodeOutcome reads and checks one outcome. Every error is a *RefusedError.
func DecodeOutcome(body []byte, limits Limits) (*Outcome, error) {
	r := reader{data: body, limits: limits.withDefaults()}
	o := &Outcome{}
	hasSuccess := false
	if r.is('{', "an object with the outcome's fields") {
		r.object(func(name string) {
			hasSuccess = hasSuccess || name == "success"
			r.outcomeField(o, name)
		})
	}
	r.end()
	if len(body) > r.limits.PayloadBytes {
		r.found.add(CodeTooLarge, "the outcome has %d bytes; the limit is %d", len(body), r.limits.PayloadBytes)
	}
	r.validText(body)
	if !r.broken && !hasSuccess { // without this, silence would count as a failure
		r.found.add(CodeMissingField, "success is missing: write true or false")
	}
	if err := r.found.err(); err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	return o, nil
}

// Bind gives a decoded task what its message says: tenant and feature from the subject, and the Nats-Msg-Id as its id
// where the body has none. A body that names another tenant or feature is refused with CodeSubjectMismatch.
func (t *Task) Bind(tenant, feature, msgID string) error {
	var found mistakes
	if t.Tenant != "" && t.Tenant != tenant {
		found.add(CodeSubjectMismatch, "the body's tenant is not the subject's, %q", tenant)
	}
	if t.Feature != "" && t.Feature != feature {
		found.add(CodeSubjectMismatch, "the body's feature is not the subject's, %q", feature)
	}
	if err := found.err(); err != nil {
		return err
	}
	t.Tenant, t.Feature = tenant, feature
	if t.ID == "" {
		t.ID = msgID
	}
	return nil
}

// IsRefused returns the refusal that err is or wraps.
func IsRefused(err error) (*RefusedError, bool) {
	return errors.AsType[*RefusedError](err)
}

// checkID returns what is wrong with an id, in words that follow "id "; empty when it is good.
func checkID(id string) string {
	switch {
	case id == "":
		return "is missing: give the task an id, or its message a Nats-Msg-Id"
	case utf8.RuneCountInString(id) > MaxIDChars:
		return "is too long"
	case strings.ContainsFunc(id, unicode.IsControl):
		return "holds a control character"
	case !utf8.ValidString(id):
		return "is not valid UTF-8"
	}
	return ""
}
