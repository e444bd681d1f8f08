-- +goose Up
-- How many tokens providers count for what weir counts, by model, feature and call path: what plans estimate with. The
-- row with an empty call path stands for all of a feature's, the one without a feature for all of a model's.

-- Why each stage's model is in a plan, as excluded says why others are not: [{"model": ..., "reason": ...}], for people.
ALTER TABLE weir.plans ADD COLUMN included jsonb NOT NULL DEFAULT '[]';

CREATE TABLE weir.token_ratios (
    model      text        NOT NULL,
    feature    text        NOT NULL,
    call_path  text        NOT NULL,
    steps      integer[]   NOT NULL, -- ratios by size, in sixteenths of a doubling from a quarter on
    samples    bigint      NOT NULL,
    sum        double precision NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT token_ratios_pkey PRIMARY KEY (model, feature, call_path),
    CONSTRAINT token_ratios_samples_check CHECK (samples >= 0)
);

CREATE VIEW weir.token_factors AS
SELECT r.model, r.feature, r.call_path, r.samples,
       round((r.sum / nullif(r.samples, 0))::numeric, 3) AS factor,
       round(power(2::numeric, -2 + (p.step::numeric / 16)), 3) AS factor_p99,
       r.updated_at
FROM weir.token_ratios r
CROSS JOIN LATERAL (
    SELECT min(c.step) AS step
    FROM (SELECT s.step, sum(s.n) OVER (ORDER BY s.step) AS seen
          FROM unnest(r.steps) WITH ORDINALITY AS s (n, step)) c
    WHERE c.seen >= ceil(0.99 * r.samples)) p;
COMMENT ON VIEW weir.token_factors IS
    'how many tokens providers count for one of the o200k vocabulary, by model, feature and call path, as plans use it';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.token_factors TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.token_factors;
DROP TABLE weir.token_ratios;
ALTER TABLE weir.plans DROP COLUMN included;
