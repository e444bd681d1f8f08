package main

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// chaosFromEnv arms one crash point: WEIR_CHAOS=after_intent kills the process the first time it comes there,
// after_intent:20 the twentieth time. It is how crash tests stop a process exactly where it hurts, with the signal that
// nothing can handle. Unset, it costs nothing.
func chaosFromEnv(getenv func(string) string) func(string) {
	armed := getenv("WEIR_CHAOS")
	if armed == "" {
		return func(string) {}
	}
	point, count, _ := strings.Cut(armed, ":")
	at, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		at = 1
	}
	var passed atomic.Int64
	return func(here string) {
		if here == point && passed.Add(1) == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way: do nothing more
		}
	}
}
