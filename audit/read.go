package audit

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

const (
	// MostBadRows is how many bad rows are listed; all are counted.
	MostBadRows = 20
	// pace is after how many rows progress is told and an interruption is looked for.
	pace = 1_000
)

// Options say how files are read.
type Options struct {
	// Format is one of Formats or "plain"; empty finds it out from each file's first row.
	Format string
	// Columns are the columns of plain files by field, of Fields. Fields without one have the usual names.
	Columns map[string]string
	// Progress is told how many bytes of a file were read so far; nil is nobody.
	Progress func(read int64)
}

// Reading is what a file came to.
type Reading struct {
	File   string `json:"file"`
	Format string `json:"format"`
	// Rows were read as calls. Skipped are of something else, such as the spans of a trace, and Bad could not be read.
	Rows    int64    `json:"rows"`
	Skipped int64    `json:"skipped"`
	Bad     int64    `json:"bad"`
	BadRows []BadRow `json:"bad_rows"`
}

// Read gives the calls of a file to yield, one after another, in memory of a bounded size: .gz files unpacked, exports of all
// Formats, and plain CSV, JSON and JSON Lines. A row that cannot be read is counted and listed; the error is of the file as a
// whole, with what to do, or the context's.
func Read(ctx context.Context, file string, o Options, yield func(*Call)) (*Reading, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open usage log: %w", err)
	}
	defer f.Close()
	counted := &counter{in: f}
	var in io.Reader = counted
	if filepath.Ext(file) == ".gz" {
		if in, err = gzip.NewReader(counted); err != nil {
			return nil, fmt.Errorf("read %s: unpack it: %w", file, err)
		}
	}
	reading := &Reading{File: file, BadRows: []BadRow{}}
	if err := reading.read(ctx, in, o, counted, yield); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return reading, nil
}

// counter counts what was read.
type counter struct {
	in   io.Reader
	read int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.read += int64(n)
	return n, err
}

func (g *Reading) read(ctx context.Context, in io.Reader, o Options, counted *counter, yield func(*Call)) error {
	source, err := openRows(in)
	if err != nil {
		return err
	}
	var by format
	for n := 0; ; n++ {
		if n%pace == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if o.Progress != nil {
				o.Progress(counted.read)
			}
		}
		r, line, err := source.next()
		if errors.Is(err, io.EOF) {
			return g.ended(by, o, counted)
		}
		if bad, ok := errors.AsType[*rowError](err); ok {
			g.bad(line, bad)
			continue
		}
		if err != nil {
			return fmt.Errorf("after %d rows: %w", g.Rows+g.Skipped+g.Bad, err)
		}
		if by.call == nil {
			if by, err = formatOf(o.Format, o.Columns, r); err != nil {
				return err
			}
			g.Format = by.name
		}
		call, ok, err := by.call(r)
		switch {
		case err != nil:
			g.bad(line, err)
		case !ok:
			g.Skipped++
		default:
			g.Rows++
			yield(&call)
		}
	}
}

func (g *Reading) ended(by format, o Options, counted *counter) error {
	if by.call == nil && g.Bad == 0 {
		return errors.New("there is no row in it")
	}
	if o.Progress != nil {
		o.Progress(counted.read)
	}
	return nil
}

func (g *Reading) bad(line int64, err error) {
	if g.Bad++; len(g.BadRows) < MostBadRows {
		g.BadRows = append(g.BadRows, BadRow{File: g.File, Line: line, Reason: err.Error()})
	}
}

// Bad are the bad rows of several files, the first of each, at most MostBadRows together.
func Bad(readings []*Reading) (all int64, first []BadRow) {
	for _, g := range readings {
		all += g.Bad
		first = append(first, g.BadRows...)
	}
	return all, slices.Clip(first[:min(len(first), MostBadRows)])
}
