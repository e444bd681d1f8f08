package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// report collects the mistakes of one file and knows the line of every path that was read.
type report struct {
	lines    map[string]int
	broken   map[string]bool
	noted    map[string]bool
	mistakes []mistake
}

type mistake struct {
	line int
	text string
}

func newReport() *report {
	return &report{lines: map[string]int{}, broken: map[string]bool{}, noted: map[string]bool{}}
}

// see remembers the line of a path.
func (r *report) see(path string, line int) { r.lines[path] = line }

// add notes a mistake at a path. It is shown with the line of the path or of the nearest thing around it.
func (r *report) add(path, format string, args ...any) {
	r.addAt(r.lineOf(path), path, format, args...)
}

// addAt notes a mistake at a line; an empty path means the file as a whole.
func (r *report) addAt(line int, path, format string, args ...any) {
	var b strings.Builder
	if line > 0 {
		fmt.Fprintf(&b, "line %d: ", line)
	}
	if path != "" {
		b.WriteString(path + ": ")
	}
	fmt.Fprintf(&b, format, args...)
	r.mistakes = append(r.mistakes, mistake{line: line, text: b.String()})
	for ; path != ""; path = around(path) {
		r.noted[path] = true
	}
}

// breaks marks a section that could not be read at all, so that names which should be in it are not called unknown.
func (r *report) breaks(path string) { r.broken[path] = true }

func (r *report) lineOf(path string) int {
	for path != "" {
		if line, ok := r.lines[path]; ok {
			return line
		}
		path = around(path)
	}
	return 0
}

// hint is didYouMean for as long as mistakes are shown: a file that is nothing but mistakes is not worth the search.
func (r *report) hint(name string, known iter.Seq[string]) string {
	if len(r.mistakes) >= MaxMistakes {
		return ""
	}
	return didYouMean(name, known)
}

// join adds a part to a path. A path that is longer than anybody can read stops growing, so that deep nesting under long
// keys does not use up the memory.
func join(path, separator, part string) string {
	switch {
	case path == "":
		return part
	case len(path) > maxPathBytes:
		return path
	default:
		return path + separator + part
	}
}

// index is the path of an item of a list.
func index(path string, i int) string { return join(path, "", "["+strconv.Itoa(i)+"]") }

// around is the path without its last part: a.b[2] becomes a.b, and a becomes nothing.
func around(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// err is nil without mistakes, else one error for each in the order of the file.
func (r *report) err() error {
	slices.SortStableFunc(r.mistakes, func(a, b mistake) int { return cmp.Compare(a.line, b.line) })
	shown := r.mistakes[:min(len(r.mistakes), MaxMistakes)]
	errs := make([]error, 0, len(shown)+1)
	for _, m := range shown {
		errs = append(errs, errors.New(m.text))
	}
	if hidden := len(r.mistakes) - len(shown); hidden > 0 {
		errs = append(errs, fmt.Errorf("and %d more mistakes", hidden))
	}
	return errors.Join(errs...)
}

// mistaken says whether a path, or something below it, has a mistake already.
func (r *report) mistaken(path string) bool { return r.noted[path] }
