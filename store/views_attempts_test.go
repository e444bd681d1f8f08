package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// The reason of a rejected answer as a validator writes it, and as the view shows it.
const (
	notAnIntent      = `the answer is "card \"lost\" 12", not one of the 77 values`
	notAnIntentShown = `the answer is "…", not one of the # values`
)

// fillCascade makes four tasks with every end of an attempt: mini then flagship.
func fillCascade(l *ledger) {
	l.model("mini", "mini", "mini-1")
	l.model("flagship", "flagship", "flagship-1")

	// accepted at once
	first := l.task(taskRow{cost: "0.001", attempts: 1})
	l.attempt(attemptRow{
		task: first, verdict: "accepted", input: new(int64(100)), cacheRead: new(int64(40)), output: new(int64(10)),
		cost: new("0.001"), bound: new("0.01"), latency: 100,
	})

	// rejected, then accepted by the flagship
	second := l.task(taskRow{cost: "0.022", stage: 1, attempts: 2})
	l.attempt(attemptRow{
		task: second, verdict: "rejected", validator: "enum@1", reason: notAnIntent, failure: "invalid",
		input: new(int64(200)), output: new(int64(20)), cost: new("0.002"), bound: new("0.01"), latency: 200,
	})
	l.attempt(attemptRow{
		task: second, n: 2, stage: 1, model: "flagship", verdict: "accepted", input: new(int64(200)),
		output: new(int64(20)), cost: new("0.02"), bound: new("0.1"), latency: 900,
	})

	// a lost call, an answer without a price, a call that never left, one more rejection; then ready at the flagship
	third := l.task(taskRow{state: "ready", stage: 1, cost: "0.003", high: "0.02", lost: 1, unpriced: 1, attempts: 3})
	l.attempt(attemptRow{task: third, state: "lost", bound: new("0.01")})
	l.attempt(attemptRow{
		task: third, n: 2, verdict: "rejected", validator: "enum@1", reason: notAnIntent, input: new(int64(300)),
		output: new(int64(30)), bound: new("0.007"), latency: 300,
	})
	l.attempt(attemptRow{task: third, n: 3, state: "not_sent", verdict: "errored", failure: "not_sent", cost: new("0")})
	l.attempt(attemptRow{
		task: third, n: 4, verdict: "rejected", validator: "length@1", reason: `field "sum" has 12 words, fewer than 20`,
		input: new(int64(400)), output: new(int64(40)), cost: new("0.003"), bound: new("0.01"), latency: 400,
	})

	// an error; an answer that came after it had been given up; and a call in flight
	fourth := l.task(taskRow{state: "queued", cost: "0.004", attempts: 2})
	l.attempt(attemptRow{task: fourth, verdict: "errored", failure: "server", cost: new("0"), latency: 5000})
	l.attempt(attemptRow{
		task: fourth, n: 2, verdict: "accepted", late: true, input: new(int64(500)), output: new(int64(50)),
		cost: new("0.004"), bound: new("0.01"), latency: 500,
	})
	l.attempt(attemptRow{task: fourth, n: 3, state: "in_flight", bound: new("0.01")})
}

