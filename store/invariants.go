package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Invariant is a query that must find nothing in any database at any time, whatever crashed in between.
type Invariant struct {
	Name string
	// Rule is what holds, in a sentence.
	Rule string
	// sql has one column, which names a row that breaks the rule.
	sql string
}

// Invariants are the rules of the ledger.
func Invariants() []Invariant { return append(stateInvariants(), moneyInvariants()...) }

// BookInvariants are the rules of a ledger that holds its price book, as one does that a weir process has started on.
func BookInvariants() []Invariant {
	return []Invariant{
		{"PriceRow", "the row of the price book that priced an attempt is in the book", `
		SELECT c.attempt_id::text FROM weir.attempt_costs c
		WHERE c.cost_pusd IS NOT NULL AND c.price_row IS NOT NULL
		  AND NOT EXISTS (SELECT FROM weir.prices p WHERE p.key = c.price_row)`},
		{"EmbeddingCost", "a metered call for embeddings costs its tokens at the input rate of its row", `
		SELECT c.id::text FROM weir.embedding_calls c JOIN weir.prices p ON p.key = c.price_row
		WHERE c.cost_pusd IS DISTINCT FROM c.tokens * p.input_pusd`},
		{"ShadowCost", "a shadow call costs what its row of the price book makes of its tokens", `
		SELECT c.id::text
		FROM weir.shadow_calls c
		JOIN weir.prices p ON p.key = c.price_row
		CROSS JOIN LATERAL jsonb_populate_record(NULL::weir.attempts, to_jsonb(c)) a
		CROSS JOIN LATERAL weir.price_factor(a, p) f
		CROSS JOIN LATERAL (
		    SELECT CASE WHEN bool_and(l.rate_pusd IS NOT NULL)
		                THEN weir.half_even(coalesce(sum(l.count::numeric * l.rate_pusd) FILTER (WHERE l.kind <> 'web_search'), 0) * f.num, f.den)
		                     + coalesce(sum(l.count::numeric * l.rate_pusd) FILTER (WHERE l.kind = 'web_search'), 0) END AS cost
		    FROM weir.usage_lines(a, p) l) w
		WHERE c.cost_pusd IS DISTINCT FROM w.cost`},
	}
}

// CountRecomputed is how many costs the rules work out again from the price book, and by how many of its rows.
func CountRecomputed(ctx context.Context, db DB) (costs, rows int64, err error) {
	const sql = `
		SELECT count(*), count(DISTINCT c.price_row)
		FROM weir.attempt_costs c
		JOIN weir.prices p ON p.key = c.price_row
		WHERE c.cost_pusd IS NOT NULL`
	if err := db.QueryRow(ctx, sql).Scan(&costs, &rows); err != nil {
		return 0, 0, fmt.Errorf("count recomputed costs: %w", err)
	}
	return costs, rows, nil
}

// Violation is a broken rule.
type Violation struct {
	Invariant string `json:"invariant"`
	Rule      string `json:"rule"`
	// Count is the number of rows that break it, Rows names the first of them.
	Count int64    `json:"count"`
	Rows  []string `json:"rows"`
}

// shownRows is how many rows of a violation are named.
const shownRows = 5

