-- +goose Up
-- Every cost can be worked out again in SQL, from an attempt's tokens and the price book in weir.prices, and a cost that
-- was booked at a wrong price is corrected beside the attempt, never in it: what was booked decided things.

CREATE TABLE weir.cost_corrections (
    id            uuid        CONSTRAINT cost_corrections_pkey PRIMARY KEY, -- a version 7, so the latest is the greatest
    task_id       uuid        NOT NULL,
    attempt_id    uuid        NOT NULL,
    old_cost_pusd bigint,               -- NULL: it was not known
    cost_pusd     bigint      NOT NULL,
    price_book    text        NOT NULL,
    price_row     text        NOT NULL,
    reason        text        NOT NULL,
    at            timestamptz NOT NULL,
    CONSTRAINT cost_corrections_cost_check CHECK (cost_pusd >= 0)
);
-- the latest correction of an attempt
CREATE INDEX cost_corrections_attempt ON weir.cost_corrections (attempt_id, id DESC);

-- +goose StatementBegin
CREATE FUNCTION weir.refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of %.% are never changed; add another one', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;
-- +goose StatementEnd
CREATE TRIGGER cost_corrections_append_only BEFORE UPDATE ON weir.cost_corrections
    FOR EACH ROW EXECUTE FUNCTION weir.refuse_update();

-- The three functions below are plain SQL that the planner writes into the query that calls them.

-- The tokens of an attempt by class with the rate of each at a price; a class that was not used has no line.
-- +goose StatementBegin
CREATE FUNCTION weir.usage_lines(a weir.attempts, p weir.prices)
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

-- The multiplier of an attempt's mode and region at a price as numerator and denominator; NULL where the price has none.
-- The tier and the speed of the reply decide before the mode that was asked for. A variant has its mode's own rates.
-- +goose StatementBegin
CREATE FUNCTION weir.price_factor(a weir.attempts, p weir.prices, OUT num numeric, OUT den numeric)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT split_part(f.mode, '/', 1)::numeric * split_part(f.geo, '/', 1)::numeric,
           coalesce(nullif(split_part(f.mode, '/', 2), ''), '1')::numeric
               * coalesce(nullif(split_part(f.geo, '/', 2), ''), '1')::numeric
    FROM (SELECT CASE WHEN n.name IN ('', p.variant) THEN '1' ELSE p.modes ->> n.name END AS mode,
                 CASE WHEN coalesce(a.geo, '') = '' THEN '1' ELSE p.geo ->> a.geo END AS geo
          FROM (SELECT CASE WHEN coalesce(a.speed, '') NOT IN ('', 'standard', 'default') THEN a.speed
                            WHEN a.mode = 'batch' THEN 'batch'
                            WHEN coalesce(a.service_tier, '') NOT IN ('', 'standard', 'default') THEN a.service_tier
                            WHEN a.mode = 'flex' AND coalesce(a.service_tier, '') = '' THEN 'flex'
                            ELSE '' END AS name) n) f
$$;
-- +goose StatementEnd

