package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// maxMistakes is the most mistakes that one error names.
const maxMistakes = 100

// report collects the mistakes of a price book, so that one run finds all of them.
type report struct {
	file     string // that is read now
	origin   string // of its rows; the file when empty
	mistakes []mistake
}

type mistake struct {
	file string
	line int
	text string
}

func (r *report) add(line int, path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + " " + text
	}
	r.mistakes = append(r.mistakes, mistake{r.file, line, text})
}

// err is nil without mistakes, else one error for each in the order of the files.
func (r *report) err() error {
	slices.SortStableFunc(r.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	shown := r.mistakes[:min(len(r.mistakes), maxMistakes)]
	errs := make([]error, 0, len(shown)+1)
	for _, m := range shown {
		errs = append(errs, errors.New(m.String()))
	}
	if hidden := len(r.mistakes) - len(shown); hidden > 0 {
		errs = append(errs, fmt.Errorf("and %d more mistakes", hidden))
	}
	return errors.Join(errs...)
}

func (m mistake) String() string {
	switch {
	case m.file == "":
		return m.text
	case m.line == 0:
		return fmt.Sprintf("%s: %s", m.file, m.text)
	}
	return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.text)
}