// Check looks for rows that break the rule; nil when there is none. It keeps no more than a few of them in memory.
func (i Invariant) Check(ctx context.Context, db DB) (*Violation, error) {
	rows, err := db.Query(ctx, i.sql)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", i.Name, err)
	}
	found := Violation{Invariant: i.Name, Rule: i.Rule, Rows: []string{}}
	var row string
	_, err = pgx.ForEachRow(rows, []any{&row}, func() error {
		if found.Count++; len(found.Rows) < shownRows {
			found.Rows = append(found.Rows, row)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", i.Name, err)
	}
	if found.Count == 0 {
		return nil, nil //nolint:nilnil // nothing is violated, and nothing went wrong
	}
	return &found, nil
}

// endStates are the states of a task that has ended.
const endStates = `('succeeded', 'failed', 'expired', 'cancelled', 'refused')`

// stateInvariants are about where tasks, attempts and results stand.
func stateInvariants() []Invariant {
	return []Invariant{
		{"TaskState", "a task has ended exactly when it has an end's time", `
			SELECT id::text FROM weir.tasks
			WHERE (state IN ` + endStates + `) <> (finished_at IS NOT NULL)`},
		{"TaskFence", "a task is in a bundle exactly while it is released, and the bundle is there", `
			SELECT t.id::text FROM weir.tasks t
			WHERE (t.state = 'released') <> (t.bundle_id IS NOT NULL)
			   OR (t.bundle_id IS NOT NULL AND NOT EXISTS (SELECT FROM weir.bundles b WHERE b.id = t.bundle_id))`},
		{"TaskWait", "a task waits for a time exactly while it is parked", `
			SELECT id::text FROM weir.tasks WHERE (state = 'parked') <> (not_before IS NOT NULL)`},
		{"TaskPlan", "a task that was classified has a plan and a model", `
			SELECT t.id::text FROM weir.tasks t LEFT JOIN weir.plans p ON p.id = t.plan_id
			WHERE t.state IN ('ready', 'parked', 'released', 'submitted', 'succeeded')
			  AND (p.id IS NULL OR t.model IS NULL OR t.class IS NULL)`},
		{"TaskText", "a task that has not ended has its text", `
			SELECT t.id::text FROM weir.tasks t
			WHERE t.finished_at IS NULL AND NOT EXISTS (SELECT FROM weir.payloads p WHERE p.task_id = t.id)`},
		{"TaskKey", "a key belongs to the latest run of its task", `
			SELECT k.tenant || '/' || k.key FROM weir.task_keys k LEFT JOIN weir.tasks t ON t.id = k.task_id
			WHERE t.id IS NULL OR t.tenant <> k.tenant OR t.key <> k.key OR t.run <> k.run
			UNION ALL
			SELECT tenant || '/' || key FROM weir.tasks WHERE state <> 'refused'
			GROUP BY tenant, key, run HAVING count(*) > 1`},
		{"AttemptNumbers", "a task's attempts are numbered 1 to n, and the task counts them", `
			SELECT t.id::text FROM weir.tasks t LEFT JOIN weir.attempts a ON a.task_id = t.id
			GROUP BY t.id, t.calls, t.attempts
			HAVING coalesce(max(a.n), 0) <> count(a.id) OR count(DISTINCT a.n) <> count(a.id)
			    OR t.calls <> count(a.id) FILTER (WHERE a.state <> 'in_flight')
			    OR t.attempts <> count(a.id) FILTER (WHERE a.state <> 'in_flight' AND a.counted)`},
		{"AttemptAlive", "a task has at most one attempt in flight, and none of a dead process once it has ended", `
			SELECT a.task_id::text FROM weir.attempts a WHERE a.state = 'in_flight'
			GROUP BY a.task_id HAVING count(*) > 1
			UNION ALL
			SELECT t.id::text FROM weir.tasks t JOIN weir.attempts a ON a.task_id = t.id
			WHERE t.finished_at IS NOT NULL AND a.state = 'in_flight'
			  AND NOT EXISTS (SELECT FROM weir.processes p WHERE p.id = a.owner)`},
		{"AttemptTask", "an attempt belongs to a task", `
			SELECT a.id::text FROM weir.attempts a LEFT JOIN weir.tasks t ON t.id = a.task_id WHERE t.id IS NULL`},
		{"ResultOfTask", "a task has ended exactly when it has a result, with the same status", `
			SELECT coalesce(t.id, r.task_id)::text
			FROM weir.tasks t FULL JOIN weir.results r ON r.task_id = t.id
			WHERE t.id IS NULL
			   OR (t.state IN ` + endStates + `) <> (r.task_id IS NOT NULL)
			   OR r.status <> t.state`},
		{"ShadowTask", "a shadow call is of a task that has succeeded, by the attempt whose answer was accepted", `
			SELECT c.id::text
			FROM weir.shadow_calls c LEFT JOIN weir.results r ON r.task_id = c.task_id
			WHERE r.status IS DISTINCT FROM 'succeeded' OR r.attempt_id IS DISTINCT FROM c.attempt_id`},
		{"ResultIdentity", "a result's identity is its own", `
			SELECT id::text FROM weir.results GROUP BY id HAVING count(*) > 1`},
		{"ResultAnswer", "a success has one accepted attempt and its output behind it; no other end has", `
			SELECT r.task_id::text
			FROM weir.results r
			LEFT JOIN weir.attempts a ON a.task_id = r.task_id AND a.id = r.attempt_id
			WHERE (r.status = 'succeeded') <> (a.id IS NOT NULL)
			   OR a.verdict <> 'accepted' OR a.state <> 'closed' OR a.late
			   OR (a.id IS NOT NULL
			       AND EXISTS (SELECT FROM weir.payloads p WHERE p.task_id = r.task_id)
			       AND NOT EXISTS (SELECT FROM weir.outputs o WHERE o.task_id = r.task_id AND o.attempt_id = a.id))`},
		{"TimeOrder", "a task is accepted before its attempts start, they start before they end, its result is not older", `
			SELECT a.id::text FROM weir.attempts a JOIN weir.tasks t ON t.id = a.task_id
			LEFT JOIN weir.results r ON r.task_id = t.id AND r.attempt_id = a.id
			WHERE a.started_at < t.accepted_at OR a.finished_at < a.started_at OR t.finished_at < t.accepted_at
			   OR (r.task_id IS NOT NULL AND t.finished_at < a.finished_at)`},
		{"Tenant", "what hangs on a task is of the task's tenant", `
			SELECT o.id::text FROM weir.outcomes o JOIN weir.tasks t ON t.id = o.task_id WHERE o.tenant <> t.tenant
			UNION ALL
			SELECT k.key FROM weir.task_keys k JOIN weir.tasks t ON t.id = k.task_id WHERE k.tenant <> t.tenant`},
	}
}

// moneyInvariants are about what calls cost.
func moneyInvariants() []Invariant {
	return []Invariant{
		{"CostSum", "a task costs what its attempts cost, at least and at most", `
			SELECT t.id::text FROM weir.tasks t
			LEFT JOIN weir.attempts a ON a.task_id = t.id AND a.state <> 'in_flight'
			GROUP BY t.id, t.cost_pusd, t.cost_high_pusd
			HAVING t.cost_pusd <> coalesce(sum(a.cost_pusd), 0)
			    OR t.cost_high_pusd <> coalesce(sum(coalesce(a.cost_pusd, a.bound_pusd, 0)), 0)`},
		{"CostKnown", "an attempt without a known cost is counted by its task as lost or as unpriced", `
			SELECT t.id::text FROM weir.tasks t
			LEFT JOIN weir.attempts a ON a.task_id = t.id AND a.state <> 'in_flight' AND a.cost_pusd IS NULL
			GROUP BY t.id, t.lost_attempts, t.unpriced_attempts
			HAVING t.lost_attempts <> count(a.id) FILTER (WHERE a.input_tokens IS NULL)
			    OR t.unpriced_attempts <> count(a.id) FILTER (WHERE a.input_tokens IS NOT NULL)`},
		{"CostNotSent", "what never left costs nothing", `
			SELECT id::text FROM weir.attempts
			WHERE state = 'not_sent' AND (cost_pusd IS DISTINCT FROM 0 OR input_tokens IS NOT NULL)`},
		{"CostBound", "a cost is within the bound that was known before the call", `
			SELECT id::text FROM weir.attempts WHERE cost_pusd > bound_pusd
			UNION ALL
			SELECT id::text FROM weir.shadow_calls WHERE cost_pusd > bound_pusd`},
		{"MoneyType", "money is whole pico-USD, never a fraction", `
			SELECT c.table_name || '.' || c.column_name
			FROM information_schema.columns c
			JOIN information_schema.tables t USING (table_schema, table_name)
			WHERE c.table_schema = 'weir' AND t.table_type = 'BASE TABLE'
			  AND c.column_name ~ '(cost|pico|pusd|budget|amount)' AND c.data_type <> 'bigint'`},
		{"Tokens", "tokens and characters are never negative", `
			SELECT id::text FROM weir.attempts
			WHERE least(input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_30m_tokens,
			            cache_write_1h_tokens, cache_write_12h_tokens, input_audio_tokens, input_image_tokens,
			            output_tokens, reasoning_tokens, output_audio_tokens, web_searches, characters) < 0`},
		{"CostRecomputed", "a cost is what its row of the price book makes of the tokens", `
			SELECT c.attempt_id::text FROM weir.attempt_costs c
			JOIN weir.prices p ON p.key = c.price_row
			WHERE c.cost_pusd IS NOT NULL AND (c.cost_pusd IS DISTINCT FROM c.recomputed_pusd OR NOT c.row_applies)`},
	}
}
