package sim

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

// Recordings are answers that real models gave to real prompts.
type Recordings struct {
	// prompts finds the rows by a digest of their prompt.
	prompts map[uint64][]*recordedRow
	ids     map[string]*recordedRow
	models  map[string]bool
	rows    int
}

// recordedRow is one prompt with what each model made of it.
type recordedRow struct {
	ID        string                  `json:"id"`
	Prompt    string                  `json:"prompt"`
	Functions []recordedTool          `json:"functions"`
	Models    map[string]recordedText `json:"models"`
}

type recordedTool struct {
	Name string `json:"name"`
}

// recordedText is one answer. Some recordings know only whether it was good.
type recordedText struct {
	Text    *string `json:"text"`
	In      int64   `json:"in"`
	Out     int64   `json:"out"`
	Seconds float64 `json:"lat_s"`
}

const (
	maxRecordedLine = 8 << 20
	maxRecordedRows = 2_000_000
)

// ReadRecordings reads rows of JSON, one a line, gzipped or not. Several files may be read into one set. The error says
// which line is wrong.
func ReadRecordings(files ...io.Reader) (*Recordings, error) {
	r := &Recordings{prompts: map[uint64][]*recordedRow{}, ids: map[string]*recordedRow{}, models: map[string]bool{}}
	for i, file := range files {
		if err := r.read(file); err != nil {
			return nil, fmt.Errorf("read recordings %d: %w", i+1, err)
		}
	}
	return r, nil
}

func (r *Recordings) read(file io.Reader) error {
	reader := bufio.NewReader(file)
	if magic, err := reader.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(reader)
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		reader = bufio.NewReader(unpacked)
	}
	lines := bufio.NewScanner(reader)
	lines.Buffer(make([]byte, 0, 64<<10), maxRecordedLine)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := r.add(lines.Bytes()); err != nil {
			// Of a file that ends too early the last line is not whole, and the end is what is wrong.
			return fmt.Errorf("line %d: %w", n, cmp.Or(lines.Err(), err))
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes", n+1, maxRecordedLine)
	} else if err != nil {
		return fmt.Errorf("after line %d: %w", n, err)
	}
	return nil
}

func (r *Recordings) add(line []byte) error {
	row := &recordedRow{}
	if err := json.Unmarshal(line, row); err != nil {
		return err
	}
	if row.Prompt == "" || len(row.Models) == 0 {
		return errors.New("a recording needs a prompt and models")
	}
	if r.rows++; r.rows > maxRecordedRows {
		return fmt.Errorf("more than %d recordings", maxRecordedRows)
	}
	for name, text := range row.Models {
		if text.In < 0 || text.Out < 0 || text.Seconds < 0 || math.IsNaN(text.Seconds) {
			return fmt.Errorf("model %q: tokens and seconds must not be negative", name)
		}
		r.models[name] = true
	}
	key := dice.Hash(0, row.Prompt)
	r.prompts[key] = append(r.prompts[key], row)
	if row.ID != "" && r.ids[row.ID] == nil {
		r.ids[row.ID] = row
	}
	return nil
}

// Rows is the number of recorded prompts.
func (r *Recordings) Rows() int { return r.rows }

// Models are the names of the recorded models.
func (r *Recordings) Models() []string {
	names := make([]string, 0, len(r.models))
	for name := range r.models {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// has tells whether a model was recorded. Nil has none.
func (r *Recordings) has(model string) bool { return r != nil && r.models[model] }

// find is the answer of a model to a question. The client may name the recording; else the user's last turn has to be
// its prompt, and among several of the same prompt the one with the functions that are offered.
func (r *Recordings) find(q *question) (recordedText, *problem) {
	row := r.row(q)
	if row == nil {
		return recordedText{}, invalidf("there is no recording of this prompt")
	}
	text, ok := row.Models[q.model]
	switch {
	case !ok:
		return recordedText{}, invalidf("recording %q has no answer of model %q", row.ID, q.model)
	case text.Text == nil:
		return recordedText{}, invalidf("recording %q says whether the answer of model %q was good, but not what it was", row.ID, q.model)
	}
	return text, nil
}

func (r *Recordings) row(q *question) *recordedRow {
	if q.recording != "" {
		return r.ids[q.recording]
	}
	var found *recordedRow
	for _, row := range r.prompts[dice.Hash(0, q.last())] {
		if row.Prompt != q.last() {
			continue
		}
		if row.offers(q.tools) {
			return row
		}
		if found == nil {
			found = row
		}
	}
	return found
}

func (r *recordedRow) offers(tools []tool) bool {
	return slices.EqualFunc(r.Functions, tools, func(a recordedTool, b tool) bool { return a.Name == b.name })
}

// usage is what the recorded call used; what the recording does not know is counted.
func (t recordedText) usage(q *question, c counter) task.Usage {
	u := task.Usage{Input: t.In, Output: t.Out}
	if u.Input == 0 {
		for _, b := range q.blocks {
			u.Input += int64(c.count(b.text) + overhead)
		}
	}
	if u.Output == 0 {
		u.Output = int64(c.count(*t.Text))
	}
	return u
}

// latency is how long the recorded call took.
func (t recordedText) latency() time.Duration {
	const most = 600 // seconds
	return time.Duration(min(t.Seconds, most) * float64(time.Second))
}
