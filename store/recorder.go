package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Recorder commits the intents and the settlements of one process in groups: many calls end in the same milliseconds,
// and one transaction for all of them is what makes the ledger fast. Intents and settlements have a lane each.
type Recorder struct {
	pool    *pgxpool.Pool
	spool   *Spool
	logger  *slog.Logger
	intents *group[Intent, bool]
	settles *group[Settlement, *Settled]
	stops   []func()
	// Chaos is called with the name of each crash point; nil outside of crash tests. Set it before Start.
	Chaos func(point string)
}

const (
	// intentGiveUp is how long an intent waits for Postgres; no money is at stake before it is committed.
	intentGiveUp = 10 * time.Second
	// SpoolAfter is how long paid answers wait in memory while Postgres is away before they are written to disk too.
	SpoolAfter = 2 * time.Second
)

// NewRecorder makes a recorder; spool may be nil, then answers wait in memory only.
func NewRecorder(pool *pgxpool.Pool, spool *Spool, logger *slog.Logger) *Recorder {
	r := &Recorder{pool: pool, spool: spool, logger: logger}
	r.intents = newGroup(r.commitIntents)
	r.intents.giveUp, r.intents.patience = intentGiveUp, intentGiveUp
	r.settles = newGroup(r.commitSettlements)
	r.settles.stubborn = true // they are paid for: a missing right or table may come back too
	return r
}

// Start begins to commit. The context ends the retries of a Postgres that stays away; Close ends the recorder.
func (r *Recorder) Start(ctx context.Context) {
	r.settles.away = func(since time.Duration, items []Settlement) {
		if since < SpoolAfter || r.spool == nil {
			return
		}
		if err := r.spool.Keep(items); err != nil {
			r.logger.ErrorContext(ctx, "answers could not be spooled", slog.Int("answers", len(items)), slog.Any("err", err))
		}
	}
	r.stops = append(r.stops, r.intents.start(ctx), r.settles.start(ctx))
}

// Close ends the recorder and lets go of its spool. Every caller must have returned before.
func (r *Recorder) Close() {
	for _, stop := range r.stops {
		stop()
	}
	r.stops = nil
	if r.spool == nil {
		return
	}
	if err := r.spool.Close(); err != nil {
		r.logger.Warn("spool was not closed", slog.Any("err", err))
	}
}

// Intent commits an attempt before its call leaves and reports whether the call may be made. An error means that nobody
// knows whether the row is there: the caller settles the attempt as not sent.
func (r *Recorder) Intent(i Intent) (bool, error) {
	return r.intents.do(i, 0)
}

// ErrSettledBefore says that an attempt was closed already: by an earlier try whose commit got no answer, or never
// opened at all.
var ErrSettledBefore = errors.New("the attempt is not open")

// Settle commits the end of an attempt. It returns when Postgres has it, however long Postgres is away. An error other
// than ErrSettledBefore means that Postgres refuses the settlement's data, or that the recorder was stopped.
func (r *Recorder) Settle(s Settlement) (Settled, error) {
	settled, err := r.settles.do(s, len(s.Output)+len(s.ToolCalls)+len(s.RawUsage))
	if DataError(err) {
		settled, err = r.settles.do(s.bare(), len(s.Output)+len(s.ToolCalls))
	}
	if DataError(err) {
		r.forget([]Settlement{s}) // it would be refused again
	}
	switch {
	case err != nil:
		return Settled{}, err
	case settled == nil:
		return Settled{}, ErrSettledBefore
	}
	return *settled, nil
}

// bare is a settlement without what may not fit a column of what a provider wrote: its words are worth less than its bill.
func (s Settlement) bare() Settlement {
	s.RawUsage, s.ModelAnswered, s.RequestID, s.ServiceTier, s.Speed, s.Geo = nil, "", "", "", "", ""
	s.Next.Hint = ""
	return s
}

func (r *Recorder) commitIntents(ctx context.Context, items []Intent, again bool) ([]bool, error) {
	inserted, err := InsertIntents(ctx, r.pool, items) // one statement: its own transaction
	if err != nil {
		return nil, err
	}
	if again && len(inserted) < len(items) { // an earlier try may have landed without an answer
		found, err := InsertedIntents(ctx, r.pool, items)
		if err != nil {
			return nil, err
		}
		for id := range found {
			inserted[id] = true
		}
	}
	answers := make([]bool, len(items))
	for i, item := range items {
		answers[i] = inserted[item.AttemptID]
	}
	return answers, nil
}

func (r *Recorder) commitSettlements(ctx context.Context, items []Settlement, _ bool) ([]*Settled, error) {
	settled, err := settleTxWith(ctx, r.pool, items, r.Chaos)
	if err != nil {
		if ctx.Err() == nil && !Retryable(err) && !DataError(err) { // it will not heal alone
			r.logger.ErrorContext(ctx, "settlements wait for postgres to be repaired", slog.Any("err", err))
		}
		return nil, err
	}
	r.forget(items)
	answers := make([]*Settled, len(items))
	for i := range items {
		if s, ok := settled[items[i].AttemptID]; ok {
			answers[i] = &s
		}
	}
	return answers, nil
}

func (r *Recorder) forget(items []Settlement) {
	if r.spool == nil {
		return
	}
	if err := r.spool.Forget(items); err != nil {
		r.logger.Warn("spool was not cleared", slog.Any("err", err))
	}
}

func settleTx(ctx context.Context, pool *pgxpool.Pool, items []Settlement) (map[uuid.UUID]Settled, error) {
	return settleTxWith(ctx, pool, items, nil)
}

// settleTxWith is settleTx with a crash point before the commit.
func settleTxWith(
	ctx context.Context, pool *pgxpool.Pool, items []Settlement, chaos func(point string),
) (settled map[uuid.UUID]Settled, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		settled, err = Settle(ctx, tx, items)
		if err == nil && chaos != nil {
			chaos("settle_in_tx")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("commit settlements: %w", err)
	}
	return settled, nil
}
