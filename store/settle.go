package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// Settlement closes one attempt and says what follows for its task.
type Settlement struct {
	TaskID    uuid.UUID
	BundleID  uuid.UUID
	AttemptID uuid.UUID
	// State is closed, not_sent, or lost when the attempt is given up.
	State     string
	Counted   bool
	Verdict   string
	Validator string // with its version: enum@1
	Reason    string
	Failure   task.FailureClass
	// Vote is the canonical form of a valid answer that was put to the vote, as a hash; nil where there was none.
	Vote          *uuid.UUID `json:"vote,omitempty"`
	HTTPStatus    int
	StopReason    string
	ModelAnswered string
	Usage         *task.Usage
	RawUsage      json.RawMessage `json:"raw_usage,omitempty"` // left out of a spool when nil: it would come back as JSON's null
	ServiceTier   string
	Speed         string
	Geo           string
	// Cost is nil when it is unknown: it lies between 0 and the attempt's bound.
	Cost *task.Pico
	// ReportedCost is the provider's own figure, nil when it gave none. Nothing is decided by it.
	ReportedCost *task.Pico
	PriceRow     string
	PriceBook    string
	Latency      time.Duration
	RequestID    string
	FinishedAt   time.Time
	Output       []byte          // nil when there was no answer
	ToolCalls    json.RawMessage `json:"tool_calls,omitempty"`
	// Shadow asks for a shadow call, where the settlement ends its task with success; nil is none.
	Shadow *Shadow `json:"shadow,omitempty"`
	Next   Next
}

// Next is what follows for the task. It applies only while the task is still released in the settlement's bundle; the
// cost applies always.
type Next struct {
	// State is ready, parked or a terminal state.
	State        string
	Stage        int
	Sideways     int
	Model        string
	ExpectedCost task.Pico
	// Wait is the not-before time from now, by the database's clock; it makes a ready task parked.
	Wait   time.Duration
	Reason string
	Hint   string
	// ResultID is the identity of the result that a terminal state writes.
	ResultID uuid.UUID
}

// Settled is what a settlement came to.
type Settled struct {
	// Late says that the attempt had been given up before.
	Late bool
	// Fenced says that the task had moved on: only the cost was applied.
	Fenced bool
	// Finished says that this settlement ended the task and wrote its result.
	Finished bool
	// The task's totals after it.
	Attempts int
	Cost     task.Pico
	CostHigh task.Pico
}

func terminal(state string) bool {
	switch task.Status(state) {
	case task.Succeeded, task.Failed, task.Expired, task.Cancelled, task.Refused:
		return true
	}
	return false
}

// Settle closes attempts and moves their tasks, in one transaction of the caller's. Tasks are locked in id order, then
// attempts, then results. A settlement whose attempt is closed already (a repeated one) changes nothing and is absent
// from the answer. Costs are applied as deltas by attempt; only the state is fenced.
func Settle(ctx context.Context, tx DB, settlements []Settlement) (map[uuid.UUID]Settled, error) {
	settled := make(map[uuid.UUID]Settled, len(settlements))
	for len(settlements) > 0 {
		var wave, rest []Settlement
		wave, rest = onePerTask(settlements)
		if err := settleWave(ctx, tx, wave, settled); err != nil {
			return nil, err
		}
		settlements = rest
	}
	return settled, nil
}

// onePerTask keeps a statement from seeing a task twice (a late answer beside a new one): UPDATE ... FROM would apply only
// one of the two.
func onePerTask(settlements []Settlement) (wave, rest []Settlement) {
	seen := make(map[uuid.UUID]bool, len(settlements))
	for i := range settlements {
		if seen[settlements[i].TaskID] {
			rest = append(rest, settlements[i])
			continue
		}
		seen[settlements[i].TaskID] = true
		wave = append(wave, settlements[i])
	}
	return wave, rest
}

func settleWave(ctx context.Context, tx DB, settlements []Settlement, settled map[uuid.UUID]Settled) error {
	fences, err := lockTasks(ctx, tx, settlements)
	if err != nil {
		return err
	}
	closed, err := closeAttempts(ctx, tx, settlements)
	if err != nil {
		return err
	}
	var moves []move
	for i := range settlements {
		s := &settlements[i]
		bound, ok := closed[s.AttemptID]
		if !ok {
			continue
		}
		holds := fences[s.TaskID] == s.BundleID && !bound.late
		moves = append(moves, newMove(s, bound, holds))
	}
	if len(moves) == 0 {
		return nil
	}
	return moveTasks(ctx, tx, moves, settled)
}

