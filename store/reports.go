package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// ReportFilter limits a report.
type ReportFilter struct {
	// Since is the first day of acceptance, of which only the date in UTC counts; zero means all days.
	Since time.Time
	// Feature limits the report to one feature; empty means all.
	Feature string
}

func (f ReportFilter) args() pgx.NamedArgs {
	args := pgx.NamedArgs{"since": nil, "feature": f.Feature}
	if !f.Since.IsZero() {
		args["since"] = f.Since.UTC()
	}
	return args
}

// reported is the filter's condition on a view. A NULL day is none, and constants reach the tables below the view.
const reported = `
	day >= coalesce(@since::date, '-infinity'::date) AND (@feature = '' OR feature = @feature)`

// Costs are the columns of every report of money. The cost lies between CostUSD and CostHighUSD; attempts without a price
// can make it more.
type Costs struct {
	CostUSD     task.Pico `json:"cost_usd"`
	CostHighUSD task.Pico `json:"cost_high_usd"`
	// LostAttempts are those of which nobody knows what was billed.
	LostAttempts int64 `json:"lost_attempts"`
	// UnpricedAttempts are those with known tokens and no known price.
	UnpricedAttempts int64 `json:"unpriced_attempts"`
}

// CPUO is the cost per useful output of one feature.
type CPUO struct {
	Feature  string `json:"feature"`
	Tasks    int64  `json:"tasks"`
	Finished int64  `json:"finished"`
	Useful   int64  `json:"useful"`
	Failed   int64  `json:"failed"`
	// SuccessRate is useful / finished, nil while nothing is finished.
	SuccessRate *float64 `json:"success_rate"`
	Costs
	// CPUOUSD is cost / useful; it and the two below are nil while nothing was useful.
	CPUOUSD     *task.Pico `json:"cpuo_usd"`
	CPUOHighUSD *task.Pico `json:"cpuo_high_usd"`
	// FullyLoadedCPUOUSD counts in what the failures cost the business.
	FullyLoadedCPUOUSD *task.Pico `json:"fully_loaded_cpuo_usd"`
	FailureCostUSD     task.Pico  `json:"failure_cost_usd"`
	WithoutOutcome     int64      `json:"without_outcome"`
}

// ReportCPUO reads the view cpuo, its days put together, by feature.
func ReportCPUO(ctx context.Context, db DB, f ReportFilter) ([]CPUO, error) {
	return queryReport[CPUO](ctx, db, "report CPUO", f, `
		SELECT feature,
		       sum(tasks)::bigint AS tasks,
		       sum(finished)::bigint AS finished,
		       sum(useful)::bigint AS useful,
		       sum(failed)::bigint AS failed,
		       round(sum(useful) / nullif(sum(finished), 0), 6)::float8 AS success_rate,
		       (sum(cost_usd) * 1e12)::bigint AS cost_usd,
		       (sum(cost_high_usd) * 1e12)::bigint AS cost_high_usd,
		       sum(lost_attempts)::bigint AS lost_attempts,
		       sum(unpriced_attempts)::bigint AS unpriced_attempts,
		       (sum(cost_usd) * 1e12 / nullif(sum(useful), 0))::bigint AS cpuo_usd,
		       (sum(cost_high_usd) * 1e12 / nullif(sum(useful), 0))::bigint AS cpuo_high_usd,
		       ((sum(cost_usd) + sum(failure_cost_usd)) * 1e12 / nullif(sum(useful), 0))::bigint AS fully_loaded_cpuo_usd,
		       (sum(failure_cost_usd) * 1e12)::bigint AS failure_cost_usd,
		       sum(without_outcome)::bigint AS without_outcome
		FROM weir.cpuo
		WHERE `+reported+`
		GROUP BY feature
		ORDER BY feature`)
}

// FeatureCost is what the tasks of one feature cost, and what they would have cost on their last models.
type FeatureCost struct {
	Feature  string `json:"feature"`
	Tasks    int64  `json:"tasks"`
	Finished int64  `json:"finished"`
	Attempts int64  `json:"attempts"`
	Costs
	// CostPerTaskUSD is nil when there is no task.
	CostPerTaskUSD *task.Pico `json:"cost_per_task_usd"`
	// PricedTasks are those that the estimates below compare.
	PricedTasks int64 `json:"priced_tasks"`
	// FlagshipCostUSDEstimate is what they would have cost on the last models of their cascades.
	FlagshipCostUSDEstimate task.Pico `json:"flagship_cost_usd_estimate"`
	SavedUSDEstimate        task.Pico `json:"saved_usd_estimate"`
	// SavedShare is saved / flagship cost, nil when nothing could be compared.
	SavedShare *float64 `json:"saved_share"`
}

