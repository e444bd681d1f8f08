package embedded

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

// tailLines is how many of a server's last lines an error about its end quotes.
const tailLines = 8

// postgresLog is the standard error of a Postgres program: it hands each line to slog and keeps the last few.
type postgresLog struct {
	logger *slog.Logger

	mu      sync.Mutex
	partial []byte
	tail    []string
}

// Write takes any part of the output. It never fails: a program must not stop because of its log.
func (l *postgresLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.partial = rest
		l.line(strings.TrimSpace(string(line)))
	}
}

// last is the end of the output, on one line.
func (l *postgresLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.tail, "; ")
}

func (l *postgresLog) line(text string) {
	if text == "" {
		return
	}
	l.tail = append(l.tail, text)
	if len(l.tail) > tailLines {
		l.tail = l.tail[1:]
	}
	l.logger.LogAttrs(context.Background(), postgresLevel(text), "postgres logged", slog.String("line", text))
}

// postgresLevel maps the server's severities. An ERROR is the answer to a statement, so the client that gets it decides
// what it means; a FATAL ends one session; only a PANIC ends the server.
func postgresLevel(line string) slog.Level {
	severity, _, _ := strings.Cut(line, ":")
	switch severity {
	case "PANIC":
		return slog.LevelError
	case "WARNING", "FATAL":
		return slog.LevelWarn
	}
	return slog.LevelDebug
}
