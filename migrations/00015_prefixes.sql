-- +goose Up
-- What prompts begin with, and what the providers' caches made of it.

-- The hash is 16 bytes, the first half of a SHA-256, in the type that Postgres stores without a length.
ALTER TABLE weir.tasks
    ADD COLUMN prefix_hash uuid,                        -- of the stable prefix; NULL until the task is planned
    ADD COLUMN prefix_tokens integer NOT NULL DEFAULT 0; -- estimate

CREATE VIEW weir.prefixes AS
SELECT t.feature,
       encode(uuid_send(t.prefix_hash), 'hex') AS prefix_hash,
       (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
       max(t.prefix_tokens) AS prefix_tokens,
       count(*) AS tasks,
       sum(t.prompt_tokens) AS prompt_tokens
FROM weir.tasks t
WHERE t.prefix_hash IS NOT NULL
GROUP BY t.feature, t.prefix_hash, day;
COMMENT ON VIEW weir.prefixes IS
    'how many tasks begin with the same bytes, and how long that beginning is, by feature, prefix and day of acceptance (UTC)';

-- A difference of prices as whole pico-USD: its sign is kept, its amount is rounded as a cost is.
-- +goose StatementBegin
CREATE FUNCTION weir.difference_pusd(amount numeric, num numeric, den numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT sign(amount) * weir.half_even(abs(amount) * num, den)
$$;
-- +goose StatementEnd

CREATE VIEW weir.cache_usage AS
SELECT c.feature,
       c.day,
       c.provider,
       c.model,
       count(*) AS calls,
       count(*) FILTER (WHERE c.read > 0) AS reads,
       count(*) FILTER (WHERE c.write_5m > 0) AS writes_5m,
       count(*) FILTER (WHERE c.write_30m > 0) AS writes_30m,
       count(*) FILTER (WHERE c.write_1h > 0) AS writes_1h,
       count(*) FILTER (WHERE c.write_12h > 0) AS writes_12h,
       sum(c.prompt) AS prompt_tokens,
       sum(c.read) AS read_tokens,
       sum(c.write_5m) AS write_5m_tokens,
       sum(c.write_30m) AS write_30m_tokens,
       sum(c.write_1h) AS write_1h_tokens,
       sum(c.write_12h) AS write_12h_tokens,
       round(count(*) FILTER (WHERE c.read > 0)::numeric / count(*), 6) AS hit_rate,
       coalesce(sum(c.saved_pusd), 0) * 0.000000000001 AS saved_usd,
       coalesce(sum(c.premium_pusd), 0) * 0.000000000001 AS premium_usd,
       greatest(coalesce(sum(c.premium_pusd), 0) - coalesce(sum(c.saved_pusd), 0), 0) * 0.000000000001 AS wasted_usd,
       count(*) FILTER (WHERE c.saved_pusd IS NULL OR c.premium_pusd IS NULL) AS unpriced_calls
FROM (SELECT t.feature,
             (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
             u.provider,
             u.model,
             u.prompt,
             u.read,
             u.write_5m,
             u.write_30m,
             u.write_1h,
             u.write_12h,
             -- what is not used needs no rate
             CASE WHEN u.read = 0 THEN 0
                  ELSE weir.difference_pusd(u.read * (p.input_pusd - p.cache_read_pusd)::numeric, f.num, f.den)
             END AS saved_pusd,
             CASE WHEN u.written = 0 THEN 0
                  ELSE weir.difference_pusd(
                      CASE WHEN u.write_5m = 0 THEN 0 ELSE u.write_5m * (p.cache_write_5m_pusd - p.input_pusd)::numeric END
                      + CASE WHEN u.write_30m = 0 THEN 0 ELSE u.write_30m * (p.cache_write_30m_pusd - p.input_pusd)::numeric END
                      + CASE WHEN u.write_1h = 0 THEN 0 ELSE u.write_1h * (p.cache_write_1h_pusd - p.input_pusd)::numeric END
                      + CASE WHEN u.write_12h = 0 THEN 0 ELSE u.write_12h * (p.cache_write_12h_pusd - p.input_pusd)::numeric END,
                      f.num, f.den)
             END AS premium_pusd
      FROM weir.tasks t
      JOIN weir.attempts a ON a.task_id = t.id AND a.input_tokens IS NOT NULL
      CROSS JOIN LATERAL (
          SELECT w.*,
                 w.write_5m + w.write_30m + w.write_1h + w.write_12h AS written,
                 a.input_tokens + w.read + w.write_5m + w.write_30m + w.write_1h + w.write_12h
                     + coalesce(a.input_audio_tokens, 0) + coalesce(a.input_image_tokens, 0) AS prompt
          FROM (SELECT a.provider,
                       a.model,
                       coalesce(a.cache_read_tokens, 0) AS read,
                       coalesce(a.cache_write_5m_tokens, 0) AS write_5m,
                       coalesce(a.cache_write_30m_tokens, 0) AS write_30m,
                       coalesce(a.cache_write_1h_tokens, 0) AS write_1h,
                       coalesce(a.cache_write_12h_tokens, 0) AS write_12h) w) u
      -- few attempts have a correction; its row is the right price
      LEFT JOIN (SELECT DISTINCT ON (attempt_id) attempt_id, price_row
                 FROM weir.cost_corrections
                 ORDER BY attempt_id, id DESC) k ON k.attempt_id = a.id
      LEFT JOIN weir.prices p ON p.key = coalesce(k.price_row, a.price_row)
      LEFT JOIN LATERAL weir.price_factor(a, p) f ON true
      WHERE t.state <> 'refused') c
GROUP BY c.feature, c.day, c.provider, c.model;
COMMENT ON VIEW weir.cache_usage IS
    'what prompts read from and wrote to the providers'' caches, and what that saved or wasted, by feature, model and day of acceptance (UTC)';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.prefixes, weir.cache_usage TO weir_ro;
        GRANT EXECUTE ON FUNCTION weir.difference_pusd TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.cache_usage, weir.prefixes;
DROP FUNCTION weir.difference_pusd;
ALTER TABLE weir.tasks DROP COLUMN prefix_tokens, DROP COLUMN prefix_hash;