// lockTasks returns the bundle of each task that is released.
func lockTasks(ctx context.Context, tx DB, settlements []Settlement) (map[uuid.UUID]uuid.UUID, error) {
	ids := make([]uuid.UUID, len(settlements))
	for i := range settlements {
		ids[i] = settlements[i].TaskID
	}
	rows, err := tx.Query(ctx, `
		SELECT id, bundle_id
		FROM weir.tasks
		WHERE id = ANY (@ids::uuid[])
		ORDER BY id
		FOR NO KEY UPDATE`, pgx.NamedArgs{"ids": idArray(ids)})
	if err != nil {
		return nil, fmt.Errorf("lock tasks: %w", err)
	}
	fences := make(map[uuid.UUID]uuid.UUID, len(ids))
	var id uuid.UUID
	var bundle *uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &bundle}, func() error {
		if bundle != nil {
			fences[id] = *bundle
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lock tasks: %w", err)
	}
	return fences, nil
}

// closing is what the attempt's row says of a settlement.
type closing struct {
	late  bool
	bound *int64
}

func closeAttempts(ctx context.Context, tx DB, settlements []Settlement) (map[uuid.UUID]closing, error) {
	c := attemptColumns(settlements)
	// "late" is decided by the row itself: the answer of an attempt that was given up still brings its cost. Whether it
	// counts was decided then, and the task's totals have it.
	rows, err := tx.Query(ctx, `
		UPDATE weir.attempts a
		SET late = a.state = 'lost',
		    counted = CASE WHEN a.state = 'lost' THEN a.counted ELSE s.counted END,
		    vote = s.vote,
		    `+endColumns+`
		WHERE a.task_id = s.task_id AND a.bundle_id = s.bundle_id AND a.id = s.id
		  AND (a.state = 'in_flight' OR (a.state = 'lost' AND s.state <> 'lost'))
		RETURNING a.id, a.late, a.bound_pusd`, c)
	if err != nil {
		return nil, fmt.Errorf("close attempts: %w", err)
	}
	closed := make(map[uuid.UUID]closing, len(settlements))
	var id uuid.UUID
	var got closing
	_, err = pgx.ForEachRow(rows, []any{&id, &got.late, &got.bound}, func() error {
		closed[id] = got
		got.bound = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("close attempts: %w", err)
	}
	return closed, nil
}

// endColumns are the columns in which a call's end is written, with the rows of attemptColumns.
const endColumns = `state = s.state,
		    verdict = s.verdict,
		    validator = s.validator,
		    reason = s.reason,
		    failure = s.failure,
		    http_status = s.http_status,
		    stop_reason = s.stop_reason,
		    model_answered = s.model_answered,
		    input_tokens = s.input,
		    cache_read_tokens = s.cache_read,
		    cache_write_5m_tokens = s.write_5m,
		    cache_write_30m_tokens = s.write_30m,
		    cache_write_1h_tokens = s.write_1h,
		    cache_write_12h_tokens = s.write_12h,
		    input_audio_tokens = s.input_audio,
		    input_image_tokens = s.input_image,
		    output_tokens = s.output,
		    reasoning_tokens = s.reasoning,
		    output_audio_tokens = s.output_audio,
		    web_searches = s.searches,
		    characters = s.characters,
		    raw_usage = s.raw_usage,
		    service_tier = s.service_tier,
		    speed = s.speed,
		    geo = s.geo,
		    cost_pusd = s.cost,
		    reported_cost_pusd = s.reported_cost,
		    price_row = s.price_row,
		    price_book = s.price_book,
		    latency_ms = s.latency_ms,
		    request_id = s.request_id,
		    finished_at = s.finished_at
		FROM unnest(@tasks::uuid[], @bundles::uuid[], @ids::uuid[], @states::text[], @counted::boolean[],
		            @verdicts::text[], @validators::text[], @reasons::text[], @failures::text[], @statuses::smallint[],
		            @stops::text[], @answered::text[], @input::bigint[], @cache_read::bigint[], @write_5m::bigint[],
		            @write_30m::bigint[], @write_1h::bigint[], @write_12h::bigint[], @input_audio::bigint[],
		            @input_image::bigint[], @output::bigint[], @reasoning::bigint[], @output_audio::bigint[],
		            @searches::bigint[], @characters::bigint[], @raw_usage::json[], @service_tiers::text[],
		            @speeds::text[], @geos::text[], @costs::bigint[], @reported_costs::bigint[], @price_rows::text[], @price_books::text[],
		            @latencies::integer[], @request_ids::text[], @finished::timestamptz[], @votes::uuid[])
		     AS s (task_id, bundle_id, id, state, counted, verdict, validator, reason, failure, http_status, stop_reason,
		           model_answered, input, cache_read, write_5m, write_30m, write_1h, write_12h, input_audio, input_image,
		           output, reasoning, output_audio, searches, characters, raw_usage, service_tier, speed, geo, cost,
		           reported_cost, price_row, price_book, latency_ms, request_id, finished_at, vote)`

// move is a task's change by one closed attempt.
type move struct {
	s        *Settlement
	late     bool
	holds    bool
	calls    int
	attempts int
	lost     int
	unpriced int
	cost     task.Pico
	costHigh task.Pico
}

func newMove(s *Settlement, c closing, holds bool) move {
	m := move{s: s, late: c.late, holds: holds, calls: 1}
	var bound task.Pico
	if c.bound != nil {
		bound = task.Pico(*c.bound)
	}
	switch {
	case s.Cost != nil:
		m.cost, m.costHigh = *s.Cost, *s.Cost
	case s.Usage != nil: // metered, but no price is known for it
		m.unpriced, m.costHigh = 1, bound
	default: // nobody knows what was billed
		m.lost, m.costHigh = 1, bound
	}
	if s.Counted {
		m.attempts = 1
	}
	if c.late { // the loss was booked when the attempt was given up
		m.calls, m.attempts = 0, 0
		m.lost--
		m.costHigh -= bound
	}
	return m
}

// moveTasks applies the moves and writes results and outputs.
func moveTasks(ctx context.Context, tx DB, moves []move, settled map[uuid.UUID]Settled) error {
	batch := &pgx.Batch{}
	byTask := make(map[uuid.UUID]*move, len(moves))
	for i := range moves {
		byTask[moves[i].s.TaskID] = &moves[i]
	}
	batch.Queue(moveSQL, moveArgs(moves)).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		var got Settled
		_, err := pgx.ForEachRow(rows, []any{&id, &got.Attempts, &got.Cost, &got.CostHigh}, func() error {
			m := byTask[id]
			got.Late, got.Fenced = m.late, !m.holds
			got.Finished = m.holds && terminal(m.s.Next.State)
			settled[m.s.AttemptID] = got
			return nil
		})
		return err
	})
	queueResults(batch, moves)
	queueOutputs(batch, moves)
	queueShadows(batch, moves)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("settle tasks: %w", err)
	}
	return nil
}

