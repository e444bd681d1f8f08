package store_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
)

// fillToday makes rows that every query of the cookbook has something to say about: it looks at the last days.
func fillToday(l *ledger) {
	l.tb.Helper()
	now := time.Now()
	l.feature("triage", "validated", "1")
	l.model("mini", "mini", "mini-1")
	savePrices(l)
	rejected := l.task(taskRow{
		at: now, callPath: "mail", cost: "0.5", high: "0.7", lost: 1, stage: 1, plan: l.plan(`[{"model": "flagship"}]`),
	})
	l.attempt(attemptRow{
		task: rejected, at: now, verdict: "rejected", validator: "enum@1", reason: notAnIntent, input: new(int64(10)),
		output: new(int64(1)), cost: new("0.5"),
	})
	l.exec(`UPDATE weir.attempts SET reported_cost_pusd = cost_pusd`, nil)
	require.NoError(l.tb, store.BeginEmbedding(l.tb.Context(), l.pool, store.EmbeddingCall{
		ID: id(), SentAt: now, Embedder: "faq", Provider: "voyage", Model: "voyage-4", Inputs: 1,
	}))
	old := now.AddDate(0, 0, -5)
	l.task(taskRow{at: old, cost: "0.1"})
	l.task(taskRow{at: now, state: "failed"})
}

func TestDocs_Queries(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	queries := regexp.MustCompile("(?ms)^### ([^\n]+)\n(?:[^#`][^\n]*\n|\n)*```sql\n(.*?)^```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, queries, strings.Count(string(page), "```sql"), "every query has a heading of its own")
	require.GreaterOrEqual(t, len(queries), 10)
	l := newLedger(t)
	fillToday(l)
	for _, query := range queries {
		t.Run(query[1], func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `SET LOCAL ROLE weir_ro`); err != nil {
					return err
				}
				rows, err := tx.Query(ctx, query[2])
				require.NoError(t, err)
				lines, err := pgx.CollectRows(rows, pgx.RowToMap)
				require.NotEmpty(t, lines)
				return err
			})
			require.NoError(t, err)
		})
	}
}

func TestDocs_Columns(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	described := map[string][]string{}
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|")
	for _, section := range strings.Split(string(page), "\n### `")[1:] {
		view, text, _ := strings.Cut(section, "`")
		text, _, _ = strings.Cut(text, "\n## ")
		for _, row := range rows.FindAllStringSubmatch(text, -1) {
			described[view] = append(described[view], row[1])
		}
	}
	l := newLedger(t)
	views := map[string][]string{}
	for _, row := range l.rows(`
		SELECT c.relname AS view, a.attname AS column
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'weir'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
		ORDER BY c.relname, a.attnum`) {
		views[row["view"]] = append(views[row["view"]], row["column"])
	}
	require.Equal(t, views, described)
}

func TestViews_SayWhatTheyAre(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	require.Empty(t, l.rows(`
		SELECT c.relname
		FROM pg_class c
		WHERE c.relnamespace = 'weir'::regnamespace AND c.relkind = 'v' AND obj_description(c.oid) IS NULL`))
}
