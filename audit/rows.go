package audit

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// MaxRecord is the longest row that is read, in bytes: it is what a file of any size takes of memory.
const MaxRecord = 16 << 20

// rows gives the records of a file one after another, each good until the next call, and the line or number of each. It ends
// with io.EOF. A *rowError is about one record and others follow; any other error ends the file.
type rows interface {
	next() (record, int64, error)
}

// rowError says what is wrong with one record.
type rowError struct{ reason string }

func (e *rowError) Error() string { return e.reason }

func badRow(format string, args ...any) error { return &rowError{fmt.Sprintf(format, args...)} }

// guarded lets no more through than one record may have.
type guarded struct {
	in            io.Reader
	read, allowed int64
}

var errLong = fmt.Errorf("a record is longer than %d MiB", MaxRecord>>20)

// allow opens the way for a record that begins at an offset. Readers ahead of their records have read some of it already.
func (g *guarded) allow(offset int64) { g.allowed = max(g.allowed, offset+MaxRecord) }

func (g *guarded) Read(p []byte) (int, error) {
	if g.read >= g.allowed {
		return 0, errLong
	}
	n, err := g.in.Read(p[:min(int64(len(p)), g.allowed-g.read)])
	g.read += int64(n)
	return n, err
}

// openRows finds out what a text is: JSON Lines, other JSON, or a table of values with a header.
func openRows(in io.Reader) (rows, error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	start, err := buffered.Peek(3)
	if err != nil && len(start) == 0 {
		return nil, errors.New("it is empty")
	}
	switch {
	case bytes.HasPrefix(start, []byte{0xEF, 0xBB, 0xBF}):
		_, _ = buffered.Discard(3)
	case bytes.HasPrefix(start, []byte{0xFF, 0xFE}), bytes.HasPrefix(start, []byte{0xFE, 0xFF}):
		return nil, errors.New("it is UTF-16; save it as UTF-8")
	case bytes.HasPrefix(start, []byte("PK\x03")):
		return nil, errors.New("it is a zip archive or a spreadsheet; unpack it, or save the sheet as CSV")
	}
	first, err := firstByte(buffered)
	if err != nil {
		return nil, errors.New("it is empty")
	}
	switch first {
	case '[':
		return newDocument(buffered), nil
	case '{':
		if isLines(buffered) {
			return &jsonLines{in: buffered}, nil
		}
		return newDocument(buffered), nil
	}
	return newTable(buffered)
}

// firstByte skips white space.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b, in.UnreadByte()
		}
	}
}

// isLines says whether the first line is a whole JSON value. A longer line than the buffer is taken for one when it does not
// look like the beginning of a list of records.
func isLines(in *bufio.Reader) bool {
	start, _ := in.Peek(in.Size())
	line, _, whole := bytes.Cut(start, []byte("\n"))
	if whole || len(start) < in.Size() {
		return json.Valid(line)
	}
	for _, list := range lists() {
		if bytes.Contains(line[:min(len(line), 256)], []byte(`"`+list+`":`)) {
			return false
		}
	}
	return true
}

// lists are the columns under which exports and APIs have their records.
func lists() []string { return []string{"data", "results", "observations", "logs"} }

// records are those of a decoded object: itself, or those in its list with what the object says of all of them, under
// "parent.".
func records(object map[string]any, inherited record) []record {
	own := record{}
	maps.Copy(own, inherited)
	for _, name := range lists() {
		list, ok := object[name].([]any)
		if !ok || slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok }) {
			continue
		}
		delete(object, name)
		parent := record{}
		flatten(parent, "parent.", object, 1)
		var found []record
		for _, v := range list {
			child, _ := v.(map[string]any)
			found = append(found, records(child, parent)...)
		}
		return found
	}
	flatten(own, "", object, 1)
	return []record{own}
}

// jsonLines is a JSON object in each line.
type jsonLines struct {
	in    *bufio.Reader
	line  int64
	queue []record
}

func (j *jsonLines) next() (record, int64, error) {
	for len(j.queue) == 0 {
		line, err := j.readLine()
		if err != nil {
			return nil, j.line, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		object, err := decodeObject(line)
		if err != nil {
			return nil, j.line, badRow("is no JSON object: %v", err)
		}
		j.queue = records(object, nil)
	}
	first := j.queue[0]
	j.queue = j.queue[1:]
	return first, j.line, nil
}

// readLine reads a line of at most MaxRecord bytes; of a longer one it skips the rest.
func (j *jsonLines) readLine() ([]byte, error) {
	j.line++
	var line []byte
	for {
		part, err := j.in.ReadSlice('\n')
		if len(line)+len(part) > MaxRecord {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = j.in.ReadSlice('\n')
			}
			return nil, badRow("%v", errLong)
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) && len(line) > 0 {
			return line, nil
		}
		return line, err
	}
}

func decodeObject(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("something follows it")
	}
	if object == nil {
		return nil, errors.New("it is null")
	}
	return object, nil
}

