package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/task"
)

// ledger is a database that tests of the views fill by plain SQL.
type ledger struct {
	tb   testing.TB
	pool *pgxpool.Pool
	seq  int
}

// Two days of the tests, of which firstDay ends with its last millisecond.
var (
	firstDay  = time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	secondDay = time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)
)

func newLedger(tb testing.TB) *ledger {
	tb.Helper()
	l := &ledger{tb: tb, pool: pgtest.NewPool(tb)}
	l.exec(`SELECT weir.ensure_partitions(@at)`, pgx.NamedArgs{"at": firstDay})
	return l
}

func (l *ledger) exec(sql string, args pgx.NamedArgs) {
	l.tb.Helper()
	_, err := l.pool.Exec(l.tb.Context(), sql, args)
	require.NoError(l.tb, err)
}

// feature stores a feature's settings.
func (l *ledger) feature(name, success, failureCost string) {
	l.tb.Helper()
	l.exec(`
		INSERT INTO weir.features (name, success, failure_cost_pusd, config_hash, updated_at)
		VALUES (@name, @success, @cost, 'hash', @at)`,
		pgx.NamedArgs{"name": name, "success": success, "cost": l.money(failureCost), "at": firstDay})
}

// model stores a model whose name in the price book is its id there.
func (l *ledger) model(name, tier, id string) {
	l.tb.Helper()
	l.exec(`
		INSERT INTO weir.models (name, provider, model_id, tier, price_provider, price_model, config_hash, updated_at)
		VALUES (@name, 'acme', @id, @tier, 'acme', @id, 'hash', @at)`,
		pgx.NamedArgs{"name": name, "tier": tier, "id": id, "at": firstDay})
}

func (l *ledger) plan(stages string) uuid.UUID {
	l.tb.Helper()
	id := uuid.New()
	l.exec(`
		INSERT INTO weir.plans (id, class, stages, excluded, config_hash, created_at)
		VALUES (@id, 'L1', @stages, '[]', 'hash', @at)`, pgx.NamedArgs{"id": id, "stages": stages, "at": firstDay})
	return id
}

func (l *ledger) money(usd string) int64 {
	l.tb.Helper()
	if usd == "" {
		return 0
	}
	pico, err := task.ParseUSD(usd)
	require.NoError(l.tb, err)
	return int64(pico)
}

// taskRow is a row of weir.tasks; what is empty has a default.
type taskRow struct {
	tenant, feature, key string // default acme, triage, a key of its own
	callPath             string
	class                string // default L1
	state                string // default succeeded
	at                   time.Time
	run                  int // default 1
	plan                 uuid.UUID
	stage                int
	attempts             int
	lost, unpriced       int
	cost, high           string // USD; high is cost by default
}

