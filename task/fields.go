package task

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// taskField reads the value of one field of a task.
func (r *reader) taskField(t *Task, name string) {
	switch name {
	case "id":
		t.ID = r.filled()
	case "tenant":
		t.Tenant = r.filled()
	case "feature":
		t.Feature = r.filled()
	case "call_path":
		t.CallPath = r.filled()
	case "input":
		t.Input = r.filled()
	case "messages":
		t.Messages = list(r, func(r *reader) Message { return record(r, "a message", (*reader).messageField) })
	case "context":
		t.Context = list(r, (*reader).text)
	case "tools":
		t.Tools = list(r, func(r *reader) Tool { return record(r, "a tool", (*reader).toolField) })
	case "attachments":
		t.Attachments = list(r, func(r *reader) Attachment {
			return record(r, "an attachment", (*reader).attachmentField)
		})
	case "class":
		t.Class = Class(r.filled())
	case "lane":
		t.Lane = Lane(r.filled())
	case "deadline":
		t.Deadline = r.time()
	case "max_cost_usd":
		t.MaxCostUSD = r.money()
	case "max_output_tokens":
		t.MaxOutputTokens = r.count()
	case "priority":
		t.Priority = r.count()
	case "batch":
		t.Batch = r.filled()
	case "metadata":
		t.Metadata = r.stringMap()
	case "traceparent":
		t.Traceparent = r.filled()
	case "tasks":
		r.envelopeField()
	default:
		r.unknown(name, reflect.TypeFor[Task]())
	}
}

// envelopeField meets the field tasks where a task was expected. That makes a body an envelope, which is read in another
// way, so this reading ends.
func (r *reader) envelopeField() {
	if r.isMember {
		r.note(CodeUnknownField, "a task of an envelope cannot be an envelope itself")
		r.skip()
		return
	}
	r.note(CodeUnknownField, "the body is an envelope of tasks; one task was expected")
	r.isEnvelope, r.broken = true, true
}

func (r *reader) messageField(m *Message, name string) {
	switch name {
	case "role":
		m.Role = r.text()
	case "content":
		m.Content = r.text()
	default:
		r.unknown(name, reflect.TypeFor[Message]())
	}
}

func (r *reader) toolField(t *Tool, name string) {
	switch name {
	case "name":
		t.Name = r.text()
	case "description":
		t.Description = r.text()
	case "parameters":
		t.Parameters = r.raw()
	default:
		r.unknown(name, reflect.TypeFor[Tool]())
	}
}

func (r *reader) attachmentField(a *Attachment, name string) {
	switch name {
	case "url":
		a.URL = r.text()
	case "media_type":
		a.MediaType = r.text()
	case "sha256":
		a.SHA256 = r.text()
	default:
		r.unknown(name, reflect.TypeFor[Attachment]())
	}
}

func (r *reader) outcomeField(o *Outcome, name string) {
	switch name {
	case "task_id":
		o.TaskID = r.uuid()
	case "id":
		o.ID = r.filled()
	case "success":
		o.Success = r.boolean()
	case "value_usd":
		o.ValueUSD = r.money()
	case "reason":
		o.Reason = r.text()
	case "at":
		o.At = r.time()
	default:
		r.unknown(name, reflect.TypeFor[Outcome]())
	}
}

// record reads an object into a value whose fields the function each knows.
func record[T any](r *reader, what string, each func(*reader, *T, string)) T {
	var value T
	if r.is('{', what) {
		r.object(func(name string) { each(r, &value, name) })
	}
	return value
}

func list[T any](r *reader, element func(*reader) T) []T {
	if !r.is('[', "an array") {
		return nil
	}
	var values []T
	r.array(func(int) { values = append(values, element(r)) })
	return values
}

func (r *reader) text() string {
	if !r.is('"', "a string") {
		return ""
	}
	return r.str()
}

