package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/weirhq/weir/task"
)

const (
	// naiveInputPusd and naiveOutputPusd are a price of one token, for a multiplication in place of weir's price book.
	naiveInputPusd  = 100_000
	naiveOutputPusd = 500_000
)

// take stores a task with its job in one transaction and acknowledges the message.
func (n *naive) take(ctx context.Context, m jetstream.Msg) error {
	var t task.Task
	if err := json.Unmarshal(m.Data(), &t); err != nil {
		return fmt.Errorf("read task: %w", err)
	}
	id := uuid.Must(uuid.NewV7())
	err := pgx.BeginFunc(ctx, n.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO naive.tasks (id, key, feature, payload, state, created_at)
			VALUES ($1, $2, $3, $4, 'queued', $5)
			ON CONFLICT (key) DO NOTHING`, id, t.ID, t.Feature, m.Data(), time.Now())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		_, err = n.client.InsertTx(ctx, tx, naiveJob{TaskID: id.String()}, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("store task: %w", err)
	}
	return m.Ack()
}

// answer is what the naive pipeline reads of a model's answer.
type answer struct {
	Choices []struct {
		Message struct {
			Content string `json:"content"`
		} `json:"message"`
	} `json:"choices"`
	Usage struct {
		Input  int64 `json:"prompt_tokens"`
		Output int64 `json:"completion_tokens"`
	} `json:"usage"`
}

// Work is the way of one task.
func (n *naive) Work(ctx context.Context, job *river.Job[naiveJob]) error {
	var key, input string
	err := n.pool.QueryRow(ctx, `SELECT key, payload ->> 'input' FROM naive.tasks WHERE id = $1`, job.Args.TaskID).
		Scan(&key, &input)
	if err != nil {
		return fmt.Errorf("read task: %w", err)
	}
	started := time.Now()
	a, err := n.call(ctx, input)
	if err != nil {
		return err
	}
	output := a.Choices[0].Message.Content
	if err := n.record(ctx, job, a, started); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"id": key, "status": string(task.Succeeded), "output": output})
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	message := nats.NewMsg(task.ResultSubject(tenant, feature))
	message.Header.Set(jetstream.MsgIDHeader, job.Args.TaskID)
	message.Data = body
	if _, err := n.js.PublishMsg(ctx, message); err != nil {
		return fmt.Errorf("publish result: %w", err)
	}
	return nil
}

func (n *naive) call(ctx context.Context, input string) (*answer, error) {
	body, err := json.Marshal(map[string]any{
		"model":                 miniModel,
		"max_completion_tokens": 20,
		"messages": []map[string]string{
			{"role": "system", "content": system}, {"role": "user", "content": input},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode call: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make call: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := n.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call model: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK || len(a.Choices) == 0 {
		return nil, fmt.Errorf("the model answered with status %d", resp.StatusCode)
	}
	return &a, nil
}

// record writes the attempt, ends the task and completes the job in one transaction.
func (n *naive) record(ctx context.Context, job *river.Job[naiveJob], a *answer, started time.Time) error {
	verdict := "rejected"
	if isLabel(a.Choices[0].Message.Content) {
		verdict = "accepted"
	}
	now := time.Now()
	err := pgx.BeginFunc(ctx, n.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO naive.attempts
			    (id, task_id, model, input_tokens, output_tokens, cost_pusd, verdict, output, started_at, finished_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			uuid.Must(uuid.NewV7()), job.Args.TaskID, miniModel, a.Usage.Input, a.Usage.Output,
			a.Usage.Input*naiveInputPusd+a.Usage.Output*naiveOutputPusd, verdict, a.Choices[0].Message.Content, started, now)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE naive.tasks SET state = 'succeeded', finished_at = $2 WHERE id = $1`, job.Args.TaskID, now)
		if err != nil {
			return err
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err != nil {
		return fmt.Errorf("record attempt: %w", err)
	}
	return nil
}
