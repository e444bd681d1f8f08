package pgtest

import (
	"os"
	"path/filepath"
	"time"

	"github.com/weirhq/weir/embedded"
)

// runPrefix starts the names of the directories of all test processes.
const runPrefix = "weir-pgtest-"

// sweepAge keeps sweep away from a directory that the process that has just made it has not locked yet.
const sweepAge = time.Minute

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

// sweep removes, from temp, the directories of test processes that were killed: those whose lock is free.
func sweep(temp string) {
	paths, err := filepath.Glob(filepath.Join(temp, runPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		if lock, err := embedded.Lock(path); err == nil {
			left := runDir{path: path, lock: lock}
			left.remove()
		}
	}
}
