// Package embedded runs the two servers weir needs inside or beside its own process: a private Postgres on a Unix
// socket and a NATS server with JetStream. It is for `weir demo`, `weir up` and the tests; it knows nothing of tasks,
// makes no schema, and reads no environment variable of weir's: the caller passes what it has read.
package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked says that another process holds the lock of a data directory.
var ErrLocked = errors.New("another weir is using this directory")

// DirLock is the exclusive right to use a directory. The kernel takes it back when the process dies, however it dies.
type DirLock struct {
	file *os.File
}

// Lock takes the exclusive lock of dir, through a file LOCK in it, and makes dir if it does not exist.
// It does not wait: the error is ErrLocked when somebody else, in this process or another, has the lock.
func Lock(dir string) (*DirLock, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of %s: %w", dir, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, ErrLocked), file.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), file.Close())
	}
	return &DirLock{file: file}, nil
}

// Close gives the lock back. The file stays: removing it would let two processes lock two files of one name.
func (l *DirLock) Close() error {
	// Closing alone would not do: a child that is being started right now has the open file until its exec.
	err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	return errors.Join(err, l.file.Close())
}
