package worker

import (
	"context"
	"log/slog"
)

// atLeast passes on only what is at least as severe as a level. River tells every few seconds how many jobs each queue
// has worked; in weir's log that is noise.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled reports whether a record of the level is passed on.
func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the level.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{Handler: h.Handler.WithAttrs(attrs), level: h.level}
}

// WithGroup keeps the level.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{Handler: h.Handler.WithGroup(name), level: h.level}
}

func riverLogger(logger *slog.Logger) *slog.Logger {
	return slog.New(atLeast{Handler: logger.Handler(), level: slog.LevelWarn})
}
