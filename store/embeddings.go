package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// EmbeddingCall is a request for embeddings that is about to be sent.
type EmbeddingCall struct {
	ID       uuid.UUID
	SentAt   time.Time
	Embedder string
	Provider string
	Model    string
	// Feature is a label of the caller's; empty is none.
	Feature string
	Inputs  int
	// EstimatedTokens is weir's own count, EstimatedCost what it would cost, and Bound the most that the call can cost;
	// nil where no price is known.
	EstimatedTokens int64
	EstimatedCost   *task.Pico
	Bound           *task.Pico
	PriceBook       string
}

// EmbeddingEnd is how such a request ended.
type EmbeddingEnd struct {
	ID            uuid.UUID
	FinishedAt    time.Time
	ModelAnswered string
	// Tokens is what the provider metered; nil when it did not say.
	Tokens *int64
	// Cost is nil when it is not known.
	Cost         *task.Pico
	ReportedCost *task.Pico
	PriceRow     string
	Status       int
	RequestID    string
	// Fault is empty for an answer that was used.
	Fault   task.FailureClass
	Message string
}

// BeginEmbedding records a call before it leaves.
func BeginEmbedding(ctx context.Context, db DB, c EmbeddingCall) error {
	_, err := db.Exec(ctx, `
		INSERT INTO weir.embedding_calls (id, sent_at, embedder, provider, model, feature, inputs, estimated_tokens,
		                                  estimated_cost_pusd, bound_pusd, price_book)
		VALUES (@id, @sent_at, @embedder, @provider, @model, @feature, @inputs, @estimated_tokens,
		        @estimated_cost, @bound, @price_book)`,
		pgx.NamedArgs{
			"id": c.ID, "sent_at": c.SentAt, "embedder": c.Embedder, "provider": c.Provider, "model": c.Model,
			"feature": nullText(c.Feature), "inputs": c.Inputs, "estimated_tokens": c.EstimatedTokens,
			"estimated_cost": picoArg(c.EstimatedCost), "bound": picoArg(c.Bound), "price_book": nullText(c.PriceBook),
		})
	if err != nil {
		return fmt.Errorf("record call for embeddings: %w", err)
	}
	return nil
}

var errNoEmbeddingCall = errors.New("there is no such call, or it has ended already")

// EndEmbedding records how a call ended, once.
func EndEmbedding(ctx context.Context, db DB, e EmbeddingEnd) error {
	var status *int
	if e.Status != 0 {
		status = &e.Status
	}
	tag, err := db.Exec(ctx, `
		UPDATE weir.embedding_calls
		SET finished_at = @finished_at,
		    model_answered = @model_answered,
		    tokens = @tokens,
		    cost_pusd = @cost,
		    reported_cost_pusd = @reported_cost,
		    price_row = @price_row,
		    http_status = @status,
		    request_id = @request_id,
		    fault = @fault,
		    message = @message
		WHERE id = @id AND finished_at IS NULL`,
		pgx.NamedArgs{
			"id": e.ID, "finished_at": e.FinishedAt, "model_answered": nullText(e.ModelAnswered), "tokens": e.Tokens,
			"cost": picoArg(e.Cost), "reported_cost": picoArg(e.ReportedCost), "price_row": nullText(e.PriceRow),
			"status": status, "request_id": nullText(e.RequestID), "fault": nullText(e.Fault), "message": nullText(e.Message),
		})
	if err == nil && tag.RowsAffected() != 1 {
		err = errNoEmbeddingCall
	}
	if err != nil {
		return fmt.Errorf("record end of call for embeddings: %w", err)
	}
	return nil
}

// EmbeddingUsage is what an embedder was used for under one label.
type EmbeddingUsage struct {
	Embedder string `json:"embedder"`
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// Feature is the label, empty without one.
	Feature     string `json:"feature"`
	Calls       int64  `json:"calls"`
	FailedCalls int64  `json:"failed_calls"`
	// Inputs are the texts that were embedded.
	Inputs int64 `json:"inputs"`
	Tokens int64 `json:"tokens"`
	// CostUSD is exact as far as the bill is known; EstimatedUSD and CostHighUSD count the rest in by weir's estimate and
	// by the most that it can have cost.
	CostUSD      task.Pico `json:"cost_usd"`
	EstimatedUSD task.Pico `json:"estimated_usd"`
	CostHighUSD  task.Pico `json:"cost_high_usd"`
	// UnmeteredCalls have a bill that nobody told, UnpricedCalls tokens without a price.
	UnmeteredCalls int64 `json:"unmetered_calls"`
	UnpricedCalls  int64 `json:"unpriced_calls"`
}

// ReportEmbeddings reads the view embedding_usage, its days put together, the dearest first.
func ReportEmbeddings(ctx context.Context, db DB, f ReportFilter) ([]EmbeddingUsage, error) {
	return queryReport[EmbeddingUsage](ctx, db, "report embeddings", f, `
		SELECT embedder,
		       provider,
		       model,
		       coalesce(feature, '') AS feature,
		       sum(calls)::bigint AS calls,
		       sum(failed_calls)::bigint AS failed_calls,
		       sum(inputs)::bigint AS inputs,
		       sum(tokens)::bigint AS tokens,
		       (sum(cost_usd) * 1e12)::bigint AS cost_usd,
		       (sum(estimated_usd) * 1e12)::bigint AS estimated_usd,
		       (sum(cost_high_usd) * 1e12)::bigint AS cost_high_usd,
		       sum(unmetered_calls)::bigint AS unmetered_calls,
		       sum(unpriced_calls)::bigint AS unpriced_calls
		FROM weir.embedding_usage
		WHERE `+reported+`
		GROUP BY embedder, provider, model, feature
		ORDER BY sum(estimated_usd) DESC, embedder, model, feature`)
}
