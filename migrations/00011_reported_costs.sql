-- +goose Up
-- Some providers and gateways say what they billed for a call. Their figure stands beside weir's own and is never taken
-- for it: two figures of one bill are worth more than one.

-- NOT VALID spares a scan of every attempt: before this migration there is no figure that could be wrong.
ALTER TABLE weir.attempts
    ADD COLUMN reported_cost_pusd bigint, -- NULL: the provider did not say
    ADD CONSTRAINT attempts_reported_cost_check CHECK (reported_cost_pusd >= 0) NOT VALID;

CREATE VIEW weir.reported_costs AS
SELECT (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
       a.provider,
       a.model,
       a.model_answered,
       count(*) AS attempts,
       coalesce(sum(a.reported_cost_pusd), 0) * 0.000000000001 AS reported_usd,
       count(b.cost_pusd) AS compared,
       coalesce(sum(b.cost_pusd), 0) * 0.000000000001 AS cost_usd,
       coalesce(sum(a.reported_cost_pusd) FILTER (WHERE b.cost_pusd IS NOT NULL), 0) * 0.000000000001
           AS compared_reported_usd,
       coalesce(sum(a.reported_cost_pusd - b.cost_pusd), 0) * 0.000000000001 AS difference_usd,
       count(*) FILTER (WHERE a.reported_cost_pusd <> b.cost_pusd) AS differing,
       count(*) FILTER (WHERE b.cost_pusd IS NULL) AS unpriced_attempts
FROM weir.attempts a
JOIN weir.tasks t ON t.id = a.task_id
LEFT JOIN (SELECT DISTINCT ON (attempt_id) attempt_id, cost_pusd
           FROM weir.cost_corrections
           ORDER BY attempt_id, id DESC) c ON c.attempt_id = a.id
CROSS JOIN LATERAL (SELECT coalesce(c.cost_pusd, a.cost_pusd) AS cost_pusd) b
WHERE a.reported_cost_pusd IS NOT NULL
GROUP BY day, a.provider, a.model, a.model_answered;
COMMENT ON VIEW weir.reported_costs IS
    'what providers say that they billed beside what weir worked out, by model and day of the task''s acceptance (UTC)';
COMMENT ON COLUMN weir.reported_costs.difference_usd IS
    'reported less weir''s own cost, of the attempts that have both; above zero: the provider says more';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.reported_costs TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.reported_costs;
ALTER TABLE weir.attempts DROP COLUMN reported_cost_pusd; -- and its check with it