// ReportFeatures reads the views feature_cost and savings, by feature, the dearest first.
func ReportFeatures(ctx context.Context, db DB, f ReportFilter) ([]FeatureCost, error) {
	return queryReport[FeatureCost](ctx, db, "report features", f, `
		WITH spent AS (
		    SELECT feature,
		           sum(tasks) AS tasks,
		           sum(finished) AS finished,
		           sum(attempts) AS attempts,
		           sum(cost_usd) AS cost_usd,
		           sum(cost_high_usd) AS cost_high_usd,
		           sum(lost_attempts) AS lost_attempts,
		           sum(unpriced_attempts) AS unpriced_attempts
		    FROM weir.feature_cost
		    WHERE `+reported+`
		    GROUP BY feature),
		saved AS (
		    SELECT feature,
		           sum(priced_tasks) AS priced_tasks,
		           sum(flagship_cost_usd_estimate) AS flagship_usd,
		           sum(saved_usd_estimate) AS saved_usd
		    FROM weir.savings
		    WHERE `+reported+`
		    GROUP BY feature)
		SELECT spent.feature,
		       spent.tasks::bigint AS tasks,
		       spent.finished::bigint AS finished,
		       spent.attempts::bigint AS attempts,
		       (spent.cost_usd * 1e12)::bigint AS cost_usd,
		       (spent.cost_high_usd * 1e12)::bigint AS cost_high_usd,
		       spent.lost_attempts::bigint AS lost_attempts,
		       spent.unpriced_attempts::bigint AS unpriced_attempts,
		       (spent.cost_usd * 1e12 / nullif(spent.tasks, 0))::bigint AS cost_per_task_usd,
		       coalesce(saved.priced_tasks, 0)::bigint AS priced_tasks,
		       (coalesce(saved.flagship_usd, 0) * 1e12)::bigint AS flagship_cost_usd_estimate,
		       (coalesce(saved.saved_usd, 0) * 1e12)::bigint AS saved_usd_estimate,
		       round(saved.saved_usd / nullif(saved.flagship_usd, 0), 6)::float8 AS saved_share
		FROM spent
		LEFT JOIN saved USING (feature)
		ORDER BY spent.cost_usd DESC, spent.feature`)
}