const moveSQL = `
	UPDATE weir.tasks t
	SET calls = t.calls + s.calls,
	    attempts = t.attempts + s.attempts,
	    lost_attempts = t.lost_attempts + s.lost,
	    unpriced_attempts = t.unpriced_attempts + s.unpriced,
	    cost_pusd = t.cost_pusd + s.cost,
	    cost_high_pusd = t.cost_high_pusd + s.cost_high,
	    state = CASE WHEN s.holds THEN s.state ELSE t.state END,
	    bundle_id = CASE WHEN s.holds THEN NULL ELSE t.bundle_id END,
	    model_attempts = CASE WHEN NOT s.holds THEN t.model_attempts
	                          WHEN s.stage <> t.stage OR s.sideways <> t.sideways THEN 0
	                          ELSE t.model_attempts + s.attempts END,
	    stage = CASE WHEN s.holds THEN s.stage ELSE t.stage END,
	    sideways = CASE WHEN s.holds THEN s.sideways ELSE t.sideways END,
	    model = CASE WHEN s.holds THEN s.model ELSE t.model END,
	    expected_cost_pusd = CASE WHEN s.holds THEN s.expected ELSE t.expected_cost_pusd END,
	    not_before = CASE WHEN NOT s.holds THEN t.not_before
	                      WHEN s.state = 'parked' THEN now() + s.wait_ms * interval '1 ms' END,
	    reason = CASE WHEN s.holds THEN s.reason ELSE t.reason END,
	    hint = CASE WHEN s.holds THEN s.hint ELSE t.hint END,
	    finished_at = CASE WHEN s.holds AND s.finished THEN s.at ELSE t.finished_at END
	FROM unnest(@ids::uuid[], @calls::smallint[], @attempts::smallint[], @lost::smallint[], @unpriced::smallint[],
	            @costs::bigint[], @highs::bigint[], @holds::boolean[], @states::text[], @stages::smallint[],
	            @sideways::smallint[], @models::text[], @expected::bigint[], @waits::bigint[], @reasons::text[],
	            @hints::text[], @finished::boolean[], @ats::timestamptz[])
	     AS s (id, calls, attempts, lost, unpriced, cost, cost_high, holds, state, stage, sideways, model, expected,
	           wait_ms, reason, hint, finished, at)
	WHERE t.id = s.id
	RETURNING t.id, t.attempts, t.cost_pusd, t.cost_high_pusd`

