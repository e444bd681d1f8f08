package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// ticks is the unit of /proc: a hundredth of a second on every Linux that Go runs on.
const ticks = 10 * time.Millisecond

// clocks are CPU times at one instant, as Linux tells them; all zero elsewhere.
type clocks struct {
	at       time.Time
	process  map[string]time.Duration
	machine  time.Duration // all that was not idle
	measured bool
}

// readClocks reads the CPU time of processes by name and of Postgres with all of its backends.
func readClocks(pids map[string]int, postgres int) clocks {
	c := clocks{at: time.Now(), process: make(map[string]time.Duration, len(pids)+1)}
	if runtime.GOOS != "linux" {
		return c
	}
	for name, pid := range pids {
		own, _, _ := processTime(pid)
		c.process[name] = own
	}
	c.process["postgres"] = familyTime(postgres)
	c.machine, c.measured = machineTime()
	return c
}

// since is the CPU time for each of so many tasks by process, in microseconds, and how many cores everybody else used.
func (c clocks) since(before clocks, tasks int) (micros map[string]float64, others float64) {
	if !c.measured || !before.measured {
		return nil, 0
	}
	micros = make(map[string]float64, len(c.process))
	all := c.machine - before.machine
	for name, used := range c.process {
		used -= before.process[name]
		all -= used
		micros[name] = float64(used.Microseconds()) / float64(tasks)
	}
	return micros, max(0, all.Seconds()/c.at.Sub(before.at).Seconds())
}

// familyTime is the CPU time of a process, of its living children and of those that it has waited for.
func familyTime(parent int) time.Duration {
	own, waitedFor, _ := processTime(parent)
	total := own + waitedFor
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return total
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err != nil {
			continue
		}
		if used, _, of := processTime(pid); of == parent {
			total += used
		}
	}
	return total
}

// processTime reads /proc/PID/stat: the process's own time, that of the children it has waited for, and its parent. All
// are zero when the process is gone.
func processTime(pid int) (own, waitedFor time.Duration, parent int) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, 0
	}
	// the command's name is in parentheses and may hold anything, so the fields are counted from behind it
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const parentField, ownUser, ownSystem, childUser, childSystem = 1, 11, 12, 13, 14
	if len(fields) <= childSystem {
		return 0, 0, 0
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return time.Duration(number(ownUser)+number(ownSystem)) * ticks,
		time.Duration(number(childUser)+number(childSystem)) * ticks, int(number(parentField))
}

// machineTime is the time that the machine's cores were busy, from the first line of /proc/stat.
func machineTime() (time.Duration, bool) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(line)
	// user, nice, system, idle, iowait, irq, softirq; steal is another machine's
	const first, idle, waiting, last = 1, 4, 5, 7
	if len(fields) <= last || fields[0] != "cpu" {
		return 0, false
	}
	var busy int64
	for i := first; i <= last; i++ {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, false
		}
		if i != idle && i != waiting {
			busy += n
		}
	}
	return time.Duration(busy) * ticks, true
}