// id7 is a UUIDv7 of an instant.
func id7(at time.Time) uuid.UUID {
	id := uuid.New()
	millis := at.UnixMilli()
	for i := range 6 {
		id[5-i] = byte(millis >> (8 * i))
	}
	id[6] = id[6]&0x0f | 0x70
	return id
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (l *ledger) task(r taskRow) uuid.UUID {
	l.tb.Helper()
	l.seq++
	r.at = or(r.at, firstDay)
	id, state := id7(r.at), or(r.state, "succeeded")
	var finished *time.Time
	switch state {
	case "succeeded", "failed", "expired", "cancelled", "refused":
		end := r.at.Add(time.Second)
		finished = &end
	}
	l.exec(`
		INSERT INTO weir.tasks (id, tenant, feature, key, run, call_path, lane, priority, state, class, plan_id, stage,
		                        ingest_batch, attempts, lost_attempts, unpriced_attempts, cost_pusd, cost_high_pusd,
		                        payload_bytes, accepted_at, finished_at)
		VALUES (@id, @tenant, @feature, @key, @run, @call_path, 'now', 2, @state, @class, @plan, @stage, @id, @attempts,
		        @lost, @unpriced, @cost, @high, 100, @at, @finished)`,
		pgx.NamedArgs{
			"id": id, "tenant": or(r.tenant, "acme"), "feature": or(r.feature, "triage"), "key": or(r.key, id.String()),
			"run": or(r.run, 1), "call_path": r.callPath, "state": state, "class": or(r.class, "L1"), "plan": r.plan,
			"stage": r.stage, "attempts": r.attempts, "lost": r.lost, "unpriced": r.unpriced, "cost": l.money(r.cost),
			"high": l.money(or(r.high, r.cost)), "at": r.at, "finished": finished,
		})
	return id
}

// attemptRow is a row of weir.attempts; what is empty has a default.
type attemptRow struct {
	task        uuid.UUID
	n           int // default 1
	stage       int
	model       string // default mini
	state       string // default closed
	verdict     string
	validator   string
	reason      string
	failure     string
	late        bool
	input       *int64
	cacheRead   *int64
	output      *int64
	characters  *int64
	cost, bound *string // USD; nil is unknown
	latency     int     // milliseconds
	at          time.Time
}

func (l *ledger) attempt(r attemptRow) {
	l.tb.Helper()
	at := or(r.at, firstDay)
	state := or(r.state, "closed")
	args := pgx.NamedArgs{
		"task": r.task, "id": uuid.New(), "bundle": uuid.New(), "n": or(r.n, 1), "stage": r.stage,
		"model": or(r.model, "mini"), "state": state, "late": r.late, "verdict": nullable(r.verdict),
		"validator": nullable(r.validator), "reason": nullable(r.reason), "failure": nullable(r.failure), "input": r.input,
		"cache_read": r.cacheRead, "output": r.output, "characters": r.characters, "cost": nil, "bound": nil, "latency": nil, "at": at, "finished": nil,
	}
	if r.cost != nil {
		args["cost"] = l.money(*r.cost)
	}
	if r.bound != nil {
		args["bound"] = l.money(*r.bound)
	}
	if state != "in_flight" {
		args["finished"] = at.Add(time.Second)
		args["latency"] = r.latency
	}
	l.exec(`
		INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state, late,
		                           verdict, validator, reason, failure, input_tokens, cache_read_tokens, output_tokens,
		                           characters, cost_pusd, bound_pusd, config_hash, latency_ms, started_at, finished_at)
		VALUES (@task, @bundle, @id, @n, @id, @stage, 'acme', @model, @model, 'sync', @state, @late, @verdict, @validator,
		        @reason, @failure, @input, @cache_read, @output, @characters, @cost, @bound, 'hash', @latency, @at, @finished)`, args)
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// outcome reports an outcome at so many hours after the first day; those of one task with the same hour go by their order.
func (l *ledger) outcome(id uuid.UUID, success bool, hour int) {
	l.tb.Helper()
	l.seq++
	at := firstDay.Add(time.Duration(hour) * time.Hour)
	ordered := uuid.UUID{6: 0x70, 14: byte(l.seq >> 8), 15: byte(l.seq)}
	l.exec(`
		INSERT INTO weir.outcomes (id, tenant, feature, key, reported_id, task_id, success, value_pusd, reason, at,
		                           received_at, stream_seq, stored_at)
		SELECT @id, tenant, feature, key, id, id, @success, 1500000000000, 'checked', @at, @at, @seq, @at
		FROM weir.tasks WHERE id = @task`,
		pgx.NamedArgs{"id": ordered, "task": id, "success": success, "at": at, "seq": l.seq})
}

// rows reads a query with every value as Postgres writes it; NULL is "NULL".
func (l *ledger) rows(sql string) []map[string]string {
	l.tb.Helper()
	rows, err := l.pool.Query(l.tb.Context(), `SELECT to_json(q)::text FROM (`+sql+`) q`)
	require.NoError(l.tb, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(l.tb, err)
	read := make([]map[string]string, len(lines))
	for i, line := range lines {
		var raw map[string]json.RawMessage
		require.NoError(l.tb, json.Unmarshal([]byte(line), &raw))
		read[i] = map[string]string{}
		for name, value := range raw {
			read[i][name] = plain(value)
		}
	}
	return read
}

func plain(value json.RawMessage) string {
	var text string
	if string(value) == "null" {
		return "NULL"
	}
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
