package store

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// NewTask is a decoded task on its way in.
type NewTask struct {
	ID        uuid.UUID
	Tenant    string
	Feature   string
	Key       string
	Hash      []byte // of the request; the same key with another hash is a conflict
	CallPath  string
	Batch     string
	Lane      task.Lane
	Priority  int
	Deadline  *time.Time
	MaxCost   *task.Pico
	MaxOutput int
	Body      []byte
	// Classified is the task's class and plan when they are known already; without, the task is queued for its classify
	// job.
	Classified *Classified
}

// Intake says what became of a task that was offered.
type Intake int

// The three ends of an offer.
const (
	Inserted  Intake = iota // a new task
	Duplicate               // accepted before, with the same body
	Conflict                // the key belongs to another body
)

// InsertTasks inserts tasks under an ingest batch, ready where their plan is known and queued otherwise, and says for
// each what became of it. A key that is known already inserts nothing (ON CONFLICT DO NOTHING on task_keys), so a
// redelivery is harmless.
func InsertTasks(ctx context.Context, db DB, batch uuid.UUID, now time.Time, tasks []NewTask) ([]Intake, error) {
	inserted, err := insertKeys(ctx, db, tasks)
	if err != nil {
		return nil, err
	}
	intakes, fresh := make([]Intake, len(tasks)), make([]NewTask, 0, len(inserted))
	for i, t := range tasks {
		if inserted[t.ID] {
			fresh = append(fresh, t)
			continue
		}
		intakes[i] = Duplicate
	}
	if len(fresh) < len(tasks) {
		if err := markConflicts(ctx, db, tasks, intakes); err != nil {
			return nil, err
		}
	}
	if len(fresh) == 0 {
		return intakes, nil
	}
	if err := copyTasks(ctx, db, batch, now, fresh); err != nil {
		return nil, err
	}
	classified := make([]Classified, 0, len(fresh))
	for i := range fresh {
		if c := fresh[i].Classified; c != nil && c.Shadow != nil {
			c.TaskID = fresh[i].ID
			classified = append(classified, *c)
		}
	}
	return intakes, insertShadows(ctx, db, classified)
}

func insertKeys(ctx context.Context, db DB, tasks []NewTask) (map[uuid.UUID]bool, error) {
	tenants, keys := make([]string, len(tasks)), make([]string, len(tasks))
	ids, hashes := make([]uuid.UUID, len(tasks)), make([][]byte, len(tasks))
	for i, t := range tasks {
		tenants[i], keys[i], ids[i], hashes[i] = t.Tenant, t.Key, t.ID, t.Hash
	}
	// sorted, so that two ingesters with the same keys wait for each other instead of deadlocking; of two tasks with one
	// key the first one stands
	rows, err := db.Query(ctx, `
		INSERT INTO weir.task_keys (tenant, key, task_id, request_hash)
		SELECT tenant, key, task_id, request_hash
		FROM unnest(@tenants::text[], @keys::text[], @ids::uuid[], @hashes::bytea[])
		     WITH ORDINALITY AS s (tenant, key, task_id, request_hash, place)
		ORDER BY tenant, key, place
		ON CONFLICT (tenant, key) DO NOTHING
		RETURNING task_id`,
		pgx.NamedArgs{"tenants": tenants, "keys": keys, "ids": idArray(ids), "hashes": hashes})
	if err != nil {
		return nil, fmt.Errorf("insert task keys: %w", err)
	}
	inserted, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("insert task keys: %w", err)
	}
	set := make(map[uuid.UUID]bool, len(inserted))
	for _, id := range inserted {
		set[id] = true
	}
	return set, nil
}

// markConflicts compares the bodies of known keys.
func markConflicts(ctx context.Context, db DB, tasks []NewTask, intakes []Intake) error {
	type name struct{ tenant, key string }
	var tenants, keys []string
	for i, t := range tasks {
		if intakes[i] == Duplicate {
			tenants, keys = append(tenants, t.Tenant), append(keys, t.Key)
		}
	}
	rows, err := db.Query(ctx, `
		SELECT k.tenant, k.key, k.request_hash
		FROM unnest(@tenants::text[], @keys::text[]) AS s (tenant, key)
		JOIN weir.task_keys k ON k.tenant = s.tenant AND k.key = s.key`,
		pgx.NamedArgs{"tenants": tenants, "keys": keys})
	if err != nil {
		return fmt.Errorf("read task keys: %w", err)
	}
	known := map[name][]byte{}
	var tenant, key string
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&tenant, &key, &hash}, func() error {
		known[name{tenant, key}] = bytes.Clone(hash)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read task keys: %w", err)
	}
	for i, t := range tasks {
		if intakes[i] == Duplicate && !bytes.Equal(known[name{t.Tenant, t.Key}], t.Hash) {
			intakes[i] = Conflict
		}
	}
	return nil
}

