package main

import (
	"io"
	"os"
)

// isTerminal reports whether somebody watches: a bar that is redrawn is noise in a log.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
