package producer

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/weirhq/weir/task"
)

// Defaults are what tasks from files get where they say nothing themselves.
type Defaults struct {
	// Feature is the tasks' feature.
	Feature string
	// Batch is the tasks' label.
	Batch string
	// LineIDs gives a line without an id the name of its file, without the directory, and its number: tickets.jsonl:12.
	// Such an id stands for the same task only as long as the lines stay in their places.
	LineIDs bool
	// Attach, if set, makes an attachment of an image or a PDF in a directory: the file's task has it and no input. Without
	// it, such a file is a mistake.
	Attach func(data []byte) (task.Attachment, error)
	// AttachmentBytes is the largest such file. Default task.DefaultAttachmentBytes.
	AttachmentBytes int64
	// Limits bound a line and a file. Zero fields take their defaults.
	Limits task.Limits
}

// SourceError is a mistake in a file.
type SourceError struct {
	// Name is the file.
	Name string
	// Line is the line, counted from 1; 0 for the file as a whole.
	Line int
	// Err is what is wrong.
	Err error
}

// Error names the place and the mistake.
func (e *SourceError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s line %d: %v", e.Name, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Name, e.Err)
}

// Unwrap is what is wrong.
func (e *SourceError) Unwrap() error { return e.Err }

// Files reads tasks from a path: a directory with Dir, anything else with JSONL.
func Files(name string, d Defaults) iter.Seq2[task.Task, error] {
	return func(yield func(task.Task, error) bool) {
		info, err := os.Stat(name)
		if err != nil {
			yield(task.Task{}, fmt.Errorf("read tasks: %w", err))
			return
		}
		if info.IsDir() {
			Dir(os.DirFS(name), d)(yield)
			return
		}
		file, err := os.Open(filepath.Clean(name))
		if err != nil {
			yield(task.Task{}, fmt.Errorf("read tasks: %w", err))
			return
		}
		defer func() { _ = file.Close() }() // only read
		JSONL(file, name, d)(yield)
	}
}

// JSONL reads one task from each line that is not blank. The name is for errors. A line that is not a task is a
// *SourceError, and reading goes on behind it; an error of the reader ends it.
func JSONL(r io.Reader, name string, d Defaults) iter.Seq2[task.Task, error] {
	return jsonLines(r, name, d.Limits, func(line []byte, number int) (task.Task, error) {
		return d.task(line, name, number)
	})
}

// OutcomesJSONL reads one outcome from each line that is not blank, like JSONL.
func OutcomesJSONL(r io.Reader, name string, limits task.Limits) iter.Seq2[task.Outcome, error] {
	return jsonLines(r, name, limits, func(line []byte, _ int) (task.Outcome, error) {
		o, err := task.DecodeOutcome(line, limits)
		if err != nil {
			return task.Outcome{}, err
		}
		return *o, nil
	})
}

func jsonLines[T any](
	r io.Reader, name string, limits task.Limits, decode func(line []byte, number int) (T, error),
) iter.Seq2[T, error] {
	limit := cmp.Or(limits.PayloadBytes, task.DefaultPayloadBytes)
	return func(yield func(T, error) bool) {
		lines := bufio.NewReader(r)
		for number := 1; ; number++ {
			line, err := readLine(lines, limit)
			if errors.Is(err, io.EOF) {
				return
			}
			if number == 1 {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			line = bytes.TrimSpace(line)
			if err == nil && len(line) == 0 {
				continue
			}
			var element T
			if err == nil {
				element, err = decode(line, number)
			}
			if err != nil {
				err = &SourceError{Name: name, Line: number, Err: err}
			}
			if !yield(element, err) || readBroke(err) {
				return
			}
		}
	}
}

// brokenError is an error of the reader itself.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

func readBroke(err error) bool {
	_, broke := errors.AsType[brokenError](err)
	return broke
}

// readLine returns the next line, io.EOF behind the last. A line above the limit is read to its end and refused.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	size := 0
	for {
		part, err := r.ReadSlice('\n')
		size += len(part)
		if size <= limit+len("\r\n") {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && size == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, brokenError{err}
		case len(line) < size:
			return nil, task.Refuse(task.CodeTooLarge, "the line has %d bytes; the limit is %d", size, limit)
		}
		return line, nil
	}
}

// task decodes one line and fills in the defaults.
func (d Defaults) task(line []byte, name string, number int) (task.Task, error) {
	t, err := task.Decode(line, d.Limits)
	if err != nil {
		return task.Task{}, err
	}
	if t.ID == "" && d.LineIDs {
		t.ID = fmt.Sprintf("%s:%d", filepath.Base(name), number)
	}
	t.Feature = cmp.Or(t.Feature, d.Feature)
	t.Batch = cmp.Or(t.Batch, d.Batch)
	if err := t.Check(); err != nil {
		return task.Task{}, err
	}
	return *t, nil
}

// Dir makes one task of every file below the root of a file system: a text is the input, an image or a PDF the attachment,
// the file's path with slashes the id. Which it is, the end of its name says: .png, .jpg, .jpeg, .webp, .gif, .pdf. Names that begin with a dot are left out. A file that is empty, too large or not text is a
// *SourceError by its name, and reading goes on behind it.
func Dir(fsys fs.FS, d Defaults) iter.Seq2[task.Task, error] {
	return func(yield func(task.Task, error) bool) {
		err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
			hidden := strings.HasPrefix(path.Base(name), ".") && name != "."
			switch {
			case err != nil:
				return err
			case hidden && entry.IsDir():
				return fs.SkipDir
			case hidden || !entry.Type().IsRegular():
				return nil
			}
			t, err := d.file(fsys, name)
			if err != nil {
				err = &SourceError{Name: name, Err: err}
			}
			if !yield(t, err) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(task.Task{}, fmt.Errorf("read directory: %w", err))
		}
	}
}

// file makes a task of one file.
func (d Defaults) file(fsys fs.FS, name string) (task.Task, error) {
	t := task.Task{ID: name, Feature: d.Feature, Batch: d.Batch}
	if d.Attach != nil && attachable(name) {
		data, err := readFile(fsys, name, "file", cmp.Or(d.AttachmentBytes, int64(task.DefaultAttachmentBytes)))
		if err != nil {
			return task.Task{}, err
		}
		attachment, err := d.Attach(data)
		if err != nil {
			return task.Task{}, err
		}
		t.Attachments = []task.Attachment{attachment}
	} else {
		text, err := readFile(fsys, name, "text", int64(cmp.Or(d.Limits.PayloadBytes, task.DefaultPayloadBytes)))
		if err != nil {
			return task.Task{}, err
		}
		t.Input = string(text)
	}
	if err := t.Check(); err != nil {
		return task.Task{}, err
	}
	return t, nil
}

// attachable says that a file's name is that of an image or a PDF.
func attachable(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".webp", ".gif", ".pdf":
		return true
	}
	return false
}

func readFile(fsys fs.FS, name, what string, limit int64) ([]byte, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, task.Refuse(task.CodeTooLarge, "the %s has more than %d bytes", what, limit)
	}
	return data, nil
}