func moveArgs(moves []move) pgx.NamedArgs {
	n := len(moves)
	ids, states, models := make([]uuid.UUID, n), make([]string, n), make([]string, n)
	calls, attempts, lost, unpriced := make([]int16, n), make([]int16, n), make([]int16, n), make([]int16, n)
	costs, highs, expected, waits := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	holds, finished := make([]bool, n), make([]bool, n)
	stages, sideways := make([]int16, n), make([]int16, n)
	reasons, hints, ats := make([]*string, n), make([]*string, n), make([]time.Time, n)
	for i, m := range moves {
		next := m.s.Next
		ids[i], states[i], models[i] = m.s.TaskID, nextState(next), next.Model
		calls[i], attempts[i], lost[i], unpriced[i] = int16(m.calls), int16(m.attempts), int16(m.lost), int16(m.unpriced) //nolint:gosec // -1, 0 or 1
		costs[i], highs[i], expected[i] = int64(m.cost), int64(m.costHigh), int64(next.ExpectedCost)
		waits[i], holds[i], finished[i] = millis(next.Wait), m.holds, terminal(next.State)
		stages[i], sideways[i] = int16(next.Stage), int16(next.Sideways) //nolint:gosec // a handful of stages
		reasons[i], hints[i], ats[i] = nullText(clean(next.Reason)), nullText(clean(next.Hint)), m.s.FinishedAt
	}
	return pgx.NamedArgs{
		"ids": idArray(ids), "calls": calls, "attempts": attempts, "lost": lost, "unpriced": unpriced, "costs": costs,
		"highs": highs, "holds": holds, "states": states, "stages": stages, "sideways": sideways, "models": models,
		"expected": expected, "waits": waits, "reasons": reasons, "hints": hints, "finished": finished, "ats": ats,
	}
}

func nextState(next Next) string {
	if next.State == StateReady && next.Wait > 0 {
		return StateParked
	}
	return next.State
}

func queueResults(batch *pgx.Batch, moves []move) {
	var tasks, ids []uuid.UUID
	var statuses []string
	var reasons []*string
	var attempts []*uuid.UUID
	var ats []time.Time
	for _, m := range moves {
		if !m.holds || !terminal(m.s.Next.State) {
			continue
		}
		tasks, ids = append(tasks, m.s.TaskID), append(ids, m.s.Next.ResultID)
		statuses, reasons = append(statuses, m.s.Next.State), append(reasons, nullText(clean(m.s.Next.Reason)))
		ats = append(ats, m.s.FinishedAt)
		var accepted *uuid.UUID
		if m.s.Next.State == string(task.Succeeded) {
			accepted = &m.s.AttemptID
		}
		attempts = append(attempts, accepted)
	}
	if len(tasks) == 0 {
		return
	}
	batch.Queue(`
		INSERT INTO weir.results (task_id, id, status, reason, attempt_id, created_at)
		SELECT task_id, id, status, reason, attempt_id, at
		FROM unnest(@tasks::uuid[], @ids::uuid[], @statuses::text[], @reasons::text[], @attempts::uuid[],
		            @ats::timestamptz[]) AS s (task_id, id, status, reason, attempt_id, at)
		ORDER BY task_id
		ON CONFLICT (task_id) DO NOTHING`,
		pgx.NamedArgs{
			"tasks": idArray(tasks), "ids": idArray(ids), "statuses": statuses, "reasons": reasons,
			"attempts": nullIDArray(attempts), "ats": ats,
		})
}

func queueOutputs(batch *pgx.Batch, moves []move) {
	var tasks, attempts []uuid.UUID
	var outputs, toolCalls [][]byte
	var holds []bool
	for _, m := range moves {
		if m.s.Output == nil {
			continue
		}
		tasks, attempts, holds = append(tasks, m.s.TaskID), append(attempts, m.s.AttemptID), append(holds, m.holds)
		outputs, toolCalls = append(outputs, m.s.Output), append(toolCalls, m.s.ToolCalls)
	}
	if len(tasks) == 0 {
		return
	}
	// an answer that comes after the task's text was deleted is not kept either: its partition may be gone too
	batch.Queue(`
		INSERT INTO weir.outputs (task_id, attempt_id, output, tool_calls)
		SELECT s.task_id, s.attempt_id, s.output, s.tool_calls
		FROM unnest(@tasks::uuid[], @attempts::uuid[], @outputs::bytea[], @tool_calls::bytea[], @holds::boolean[])
		     AS s (task_id, attempt_id, output, tool_calls, holds)
		WHERE s.holds OR EXISTS (SELECT FROM weir.payloads p WHERE p.task_id = s.task_id)
		ON CONFLICT (task_id, attempt_id) DO NOTHING`,
		pgx.NamedArgs{
			"tasks": idArray(tasks), "attempts": idArray(attempts), "outputs": outputs, "tool_calls": toolCalls,
			"holds": holds,
		})
}
