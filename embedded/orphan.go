package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// pollInterval is how often a state that Postgres shows only in files and processes is looked at again.
const pollInterval = 10 * time.Millisecond

// pidFile is what a postmaster writes into postmaster.pid.
type pidFile struct {
	pid       int // 0 when the file is absent or was cut short
	socketDir string
	status    string // starting, ready, stopping, standby
	exists    bool
}

func readPidFile(data string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return pidFile{}, nil
	}
	if err != nil {
		return pidFile{}, err
	}
	// Process, data directory, start time, port, socket directory, address, shared memory, status: a line each, and
	// fewer lines while the server starts.
	lines := append(strings.Split(string(text), "\n"), make([]string, 8)...)
	return pidFile{
		pid:       leadingNumber(strings.TrimSpace(lines[0])),
		socketDir: strings.TrimSpace(lines[4]),
		status:    strings.TrimSpace(lines[7]),
		exists:    true,
	}, nil
}

// endOrphans ends the servers that a killed weir left on data and clears the way for a new one. Whoever calls it holds
// the lock of the cluster, so no other weir is using them.
func endOrphans(ctx context.Context, data string) error {
	file, err := readPidFile(data)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{
		{syscall.SIGINT, 30 * time.Second},
		{syscall.SIGQUIT, 10 * time.Second},
		{syscall.SIGKILL, 10 * time.Second},
	} {
		pids, err := serversOf(ctx, data, file)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return dropPidFile(data, file)
		}
		for _, pid := range pids {
			// Most have just ended on their own: they got the death signal when their parent was killed.
			_ = syscall.Kill(pid, step.signal)
		}
		if err := awaitEnd(ctx, pids, step.wait); err != nil {
			return err
		}
	}
	return fmt.Errorf("end the servers an earlier process left on %s: they do not react to SIGKILL", data)
}

// awaitEnd waits until none of pids lives, at most for limit.
func awaitEnd(ctx context.Context, pids []int, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for slices.ContainsFunc(pids, alive) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case <-ticker.C:
		}
	}
	return nil
}

// dropPidFile removes a postmaster.pid that would stop the next server for no reason: one that was cut short, or one
// whose number is taken, by another program or by a dead process that nobody has waited for yet. Any other stale file is
// left to Postgres, which checks more before it removes it.
func dropPidFile(data string, file pidFile) error {
	if !file.exists || file.pid != 0 && errors.Is(syscall.Kill(file.pid, 0), syscall.ESRCH) {
		return nil
	}
	err := os.Remove(filepath.Join(data, "postmaster.pid"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale lock file: %w", err)
	}
	return nil
}
