package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/jobs"
)

// discarded is what the running jobs of dead processes were about.
type discarded struct {
	bundles []uuid.UUID
	batches []uuid.UUID
}

// discardRunning ends the running rows of dead clients. The same row is never made available again: River's completion is
// not fenced by attempt, so a late return of the old run would end the new one. New rows are inserted instead.
func discardRunning(ctx context.Context, tx pgx.Tx, dead []uuid.UUID) (discarded, error) {
	owners := make([]string, len(dead))
	for i, id := range dead {
		owners[i] = id.String()
	}
	rows, err := tx.Query(ctx, `
		UPDATE river.river_job
		SET state = 'discarded',
		    finalized_at = now(),
		    errors = array_append(errors, jsonb_build_object('at', now(), 'attempt', attempt,
		                                                     'error', 'the process died', 'trace', ''))
		WHERE state = 'running'
		  AND kind = ANY (@kinds::text[])
		  AND attempted_by[array_upper(attempted_by, 1)] = ANY (@owners::text[])
		RETURNING kind, args`,
		pgx.NamedArgs{"owners": owners, "kinds": []string{jobs.Classify{}.Kind(), jobs.Stage{}.Kind()}})
	if err != nil {
		return discarded{}, fmt.Errorf("discard running jobs: %w", err)
	}
	var found discarded
	var kind string
	var args []byte
	_, err = pgx.ForEachRow(rows, []any{&kind, &args}, func() error {
		var ids struct {
			Batch  uuid.UUID `json:"batch"`
			Bundle uuid.UUID `json:"bundle"`
		}
		if err := json.Unmarshal(args, &ids); err != nil {
			return fmt.Errorf("read job args: %w", err)
		}
		if kind == (jobs.Classify{}).Kind() {
			found.batches = append(found.batches, ids.Batch)
			return nil
		}
		found.bundles = append(found.bundles, ids.Bundle)
		return nil
	})
	if err != nil {
		return discarded{}, fmt.Errorf("discard running jobs: %w", err)
	}
	return found, nil
}

// orphanedBundles finds bundles older than age that hold released tasks and have no live job.
func orphanedBundles(ctx context.Context, tx pgx.Tx, age time.Duration) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `
		SELECT b.id
		FROM (SELECT DISTINCT bundle_id FROM weir.tasks WHERE state = 'released') AS held
		JOIN weir.bundles b ON b.id = held.bundle_id
		WHERE b.created_at < now() - @age * interval '1 ms'
		  AND NOT EXISTS (
		      SELECT FROM river.river_job j
		      WHERE j.kind = @kind
		        AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
		        AND j.args ->> 'bundle' = b.id::text)
		FOR UPDATE OF b SKIP LOCKED`,
		pgx.NamedArgs{"age": age.Milliseconds(), "kind": jobs.Stage{}.Kind()})
	if err != nil {
		return nil, fmt.Errorf("find orphaned bundles: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find orphaned bundles: %w", err)
	}
	return ids, nil
}

// withoutJob returns those of the ingest batches that no live classify job stands for.
func withoutJob(ctx context.Context, tx pgx.Tx, batches []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `
		SELECT b.id
		FROM unnest(@batches::uuid[]) AS b (id)
		WHERE NOT EXISTS (
		    SELECT FROM river.river_job j
		    WHERE j.kind = @kind
		      AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
		      AND j.args ->> 'batch' = b.id::text)`,
		pgx.NamedArgs{"batches": batches, "kind": jobs.Classify{}.Kind()})
	if err != nil {
		return nil, fmt.Errorf("find stranded batches: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find stranded batches: %w", err)
	}
	return ids, nil
}
