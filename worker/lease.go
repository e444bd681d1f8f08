package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/limiter"
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
	// Breaker is how long a model is left alone at first, when its calls fail; it doubles up to BreakerMost. Defaults 15 s and
	// 5 min.
	Breaker     time.Duration
	BreakerMost time.Duration
	// HardProbe is how often something is tried that only a person can heal. Default 1 h.
	HardProbe time.Duration
	// Ramp is the time in which the calls to a model that has come back double. Default 1 s.
	Ramp time.Duration
	// Recover is the age after which unpublished results are published from the ledger. Default 10 s.
	Recover time.Duration
}

// DefaultTiming is the timing of production.
func DefaultTiming() Timing {
	return Timing{
		Beat: 2 * time.Second, Lease: 15 * time.Second, Silence: 10 * time.Second, Reap: 5 * time.Second,
		Stale: time.Minute, Orphan: 2 * time.Minute, Maintain: 10 * time.Second, Recover: recoverAge,
		Breaker: 15 * time.Second, BreakerMost: 5 * time.Minute, HardProbe: time.Hour, Ramp: time.Second,
	}
}

// lease is this process's right to make calls: the others rely on its silence.
type lease struct {
	pool    *pgxpool.Pool
	boot    uuid.UUID
	timing  Timing
	logger  *slog.Logger
	start   time.Time
	clock   func() time.Duration         // monotonic, since start
	tell    func() map[string]store.Rate // what the others are told with a beat
	hear    func(store.Fleet)            // what a beat has learned
	renewed atomic.Int64                 // by the clock: when the last successful beat began
	steady  atomic.Int64                 // by the clock: since when no beat has failed or come late; notSteady after one that has
}

// notSteady is the mark of a lease whose last beat failed.
const notSteady = -1

func newLease(pool *pgxpool.Pool, boot uuid.UUID, timing Timing, logger *slog.Logger) *lease {
	l := &lease{pool: pool, boot: boot, timing: timing, logger: logger, start: time.Now()}
	l.clock = func() time.Duration { return time.Since(l.start) }
	l.steady.Store(notSteady)
	return l
}

// alive reports whether a call may start: the last beat is young enough for everybody to know.
func (l *lease) alive() bool {
	return l.clock()-time.Duration(l.renewed.Load()) < l.timing.Silence
}

// mayReap reports whether this process may call others dead: its own beats have come through without a gap for a whole
// lease, so those of a living process have too. After an outage of Postgres everybody seems silent; this gives them the
// time to be heard again.
func (l *lease) mayReap() bool {
	steady := l.steady.Load()
	return steady != notSteady && l.alive() && l.clock()-time.Duration(steady) >= l.timing.Lease
}

// beaten notes how a beat ended that began at the given time. One that failed, and one that ended later than Silence
// after the one before had begun, starts the count of steady beats anew.
func (l *lease) beaten(began time.Duration, err error) {
	if err != nil {
		l.steady.Store(notSteady)
		return
	}
	late := l.clock()-time.Duration(l.renewed.Load()) >= l.timing.Silence
	l.renewed.Store(int64(began))
	if late || l.steady.Load() == notSteady {
		l.steady.Store(int64(began))
	}
}

// run beats until the context ends. It returns store.ErrReaped when the others have given this process up: it has to
// stop, because its work is theirs now.
func (l *lease) run(ctx context.Context) error {
	ticker := time.NewTicker(l.timing.Beat)
	defer ticker.Stop()
	for {
		began := l.clock() // the lease counts from before the beat left
		beatCtx, cancel := context.WithTimeout(ctx, l.timing.Silence)
		fleet, err := store.Beat(beatCtx, l.pool, l.boot, l.tell(), limiter.MissedBeats*l.timing.Beat)
		cancel()
		if err == nil {
			l.hear(fleet)
		}
		l.beaten(began, err)
		switch {
		case err == nil:
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