func TestViews_ModelUsage(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	fillCascade(l)

	usage := func(model, tier string, rest map[string]string) map[string]string {
		rest["day"], rest["provider"], rest["model"], rest["tier"] = "2026-03-10", "acme", model, tier
		for _, name := range []string{
			"cache_write_5m_tokens", "cache_write_30m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens",
			"input_audio_tokens", "input_image_tokens", "reasoning_tokens", "output_audio_tokens", "web_searches",
			"characters",
		} {
			rest[name] = "NULL"
		}
		return rest
	}
	require.Equal(t, []map[string]string{
		usage("flagship", "flagship", map[string]string{
			"attempts": "1", "accepted": "1", "rejected": "0", "errored": "0", "given_up": "0", "in_flight": "0",
			"input_tokens": "200", "cache_read_tokens": "NULL", "output_tokens": "20", "cost_usd": "0.020000000000",
			"cost_high_usd": "0.020000000000", "lost_attempts": "0", "unpriced_attempts": "0", "latency_p50_ms": "900",
			"latency_p95_ms": "900",
		}),
		usage("mini", "mini", map[string]string{
			// one of each kind but the one that was not sent
			"attempts": "8", "accepted": "2", "rejected": "3", "errored": "1", "given_up": "1", "in_flight": "1",
			"input_tokens": "1500", "cache_read_tokens": "40", "output_tokens": "150",
			"cost_usd":      "0.010000000000", // 1+2+3+0+4 thousandths
			"cost_high_usd": "0.027000000000", // and the bounds 10 and 7 of the lost and the unpriced one, not of that in flight
			"lost_attempts": "1", "unpriced_attempts": "1",
			"latency_p50_ms": "300", "latency_p95_ms": "500", // of 100, 200, 300, 400, 500: answers only
		}),
	}, l.rows(`SELECT * FROM weir.model_usage ORDER BY model`))

	t.Run("AgreesWithTheTasks", func(t *testing.T) {
		t.Parallel()
		const sums = `SELECT sum(cost_usd) AS cost, sum(cost_high_usd) AS high, sum(lost_attempts) AS lost,
			sum(unpriced_attempts) AS unpriced FROM weir.`
		want := l.rows(sums + `cpuo`)
		require.Equal(t, []map[string]string{
			{"cost": "0.030000000000", "high": "0.047000000000", "lost": "1", "unpriced": "1"},
		}, want)
		require.Equal(t, want, l.rows(sums+`feature_cost`))
		require.Equal(t, want, l.rows(sums+`model_usage`))
		require.Equal(t, want, l.rows(sums+`cascade_funnel`))
	})

	t.Run("Report", func(t *testing.T) {
		t.Parallel()
		report, err := store.ReportModels(t.Context(), l.pool, store.ReportFilter{Since: firstDay, Feature: "triage"})
		require.NoError(t, err)
		require.Equal(t, []store.ModelUsage{
			{
				Provider: "acme", Model: "flagship", Tier: "flagship", Attempts: 1, Share: new(0.111111), Accepted: 1,
				PromptTokens: 200, OutputTokens: 20, LatencyP50MS: new(int64(900)), LatencyP95MS: new(int64(900)),
				Costs: store.Costs{CostUSD: 20_000_000_000, CostHighUSD: 20_000_000_000},
			},
			{
				Provider: "acme", Model: "mini", Tier: "mini", Attempts: 8, Share: new(0.888889), Accepted: 2, Rejected: 3,
				Errored: 1, GivenUp: 1, InFlight: 1, PromptTokens: 1540, CachedTokens: 40, OutputTokens: 150,
				LatencyP50MS: new(int64(300)), LatencyP95MS: new(int64(500)),
				Costs: store.Costs{
					CostUSD: 10_000_000_000, CostHighUSD: 27_000_000_000, LostAttempts: 1, UnpricedAttempts: 1,
				},
			},
		}, report)
	})
}

