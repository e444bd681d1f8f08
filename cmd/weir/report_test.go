package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// reportLedger is 1,000 finished tasks of today, of which 750 are useful: all were asked of the mini, 250 of the flagship
// too, which lost the call of one.
const reportLedger = `
	INSERT INTO weir.features (name, success, failure_cost_pusd, config_hash, updated_at)
	VALUES ('triage', 'validated', 500000000000, 'hash', now());
	INSERT INTO weir.models (name, provider, model_id, tier, price_provider, config_hash, updated_at)
	VALUES ('mini', 'acme', 'mini-1', 'mini', 'acme', 'hash', now()),
	       ('flagship', 'acme', 'flagship-1', 'flagship', 'acme', 'hash', now());
	INSERT INTO weir.tasks (id, tenant, feature, key, lane, priority, state, class, stage, ingest_batch, attempts,
	                        lost_attempts, cost_pusd, cost_high_pusd, payload_bytes, accepted_at, finished_at)
	SELECT (left(weir.uuid7_at(now())::text, 24) || lpad(n::text, 12, '0'))::uuid, 'acme', 'triage', n, 'now', 2,
	       CASE WHEN n <= 750 THEN 'succeeded' ELSE 'failed' END, 'L1', CASE WHEN n <= 750 THEN 0 ELSE 1 END,
	       gen_random_uuid(), 1 + (n > 750)::int, (n = 1000)::int, 2000000000, 2000000000 + (n = 1000)::int * 30000000000, 1,
	       now(), now()
	FROM generate_series(1, 1000) n;
	INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state, verdict,
	                           validator, reason, input_tokens, output_tokens, cost_pusd, bound_pusd, config_hash,
	                           latency_ms, started_at, finished_at)
	SELECT id, id, id, 1, id, 0, 'acme', 'mini', 'mini-1', 'sync', 'closed',
	       CASE WHEN state = 'succeeded' THEN 'accepted' ELSE 'rejected' END,
	       CASE WHEN state = 'failed' THEN 'enum@1' END,
	       CASE WHEN state = 'failed' THEN 'the answer is "maybe", not one of the 5 values' END,
	       1000, 10, 2000000000, 4000000000, 'hash', 1500, now(), now()
	FROM weir.tasks;
	INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state, verdict,
	                           validator, reason, input_tokens, output_tokens, cost_pusd, bound_pusd, config_hash,
	                           latency_ms, started_at, finished_at)
	SELECT id, ingest_batch, ingest_batch, 2, id, 1, 'acme', 'flagship', 'flagship-1', 'sync',
	       CASE WHEN key = '1000' THEN 'lost' ELSE 'closed' END,
	       CASE WHEN key = '1000' THEN NULL ELSE 'rejected' END,
	       CASE WHEN key = '1000' THEN NULL ELSE 'length@1' END,
	       CASE WHEN key = '1000' THEN NULL ELSE 'the answer has 3 words, fewer than 5' END,
	       CASE WHEN key = '1000' THEN NULL ELSE 1000 END, CASE WHEN key = '1000' THEN NULL ELSE 10 END,
	       CASE WHEN key = '1000' THEN NULL ELSE 0 END, 30000000000, 'hash', 2500, now(), now()
	FROM weir.tasks
	WHERE state = 'failed';
	INSERT INTO weir.shadow_calls (id, task_id, attempt_id, accepted_model, accepted_vote, model, state, verdict, agrees, created_at,
	                               finished_at, cost_pusd, bound_pusd)
	SELECT id, id, id, 'mini', id, 'flagship', CASE WHEN key = '41' THEN 'lost' ELSE 'closed' END,
	       CASE WHEN key = '41' THEN NULL ELSE 'accepted' END, CASE WHEN key = '41' THEN NULL ELSE key::int > 4 END, now(), now(),
	       CASE WHEN key = '41' THEN NULL ELSE 1000000000 END, 5000000000
	FROM weir.tasks
	WHERE state = 'succeeded' AND key::int <= 41;`

func mustFillReports(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	_, err := pool.Exec(tb.Context(), reportLedger)
	require.NoError(tb, err)
}

