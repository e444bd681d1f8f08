package embedded

import (
	"log/slog"
	"runtime"
)

// DiesWithParent says whether this system ends a server whose parent was killed.
const DiesWithParent = runtime.GOOS == "linux"

// Alive shows the tests what the launcher takes for a live process.
func Alive(pid int) bool { return alive(pid) }

// SyncAlways shows what the running server took from its options. The server tells its clients nothing of it.
func (n *NATS) SyncAlways() bool { return n.server.JetStreamConfig().SyncAlways }

// WritePostgresLog passes output through the log of a Postgres program, and returns the tail that errors quote.
func WritePostgresLog(logger *slog.Logger, parts ...string) string {
	log := &postgresLog{logger: logger}
	for _, part := range parts {
		_, _ = log.Write([]byte(part))
	}
	return log.last()
}

// NewestFirst shows the order in which releases in one place are tried.
func NewestFirst(pattern string) []string { return newestFirst(pattern) }