-- num / den rounded half to even to a whole number, exactly: numeric's own division rounds half away from zero.
-- +goose StatementBegin
CREATE FUNCTION weir.half_even(num numeric, den numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT div(num, den) + CASE WHEN 2 * mod(num, den) > den
                                  OR (2 * mod(num, den) = den AND mod(div(num, den), 2) = 1) THEN 1 ELSE 0 END
$$;
-- +goose StatementEnd

CREATE VIEW weir.attempt_cost_lines AS
SELECT a.task_id,
       a.id AS attempt_id,
       p.key AS price_row,
       l.line,
       l.kind,
       l.count,
       l.rate_pusd,
       l.count::numeric * l.rate_pusd AS cost_pusd,
       CASE WHEN l.kind = 'web_search' THEN 1 ELSE f.num END AS multiplier_num,
       CASE WHEN l.kind = 'web_search' THEN 1 ELSE f.den END AS multiplier_den
FROM weir.attempts a
LEFT JOIN (SELECT DISTINCT ON (attempt_id) attempt_id, price_row
           FROM weir.cost_corrections
           ORDER BY attempt_id, id DESC) c ON c.attempt_id = a.id
JOIN weir.prices p ON p.key = coalesce(c.price_row, a.price_row)
CROSS JOIN LATERAL weir.usage_lines(a, p) l
CROSS JOIN LATERAL weir.price_factor(a, p) f;
COMMENT ON VIEW weir.attempt_cost_lines IS
    'the breakdown of each attempt''s cost by class of tokens, worked out from weir.prices; a rate that is not known is NULL';
COMMENT ON COLUMN weir.attempt_cost_lines.cost_pusd IS
    'count * rate_pusd; the multiplier applies once to the sum of an attempt''s lines, rounded half to even';

CREATE VIEW weir.attempt_costs AS
SELECT a.task_id,
       a.id AS attempt_id,
       a.started_at,
       a.price_book AS booked_book,
       a.price_row AS booked_row,
       coalesce(c.price_book, a.price_book) AS price_book,
       coalesce(c.price_row, a.price_row) AS price_row,
       a.cost_pusd AS booked_pusd,
       coalesce(c.cost_pusd, a.cost_pusd) AS cost_pusd,
       coalesce(c.cost_pusd, a.cost_pusd) * 0.000000000001 AS cost_usd,
       weir.half_even(w.tokens_pusd * f.num, f.den) + w.searches_pusd AS recomputed_pusd,
       p.key IS NOT NULL AND a.started_at >= p.valid_from AND a.started_at < p.valid_until
           AND w.prompt BETWEEN p.prompt_from AND coalesce(p.prompt_to, 'infinity'::numeric) AS row_applies
FROM weir.attempts a
LEFT JOIN (SELECT DISTINCT ON (attempt_id) attempt_id, price_book, price_row, cost_pusd
           FROM weir.cost_corrections
           ORDER BY attempt_id, id DESC) c ON c.attempt_id = a.id
LEFT JOIN weir.prices p ON p.key = coalesce(c.price_row, a.price_row)
LEFT JOIN LATERAL weir.price_factor(a, p) f ON true
-- a sum of lines of which one has no rate is not known
LEFT JOIN LATERAL (
    SELECT CASE WHEN bool_and(l.rate_pusd IS NOT NULL)
                THEN coalesce(sum(l.count::numeric * l.rate_pusd) FILTER (WHERE l.kind <> 'web_search'), 0) END AS tokens_pusd,
           coalesce(sum(l.count::numeric * l.rate_pusd) FILTER (WHERE l.kind = 'web_search'), 0) AS searches_pusd,
           coalesce(sum(l.count) FILTER (WHERE l.line < 9), 0) AS prompt
    FROM weir.usage_lines(a, p) l) w ON true;
COMMENT ON VIEW weir.attempt_costs IS
    'what each attempt costs: as booked, after corrections, and worked out again from the price book in weir.prices';

CREATE VIEW weir.corrected_cost AS
SELECT t.feature,
       (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
       count(*) AS attempts,
       coalesce(sum(a.cost_pusd), 0) * 0.000000000001 AS booked_usd,
       sum(c.cost_pusd) * 0.000000000001 AS cost_usd,
       (sum(c.cost_pusd) - coalesce(sum(a.cost_pusd), 0)) * 0.000000000001 AS correction_usd
FROM (SELECT DISTINCT ON (attempt_id) task_id, attempt_id, cost_pusd
      FROM weir.cost_corrections
      ORDER BY attempt_id, id DESC) c
JOIN weir.attempts a ON a.task_id = c.task_id AND a.id = c.attempt_id
JOIN weir.tasks t ON t.id = c.task_id
GROUP BY t.feature, day;
COMMENT ON VIEW weir.corrected_cost IS
    'what corrections change, by feature and day of acceptance (UTC): add correction_usd to the cost of any other view';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.attempt_cost_lines, weir.attempt_costs, weir.corrected_cost TO weir_ro;
        GRANT EXECUTE ON FUNCTION weir.usage_lines, weir.price_factor, weir.half_even TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.corrected_cost, weir.attempt_costs, weir.attempt_cost_lines;
DROP FUNCTION weir.half_even, weir.price_factor, weir.usage_lines;
DROP TABLE weir.cost_corrections;
DROP FUNCTION weir.refuse_update;
