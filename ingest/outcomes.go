package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// outcomes takes outcome messages in.
type outcomes struct {
	pool   *pgxpool.Pool
	limits task.Limits
	now    func() time.Time
	logger *slog.Logger
}

// reported is a message as an outcome or a dead letter.
type reported struct {
	msg     jetstream.Msg
	meta    *jetstream.MsgMetadata
	outcome store.NewOutcome
	dead    *store.DeadLetter
}

func (h *outcomes) handle(ctx context.Context, batch []jetstream.Msg) error {
	reports := make([]reported, len(batch))
	for i, msg := range batch {
		var err error
		if reports[i], err = h.read(msg); err != nil {
			return err
		}
	}
	if err := h.insert(ctx, reports); err != nil {
		return err
	}
	for _, r := range reports {
		if err := r.answer(); err != nil { // comes back as a duplicate
			h.logger.DebugContext(ctx, "ack was lost", slog.Any("err", err))
		}
	}
	return nil
}

func (r reported) answer() error {
	if r.dead != nil {
		return r.msg.TermWithReason("stored as a dead letter")
	}
	return r.msg.Ack()
}

func (h *outcomes) read(msg jetstream.Msg) (reported, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return reported{}, fmt.Errorf("read message metadata: %w", err)
	}
	_, tenant, feature, err := task.ParseSubject(msg.Subject())
	var outcome *task.Outcome
	if err == nil {
		outcome, err = task.DecodeOutcome(msg.Data(), h.limits)
	}
	if err != nil {
		return reported{msg: msg, meta: meta, dead: deadOutcome(msg, meta, err)}, nil
	}
	at := meta.Timestamp
	if outcome.At != nil {
		at = *outcome.At
	}
	return reported{msg: msg, meta: meta, outcome: store.NewOutcome{
		ID: newID(), Tenant: tenant, Feature: feature, Outcome: *outcome, At: at,
		StreamSeq: meta.Sequence.Stream, StoredAt: meta.Timestamp,
	}}, nil
}

func deadOutcome(msg jetstream.Msg, meta *jetstream.MsgMetadata, err error) *store.DeadLetter {
	code := task.CodeInvalidJSON
	if refused, ok := task.IsRefused(err); ok {
		code = refused.Code
	}
	return &store.DeadLetter{
		ID: newID(), Stream: meta.Stream, Seq: meta.Sequence.Stream, StoredAt: meta.Timestamp, Subject: msg.Subject(),
		Code: string(code), Reason: err.Error(), Body: msg.Data(),
	}
}

// insert halves a batch that Postgres refuses for its data until the poisoned report is alone and drops out as a dead
// letter.
func (h *outcomes) insert(ctx context.Context, reports []reported) error {
	var good []store.NewOutcome
	var dead []store.DeadLetter
	for _, r := range reports {
		if r.dead != nil {
			dead = append(dead, *r.dead)
			continue
		}
		good = append(good, r.outcome)
	}
	err := pgx.BeginFunc(ctx, h.pool, func(tx pgx.Tx) error {
		if err := store.InsertDeadLetters(ctx, tx, newID(), h.now(), dead); err != nil {
			return err
		}
		if len(good) == 0 {
			return nil
		}
		return store.InsertOutcomes(ctx, tx, h.now(), good)
	})
	if err == nil || !store.DataError(err) {
		return err
	}
	if len(reports) == 1 {
		if r := &reports[0]; r.dead == nil {
			h.logger.WarnContext(ctx, "poisoned outcome refused", slog.Any("err", err))
			r.dead = deadOutcome(r.msg, r.meta, task.Refuse(task.CodeInvalidValue, "Postgres refuses the outcome's data"))
			return h.insert(ctx, reports)
		}
		h.logger.ErrorContext(ctx, "dead letter cannot be stored", slog.Any("err", err))
		return nil
	}
	half := len(reports) / 2
	if err := h.insert(ctx, reports[:half]); err != nil {
		return err
	}
	return h.insert(ctx, reports[half:])
}
