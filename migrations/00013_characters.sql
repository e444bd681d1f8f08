-- +goose Up
-- Translation services bill characters, not tokens: a count of their own on the attempt, with a rate of its own in the price
-- book. Such an attempt has 0 tokens, which is what it used, and not NULL, which would mean that nobody knows.

ALTER TABLE weir.attempts ADD COLUMN characters bigint;       -- Unicode code points of the text; NULL: not known
ALTER TABLE weir.prices ADD COLUMN characters_pusd bigint;    -- of one character

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION weir.usage_lines(a weir.attempts, p weir.prices)
    RETURNS TABLE (line integer, kind text, count bigint, rate_pusd bigint)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT l.line, l.kind, l.count, l.rate_pusd
    FROM (VALUES (1, 'input', a.input_tokens, p.input_pusd),
                 (2, 'cache_read', a.cache_read_tokens, p.cache_read_pusd),
                 (3, 'cache_write_5m', a.cache_write_5m_tokens, p.cache_write_5m_pusd),
                 (4, 'cache_write_30m', a.cache_write_30m_tokens, p.cache_write_30m_pusd),
                 (5, 'cache_write_1h', a.cache_write_1h_tokens, p.cache_write_1h_pusd),
                 (6, 'cache_write_12h', a.cache_write_12h_tokens, p.cache_write_12h_pusd),
                 (7, 'input_audio', a.input_audio_tokens, p.input_audio_pusd),
                 (8, 'input_image', a.input_image_tokens, p.input_image_pusd),
                 (9, 'output', a.output_tokens, p.output_pusd),
                 (10, 'output_audio', a.output_audio_tokens, p.output_audio_pusd),
                 (11, 'web_search', a.web_searches, p.web_search_pusd),
                 (12, 'characters', a.characters, p.characters_pusd)) l (line, kind, count, rate_pusd)
    WHERE l.count > 0
$$;
-- +goose StatementEnd

CREATE OR REPLACE VIEW weir.attempts_flat AS
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
       a.finished_at,
       a.characters
FROM weir.attempts a
JOIN weir.tasks t ON t.id = a.task_id
LEFT JOIN weir.models m ON m.name = a.model;

CREATE OR REPLACE VIEW weir.model_usage AS
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
           FILTER (WHERE a.verdict IN ('accepted', 'rejected')) AS latency_p95_ms,
       sum(a.characters) AS characters
FROM weir.attempts_flat a
WHERE a.state <> 'not_sent'
GROUP BY a.day, a.provider, a.model, a.tier;
COMMENT ON COLUMN weir.model_usage.characters IS 'of texts that were translated by a service that is paid by the character';

-- A translated text cannot be compared: its tokens were never counted.
CREATE OR REPLACE VIEW weir.savings AS
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
                        m.web_searches,
                        m.characters
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
                  + CASE WHEN a.web_searches > 0 THEN a.web_searches::numeric * p.web_search_pusd ELSE 0 END
                  + CASE WHEN a.characters > 0 THEN NULL ELSE 0 END) -- nobody knows how many tokens the text would have had
                 * 0.000000000001 AS flagship_usd
          OFFSET 0) f
      WHERE t.finished_at IS NOT NULL AND t.state <> 'refused') s
GROUP BY s.feature, s.day;

-- +goose Down
-- A view cannot lose a column, so those that have one more are made anew, with those that rest on them.
CREATE OR REPLACE VIEW weir.savings AS
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
DROP VIEW weir.rejections, weir.cascade_funnel, weir.model_usage, weir.attempts_flat;
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
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.attempts_flat, weir.model_usage, weir.cascade_funnel, weir.rejections TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION weir.usage_lines(a weir.attempts, p weir.prices)
    RETURNS TABLE (line integer, kind text, count bigint, rate_pusd bigint)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT l.line, l.kind, l.count, l.rate_pusd
    FROM (VALUES (1, 'input', a.input_tokens, p.input_pusd),
                 (2, 'cache_read', a.cache_read_tokens, p.cache_read_pusd),
                 (3, 'cache_write_5m', a.cache_write_5m_tokens, p.cache_write_5m_pusd),
                 (4, 'cache_write_30m', a.cache_write_30m_tokens, p.cache_write_30m_pusd),
                 (5, 'cache_write_1h', a.cache_write_1h_tokens, p.cache_write_1h_pusd),
                 (6, 'cache_write_12h', a.cache_write_12h_tokens, p.cache_write_12h_pusd),
                 (7, 'input_audio', a.input_audio_tokens, p.input_audio_pusd),
                 (8, 'input_image', a.input_image_tokens, p.input_image_pusd),
                 (9, 'output', a.output_tokens, p.output_pusd),
                 (10, 'output_audio', a.output_audio_tokens, p.output_audio_pusd),
                 (11, 'web_search', a.web_searches, p.web_search_pusd)) l (line, kind, count, rate_pusd)
    WHERE l.count > 0
$$;
-- +goose StatementEnd
ALTER TABLE weir.prices DROP COLUMN characters_pusd;
ALTER TABLE weir.attempts DROP COLUMN characters;