func TestReport(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	mustFillReports(t, b.pool)
	tests := []struct {
		name string
		text string
		json string // a part of the first row
	}{
		{
			name: "cpuo",
			text: `Cost per useful output, tasks of all days

feature  tasks  finished  useful  success  no outcome  cost USD  at most USD  lost  unpriced  CPUO USD  fully loaded USD
triage   1,000     1,000     750   75.0 %     100.0 %    2.0000       2.0300     1         0  0.002667            0.1693

lost: calls whose bill nobody knows; the true cost is between cost and at most
`,
			json: `{"feature": "triage", "tasks": 1000, "finished": 1000, "useful": 750, "failed": 250, "success_rate": 0.75,
				"cost_usd": "2", "cost_high_usd": "2.03", "lost_attempts": 1, "unpriced_attempts": 0,
				"cpuo_usd": "0.002666666667", "cpuo_high_usd": "0.002706666667", "fully_loaded_cpuo_usd": "0.169333333333",
				"failure_cost_usd": "125", "without_outcome": 1000}`,
		},
		{
			name: "features",
			text: `Cost by feature, tasks of all days

feature  tasks  finished  attempts  cost USD  at most USD  lost  unpriced  per task USD  on last model* USD  saved*
triage   1,000     1,000     1,250    2.0000       2.0300     1         0      0.002000                   -       -

lost: calls whose bill nobody knows; the true cost is between cost and at most
* an estimate: one call of the last model of each task's cascade with the same tokens, at its list price
`,
			json: `{"feature": "triage", "tasks": 1000, "finished": 1000, "attempts": 1250, "cost_usd": "2",
				"cost_high_usd": "2.03", "lost_attempts": 1, "unpriced_attempts": 0, "cost_per_task_usd": "0.002",
				"priced_tasks": 0, "flagship_cost_usd_estimate": "0", "saved_usd_estimate": "0", "saved_share": null}`,
		},
		{
			name: "models",
			text: `Use of models, tasks of all days

model     provider  tier      attempts   share  accepted  rejected  errored     prompt  cached  output  cost USD  at most USD  lost  unpriced       p50       p95
mini      acme      mini         1,000  80.0 %       750       250        0  1,000,000       0  10,000    2.0000       2.0000     0         0  1,500 ms  1,500 ms
flagship  acme      flagship       250  20.0 %         0       249        1    249,000       0   2,490  0.000000       0.0300     1         0  2,500 ms  2,500 ms

lost: calls whose bill nobody knows; the true cost is between cost and at most
prompt, cached and output are tokens; p50 and p95 are the latency of answers
`,
			json: `{"provider": "acme", "model": "mini", "tier": "mini", "attempts": 1000, "share": 0.8, "accepted": 750,
				"rejected": 250, "errored": 0, "given_up": 0, "in_flight": 0, "prompt_tokens": 1000000, "cached_tokens": 0,
				"output_tokens": 10000, "characters": 0, "cost_usd": "2", "cost_high_usd": "2", "lost_attempts": 0, "unpriced_attempts": 0,
				"latency_p50_ms": 1500, "latency_p95_ms": 1500}`,
		},
		{
			name: "cascade",
			text: `Ways through the cascade, tasks of all days

feature  class  stage  model     entered  accepted  rejected  errored  escalated  cost USD  at most USD  lost  unpriced  rejected most
triage   L1         0  mini        1,000    75.0 %    25.0 %    0.0 %     25.0 %    2.0000       2.0000     0         0  enum@1 (250): the answer is "…", not one of the # values
triage   L1         1  flagship      250     0.0 %    99.6 %    0.4 %      0.0 %  0.000000       0.0300     1         0  length@1 (249): the answer has # words, fewer than #

lost: calls whose bill nobody knows; the true cost is between cost and at most
shares are of the tasks that entered; a task may be both rejected and errored
`,
			json: `{"feature": "triage", "class": "L1", "stage": 0, "model": "mini", "tier": "mini", "entered": 1000,
				"accepted": 750, "rejected": 250, "errored": 0, "escalated": 250, "attempts": 1000, "cost_usd": "2",
				"cost_high_usd": "2", "lost_attempts": 0, "unpriced_attempts": 0, "top_validator": "enum@1",
				"top_reason": "the answer is \"…\", not one of the # values", "top_rejected": 250}`,
		},
		{
			name: "shadows",
			text: `Accepted answers and the next model's, tasks of all days

feature  call path  class  accepted  compared with  compared  differ  95 % interval  rejected  errored  dropped  waiting  cost USD  at most USD
triage              L1     mini      flagship             40  10.0 %     4.0-23.1 %         0        1        0        0    0.0400       0.0450

differ: the share of accepted answers that the next model's valid answer differs from; where that one is right, these were accepted wrongly
the cost is of the calls in shadow, which is in no task's cost
`,
			json: `{"feature": "triage", "call_path": "", "class": "L1", "accepted_model": "mini", "model": "flagship", "compared": 40,
				"disagreed": 4, "rejected": 0, "errored": 1, "dropped": 0, "waiting": 0, "cost_usd": "0.04",
				"cost_high_usd": "0.045", "unknown_bills": 1}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.text, b.mustRun("report", test.name, "--since", "all").stdout)

			var got struct {
				Report  string            `json:"report"`
				Since   *string           `json:"since"`
				Feature *string           `json:"feature"`
				Rows    []json.RawMessage `json:"rows"`
			}
			out := b.mustRun("report", test.name, "--since", "2020-02-29", "--feature", "triage", "--json")
			require.NoError(t, json.Unmarshal([]byte(out.stdout), &got))
			require.Equal(t, test.name, got.Report)
			require.Equal(t, "2020-02-29", *got.Since)
			require.Equal(t, "triage", *got.Feature)
			require.NotEmpty(t, got.Rows)
			require.JSONEq(t, test.json, string(got.Rows[0]))
		})
	}

	t.Run("NoTasks", func(t *testing.T) {
		t.Parallel()
		out := b.mustRun("report", "cpuo", "--since", "2020-01-01", "--feature", "other")
		require.Equal(t, "no tasks accepted since 2020-01-01 (UTC) of feature other\n", out.stdout)
		out = b.mustRun("report", "models", "--since", "all", "--feature", "other", "--json")
		require.JSONEq(t, `{"report": "models", "since": null, "feature": "other", "rows": []}`, out.stdout)
	})

	t.Run("WrongSince", func(t *testing.T) {
		t.Parallel()
		_, err := b.run(nil, "report", "cpuo", "--since", "yesterday")
		require.ErrorIs(t, err, errUsage)
	})
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 11, 1, 30, 0, 0, time.FixedZone("JST", 9*60*60)) // still the 10th in UTC
	tests := []struct {
		name string
		text string
		want string // empty is a mistake
	}{
		{name: "Days", text: "7d", want: "2026-03-03"},
		{name: "Today", text: "0d", want: "2026-03-10"},
		{name: "ADay", text: "2026-02-28", want: "2026-02-28"},
		{name: "All", text: "all", want: "0001-01-01"},
		{name: "NegativeDays", text: "-7d"},
		{name: "TooManyDays", text: "99999999d"},
		{name: "NoSuchDay", text: "2026-02-29"},
		{name: "Empty", text: ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			since, err := parseSince(test.text, now)
			if test.want == "" {
				require.ErrorIs(t, err, errUsage)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, since.Format(time.DateOnly))
		})
	}
}

// What SQL finds in the stored book is what the book itself says, on both sides of every edge.
func TestPriceRows_AgreeWithTheBook(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	book, err := pricing.Embedded()
	require.NoError(t, err)
	at := time.Date(2026, 10, 25, 12, 0, 0, 0, time.UTC) // no window of any price
	require.NoError(t, store.SaveCatalog(t.Context(), b.pool, at, &catalog.Catalog{}, priceRows(book)))
	prompts := []int64{0, 1}
	for _, row := range book.Rows() {
		if row.MaxPrompt > 0 {
			prompts = append(prompts, row.MaxPrompt-1, row.MaxPrompt, row.MaxPrompt+1)
		}
	}
	priced := 0
	for _, model := range book.Models() {
		price, err := book.Price(pricing.Query{Provider: model.Provider, Model: model.ID, At: at})
		for _, prompt := range prompts {
			var found []task.Pico
			queryErr := b.pool.QueryRow(t.Context(), `
				SELECT array_agg(coalesce($4 * characters_pusd, $4 * input_pusd + 7 * output_pusd))
				FROM weir.prices
				WHERE provider = $1 AND model = $2 AND status = 'in_force' AND variant = ''
				  AND valid_from <= $3 AND $3 < valid_until
				  AND $4::bigint BETWEEN prompt_from AND coalesce(prompt_to, 9223372036854775807)`,
				model.Provider, model.ID, at, prompt).Scan(&found)
			require.NoError(t, queryErr)
			if err != nil {
				require.Empty(t, found, "%s has no price in force", model.ID)
				continue
			}
			usage := task.Usage{Input: prompt, Output: 7}
			if price.ByCharacter() {
				usage = task.Usage{Characters: prompt}
			}
			cost, err := price.Cost(usage)
			require.NoError(t, err)
			require.Equal(t, []task.Pico{cost.Total}, found, "%s at %d units", model.ID, prompt)
			priced++
		}
	}
	require.Greater(t, priced, 100)
}
