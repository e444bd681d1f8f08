-- +goose Up
-- What is left alone for a while: a model whose calls fail, an account whose quota or key is dead, a feature whose
-- requests are refused. One row stands for the whole fleet, by the database's clock.

CREATE TABLE weir.gates (
    scope        text        NOT NULL,
    name         text        NOT NULL,
    state        text        NOT NULL,
    hard         boolean     NOT NULL DEFAULT false, -- heals by a person, so it is tried rarely
    openings     integer     NOT NULL DEFAULT 0,     -- in a row, since it was closed last
    failure      text,
    reason       text,
    since        timestamptz,
    until        timestamptz, -- open: the next probe; probing: when the probe is given up; limited: the end
    probe_bundle uuid,
    ramp_at      timestamptz, -- ramping: when the probe came through
    strikes      integer     NOT NULL DEFAULT 0,     -- of a feature, since strikes_at
    strikes_at   timestamptz,
    CONSTRAINT gates_pkey PRIMARY KEY (scope, name),
    CONSTRAINT gates_scope_check CHECK (scope IN ('provider', 'model', 'feature')),
    CONSTRAINT gates_state_check CHECK (state IN ('closed', 'limited', 'open', 'probing', 'ramping')),
    CONSTRAINT gates_probe_check CHECK ((state = 'probing') = (probe_bundle IS NOT NULL)),
    CONSTRAINT gates_ramp_check CHECK ((state = 'ramping') = (ramp_at IS NOT NULL)),
    CONSTRAINT gates_until_check CHECK ((state IN ('limited', 'open', 'probing')) = (until IS NOT NULL))
);

-- A bundle of one task that finds out whether a gate may open.
ALTER TABLE weir.bundles ADD COLUMN probe boolean NOT NULL DEFAULT false;

-- What a process tells the others of its calls by rate limit: {"key": {"demand": n, "part": p, "since": t}}. Part and
-- since are there while refusals slow it down.
ALTER TABLE weir.processes ADD COLUMN rates jsonb NOT NULL DEFAULT '{}';

CREATE VIEW weir.provider_status AS
SELECT g.scope, g.name, g.state, g.hard, g.since, g.until, g.openings, g.failure, g.reason,
       NULL::integer AS processes, NULL::numeric AS part
FROM weir.gates g
WHERE g.state IN ('open', 'probing', 'ramping') OR (g.state = 'limited' AND g.until > now())
UNION ALL
SELECT 'rate', r.key, 'slowed', false, min((r.value ->> 'since')::timestamptz), NULL, NULL, 'rate_limited',
       'the provider refuses calls inside the limits that are set', count(*)::integer, min((r.value ->> 'part')::numeric)
FROM weir.processes p, jsonb_each(p.rates) r
WHERE r.value ? 'part' AND p.beat_at > now() - interval '15 seconds'
GROUP BY r.key;
COMMENT ON VIEW weir.provider_status IS
    'What is limited or left alone at the moment: models, accounts, features and rate limits, since when and why.';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.provider_status TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.provider_status;
ALTER TABLE weir.processes DROP COLUMN rates;
ALTER TABLE weir.bundles DROP COLUMN probe;
DROP TABLE weir.gates;
