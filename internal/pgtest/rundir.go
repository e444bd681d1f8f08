package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/weirhq/weir/embedded"
)

// runPrefix starts the names of the directories of all test processes.
const runPrefix = "weir-pgtest-"

// runDir is the directory of one server. A test's own TempDir will not do: the account that Postgres runs as under root
// may not enter it.
type runDir struct {
	path string
	lock *embedded.DirLock
}

func makeRunDir() (*runDir, error) {
	path, err := os.MkdirTemp("", runPrefix)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o711); err != nil { //nolint:gosec // the cluster's own directory inside is private
		return nil, err
	}
	lock, err := embedded.Lock(path)
	if err != nil {
		return nil, err
	}
	return &runDir{path: path, lock: lock}, nil
}

// remove removes the directory. What it cannot remove, sweep will.
func (d *runDir) remove() {
	_ = os.RemoveAll(d.path)
	_ = d.lock.Close()
}

// sweep removes the directories of test processes that were killed: those whose lock is free.
func sweep(ctx context.Context) {
	paths, err := filepath.Glob(filepath.Join(os.TempDir(), runPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		// A young directory may not have been locked yet by the process that has just made it.
		if err != nil || time.Since(info.ModTime()) < time.Minute || ctx.Err() != nil {
			continue
		}
		if lock, err := embedded.Lock(path); err == nil {
			left := runDir{path: path, lock: lock}
			left.remove()
		}
	}
}
