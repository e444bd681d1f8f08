package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/weirhq/weir/embeddings"
)

// embedLine is a line of the input.
type embedLine struct {
	number int
	id     json.RawMessage
	text   string
}

// maxEmbedLine bounds a line: far more than any model takes.
const maxEmbedLine = 16 << 20

// lineReader reads the lines that are to be embedded. Empty ones are left out.
type lineReader struct {
	scanner *bufio.Scanner
	plain   bool
	number  int
}

func newLines(r io.Reader, plain bool) *lineReader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxEmbedLine)
	return &lineReader{scanner: s, plain: plain}
}

// next is io.EOF behind the last line.
func (r *lineReader) next() (embedLine, error) {
	for r.scanner.Scan() {
		r.number++
		line := bytes.TrimSpace(r.scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		if r.plain {
			id := json.RawMessage(strconv.Itoa(r.number))
			return embedLine{number: r.number, id: id, text: string(r.scanner.Bytes())}, nil
		}
		return r.decode(line)
	}
	if err := r.scanner.Err(); err != nil {
		return embedLine{}, fmt.Errorf("read line %d: %w", r.number+1, err)
	}
	return embedLine{}, io.EOF
}

func (r *lineReader) decode(line []byte) (embedLine, error) {
	var l struct {
		ID   json.RawMessage `json:"id"`
		Text *string         `json:"text"`
	}
	wrong := func(what string) (embedLine, error) {
		return embedLine{}, fmt.Errorf(`line %d %s; write {"id": "...", "text": "..."}, or read plain lines with --text`,
			r.number, what)
	}
	err := json.Unmarshal(line, &l)
	switch {
	case err != nil:
		return wrong("is no JSON object")
	case len(l.ID) == 0 || !isID(l.ID[0]):
		return wrong("has no id that is a text or a number")
	case l.Text == nil:
		return wrong("has no text")
	}
	return embedLine{number: r.number, id: l.ID, text: *l.Text}, nil
}

func isID(first byte) bool { return first == '"' || first == '-' || first >= '0' && first <= '9' }

// embedding is an input on its way to an output.
type embedding struct {
	embedder *embeddings.Embedder
	options  embeddings.Options
	lines    *lineReader
	out      *bufio.Writer

	read     int
	embedded int
	bill     embeddings.Bill
}

// What is embedded at once: enough for several calls side by side, and not too much memory for their vectors.
const (
	embedAtOnce      = 4096
	embedBytesAtOnce = 8 << 20
)

// all embeds part after part and writes each before the next is paid.
func (e *embedding) all(ctx context.Context) error {
	for {
		part, err := e.part()
		if len(part) > 0 {
			if failed := e.embed(ctx, part); failed != nil {
				return failed
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// part reads lines. An error comes with those before it.
func (e *embedding) part() ([]embedLine, error) {
	var part []embedLine
	for size := 0; len(part) < embedAtOnce && size < embedBytesAtOnce; {
		line, err := e.lines.next()
		if err != nil {
			return part, err
		}
		e.read++
		size += len(line.text)
		part = append(part, line)
	}
	return part, nil
}

func (e *embedding) embed(ctx context.Context, part []embedLine) error {
	texts := make([]string, len(part))
	for i, line := range part {
		texts[i] = line.text
	}
	result, err := e.embedder.Embed(ctx, texts, e.options)
	e.bill = e.bill.Plus(result.Bill)
	if writeErr := e.write(part, result.Vectors); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	if input, ok := errors.AsType[*embeddings.InputError](err); ok {
		line := part[input.Index]
		return fmt.Errorf("line %d, id %s, %s", line.number, line.id, input.Reason)
	}
	return err
}

// write writes what was embedded; what was not is missing in the output.
func (e *embedding) write(part []embedLine, vectors [][]float32) error {
	lines := json.NewEncoder(e.out)
	for i, v := range vectors {
		if v == nil {
			continue
		}
		err := lines.Encode(struct {
			ID        json.RawMessage `json:"id"`
			Embedding []float32       `json:"embedding"`
		}{part[i].id, v})
		if err != nil {
			return fmt.Errorf("write line: %w", err)
		}
		e.embedded++
	}
	if err := e.out.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
