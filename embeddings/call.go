package embeddings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// settleTimeout bounds the record of a call's end.
const settleTimeout = 10 * time.Second

// promptBytes is more than the bytes of what a provider itself puts before a text and bills.
const promptBytes = 64

// call makes one call and books it.
func (r *run) call(ctx context.Context, s span) error {
	if ctx.Err() != nil {
		return fmt.Errorf("nothing more was sent: %w", context.Cause(ctx))
	}
	begun, prepared, err := r.begin(ctx, s)
	if err != nil {
		return err
	}
	// What is sent is paid: an answer on its way must not be lost because somebody stopped waiting.
	reply, err := r.cfg.Client.Do(context.WithoutCancel(ctx), prepared)
	if err == nil {
		r.keep(s, reply.Vectors)
	}
	if settleErr := r.settle(ctx, begun, reply, err); settleErr != nil {
		return errors.Join(settleErr, plain(err))
	}
	return err
}

// plain takes its type from an error that is not to be tried again.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}

// begin prepares a call and records it.
func (r *run) begin(ctx context.Context, s span) (store.EmbeddingCall, embed.Prepared, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return store.EmbeddingCall{}, embed.Prepared{}, fmt.Errorf("make an id: %w", err)
	}
	now := r.cfg.Now()
	e := r.cfg.Embedder
	request := embed.Request{
		CallID: id, Model: e.ID, Texts: r.texts[s.from:s.to], Dimensions: e.Dimensions, InputType: r.options.InputType,
		Feature: r.options.Feature,
	}
	if deadline, ok := ctx.Deadline(); ok {
		request.Timeout = max(1, deadline.Sub(now))
		if own := r.cfg.Provider.Timeout; own > 0 {
			request.Timeout = min(request.Timeout, own)
		}
	}
	prepared, err := r.cfg.Client.Prepare(request)
	if err != nil {
		return store.EmbeddingCall{}, embed.Prepared{}, err
	}
	c := store.EmbeddingCall{
		ID: id, SentAt: now, Embedder: e.Name, Provider: e.Provider, Model: e.ID, Feature: r.options.Feature,
		Inputs: s.size(), PriceBook: r.cfg.Book.Hash(),
	}
	for _, n := range r.counts[s.from:s.to] {
		c.EstimatedTokens += n
	}
	c.EstimatedCost, c.Bound = r.reckon(now, c.EstimatedTokens, int64(len(prepared.Body)+promptBytes*s.size()))
	if r.cfg.DB != nil {
		err = store.BeginEmbedding(ctx, r.cfg.DB, c)
	}
	return c, prepared, err
}

// reckon is what a call should cost, and the most that it can: no token is shorter than a byte. Both are nil without a
// price.
func (r *run) reckon(at time.Time, estimated, most int64) (estimate, bound *task.Pico) {
	price, err := r.price("", at)
	if err != nil {
		return nil, nil
	}
	cost, err := price.Cost(task.Usage{Input: estimated})
	if err != nil {
		return nil, nil
	}
	highest, err := price.Bound(most, 0)
	if err != nil {
		return &cost.Total, nil
	}
	return &cost.Total, &highest
}

// price is the price of an answer by the model that it names: as planner.Models has it for models, one that bears the
// name that was asked for, or none, has the embedder's price.
func (e *Embedder) price(answered string, at time.Time) (pricing.Price, error) {
	if answered == "" || answered == e.cfg.Embedder.ID {
		answered = e.cfg.Embedder.PricedAs()
	}
	return e.cfg.Book.Price(pricing.Query{Provider: e.cfg.Provider.Prices, Model: answered, At: at})
}

func (r *run) keep(s span, vectors [][]float32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	copy(r.vectors[s.from:s.to], vectors)
}

// settle books how a call ended.
func (r *run) settle(ctx context.Context, begun store.EmbeddingCall, reply embed.Reply, err error) error {
	end := store.EmbeddingEnd{
		ID: begun.ID, FinishedAt: r.cfg.Now(), ModelAnswered: reply.Model, ReportedCost: reply.ReportedCost,
		Status: http.StatusOK, RequestID: reply.RequestID,
	}
	var failed *providers.CallError
	if errors.As(err, &failed) {
		end.Fault, end.Message, end.Status, end.RequestID = failed.Class, failed.Message, failed.Status, failed.RequestID
	}
	switch {
	case reply.Usage != nil:
		end.Tokens = &reply.Usage.Input
		end.Cost, end.PriceRow = r.cost(ctx, begun, reply)
	case failed != nil && failed.Class.NeverBilled():
		end.Tokens, end.Cost = new(int64), new(task.Pico)
	}
	r.book(begun, end)
	if r.cfg.DB == nil {
		return nil
	}
	// the end of a call that was paid is recorded whoever has stopped waiting
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return store.EndEmbedding(ctx, r.cfg.DB, end)
}

// cost is nil where the model that answered has no price.
func (r *run) cost(ctx context.Context, begun store.EmbeddingCall, reply embed.Reply) (*task.Pico, string) {
	price, err := r.price(reply.Model, begun.SentAt)
	var cost pricing.Cost
	if err == nil {
		cost, err = price.Cost(*reply.Usage)
	}
	if err != nil {
		r.cfg.Logger.ErrorContext(ctx, "call for embeddings has no price", slog.String("embedder", begun.Embedder),
			slog.String("model_answered", reply.Model), slog.String("call_id", begun.ID.String()), slog.Any("err", err))
		return nil, ""
	}
	return &cost.Total, cost.Row
}

// book adds a call to the bill.
func (r *run) book(begun store.EmbeddingCall, end store.EmbeddingEnd) {
	b := Bill{Calls: 1}
	if end.Tokens != nil {
		b.Tokens = *end.Tokens
	}
	if end.Cost != nil {
		b.Cost, b.EstimatedCost, b.CostHigh = *end.Cost, *end.Cost, *end.Cost
	} else {
		b.Unknown = 1
		b.EstimatedCost, b.CostHigh = orZero(begun.EstimatedCost), orZero(begun.Bound)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bill = r.bill.Plus(b)
}

func orZero(p *task.Pico) task.Pico {
	if p == nil {
		return 0
	}
	return *p
}
