package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// WaitingTask is a ready task whose model is left alone.
type WaitingTask struct {
	ID           uuid.UUID
	Stage        int
	Sideways     int
	Stages       json.RawMessage // of the plan
	PromptTokens int64
	MaxOutput    int
}

// Waiting reads the first ready tasks of a line with their plans (index tasks_ready).
func Waiting(ctx context.Context, db DB, line Line, limit int) ([]WaitingTask, error) {
	rows, err := db.Query(ctx, `
		SELECT t.id, t.stage, t.sideways, p.stages, t.prompt_tokens, t.max_output_tokens
		FROM (SELECT id, stage, sideways, plan_id, prompt_tokens, max_output_tokens
		      FROM weir.tasks
		      WHERE state = 'ready' AND model = @model AND feature = @feature
		      ORDER BY priority, deadline, id
		      LIMIT @limit) AS t
		JOIN weir.plans p ON p.id = t.plan_id`,
		pgx.NamedArgs{"model": line.Model, "feature": line.Feature, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("read waiting tasks: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WaitingTask])
	if err != nil {
		return nil, fmt.Errorf("read waiting tasks: %w", err)
	}
	return tasks, nil
}

// CountReady counts the ready tasks of a model, up to most.
func CountReady(ctx context.Context, db DB, model string, most int) (int, error) {
	var n int
	err := db.QueryRow(ctx, `
		SELECT count(*) FROM (SELECT FROM weir.tasks WHERE state = 'ready' AND model = @model LIMIT @most) AS ready`,
		pgx.NamedArgs{"model": model, "most": most}).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count ready tasks: %w", err)
	}
	return n, nil
}

// Move sends a ready task to another model of its plan.
type Move struct {
	TaskID       uuid.UUID
	Model        string
	Stage        int
	Sideways     int
	ExpectedCost task.Pico
	Reason       string
}

// MoveReady moves those of the tasks that are still ready, and returns how many they were.
func MoveReady(ctx context.Context, tx DB, moves []Move) (int64, error) {
	ids, models, reasons := make([]uuid.UUID, len(moves)), make([]string, len(moves)), make([]string, len(moves))
	stages, sideways, costs := make([]int32, len(moves)), make([]int32, len(moves)), make([]int64, len(moves))
	for i, m := range moves {
		ids[i], models[i], reasons[i] = m.TaskID, m.Model, m.Reason
		stages[i], sideways[i], costs[i] = int32(m.Stage), int32(m.Sideways), int64(m.ExpectedCost) //nolint:gosec // a cascade has few models
	}
	tag, err := tx.Exec(ctx, `
		WITH chosen AS (
		    SELECT t.id, t.state, s.model, s.stage, s.sideways, s.cost, s.reason
		    FROM unnest(@ids::uuid[], @models::text[], @stages::integer[], @sideways::integer[], @costs::bigint[],
		                @reasons::text[]) AS s (id, model, stage, sideways, cost, reason)
		    JOIN weir.tasks t ON t.id = s.id
		    ORDER BY t.id
		    FOR NO KEY UPDATE OF t SKIP LOCKED)
		UPDATE weir.tasks t
		SET model = c.model, stage = c.stage, sideways = c.sideways, expected_cost_pusd = c.cost, reason = c.reason,
		    model_attempts = 0
		FROM chosen c
		WHERE t.id = c.id AND c.state = 'ready'`,
		pgx.NamedArgs{
			"ids": idArray(ids), "models": models, "stages": stages, "sideways": sideways, "costs": costs, "reasons": reasons,
		})
	if err != nil {
		return 0, fmt.Errorf("move tasks: %w", err)
	}
	return tag.RowsAffected(), nil
}
