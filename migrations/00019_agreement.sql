-- +goose Up
-- Agreement as a verdict: answers of several models that have to be the same.

-- How many of the stages before the last must give the same answer; NULL: a valid answer is enough.
ALTER TABLE weir.plans
    ADD COLUMN agree smallint,
    ADD CONSTRAINT plans_agree_check CHECK (agree >= 2);

-- The canonical form of a valid answer that was put to the vote, as a hash: texts are deleted, and equality is all that counts.
ALTER TABLE weir.attempts ADD COLUMN vote uuid;

-- Tasks whose plan has a vote are counted apart: there a rejected answer may have been right.
ALTER TABLE weir.pass_rates ADD COLUMN voting boolean NOT NULL DEFAULT false;
ALTER TABLE weir.pass_rates
    DROP CONSTRAINT pass_rates_pkey,
    ADD CONSTRAINT pass_rates_pkey
        PRIMARY KEY (snapshot_id, tenant, feature, call_path, class, model, asked_first, voting);

CREATE OR REPLACE VIEW weir.current_pass_rates AS
SELECT s.taken_at, p.tenant, p.feature, p.call_path, p.class, p.model, p.asked_first, p.tried, p.accepted,
       round(p.accepted::numeric / p.tried, 4) AS pass_rate,
       round(p.cost_pusd::numeric / nullif(p.priced, 0) / 1e12, 12) AS mean_cost_usd,
       p.voting
FROM weir.pass_rates p
JOIN weir.rate_snapshots s ON s.id = p.snapshot_id
WHERE s.id = (SELECT id FROM weir.rate_snapshots ORDER BY taken_at DESC, id DESC LIMIT 1);

-- +goose Down
DROP VIEW weir.current_pass_rates;
DELETE FROM weir.pass_rates WHERE voting;
ALTER TABLE weir.pass_rates
    DROP CONSTRAINT pass_rates_pkey,
    ADD CONSTRAINT pass_rates_pkey PRIMARY KEY (snapshot_id, tenant, feature, call_path, class, model, asked_first);
ALTER TABLE weir.pass_rates DROP COLUMN voting;
CREATE VIEW weir.current_pass_rates AS
SELECT s.taken_at, p.tenant, p.feature, p.call_path, p.class, p.model, p.asked_first, p.tried, p.accepted,
       round(p.accepted::numeric / p.tried, 4) AS pass_rate,
       round(p.cost_pusd::numeric / nullif(p.priced, 0) / 1e12, 12) AS mean_cost_usd
FROM weir.pass_rates p
JOIN weir.rate_snapshots s ON s.id = p.snapshot_id
WHERE s.id = (SELECT id FROM weir.rate_snapshots ORDER BY taken_at DESC, id DESC LIMIT 1);
COMMENT ON VIEW weir.current_pass_rates IS
    'how often models'' answers were accepted, by call path and class, in the last snapshot: what plans go by';
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.current_pass_rates TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd
ALTER TABLE weir.attempts DROP COLUMN vote;
ALTER TABLE weir.plans DROP COLUMN agree;
