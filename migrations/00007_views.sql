-- +goose Up
-- The views for people, and the tables of what they need to know of weir.yaml and of the price book. A view's name and
-- columns stay as they are: dashboards and other people's queries rest on them. New columns come last.

-- What weir.yaml said at the last start. A feature or model that it no longer names stays, so that old tasks keep their
-- meaning.
CREATE TABLE weir.features (
    name              text        CONSTRAINT features_pkey PRIMARY KEY,
    success           text        NOT NULL,
    failure_cost_pusd bigint      NOT NULL, -- of one task without success
    config_hash       text        NOT NULL,
    updated_at        timestamptz NOT NULL,
    CONSTRAINT features_success_check CHECK (success IN ('validated', 'outcome')),
    CONSTRAINT features_failure_cost_check CHECK (failure_cost_pusd >= 0)
);

CREATE TABLE weir.models (
    name           text        CONSTRAINT models_pkey PRIMARY KEY, -- weir's
    provider       text        NOT NULL,
    model_id       text        NOT NULL,                           -- the provider's
    tier           text        NOT NULL,
    price_provider text        NOT NULL,                           -- the price book's
    price_model    text,                                           -- the price book's; NULL: it has no such model
    config_hash    text        NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT models_tier_check CHECK (tier IN ('mini', 'mid', 'flagship'))
);

-- The price book of the last start, one row a band. Rates are pico-USD per token; NULL is unknown, never free.
CREATE TABLE weir.prices (
    key                  text        CONSTRAINT prices_pkey PRIMARY KEY, -- as in attempts.price_row
    provider             text        NOT NULL,
    model                text        NOT NULL,
    valid_from           timestamptz NOT NULL, -- -infinity when the book names none
    valid_until          timestamptz NOT NULL, -- excluded; infinity when the book names none
    status               text        NOT NULL,
    variant              text        NOT NULL, -- '' is the list price
    band                 smallint    NOT NULL,
    prompt_from          bigint      NOT NULL, -- the prompts of this band in tokens, both ends included
    prompt_to            bigint,               -- NULL: no end
    input_pusd           bigint,
    cache_read_pusd      bigint,
    cache_write_5m_pusd  bigint,
    cache_write_30m_pusd bigint,
    cache_write_1h_pusd  bigint,
    cache_write_12h_pusd bigint,
    input_audio_pusd     bigint,
    input_image_pusd     bigint,
    output_pusd          bigint,
    output_audio_pusd    bigint,
    web_search_pusd      bigint,               -- of one search
    modes                jsonb       NOT NULL, -- multipliers by mode: {"batch": "1/2"}
    geo                  jsonb       NOT NULL, -- and by region
    source               text        NOT NULL,
    checked              date        NOT NULL, -- last compared with the source
    updated_at           timestamptz NOT NULL,
    CONSTRAINT prices_status_check CHECK (status IN ('in_force', 'announced'))
);

-- Reports ask for the last days of a table that only grows at its end: a block range index costs intake nothing.
CREATE INDEX tasks_day ON weir.tasks USING brin (((accepted_at AT TIME ZONE 'UTC')::date))
    WITH (pages_per_range = 32, autosummarize = on);

-- An integer times 0.000000000001 is an exact numeric with twelve decimals; a quotient would be rounded.

CREATE VIEW weir.latest_outcomes AS
SELECT DISTINCT ON (o.task_id)
       o.task_id,
       o.tenant,
       o.feature,
       o.success,
       o.value_pusd * 0.000000000001 AS value_usd,
       o.reason,
       o.at,
       o.received_at
FROM weir.outcomes o
WHERE o.task_id IS NOT NULL
ORDER BY o.task_id, o.at DESC, o.id DESC; -- index outcomes_task
COMMENT ON VIEW weir.latest_outcomes IS
    'the outcome that counts of each task with one: the latest by at. Outcomes of tasks that are not known yet are not here';