// filled is text that is left out rather than empty.
func (r *reader) filled() string {
	if !r.is('"', "a string") {
		return ""
	}
	s := r.str()
	if s == "" && !r.broken {
		r.note(CodeInvalidValue, "%s is empty; leave it out or fill it", r.where())
	}
	return s
}

// count is a whole number of at least 1.
func (r *reader) count() int {
	next := r.peek()
	if next != '-' && !isDigit(next) {
		r.mismatch("a whole number")
		return 0
	}
	literal := r.number()
	if literal == "" {
		return 0
	}
	n, err := strconv.ParseInt(literal, 10, 32)
	if err != nil || n < 1 {
		r.note(CodeInvalidValue, "%s must be a whole number from 1 up, without fraction or exponent", r.where())
		return 0
	}
	return int(n)
}

func (r *reader) boolean() bool {
	next := r.peek()
	if next != 't' && next != 'f' {
		r.mismatch("true or false")
		return false
	}
	r.skip()
	return next == 't'
}

func (r *reader) time() *time.Time {
	return parsed(r, "a time such as \"2026-01-31T12:00:00Z\"", func(s string) (time.Time, error) {
		var t time.Time
		err := t.UnmarshalText([]byte(s)) // stricter about RFC 3339 than time.Parse
		return t, err
	})
}

func (r *reader) money() *Pico {
	return parsed(r, "an amount of USD as a decimal string such as \"0.05\"", ParseUSD)
}

func (r *reader) uuid() *uuid.UUID {
	return parsed(r, "a UUID with hyphens", func(s string) (uuid.UUID, error) {
		if len(s) != len(uuid.Nil.String()) { // Parse also takes braces, a URN and bare hex
			return uuid.Nil, errors.New("not 36 characters")
		}
		return uuid.Parse(s)
	})
}

// parsed is a string value that parse understands.
func parsed[T any](r *reader, want string, parse func(string) (T, error)) *T {
	if !r.is('"', want) {
		return nil
	}
	s := r.str()
	if r.broken {
		return nil
	}
	value, err := parse(s)
	if err != nil {
		r.note(CodeInvalidValue, "%s is not %s", r.where(), want)
		return nil
	}
	return &value
}

// raw keeps a value as it stands.
func (r *reader) raw() json.RawMessage {
	r.peek()
	start := r.pos
	r.skip()
	return slices.Clone(json.RawMessage(r.data[start:r.pos]))
}

func (r *reader) stringMap() map[string]string {
	if !r.is('{', "an object of strings") {
		return nil
	}
	values := map[string]string{}
	r.object(func(name string) { values[name] = r.text() })
	return values
}

// unknown notes a field that the type does not have, with the name that was probably meant, and skips it.
func (r *reader) unknown(name string, of reflect.Type) {
	at := ""
	if len(r.path) > 1 {
		parent := *r
		parent.path = r.path[:len(r.path)-1]
		at = " in " + parent.where()
	}
	if meant := nearest(name, fieldNames(of)); meant != "" {
		r.note(CodeUnknownField, "unknown field %s%s; did you mean %q?", quoted(name), at, meant)
	} else {
		r.note(CodeUnknownField, "unknown field %s%s", quoted(name), at)
	}
	r.skip()
}

func quoted(name string) string {
	if s := short(name); strings.HasPrefix(s, `"`) {
		return s
	}
	return strconv.Quote(short(name))
}

// fieldNames are the JSON names of a struct's fields.
func fieldNames(of reflect.Type) []string {
	names := make([]string, 0, of.NumField())
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// nearest is the name that differs from the given one by the fewest edits, if those are few enough to be a slip.
func nearest(name string, names []string) string {
	best, bestEdits := "", 1+min(2, len(name)/2)
	if len(name) > maxPathName {
		return ""
	}
	for _, candidate := range names {
		if n := edits(strings.ToLower(name), candidate); n < bestEdits {
			best, bestEdits = candidate, n
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
