package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/store"
)

// Timing is every beat, lease and window of the running parts. Crash tests set them to a second or two.
type Timing struct {
	// Beat is how often a process renews its lease. Default 2 s.
	Beat time.Duration
	// Lease is the silence after which the others give a process up. Default 15 s.
	Lease time.Duration
	// Silence is the time without a successful beat after which a process stops calling. Default 10 s; below Lease.
	Silence time.Duration
	// Reap is how often dead processes are looked for. Default 5 s.
	Reap time.Duration
	// Stale is the age after which queued tasks without a job get a new one. Default 60 s.
	Stale time.Duration
	// Orphan is the age after which a bundle without a live job is taken back. Default 2 min.
	Orphan time.Duration
	// Maintain is the pace of housekeeping. Default 10 s.
	Maintain time.Duration
	// Recover is the age after which unpublished results are published from the ledger. Default 10 s.
	Recover time.Duration
}

// DefaultTiming is the timing of production.
func DefaultTiming() Timing {
	return Timing{
		Beat: 2 * time.Second, Lease: 15 * time.Second, Silence: 10 * time.Second, Reap: 5 * time.Second,
		Stale: time.Minute, Orphan: 2 * time.Minute, Maintain: 10 * time.Second, Recover: recoverAge,
	}
}

// lease is this process's right to make calls: the others rely on its silence.
type lease struct {
	pool    *pgxpool.Pool
	boot    uuid.UUID
	timing  Timing
	logger  *slog.Logger
	renewed atomic.Int64 // monotonic nanoseconds since start, of the last successful beat's begin
	start   time.Time
}

func newLease(pool *pgxpool.Pool, boot uuid.UUID, timing Timing, logger *slog.Logger) *lease {
	return &lease{pool: pool, boot: boot, timing: timing, logger: logger, start: time.Now()}
}

// alive reports whether a call may start: the last beat is young enough for everybody to know.
func (l *lease) alive() bool {
	return time.Since(l.start)-time.Duration(l.renewed.Load()) < l.timing.Silence
}

// run beats until the context ends. It returns store.ErrReaped when the others have given this process up: it has to
// stop, because its work is theirs now.
func (l *lease) run(ctx context.Context) error {
	ticker := time.NewTicker(l.timing.Beat)
	defer ticker.Stop()
	for {
		began := time.Since(l.start) // the lease counts from before the beat left
		beatCtx, cancel := context.WithTimeout(ctx, l.timing.Silence)
		err := store.Beat(beatCtx, l.pool, l.boot)
		cancel()
		switch {
		case err == nil:
			l.renewed.Store(int64(began))
		case errors.Is(err, store.ErrReaped):
			return err
		case ctx.Err() == nil:
			l.logger.WarnContext(ctx, "lease was not renewed", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