// copyTasks uses COPY, which is nearly twice as fast as INSERT here; conflicts were ruled out by the keys.
func copyTasks(ctx context.Context, db DB, batch uuid.UUID, now time.Time, tasks []NewTask) error {
	columns := []string{
		"id", "tenant", "feature", "key", "call_path", "batch", "lane", "priority", "deadline", "ingest_batch",
		"max_cost_pusd", "payload_bytes", "accepted_at", "state", "max_output_tokens", "class", "class_source",
		"confidence", "plan_id", "model", "expected_cost_pusd", "prompt_tokens", "prefix_hash", "prefix_tokens",
		"class_probabilities", "class_learned", "class_abstained",
	}
	_, err := db.CopyFrom(ctx, pgx.Identifier{"weir", "tasks"}, columns,
		pgx.CopyFromSlice(len(tasks), func(i int) ([]any, error) {
			t := &tasks[i]
			row := make([]any, 0, len(columns))
			row = append(row, idValue(t.ID), t.Tenant, t.Feature, t.Key, nullText(t.CallPath), nullText(t.Batch),
				string(t.Lane), t.Priority, t.Deadline, idValue(batch), picoArg(t.MaxCost), len(t.Body), now)
			c := t.Classified
			if c == nil {
				return append(row, StateQueued, t.MaxOutput, nil, nil, nil, nil, nil, 0, 0, nil, 0, nil, nil, nil), nil
			}
			row = append(row, StateReady, c.MaxOutput, string(c.Class), c.Source, float32(c.Confidence), idValue(c.PlanID),
				c.Model, int64(c.ExpectedCost), clampInt32(c.PromptTokens), idValue(c.PrefixHash), clampInt32(c.PrefixTokens))
			if c.Learned == nil {
				return append(row, nil, nil, nil), nil
			}
			return append(row, c.Learned.reals(), c.Learned.From, nullText(c.Learned.Abstained)), nil
		}))
	if err != nil {
		return fmt.Errorf("copy tasks: %w", err)
	}
	_, err = db.CopyFrom(ctx, pgx.Identifier{"weir", "payloads"}, []string{"task_id", "body"},
		pgx.CopyFromSlice(len(tasks), func(i int) ([]any, error) { return []any{idValue(tasks[i].ID), tasks[i].Body}, nil }))
	if err != nil {
		return fmt.Errorf("copy payloads: %w", err)
	}
	return nil
}

// IngestBatch is the record of one batch of messages. Together the records of a stream tell that none was skipped.
type IngestBatch struct {
	ID     uuid.UUID
	Stream string
	// Seqs are the messages' places in the stream, ascending; at least one. A message whose tasks need several batches is
	// in all of them.
	Seqs []uint64
	// Messages is how many of them begin in this batch.
	Messages    int
	Tasks       int
	Duplicates  int
	DeadLetters int
}

// InsertIngestBatch records a batch.
func InsertIngestBatch(ctx context.Context, db DB, now time.Time, b IngestBatch) error {
	_, err := db.Exec(ctx, `
		INSERT INTO weir.ingest_batches
		    (id, stream, first_seq, last_seq, seqs, messages, tasks, duplicates, dead_letters, created_at)
		VALUES (@id, @stream, @first_seq, @last_seq, @seqs::text::int8multirange, @messages, @tasks, @duplicates,
		        @dead_letters, @now)`,
		pgx.NamedArgs{
			"id": b.ID, "stream": b.Stream, "first_seq": b.Seqs[0], "last_seq": b.Seqs[len(b.Seqs)-1],
			"seqs": multirange(b.Seqs), "messages": b.Messages, "tasks": b.Tasks, "duplicates": b.Duplicates,
			"dead_letters": b.DeadLetters, "now": now,
		})
	if err != nil {
		return fmt.Errorf("insert ingest batch: %w", err)
	}
	return nil
}

// multirange writes ascending numbers as the ranges that they form.
func multirange(seqs []uint64) string {
	var text strings.Builder
	for start := 0; start < len(seqs); {
		end := start + 1
		for end < len(seqs) && seqs[end] <= seqs[end-1]+1 {
			end++
		}
		fmt.Fprintf(&text, ",[%d,%d]", seqs[start], seqs[end-1])
		start = end
	}
	return "{" + strings.TrimPrefix(text.String(), ",") + "}"
}
