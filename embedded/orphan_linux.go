package embedded

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
)

// serversOf lists the Postgres processes on data, whatever postmaster.pid says: the backends of a killed postmaster
// hold its shared memory until they have noticed, and a new server must not start before.
func serversOf(_ context.Context, data string, _ pidFile) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range paths {
		if !serves(path, data) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(path)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// serves reports whether the process at a path of /proc is a Postgres that works in data. A process may end at any
// moment, so what cannot be read is no server.
func serves(proc, data string) bool {
	name, err := os.ReadFile(filepath.Join(proc, "comm"))
	if err != nil || string(bytes.TrimSpace(name)) != "postgres" {
		return false
	}
	if dir, err := os.Readlink(filepath.Join(proc, "cwd")); err == nil {
		return dir == data
	}
	// In a container even root may not look at the directories of other users' processes, but at their arguments.
	args, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	return err == nil && bytes.HasPrefix(argumentAfter(args, "-D"), []byte(data+"\x00"))
}

// argumentAfter is what follows the argument flag in the contents of a cmdline file.
func argumentAfter(args []byte, flag string) []byte {
	_, rest, _ := bytes.Cut(args, []byte("\x00"+flag+"\x00"))
	return rest
}

// alive reports whether a process has the number pid and has not ended: one that nobody has waited for yet counts as
// ended.
func alive(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	// "pid (name) state ...", and the name may hold any character.
	after := stat[bytes.LastIndexByte(stat, ')')+1:]
	state := bytes.TrimLeft(after, " ")
	return len(state) > 0 && state[0] != 'Z' && state[0] != 'X'
}