// document is one JSON value: a list of records, an object with one, or a record.
type document struct {
	guard   *guarded
	decoder *json.Decoder
	number  int64
	begun   bool
	inside  bool           // a list: what comes is its next record
	wrapped map[string]any // the object around the list so far; nil without one
	queue   []record
}

func newDocument(in io.Reader) *document {
	guard := &guarded{in: in}
	guard.allow(0)
	d := &document{guard: guard, decoder: json.NewDecoder(guard)}
	d.decoder.UseNumber()
	return d
}

func (d *document) next() (record, int64, error) {
	for len(d.queue) == 0 {
		d.guard.allow(d.decoder.InputOffset())
		if err := d.advance(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil, d.number, io.EOF
			}
			return nil, d.number, fmt.Errorf("record %d: %w", d.number+1, err)
		}
	}
	d.number++
	first := d.queue[0]
	d.queue = d.queue[1:]
	return first, d.number, nil
}

// advance comes to the next record, or into or out of the list. Documents may follow each other, as pages of an API do.
func (d *document) advance() error {
	switch {
	case !d.begun:
		d.begun = true
		token, err := d.decoder.Token()
		if err == nil && token == json.Delim('{') {
			return d.enter()
		}
		d.inside = err == nil
		return err
	case !d.inside:
		var object map[string]any
		if err := d.decoder.Decode(&object); err != nil {
			return err
		}
		d.queue = records(object, nil)
		return nil
	case !d.decoder.More():
		d.inside = false
		if _, err := d.decoder.Token(); err != nil {
			return fmt.Errorf("the file ends early: %w", unexpected(err))
		}
		return d.leave()
	}
	var object map[string]any
	if err := d.decoder.Decode(&object); err != nil {
		return unexpected(err)
	}
	parent := record{}
	flatten(parent, "parent.", d.wrapped, 1)
	d.queue = records(object, parent)
	return nil
}

// enter reads an object up to its list of records. An object without one is a record itself.
func (d *document) enter() error {
	d.wrapped = map[string]any{}
	for d.decoder.More() {
		key, err := d.decoder.Token()
		if err != nil {
			return unexpected(err)
		}
		name, _ := key.(string)
		if slices.Contains(lists(), name) {
			token, err := d.decoder.Token()
			if err != nil {
				return unexpected(err)
			}
			if d.inside = token == json.Delim('['); !d.inside {
				return fmt.Errorf("%q is no list", name)
			}
			return nil
		}
		var value any
		if err := d.decoder.Decode(&value); err != nil {
			return unexpected(err)
		}
		d.wrapped[name] = value
	}
	if _, err := d.decoder.Token(); err != nil {
		return unexpected(err)
	}
	d.queue = records(d.wrapped, nil)
	d.wrapped = nil
	return nil
}

// leave is behind the list: what follows it in its object says nothing of its records.
func (d *document) leave() error {
	if d.wrapped == nil {
		return nil
	}
	d.wrapped = nil
	for d.decoder.More() {
		var skipped json.RawMessage
		if _, err := d.decoder.Token(); err != nil {
			return unexpected(err)
		}
		if err := d.decoder.Decode(&skipped); err != nil {
			return unexpected(err)
		}
	}
	if _, err := d.decoder.Token(); err != nil {
		return unexpected(err)
	}
	return nil
}

// unexpected turns an end of the file inside a value into what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// table is CSV, also with semicolons or tabs, with a header.
type table struct {
	guard   *guarded
	reader  *csv.Reader
	columns []string
	row     record
}

func newTable(in *bufio.Reader) (*table, error) {
	start, _ := in.Peek(in.Size())
	head, _, _ := bytes.Cut(start, []byte("\n"))
	comma := ','
	for _, other := range ";\t" {
		if strings.Count(string(head), string(other)) > strings.Count(string(head), string(comma)) {
			comma = other
		}
	}
	guard := &guarded{in: in}
	guard.allow(0)
	t := &table{guard: guard, reader: csv.NewReader(guard), row: record{}}
	t.reader.Comma, t.reader.FieldsPerRecord, t.reader.ReuseRecord = comma, -1, true
	names, err := t.reader.Read()
	if err != nil {
		return nil, fmt.Errorf("read its header: %w", err)
	}
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if slices.Contains(t.columns, name) && name != "" {
			return nil, fmt.Errorf("its header has the column %s twice", shown(name))
		}
		t.columns = append(t.columns, name)
	}
	return t, nil
}

func (t *table) next() (record, int64, error) {
	t.guard.allow(t.reader.InputOffset())
	values, err := t.reader.Read()
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, int64(parse.StartLine), badRow("is no row of values: %v", parse.Err)
	}
	if err != nil {
		return nil, 0, err
	}
	line, _ := t.reader.FieldPos(0)
	if len(values) != len(t.columns) {
		return nil, int64(line), badRow("has %d values, and the header %d", len(values), len(t.columns))
	}
	for i, column := range t.columns {
		t.row[column] = values[i]
	}
	return t.row, int64(line), nil
}
