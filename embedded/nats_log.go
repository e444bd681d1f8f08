package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// natsLog hands the NATS server's lines to slog and remembers the first fatal one: the server reports that it could not
// start in no other way.
type natsLog struct {
	logger *slog.Logger

	mu    sync.Mutex
	cause error
}

func newNATSLog(logger *slog.Logger) *natsLog {
	return &natsLog{logger: logger}
}

// Noticef logs what the server does at start and stop.
func (l *natsLog) Noticef(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

// Warnf logs what the server coped with.
func (l *natsLog) Warnf(format string, args ...any) { l.log(slog.LevelWarn, format, args) }

// Errorf logs a warning: most of the server's errors are connections that ended.
func (l *natsLog) Errorf(format string, args ...any) { l.log(slog.LevelWarn, format, args) }

// Debugf logs at debug level.
func (l *natsLog) Debugf(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

// Tracef drops the line: it would hold payloads.
func (l *natsLog) Tracef(string, ...any) {}

// Fatalf remembers the line. It does not end the process, which the server expects of a logger.
func (l *natsLog) Fatalf(format string, args ...any) {
	l.log(slog.LevelError, format, args)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = fmt.Errorf(format, args...)
	}
}

// fatal is the first fatal line as an error, or nil.
func (l *natsLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

func (l *natsLog) log(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if l.logger.Enabled(ctx, level) {
		l.logger.LogAttrs(ctx, level, "nats server logged", slog.String("line", fmt.Sprintf(format, args...)))
	}
}