CREATE VIEW weir.tasks_flat AS
SELECT t.id AS task_id,
       t.tenant,
       t.feature,
       t.key,
       t.run,
       t.call_path,
       t.batch,
       t.lane,
       t.class,
       t.class_source,
       (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
       t.state,
       t.finished_at IS NOT NULL AS finished,
       k.task_id IS NOT NULL AS superseded,
       t.state = 'succeeded' AND coalesce(o.success, coalesce(f.success, 'validated') = 'validated') AS useful,
       k.task_id IS NULL AND (t.state IN ('failed', 'expired')
                              OR (t.state = 'succeeded' AND NOT coalesce(o.success, true))) AS failed,
       o.success AS outcome,
       o.at AS outcome_at,
       t.stage,
       t.model,
       t.attempts,
       t.cost_pusd * 0.000000000001 AS cost_usd,
       t.cost_high_pusd * 0.000000000001 AS cost_high_usd,
       t.lost_attempts,
       t.unpriced_attempts,
       t.accepted_at,
       t.finished_at
FROM weir.tasks t
LEFT JOIN weir.features f ON f.name = t.feature
LEFT JOIN weir.latest_outcomes o ON o.task_id = t.id
-- few keys have more than one run, so this side of the join stays small
LEFT JOIN weir.task_keys k ON k.run > 1 AND k.tenant = t.tenant AND k.key = t.key AND k.task_id <> t.id
WHERE t.state <> 'refused';
COMMENT ON VIEW weir.tasks_flat IS
    'every task that was not refused, without its texts: one row a run of a key; superseded ones have a later run';

CREATE VIEW weir.attempts_flat AS
SELECT a.task_id,
       a.id AS attempt_id,
       a.n,
       t.tenant,
       t.feature,
       t.key,
       t.call_path,
       t.batch,
       t.lane,
       t.class,
       (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
       t.state AS task_state,
       a.stage,
       a.provider,
       a.model,
       m.tier,
       a.model_asked,
       a.model_answered,
       a.mode,
       a.state,
       a.counted,
       a.late,
       a.verdict,
       a.validator,
       a.failure,
       a.http_status,
       a.stop_reason,
       a.input_tokens,
       a.cache_read_tokens,
       a.cache_write_5m_tokens,
       a.cache_write_30m_tokens,
       a.cache_write_1h_tokens,
       a.cache_write_12h_tokens,
       a.input_audio_tokens,
       a.input_image_tokens,
       a.output_tokens,
       a.reasoning_tokens,
       a.output_audio_tokens,
       a.web_searches,
       a.cost_pusd * 0.000000000001 AS cost_usd,
       CASE WHEN a.state <> 'in_flight' THEN coalesce(a.cost_pusd, a.bound_pusd) END
           * 0.000000000001 AS cost_high_usd,
       a.state <> 'in_flight' AND a.cost_pusd IS NULL AND a.input_tokens IS NULL AS lost,
       a.state <> 'in_flight' AND a.cost_pusd IS NULL AND a.input_tokens IS NOT NULL AS unpriced,
       a.price_row,
       a.config_hash,
       a.latency_ms,
       t.accepted_at,
       a.started_at,
       a.finished_at
FROM weir.attempts a
JOIN weir.tasks t ON t.id = a.task_id
LEFT JOIN weir.models m ON m.name = a.model;
COMMENT ON VIEW weir.attempts_flat IS
    'every attempt with its task''s columns, without texts; task_id >= weir.uuid7_at(...) reads only the months it needs';

CREATE VIEW weir.cpuo AS
SELECT s.feature,
       s.day,
       s.tasks,
       s.finished,
       s.useful,
       s.failed,
       round(s.useful::numeric / nullif(s.finished, 0), 6) AS success_rate,
       s.cost_usd,
       s.cost_high_usd,
       s.lost_attempts,
       s.unpriced_attempts,
       round(s.cost_usd / nullif(s.useful, 0), 12) AS cpuo_usd,
       round(s.cost_high_usd / nullif(s.useful, 0), 12) AS cpuo_high_usd,
       s.failed * coalesce(f.failure_cost_pusd, 0) * 0.000000000001 AS failure_cost_usd,
       round((s.cost_usd + s.failed * coalesce(f.failure_cost_pusd, 0) * 0.000000000001) / nullif(s.useful, 0), 12)
           AS fully_loaded_cpuo_usd,
       s.without_outcome,
       round(s.without_outcome::numeric / nullif(s.tasks, 0), 6) AS without_outcome_share
FROM (SELECT t.feature,
             t.day,
             count(*) FILTER (WHERE NOT t.superseded) AS tasks,
             count(*) FILTER (WHERE NOT t.superseded AND t.finished) AS finished,
             count(*) FILTER (WHERE t.useful) AS useful,
             count(*) FILTER (WHERE t.failed) AS failed,
             count(*) FILTER (WHERE NOT t.superseded AND t.outcome IS NULL) AS without_outcome,
             sum(t.cost_usd) AS cost_usd,
             sum(t.cost_high_usd) AS cost_high_usd,
             sum(t.lost_attempts) AS lost_attempts,
             sum(t.unpriced_attempts) AS unpriced_attempts
      FROM weir.tasks_flat t
      GROUP BY t.feature, t.day) s
LEFT JOIN weir.features f ON f.name = s.feature;
COMMENT ON VIEW weir.cpuo IS
    'cost per useful output, by feature and day of acceptance (UTC): all cost of the day''s tasks over those with success';
COMMENT ON COLUMN weir.cpuo.cpuo_usd IS 'cost_usd / useful; NULL while nothing was useful';
COMMENT ON COLUMN weir.cpuo.fully_loaded_cpuo_usd IS '(cost_usd + failure_cost_usd) / useful';
COMMENT ON COLUMN weir.cpuo.without_outcome_share IS 'the share of tasks whose producer has reported no outcome yet';

CREATE VIEW weir.feature_cost AS
SELECT t.tenant,
       t.feature,
       t.call_path,
       t.class,
       t.day,
       count(*) FILTER (WHERE NOT t.superseded) AS tasks,
       count(*) FILTER (WHERE NOT t.superseded AND t.finished) AS finished,
       sum(t.attempts) AS attempts,
       sum(t.cost_usd) AS cost_usd,
       sum(t.cost_high_usd) AS cost_high_usd,
       sum(t.lost_attempts) AS lost_attempts,
       sum(t.unpriced_attempts) AS unpriced_attempts
FROM weir.tasks_flat t
GROUP BY t.tenant, t.feature, t.call_path, t.class, t.day;
COMMENT ON VIEW weir.feature_cost IS
    'what tasks cost, by tenant, feature, call path, class and day of acceptance (UTC); every column adds up';

CREATE VIEW weir.model_usage AS
SELECT a.day,
       a.provider,
       a.model,
       a.tier,
       count(*) AS attempts,
       count(*) FILTER (WHERE a.state = 'closed' AND a.verdict = 'accepted') AS accepted,
       count(*) FILTER (WHERE a.state = 'closed' AND a.verdict = 'rejected') AS rejected,
       count(*) FILTER (WHERE a.state = 'closed' AND a.verdict = 'errored') AS errored,
       count(*) FILTER (WHERE a.state = 'lost') AS given_up,
       count(*) FILTER (WHERE a.state = 'in_flight') AS in_flight,
       sum(a.input_tokens) AS input_tokens,
       sum(a.cache_read_tokens) AS cache_read_tokens,
       sum(a.cache_write_5m_tokens) AS cache_write_5m_tokens,
       sum(a.cache_write_30m_tokens) AS cache_write_30m_tokens,
       sum(a.cache_write_1h_tokens) AS cache_write_1h_tokens,
       sum(a.cache_write_12h_tokens) AS cache_write_12h_tokens,
       sum(a.input_audio_tokens) AS input_audio_tokens,
       sum(a.input_image_tokens) AS input_image_tokens,
       sum(a.output_tokens) AS output_tokens,
       sum(a.reasoning_tokens) AS reasoning_tokens,
       sum(a.output_audio_tokens) AS output_audio_tokens,
       sum(a.web_searches) AS web_searches,
       coalesce(sum(a.cost_usd), 0) AS cost_usd,
       coalesce(sum(a.cost_high_usd), 0) AS cost_high_usd,
       count(*) FILTER (WHERE a.lost) AS lost_attempts,
       count(*) FILTER (WHERE a.unpriced) AS unpriced_attempts,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY a.latency_ms)
           FILTER (WHERE a.verdict IN ('accepted', 'rejected')) AS latency_p50_ms,
       percentile_disc(0.95) WITHIN GROUP (ORDER BY a.latency_ms)
           FILTER (WHERE a.verdict IN ('accepted', 'rejected')) AS latency_p95_ms
FROM weir.attempts_flat a
WHERE a.state <> 'not_sent'
GROUP BY a.day, a.provider, a.model, a.tier;
COMMENT ON VIEW weir.model_usage IS
    'calls, verdicts, tokens, cost and latency of answers, by model and day of the task''s acceptance (UTC)';

CREATE VIEW weir.cascade_funnel AS
SELECT s.feature,
       s.class,
       s.day,
       s.stage,
       s.model,
       s.tier,
       count(*) AS entered,
       count(*) FILTER (WHERE s.accepted) AS accepted,
       count(*) FILTER (WHERE s.rejected) AS rejected,
       count(*) FILTER (WHERE s.errored) AS errored,
       count(*) FILTER (WHERE s.escalated) AS escalated,
       sum(s.attempts) AS attempts,
       coalesce(sum(s.cost_usd), 0) AS cost_usd,
       coalesce(sum(s.cost_high_usd), 0) AS cost_high_usd,
       sum(s.lost_attempts) AS lost_attempts,
       sum(s.unpriced_attempts) AS unpriced_attempts
FROM (SELECT a.feature,
             a.class,
             a.day,
             a.stage,
             a.model,
             a.tier,
             bool_or(a.verdict = 'accepted' AND NOT a.late) AS accepted,
             bool_or(a.verdict = 'rejected') AS rejected,
             bool_or(a.verdict = 'errored' OR a.state = 'lost') AS errored,
             bool_or(a.next_stage > a.stage) AS escalated,
             count(*) AS attempts,
             sum(a.cost_usd) AS cost_usd,
             sum(a.cost_high_usd) AS cost_high_usd,
             count(*) FILTER (WHERE a.lost) AS lost_attempts,
             count(*) FILTER (WHERE a.unpriced) AS unpriced_attempts
      FROM (SELECT f.task_id,
                   f.feature,
                   f.class,
                   f.day,
                   f.stage,
                   f.model,
                   f.tier,
                   f.state,
                   f.late,
                   f.verdict,
                   f.cost_usd,
                   f.cost_high_usd,
                   f.lost,
                   f.unpriced,
                   -- feature and day are a task's own; naming them lets conditions on them reach the tables
                   lead(f.stage, 1, t.stage) OVER (PARTITION BY f.task_id, f.feature, f.day ORDER BY f.n) AS next_stage
            FROM weir.attempts_flat f
            JOIN weir.tasks t ON t.id = f.task_id
            WHERE f.state <> 'not_sent') a
      GROUP BY a.task_id, a.feature, a.class, a.day, a.stage, a.model, a.tier) s
GROUP BY s.feature, s.class, s.day, s.stage, s.model, s.tier;
COMMENT ON VIEW weir.cascade_funnel IS
    'how many tasks came to each model of each stage (from 0) and what became of them there, by day of acceptance (UTC)';

CREATE VIEW weir.rejections AS
SELECT s.feature,
       s.class,
       s.day,
       s.stage,
       s.model,
       s.validator,
       s.reason,
       count(*) AS rejected
FROM (SELECT t.feature,
             t.class,
             (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
             a.stage,
             a.model,
             a.validator,
             -- A reason quotes the answer. Without quotations and numbers it holds no text and is one group for all
             -- answers with the same mistake; the name of the field at its beginning stays.
             regexp_replace(
                 regexp_replace(
                     regexp_replace(a.reason, '^(field|at) "([^"\\]*)"', '\1 \2'),
                     '"(?:[^"\\]|\\.)*"?', '"…"', 'g'),
                 '[0-9]+(?:[.][0-9]+)*', '#', 'g') AS reason
      FROM weir.attempts a
      JOIN weir.tasks t ON t.id = a.task_id
      WHERE a.verdict = 'rejected') s
GROUP BY s.feature, s.class, s.day, s.stage, s.model, s.validator, s.reason;
COMMENT ON VIEW weir.rejections IS
    'which validators rejected answers and why; what a reason quotes of the answer is left out, numbers are #';

CREATE VIEW weir.savings AS
SELECT s.feature,
       s.day,
       count(*) AS tasks,
       count(s.flagship_usd) AS priced_tasks,
       coalesce(sum(s.cost_usd) FILTER (WHERE s.flagship_usd IS NOT NULL), 0) AS cost_usd,
       coalesce(sum(s.cost_high_usd) FILTER (WHERE s.flagship_usd IS NOT NULL), 0) AS cost_high_usd,
       coalesce(sum(s.lost_attempts) FILTER (WHERE s.flagship_usd IS NOT NULL), 0) AS lost_attempts,
       coalesce(sum(s.unpriced_attempts) FILTER (WHERE s.flagship_usd IS NOT NULL), 0) AS unpriced_attempts,
       coalesce(sum(s.flagship_usd), 0) AS flagship_cost_usd_estimate,
       coalesce(sum(s.flagship_usd - s.cost_usd), 0) AS saved_usd_estimate,
       round(sum(s.flagship_usd - s.cost_usd) / nullif(sum(s.flagship_usd), 0), 6) AS saved_share
FROM (SELECT t.feature,
             (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
             t.cost_pusd * 0.000000000001 AS cost_usd,
             t.cost_high_pusd * 0.000000000001 AS cost_high_usd,
             t.lost_attempts,
             t.unpriced_attempts,
             f.flagship_usd
      FROM weir.tasks t
      LEFT JOIN (SELECT l.id, m.price_provider, m.price_model
                 FROM (SELECT id, stages -> -1 ->> 'model' AS model FROM weir.plans) l
                 JOIN weir.models m ON m.name = l.model) last ON last.id = t.plan_id
      LEFT JOIN (SELECT DISTINCT ON (m.task_id)
                        m.task_id,
                        m.started_at,
                        m.input_tokens,
                        m.cache_read_tokens,
                        m.cache_write_5m_tokens,
                        m.cache_write_30m_tokens,
                        m.cache_write_1h_tokens,
                        m.cache_write_12h_tokens,
                        m.input_audio_tokens,
                        m.input_image_tokens,
                        m.output_tokens,
                        m.output_audio_tokens,
                        m.web_searches
                 FROM weir.attempts m
                 WHERE m.input_tokens IS NOT NULL
                 ORDER BY m.task_id, (m.verdict IS NOT DISTINCT FROM 'accepted' AND NOT m.late) DESC, m.n DESC
                ) a ON a.task_id = t.id
      LEFT JOIN weir.prices p
             ON p.provider = last.price_provider AND p.model = last.price_model AND p.status = 'in_force' AND p.variant = ''
            AND a.started_at >= p.valid_from AND a.started_at < p.valid_until
            AND a.input_tokens::numeric + coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0)
                + coalesce(a.cache_write_30m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)
                + coalesce(a.cache_write_12h_tokens, 0) + coalesce(a.input_audio_tokens, 0)
                + coalesce(a.input_image_tokens, 0) BETWEEN p.prompt_from AND coalesce(p.prompt_to, 'infinity'::numeric)
      -- Numeric, because a provider may claim any number of tokens. A cache price that is not known is the input's; a used
      -- class without a price makes the whole NULL. OFFSET 0: worked out once, not for each column that uses it.
      CROSS JOIN LATERAL (
          SELECT (a.input_tokens::numeric * p.input_pusd
                  + coalesce(a.cache_read_tokens::numeric * coalesce(p.cache_read_pusd, p.input_pusd), 0)
                  + coalesce(a.cache_write_5m_tokens::numeric * coalesce(p.cache_write_5m_pusd, p.input_pusd), 0)
                  + coalesce(a.cache_write_30m_tokens::numeric * coalesce(p.cache_write_30m_pusd, p.input_pusd), 0)
                  + coalesce(a.cache_write_1h_tokens::numeric * coalesce(p.cache_write_1h_pusd, p.input_pusd), 0)
                  + coalesce(a.cache_write_12h_tokens::numeric * coalesce(p.cache_write_12h_pusd, p.input_pusd), 0)
                  + CASE WHEN a.input_audio_tokens > 0 THEN a.input_audio_tokens::numeric * p.input_audio_pusd ELSE 0 END
                  + CASE WHEN a.input_image_tokens > 0 THEN a.input_image_tokens::numeric * p.input_image_pusd ELSE 0 END
                  + CASE WHEN a.output_tokens > 0 THEN a.output_tokens::numeric * p.output_pusd ELSE 0 END
                  + CASE WHEN a.output_audio_tokens > 0 THEN a.output_audio_tokens::numeric * p.output_audio_pusd ELSE 0 END
                  + CASE WHEN a.web_searches > 0 THEN a.web_searches::numeric * p.web_search_pusd ELSE 0 END)
                 * 0.000000000001 AS flagship_usd
          OFFSET 0) f
      WHERE t.finished_at IS NOT NULL AND t.state <> 'refused') s
GROUP BY s.feature, s.day;
COMMENT ON VIEW weir.savings IS
    'an estimate, not a bill: finished tasks against one call each of their cascade''s last model with the same tokens';
COMMENT ON COLUMN weir.savings.flagship_cost_usd_estimate IS
    'the tokens of each task''s accepted or last metered answer at the list price of its plan''s last model at that time';
COMMENT ON COLUMN weir.savings.priced_tasks IS
    'the tasks that could be compared; cost and savings are of these: they have a metered answer, their last model a price';

-- +goose Down
DROP VIEW weir.savings, weir.rejections, weir.cascade_funnel, weir.model_usage, weir.feature_cost, weir.cpuo,
    weir.attempts_flat, weir.tasks_flat, weir.latest_outcomes;
DROP INDEX weir.tasks_day;
DROP TABLE weir.prices, weir.models, weir.features;