func TestViews_CascadeFunnel(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	fillCascade(l)
	// sideways: the escalation is that of the model that was asked last
	fifth := l.task(taskRow{class: "L2", state: "ready", stage: 1})
	l.attempt(attemptRow{task: fifth, verdict: "errored", failure: "server", cost: new("0")})
	l.attempt(attemptRow{task: fifth, n: 2, model: "other", verdict: "rejected", validator: "json@1", cost: new("0")})

	step := func(class, stage, model, tier, entered, accepted, rejected, errored, escalated, attempts string) map[string]string {
		return map[string]string{
			"class": class, "stage": stage, "model": model, "tier": tier, "entered": entered, "accepted": accepted,
			"rejected": rejected, "errored": errored, "escalated": escalated, "attempts": attempts,
		}
	}
	require.Equal(t, []map[string]string{
		step("L1", "0", "mini", "mini", "4", "1", "2", "2", "2", "8"),
		step("L1", "1", "flagship", "flagship", "1", "1", "0", "0", "0", "1"),
		step("L2", "0", "mini", "mini", "1", "0", "0", "1", "0", "1"),
		step("L2", "0", "other", "NULL", "1", "0", "1", "0", "1", "1"),
	}, l.rows(`
		SELECT class, stage, model, tier, entered, accepted, rejected, errored, escalated, attempts
		FROM weir.cascade_funnel
		WHERE day = '2026-03-10' AND feature = 'triage'
		ORDER BY class, stage, model`))

	require.Equal(t, []map[string]string{
		{"class": "L1", "validator": "enum@1", "reason": notAnIntentShown, "rejected": "2"},
		{"class": "L1", "validator": "length@1", "reason": "field sum has # words, fewer than #", "rejected": "1"},
		{"class": "L2", "validator": "json@1", "reason": "NULL", "rejected": "1"},
	}, l.rows(`SELECT class, validator, reason, rejected FROM weir.rejections ORDER BY class, validator`))

	report, err := store.ReportCascade(t.Context(), l.pool, store.ReportFilter{Since: firstDay})
	require.NoError(t, err)
	require.Len(t, report, 4)
	require.Equal(t, store.CascadeStep{
		Feature: "triage", Class: "L1", Stage: 0, Model: "mini", Tier: "mini", Entered: 4, Accepted: 1, Rejected: 2,
		Errored: 2, Escalated: 2, Attempts: 8, TopValidator: "enum@1", TopReason: notAnIntentShown, TopRejected: 2,
		Costs: store.Costs{CostUSD: 10_000_000_000, CostHighUSD: 27_000_000_000, LostAttempts: 1, UnpricedAttempts: 1},
	}, report[0])
	require.Equal(t, "flagship", report[1].Model)
	require.Empty(t, report[1].TopValidator)
}

func TestViews_RejectionsHoldNoText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, reason, shown string }{
		{name: "Quotation", reason: `the answer is "secret"`, shown: `the answer is "…"`},
		{name: "QuotationInQuotation", reason: `the answer is "a \"secret\" b", not it`, shown: `the answer is "…", not it`},
		{name: "Backslashes", reason: `the answer is "a\\", then "secret"`, shown: `the answer is "…", then "…"`},
		{name: "OpenQuotation", reason: `the answer is "secret`, shown: `the answer is "…"`},
		{name: "FieldStays", reason: `field "sum" is "secret"`, shown: `field sum is "…"`},
		{name: "FieldInsideQuotation", reason: `it is "field \"secret\" x"`, shown: `it is "…"`},
		{name: "Number", reason: `field "/lines/3/sum" is 12.50, below -7`, shown: `field /lines/#/sum is #, below -#`},
	}
	l := newLedger(t)
	for _, test := range tests {
		id := l.task(taskRow{feature: test.name})
		l.attempt(attemptRow{task: id, verdict: "rejected", validator: "v@1", reason: test.reason})
	}
	shown := map[string]string{}
	for _, row := range l.rows(`SELECT feature, reason FROM weir.rejections`) {
		shown[row["feature"]] = row["reason"]
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.shown, shown[test.name])
		})
	}
}

// The flagship's price: 5 and 25 USD per million tokens, cached ones a tenth, all doubled above 1,000 prompt tokens; half
// of it from the second day on. The mini has no price for cached tokens.
func savePrices(l *ledger) {
	l.tb.Helper()
	band := func(model, key string, band int, edge int64, from, until *time.Time, rates map[string]task.Pico) store.Price {
		return store.Price{
			Key: key, Provider: "acme", Model: model, From: from, Until: until, Status: "in_force", Band: band,
			MaxPrompt: edge, Rates: rates, Source: "test", Checked: firstDay,
		}
	}
	rates := func(input, cached, output task.Pico) map[string]task.Pico {
		return map[string]task.Pico{"input": input, "cache_read": cached, "output": output}
	}
	announced := band("flagship-1", "f-announced", 1, 0, &firstDay, nil, rates(1, 1, 1))
	announced.Status = "announced"
	night := band("flagship-1", "f-night", 1, 0, nil, &secondDay, rates(1, 1, 1))
	night.Variant = "01:00-04:00"
	prices := []store.Price{
		band("flagship-1", "f1", 1, 1000, nil, &secondDay, rates(5_000_000, 500_000, 25_000_000)),
		band("flagship-1", "f2", 2, 0, nil, &secondDay, rates(10_000_000, 1_000_000, 50_000_000)),
		night,
		band("flagship-1", "f3", 1, 0, &secondDay, nil, rates(2_500_000, 250_000, 12_500_000)),
		announced,
		band("mini-1", "m1", 1, 0, nil, nil, map[string]task.Pico{"input": 100_000, "output": 500_000}),
	}
	c := &catalog.Catalog{
		Providers: map[string]catalog.Provider{"acme": {API: "openai", Prices: "acme"}},
		Models: map[string]catalog.Model{
			"mini":     {Provider: "acme", ID: "mini-1", Tier: catalog.Mini},
			"flagship": {Provider: "acme", ID: "flagship-1", Tier: catalog.Flagship},
			"unpriced": {Provider: "acme", ID: "unpriced-1", Tier: catalog.Flagship},
		},
	}
	require.NoError(l.tb, store.SaveCatalog(l.tb.Context(), l.pool, firstDay, c, prices))
}

