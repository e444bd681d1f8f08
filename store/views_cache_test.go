package store_test

import (
	"maps"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// cachedCall is an attempt by what it read and wrote.
type cachedCall struct {
	task    uuid.UUID
	model   string
	mode    string
	row     string
	input   int64
	read    int64
	written map[string]int64 // by lifetime
}

func (l *ledger) cachedCall(c cachedCall) uuid.UUID {
	l.tb.Helper()
	id := uuid.New()
	l.exec(`
		INSERT INTO weir.attempts (task_id, bundle_id, id, n, owner, stage, provider, model, model_asked, mode, state, verdict,
		                           input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_30m_tokens,
		                           cache_write_1h_tokens, cache_write_12h_tokens, output_tokens, price_row, config_hash,
		                           started_at, finished_at)
		VALUES (@task, @id, @id, 1, @id, 0, 'acme', @model, @model, @mode, 'closed', 'accepted', @input, @read, @w5m, @w30m,
		        @w1h, @w12h, 10, @row, 'hash', @at, @at)`,
		pgx.NamedArgs{
			"task": c.task, "id": id, "model": or(c.model, "mini"), "mode": or(c.mode, "sync"), "input": c.input, "read": c.read,
			"w5m": c.written["5m"], "w30m": c.written["30m"], "w1h": c.written["1h"], "w12h": c.written["12h"],
			"row": nullable(or(c.row, "m1")), "at": firstDay,
		})
	return id
}

// saveCachePrices are two rows of a model with rates for every write, and one of a model that knows none.
func saveCachePrices(l *ledger) {
	l.tb.Helper()
	row := func(key, model string, rates map[string]task.Pico) store.Price {
		return store.Price{
			Key: key, Provider: "acme", Model: model, Status: "in_force", Band: 1, Rates: rates, Source: "test",
			Checked: firstDay, Modes: map[string]string{"flex": "1/2"},
		}
	}
	prices := []store.Price{
		row("m1", "mini-1", map[string]task.Pico{
			"input": 2_000_001, "cache_read": 100_000, "cache_write_5m": 2_500_000, "cache_write_30m": 2_600_000,
			"cache_write_1h": 4_000_000, "cache_write_12h": 5_000_000, "output": 10_000_000,
		}),
		row("m2", "mini-1", map[string]task.Pico{
			"input": 1_000_000, "cache_read": 50_000, "cache_write_5m": 1_250_000, "output": 5_000_000,
		}),
		row("plain", "other-1", map[string]task.Pico{"input": 1_000_000, "output": 5_000_000}),
	}
	require.NoError(l.tb, store.SaveCatalog(l.tb.Context(), l.pool, firstDay, &catalog.Catalog{}, prices))
}

func TestViews_CacheUsage(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	saveCachePrices(l)
	task := func(feature string) uuid.UUID { return l.task(taskRow{feature: feature}) }

	// a write that three reads earn back
	l.cachedCall(cachedCall{task: task("earns"), input: 10, written: map[string]int64{"5m": 1_000}})
	for range 2 {
		l.cachedCall(cachedCall{task: task("earns"), input: 10, read: 1_000})
	}
	l.cachedCall(cachedCall{task: task("earns"), mode: "flex", input: 10, read: 1_001}) // half of an odd amount
	l.cachedCall(cachedCall{task: task("earns"), input: 500})                           // nothing to do with the cache

	// writes of all lifetimes, read once
	l.cachedCall(cachedCall{
		task: task("wastes"), input: 10, written: map[string]int64{"5m": 100, "30m": 200, "1h": 300, "12h": 400},
	})
	l.cachedCall(cachedCall{task: task("wastes"), input: 10, read: 100})

	// no rate, no row, and a row that was corrected
	l.cachedCall(cachedCall{task: task("unknown"), model: "other", row: "plain", input: 10, read: 100})
	l.cachedCall(cachedCall{task: task("unknown"), model: "other", row: "gone", input: 10, written: map[string]int64{"1h": 5}})
	l.cachedCall(cachedCall{task: task("unknown"), model: "other", row: "plain", input: 10})
	corrected := l.cachedCall(cachedCall{task: task("corrected"), row: "plain", input: 10, read: 100})
	for i, row := range []string{"m1", "m2"} {
		l.exec(`
			INSERT INTO weir.cost_corrections (id, task_id, attempt_id, cost_pusd, price_book, price_row, reason, at)
			VALUES (@id, @attempt, @attempt, 1, 'book', @row, 'test', @at)`,
			pgx.NamedArgs{"id": uuid.UUID{6: 0x70, 15: byte(i)}, "attempt": corrected, "row": row, "at": firstDay})
	}
	l.attempt(attemptRow{task: task("lost"), state: "lost"}) // nobody knows what it read

	usage := func(feature, model string, rest map[string]string) map[string]string {
		row := map[string]string{"feature": feature, "day": "2026-03-10", "provider": "acme", "model": model}
		for _, name := range []string{
			"reads", "writes_5m", "writes_30m", "writes_1h", "writes_12h", "read_tokens", "write_5m_tokens",
			"write_30m_tokens", "write_1h_tokens", "write_12h_tokens", "unpriced_calls",
		} {
			row[name] = "0"
		}
		for _, name := range []string{"saved_usd", "premium_usd", "wasted_usd"} {
			row[name] = "0.000000000000"
		}
		maps.Copy(row, rest)
		return row
	}
	want := []map[string]string{
		usage("corrected", "mini", map[string]string{
			"calls": "1", "reads": "1", "prompt_tokens": "110", "read_tokens": "100", "hit_rate": "1.000000",
			"saved_usd": "0.000095000000", // 100 * (1,000,000 - 50,000)
		}),
		usage("earns", "mini", map[string]string{
			"calls": "5", "reads": "3", "writes_5m": "1", "prompt_tokens": "4541", "read_tokens": "3001",
			"write_5m_tokens": "1000", "hit_rate": "0.600000",
			// 2 * 1,000 * 1,900,001, and half of 1,001 * 1,900,001 = 950,950,500.5, which is even there
			"saved_usd":   "0.004750952500",
			"premium_usd": "0.000499999000", // 1,000 * 499,999
		}),
		usage("unknown", "other", map[string]string{
			"calls": "3", "reads": "1", "writes_1h": "1", "prompt_tokens": "135", "read_tokens": "100",
			"write_1h_tokens": "5", "hit_rate": "0.333333", "unpriced_calls": "2",
		}),
		usage("wastes", "mini", map[string]string{
			"calls": "2", "reads": "1", "writes_5m": "1", "writes_30m": "1", "writes_1h": "1", "writes_12h": "1",
			"prompt_tokens": "1120", "read_tokens": "100", "write_5m_tokens": "100", "write_30m_tokens": "200",
			"write_1h_tokens": "300", "write_12h_tokens": "400", "hit_rate": "0.500000",
			"saved_usd":   "0.000190000100", // 100 * 1,900,001
			"premium_usd": "0.001969999000", // 100 * 499,999 + 200 * 599,999 + 300 * 1,999,999 + 400 * 2,999,999
			"wasted_usd":  "0.001779998900",
		}),
	}
	require.Equal(t, want, l.rows(`SELECT * FROM weir.cache_usage ORDER BY feature`))
	require.NoError(t, l.asReader(`SELECT * FROM weir.cache_usage`))
}

func TestViews_Prefixes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.accept(3)
	require.Zero(t, b.count(`weir.tasks WHERE prefix_hash IS NOT NULL OR prefix_tokens <> 0`), "nothing is planned yet")
	shared, own := uuid.UUID{0xab, 15: 1}, uuid.UUID{0xcd, 15: 2}
	classified := make([]store.Classified, len(ids))
	for i, taskID := range ids {
		classified[i] = store.Classified{
			TaskID: taskID, Class: task.L1, Source: "test", PlanID: b.plan, Model: miniModel, PromptTokens: 100,
			PrefixHash: shared, PrefixTokens: 60,
		}
	}
	classified[2].PrefixHash, classified[2].PrefixTokens = own, 75
	require.NoError(t, store.MarkReady(t.Context(), b.pool, classified))
	// planned on its way in
	b.accept(1, func(n *store.NewTask) { n.Classified = &classified[0] })

	require.Equal(t, 3, scalar[int](b, `SELECT tasks FROM weir.prefixes
		WHERE feature = 'triage' AND prefix_hash = 'ab000000000000000000000000000001' AND prefix_tokens = 60 AND prompt_tokens = 300`))
	require.Equal(t, 1, scalar[int](b, `SELECT tasks FROM weir.prefixes
		WHERE prefix_hash = 'cd000000000000000000000000000002' AND prefix_tokens = 75`))
	require.Equal(t, 2, b.count(`weir.prefixes`))
}