// ModelUsage is what one model was asked, answered and cost.
type ModelUsage struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// Tier is empty for a model that weir.yaml never named since the ledger keeps tiers.
	Tier string `json:"tier"`
	// Attempts are calls that left; Share is their part of all in the report.
	Attempts int64    `json:"attempts"`
	Share    *float64 `json:"share"`
	Accepted int64    `json:"accepted"`
	Rejected int64    `json:"rejected"`
	Errored  int64    `json:"errored"`
	GivenUp  int64    `json:"given_up"`
	InFlight int64    `json:"in_flight"`
	// PromptTokens are all tokens of the prompts, cached ones included; CachedTokens those read from a cache.
	PromptTokens int64 `json:"prompt_tokens"`
	CachedTokens int64 `json:"cached_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	// Characters are those of texts that a service paid by the character translated.
	Characters int64 `json:"characters"`
	Costs
	// LatencyP50MS and LatencyP95MS are of answers; nil without one.
	LatencyP50MS *int64 `json:"latency_p50_ms"`
	LatencyP95MS *int64 `json:"latency_p95_ms"`
}

// ReportModels reads the view attempts_flat, by model, the dearest first: percentiles of several days cannot be put
// together from those of each.
func ReportModels(ctx context.Context, db DB, f ReportFilter) ([]ModelUsage, error) {
	return queryReport[ModelUsage](ctx, db, "report models", f, `
		SELECT provider,
		       model,
		       coalesce(tier, '') AS tier,
		       count(*) AS attempts,
		       round(count(*) / sum(count(*)) OVER (), 6)::float8 AS share,
		       count(*) FILTER (WHERE state = 'closed' AND verdict = 'accepted') AS accepted,
		       count(*) FILTER (WHERE state = 'closed' AND verdict = 'rejected') AS rejected,
		       count(*) FILTER (WHERE state = 'closed' AND verdict = 'errored') AS errored,
		       count(*) FILTER (WHERE state = 'lost') AS given_up,
		       count(*) FILTER (WHERE state = 'in_flight') AS in_flight,
		       (coalesce(sum(input_tokens), 0) + coalesce(sum(cache_read_tokens), 0)
		        + coalesce(sum(cache_write_5m_tokens), 0) + coalesce(sum(cache_write_30m_tokens), 0)
		        + coalesce(sum(cache_write_1h_tokens), 0) + coalesce(sum(cache_write_12h_tokens), 0)
		        + coalesce(sum(input_audio_tokens), 0) + coalesce(sum(input_image_tokens), 0))::bigint AS prompt_tokens,
		       coalesce(sum(cache_read_tokens), 0)::bigint AS cached_tokens,
		       coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
		       coalesce(sum(characters), 0)::bigint AS characters,
		       (coalesce(sum(cost_usd), 0) * 1e12)::bigint AS cost_usd,
		       (coalesce(sum(cost_high_usd), 0) * 1e12)::bigint AS cost_high_usd,
		       count(*) FILTER (WHERE lost) AS lost_attempts,
		       count(*) FILTER (WHERE unpriced) AS unpriced_attempts,
		       percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms)
		           FILTER (WHERE verdict IN ('accepted', 'rejected'))::bigint AS latency_p50_ms,
		       percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms)
		           FILTER (WHERE verdict IN ('accepted', 'rejected'))::bigint AS latency_p95_ms
		FROM weir.attempts_flat
		WHERE state <> 'not_sent' AND `+reported+`
		GROUP BY provider, model, tier
		ORDER BY coalesce(sum(cost_usd), 0) DESC, provider, model`)
}

// CascadeStep is what became of a feature's tasks of one class at one model of one stage.
type CascadeStep struct {
	Feature string `json:"feature"`
	Class   string `json:"class"`
	// Stage counts from 0.
	Stage int    `json:"stage"`
	Model string `json:"model"`
	Tier  string `json:"tier"`
	// Entered counts tasks, as do the four below; a task may be both rejected and errored.
	Entered   int64 `json:"entered"`
	Accepted  int64 `json:"accepted"`
	Rejected  int64 `json:"rejected"`
	Errored   int64 `json:"errored"`
	Escalated int64 `json:"escalated"`
	Attempts  int64 `json:"attempts"`
	Costs
	// TopValidator rejected most often, for TopReason, TopRejected times; empty when nothing was rejected.
	TopValidator string `json:"top_validator"`
	TopReason    string `json:"top_reason"`
	TopRejected  int64  `json:"top_rejected"`
}

// ReportCascade reads the views cascade_funnel and rejections, by feature, class and stage.
func ReportCascade(ctx context.Context, db DB, f ReportFilter) ([]CascadeStep, error) {
	return queryReport[CascadeStep](ctx, db, "report cascade", f, `
		WITH steps AS (
		    SELECT feature,
		           coalesce(class, '') AS class,
		           stage,
		           model,
		           coalesce(tier, '') AS tier,
		           sum(entered)::bigint AS entered,
		           sum(accepted)::bigint AS accepted,
		           sum(rejected)::bigint AS rejected,
		           sum(errored)::bigint AS errored,
		           sum(escalated)::bigint AS escalated,
		           sum(attempts)::bigint AS attempts,
		           (sum(cost_usd) * 1e12)::bigint AS cost_usd,
		           (sum(cost_high_usd) * 1e12)::bigint AS cost_high_usd,
		           sum(lost_attempts)::bigint AS lost_attempts,
		           sum(unpriced_attempts)::bigint AS unpriced_attempts
		    FROM weir.cascade_funnel
		    WHERE `+reported+`
		    GROUP BY feature, class, stage, model, tier),
		reasons AS (
		    SELECT feature, coalesce(class, '') AS class, stage, model, validator, reason, sum(rejected)::bigint AS rejected
		    FROM weir.rejections
		    WHERE `+reported+`
		    GROUP BY feature, class, stage, model, validator, reason),
		top AS (
		    SELECT DISTINCT ON (feature, class, stage, model)
		           feature, class, stage, model, validator, reason, rejected
		    FROM reasons
		    ORDER BY feature, class, stage, model, rejected DESC, validator, reason)
		SELECT s.feature, s.class, s.stage, s.model, s.tier, s.entered, s.accepted, s.rejected, s.errored, s.escalated,
		       s.attempts, s.cost_usd, s.cost_high_usd, s.lost_attempts, s.unpriced_attempts,
		       coalesce(top.validator, '') AS top_validator,
		       coalesce(top.reason, '') AS top_reason,
		       coalesce(top.rejected, 0) AS top_rejected
		FROM steps s
		LEFT JOIN top USING (feature, class, stage, model)
		ORDER BY s.feature, s.class, s.stage, s.entered DESC, s.model`)
}

func queryReport[Row any](ctx context.Context, db DB, doing string, f ReportFilter, sql string) ([]Row, error) {
	rows, err := db.Query(ctx, sql, f.args())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	report, err := pgx.CollectRows(rows, pgx.RowToStructByName[Row])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return report, nil
}