func TestViews_Savings(t *testing.T) {
	t.Parallel()
	const (
		twoStages = `[{"model": "mini"}, {"model": "flagship"}]`
		miniOnly  = `[{"model": "mini"}]`
		unpriced  = `[{"model": "mini"}, {"model": "unpriced"}]`
	)
	answer := func(n int, model, verdict string, input, cached, output int64) attemptRow {
		return attemptRow{
			n: n, model: model, verdict: verdict, input: &input, cacheRead: &cached, output: &output, cost: new("0"),
		}
	}
	next := func(a attemptRow) attemptRow {
		a.at = secondDay
		return a
	}
	late := func(a attemptRow) attemptRow {
		a.late = true
		return a
	}
	tests := []struct {
		name     string
		task     taskRow
		stages   string
		attempts []attemptRow
		flagship string // "NULL" when the task cannot be compared
	}{
		{
			name: "AcceptedByTheMini", task: taskRow{cost: "0.0001"}, stages: twoStages,
			attempts: []attemptRow{answer(1, "mini", "accepted", 100, 0, 10)},
			flagship: "0.000750000000", // 100 * 5 + 10 * 25 = 750 millionths
		},
		{
			name: "TheAcceptedAnswerCounts", task: taskRow{cost: "0.0031"}, stages: twoStages,
			attempts: []attemptRow{
				answer(1, "mini", "rejected", 900, 0, 90),
				answer(2, "flagship", "accepted", 200, 600, 20),
				answer(3, "mini", "rejected", 900, 0, 90),
			},
			flagship: "0.001800000000", // 200 * 5 + 600 * 0.5 + 20 * 25
		},
		{
			name: "ElseTheLastMeteredOne", task: taskRow{state: "failed", cost: "0.0005"}, stages: twoStages,
			attempts: []attemptRow{
				late(answer(1, "mini", "accepted", 1, 0, 1)),
				answer(2, "mini", "rejected", 300, 0, 30),
				{n: 3, verdict: "errored", cost: new("0")},
			},
			flagship: "0.002250000000", // 300 * 5 + 30 * 25
		},
		{
			name: "LastPromptOfABand", task: taskRow{cost: "0"}, stages: twoStages,
			attempts: []attemptRow{answer(1, "mini", "accepted", 400, 600, 0)},
			flagship: "0.002300000000", // 400 * 5 + 600 * 0.5
		},
		{
			name: "OneTokenIntoTheNextBand", task: taskRow{cost: "0"}, stages: twoStages,
			attempts: []attemptRow{answer(1, "mini", "accepted", 401, 600, 0)},
			flagship: "0.004610000000", // (401 * 5 + 600 * 0.5) * 2
		},
		{
			name: "PriceAtTheTimeOfTheCall", task: taskRow{cost: "0"}, stages: twoStages,
			attempts: []attemptRow{next(answer(1, "mini", "accepted", 2000, 0, 0))},
			flagship: "0.005000000000", // 2000 * 2.5, and no second band
		},
		{
			name: "OneModelSavesNothing", task: taskRow{cost: "0.00006"}, stages: miniOnly,
			attempts: []attemptRow{answer(1, "mini", "accepted", 300, 200, 20)},
			flagship: "0.000060000000", // (300 + 200) * 0.1 + 20 * 0.5: a cached token without a price is an input token
		},
		{
			name: "AnyNumberOfTokens", task: taskRow{cost: "0"}, stages: miniOnly,
			attempts: []attemptRow{answer(1, "mini", "accepted", math.MaxInt64, math.MaxInt64, 0)},
			flagship: "1844674407370.955161400000", // 2 * (2^63 - 1) * 0.1 millionths
		},
		{
			name: "UnpricedModel", task: taskRow{cost: "1"}, stages: unpriced,
			attempts: []attemptRow{answer(1, "mini", "accepted", 100, 0, 10)}, flagship: "NULL",
		},
		{
			name: "TranslatedByTheCharacter", task: taskRow{cost: "1"}, stages: twoStages,
			attempts: []attemptRow{{verdict: "accepted", input: new(int64(0)), output: new(int64(0)), characters: new(int64(7))}},
			flagship: "NULL", // nobody knows how many tokens it would have been
		},
		{
			name: "NothingMetered", task: taskRow{state: "failed", cost: "1"}, stages: twoStages,
			attempts: []attemptRow{{state: "lost"}}, flagship: "NULL",
		},
	}
	l := newLedger(t)
	savePrices(l)
	for _, test := range tests {
		test.task.feature, test.task.plan = test.name, l.plan(test.stages)
		id := l.task(test.task)
		for _, a := range test.attempts {
			a.task = id
			l.attempt(a)
		}
	}
	l.attempt(attemptRow{ // unfinished: not compared and not counted
		task:  l.task(taskRow{feature: "AcceptedByTheMini", state: "ready", plan: l.plan(twoStages), cost: "1"}),
		input: new(int64(1)), output: new(int64(1)), verdict: "rejected",
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := l.rows(`
				SELECT tasks, priced_tasks, cost_usd, flagship_cost_usd_estimate, saved_usd_estimate,
				       saved_usd_estimate = flagship_cost_usd_estimate - cost_usd AS adds_up
				FROM weir.savings WHERE feature = '` + test.name + `'`)
			require.Len(t, rows, 1)
			require.Equal(t, "1", rows[0]["tasks"])
			require.Equal(t, "true", rows[0]["adds_up"])
			if test.flagship == "NULL" {
				require.Equal(t, "0", rows[0]["priced_tasks"])
				require.Equal(t, "0", rows[0]["cost_usd"])
				return
			}
			require.Equal(t, "1", rows[0]["priced_tasks"])
			require.Equal(t, test.flagship, rows[0]["flagship_cost_usd_estimate"])
		})
	}

	t.Run("WholeRow", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []map[string]string{{
			"feature": "TheAcceptedAnswerCounts", "day": "2026-03-10", "tasks": "1", "priced_tasks": "1",
			"cost_usd": "0.003100000000", "cost_high_usd": "0.003100000000", "lost_attempts": "0", "unpriced_attempts": "0",
			"flagship_cost_usd_estimate": "0.001800000000", "saved_usd_estimate": "-0.001300000000",
			"saved_share": "-0.722222", // what was saved can be less than nothing
		}}, l.rows(`SELECT * FROM weir.savings WHERE feature = 'TheAcceptedAnswerCounts'`))
	})

	t.Run("Report", func(t *testing.T) {
		t.Parallel()
		report, err := store.ReportFeatures(t.Context(), l.pool, store.ReportFilter{Feature: "AcceptedByTheMini"})
		require.NoError(t, err)
		require.Equal(t, []store.FeatureCost{{
			Feature: "AcceptedByTheMini", Tasks: 2, Finished: 1, // the unfinished one costs too
			Costs:          store.Costs{CostUSD: 1_000_100_000_000, CostHighUSD: 1_000_100_000_000},
			CostPerTaskUSD: new(task.Pico(500_050_000_000)), PricedTasks: 1, FlagshipCostUSDEstimate: 750_000_000,
			SavedUSDEstimate: 650_000_000, SavedShare: new(0.866667),
		}}, report)
	})
}
