package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/task"
)

// What reading takes at the most. A file beyond one is refused.
const (
	// MaxLine is the longest row in bytes.
	MaxLine = 8 << 20
	// MaxRows is the most rows of a file.
	MaxRows = 1_000_000
	// MaxBytes is the most bytes of a file, unpacked.
	MaxBytes = 4 << 30
	// maxModels is the most models of a row.
	maxModels = 200
)

// BadRow is a row that could not be taken, and why.
type BadRow struct {
	Line   int // from 1
	Reason string
}

func (b BadRow) String() string { return fmt.Sprintf("line %d: %s", b.Line, b.Reason) }

// Read reads recordings: JSON lines, plain or gzipped. What is wrong with a row leaves that row out and is reported by
// its line. The error says why the file as a whole cannot be read: it breaks a limit, is cut off, or has no good row.
func Read(in io.Reader) (*Recordings, *Judge, []BadRow, error) {
	plain, err := unpack(in)
	if err != nil {
		return nil, nil, nil, err
	}
	limited := &io.LimitedReader{R: plain, N: MaxBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 64<<10), MaxLine)
	r := &reader{recordings: &Recordings{}, judge: &Judge{}, seen: map[string]int{}}
	for lines.Scan() {
		r.line++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if len(r.recordings.Rows) >= MaxRows {
			return nil, nil, nil, fmt.Errorf("read recordings: more than %d rows", MaxRows)
		}
		if reason := r.add(lines.Bytes()); reason != "" {
			r.bad = append(r.bad, BadRow{Line: r.line, Reason: reason})
		}
	}
	switch {
	case errors.Is(lines.Err(), bufio.ErrTooLong):
		return nil, nil, nil, fmt.Errorf("read recordings: line %d is longer than %d bytes", r.line+1, MaxLine)
	case lines.Err() != nil:
		return nil, nil, nil, fmt.Errorf("read recordings: after line %d: %w", r.line, lines.Err())
	case limited.N <= 0:
		return nil, nil, nil, fmt.Errorf("read recordings: more than %d bytes", int64(MaxBytes))
	case len(r.recordings.Rows) == 0:
		return nil, nil, r.bad, errors.New("read recordings: there is no good row")
	}
	return r.recordings, r.judge, r.bad, nil
}

// unpack looks at the first bytes, since a file's name need not say that it is packed.
func unpack(in io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(in)
	if magic, _ := buffered.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("read recordings: %w", err)
	}
	return unpacked, nil
}

// reader is the state of reading one file.
type reader struct {
	recordings *Recordings
	judge      *Judge
	seen       map[string]int // line by id
	line       int
	bad        []BadRow
}

// recorded is a row as it is written. Only this type and recordedAnswer have both sides, the answer and the truth.
type recorded struct {
	ID        string                    `json:"id"`
	Suite     string                    `json:"suite"`
	Task      string                    `json:"task"`
	Prompt    string                    `json:"prompt"`
	Functions []Function                `json:"functions"`
	Models    map[string]recordedAnswer `json:"models"`
}

type recordedAnswer struct {
	OK      *float64     `json:"ok"`
	Cost    *json.Number `json:"cost"`
	In      *int64       `json:"in"`
	Out     *int64       `json:"out"`
	Latency *float64     `json:"lat_s"`
	Text    *string      `json:"text"`
}

// add takes a row, or says why it cannot be taken.
func (r *reader) add(line []byte) (reason string) {
	var row recorded
	if err := json.Unmarshal(line, &row); err != nil {
		return "is no recording: " + err.Error()
	}
	switch {
	case row.ID == "" || row.Task == "":
		return "has no id or no task"
	case r.seen[row.ID] > 0:
		return fmt.Sprintf("repeats the id of line %d", r.seen[row.ID])
	case len(row.Models) == 0 || len(row.Models) > maxModels:
		return fmt.Sprintf("has %d models, not 1 to %d", len(row.Models), maxModels)
	}
	names := slices.Sorted(maps.Keys(row.Models))
	if r.recordings.Models == nil {
		r.recordings.Models, r.recordings.Suite = names, row.Suite
	}
	if !slices.Equal(names, r.recordings.Models) {
		return "has other models than the first row"
	}
	if row.Suite != r.recordings.Suite {
		return fmt.Sprintf("is of suite %q, the first row of %q", row.Suite, r.recordings.Suite)
	}
	taken := Row{ID: row.ID, Task: row.Task, Prompt: row.Prompt, Functions: row.Functions}
	right := make([]float64, 0, len(names))
	for _, name := range names {
		answer, correct, err := row.Models[name].split()
		if err != nil {
			return fmt.Sprintf("model %s: %v", name, err)
		}
		taken.Answers = append(taken.Answers, answer)
		right = append(right, correct)
	}
	r.seen[row.ID] = r.line
	r.recordings.Rows = append(r.recordings.Rows, taken)
	r.judge.right = append(r.judge.right, right)
	return ""
}

// split parts what was answered from whether it was right.
func (a recordedAnswer) split() (Answer, float64, error) {
	answer := Answer{Text: a.Text, In: a.In, Out: a.Out}
	if a.OK == nil || *a.OK < 0 || *a.OK > 1 {
		return answer, 0, errors.New("ok is missing or not from 0 to 1")
	}
	if (a.In != nil && *a.In < 0) || (a.Out != nil && *a.Out < 0) {
		return answer, 0, errors.New("in and out must not be negative")
	}
	if a.Cost != nil {
		cost, err := readUSD(string(*a.Cost))
		if err != nil {
			return answer, 0, err
		}
		answer.Cost = &cost
	}
	if a.Latency != nil {
		const most = 7 * 24 * 3600 // seconds
		if *a.Latency < 0 || *a.Latency > most {
			return answer, 0, errors.New("lat_s is out of range")
		}
		latency := time.Duration(math.Round(*a.Latency * float64(time.Second)))
		answer.Latency = &latency
	}
	return answer, *a.OK, nil
}

// readUSD reads an amount as programs write floats, 9.25e-05 or 0.0042639999999999996, to the nearest pico-USD: a
// recorded cost was a float once, so its last digits are none of its own.
func readUSD(literal string) (task.Pico, error) {
	const longest, widest = 40, 30
	_, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	if exponent != "" {
		if n, err := strconv.Atoi(exponent); err != nil || n < -widest || n > widest {
			return 0, fmt.Errorf("cost %.50q is out of range", literal)
		}
	}
	amount, ok := new(big.Rat).SetString(literal)
	if !ok || len(literal) > longest || amount.Sign() < 0 {
		return 0, fmt.Errorf("cost %.50q is no amount of USD", literal)
	}
	amount.Mul(amount, new(big.Rat).SetInt64(int64(task.USD)))
	rounded, ok := new(big.Int).SetString(amount.FloatString(0), 10)
	if !ok || !rounded.IsInt64() {
		return 0, fmt.Errorf("cost %.50q is out of range", literal)
	}
	return task.Pico(rounded.Int64()), nil
}
