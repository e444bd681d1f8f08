// Package train makes a classifier's model from labelled prompts: the weights, their calibration, and the thresholds below
// which the model does not decide. It is deterministic: the same rows and configuration make the same file, bit by bit, on
// any number of processors of one architecture.
package train

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier/features"
	"github.com/weirhq/weir/task"
)

// maxRowBytes bounds one line, maxRowErrors how many bad ones are named.
const (
	maxRowBytes  = 16 << 20
	maxRowErrors = 20
)

// Row is a labelled prompt.
type Row struct {
	// Prompt is the task's own text.
	Prompt string `json:"prompt"`
	// Level is 1, 2 or 3.
	Level int `json:"level"`
	// Source and Task say where the prompt comes from: prompts of one task of one source look alike, and are a group.
	Source string `json:"source"`
	Task   string `json:"task"`
	// System, Context and Tools are the rest of the request, where it is known.
	System  string      `json:"system"`
	Context []string    `json:"context"`
	Tools   []task.Tool `json:"tools"`
}

// Group is the data set or template that the row belongs to.
func (r *Row) Group() string { return r.Source + ":" + r.Task }

// View is what the classifier looks at of the row.
func (r *Row) View() features.View {
	return features.FromTask(
		&task.Task{Input: r.Prompt, Context: r.Context, Tools: r.Tools}, catalog.Feature{System: r.System},
	)
}

// RowsError names the lines that are no rows.
type RowsError struct {
	// Count is how many there are, Lines says what is wrong with the first of them.
	Count int
	Lines []string
}

func (e *RowsError) Error() string {
	text := strings.Join(e.Lines, "\n")
	if more := e.Count - len(e.Lines); more > 0 {
		text += fmt.Sprintf("\nand %d more lines", more)
	}
	return text
}

// ReadRows reads rows as JSON, one a line, packed by gzip or not, and returns the SHA-256 of the unpacked lines with them.
// Blank lines and unknown keys are passed over. It fails with a *RowsError, without any row, and as the reader does.
func ReadRows(r io.Reader) (rows []Row, hash string, err error) {
	in := bufio.NewReader(r)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, "", fmt.Errorf("unpack rows: %w", err)
		}
		in = bufio.NewReader(unpacked)
	}
	sum, bad := sha256.New(), &RowsError{}
	scanner := bufio.NewScanner(io.TeeReader(in, sum))
	scanner.Buffer(nil, maxRowBytes)
	line := 0
	for scanner.Scan() {
		line++
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		row, err := parseRow(scanner.Bytes())
		if err == nil {
			rows = append(rows, row)
			continue
		}
		if bad.Count++; bad.Count <= maxRowErrors {
			bad.Lines = append(bad.Lines, fmt.Sprintf("line %d: %v", line, err))
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, "", fmt.Errorf("read rows after line %d: %w", line, err)
	}
	if bad.Count > 0 {
		return nil, "", bad
	}
	if len(rows) == 0 {
		return nil, "", errors.New("there are no rows")
	}
	return rows, hex.EncodeToString(sum.Sum(nil)), nil
}

func parseRow(line []byte) (Row, error) {
	var row Row
	err := json.Unmarshal(line, &row)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return row, fmt.Errorf("%q must not be a %s", wrong.Field, wrong.Value)
	case err != nil:
		return row, errors.New("not a JSON object")
	case strings.TrimSpace(row.Prompt) == "":
		return row, errors.New(`"prompt" is missing`)
	case row.Level < 1 || row.Level > 3:
		return row, fmt.Errorf(`"level" must be 1, 2 or 3, and is %d`, row.Level)
	}
	return row, nil
}
