-- +goose Up
-- Shadow calls: of accepted answers, a share is asked again of the next model, to see how often an accepted answer is wrong.
-- One row for each, made with the acceptance; nothing of it reaches the task, whose cost does not have it. Rows stay, as
-- attempts do: they are what was paid.

CREATE TABLE weir.shadow_calls (
    id                 uuid        CONSTRAINT shadow_calls_pkey PRIMARY KEY, -- UUIDv7
    task_id            uuid        NOT NULL,
    attempt_id         uuid        NOT NULL, -- whose answer was accepted
    accepted_model     text        NOT NULL, -- that gave it
    accepted_vote      uuid        NOT NULL, -- its canonical form, as a hash
    model              text        NOT NULL, -- that is asked now
    state              text        NOT NULL,
    owner              uuid,                 -- the process that makes the call
    created_at         timestamptz NOT NULL,
    started_at         timestamptz,
    finished_at        timestamptz,
    provider           text,
    model_asked        text,
    model_answered     text,
    mode               text,
    verdict            text,
    validator          text,
    reason             text,
    failure            text,
    agrees             boolean,              -- NULL: there is no valid answer to compare
    http_status        smallint,
    stop_reason        text,
    input_tokens       bigint,
    cache_read_tokens  bigint,
    cache_write_5m_tokens  bigint,
    cache_write_30m_tokens bigint,
    cache_write_1h_tokens  bigint,
    cache_write_12h_tokens bigint,
    input_audio_tokens bigint,
    input_image_tokens bigint,
    output_tokens      bigint,
    reasoning_tokens   bigint,
    output_audio_tokens bigint,
    web_searches       bigint,
    characters         bigint,
    raw_usage          json,
    service_tier       text,
    speed              text,
    geo                text,
    cost_pusd          bigint,               -- NULL: unknown, between 0 and bound_pusd
    bound_pusd         bigint,
    reported_cost_pusd bigint,
    price_row          text,
    price_book         text,
    config_hash        text,
    latency_ms         integer,
    request_id         text,
    CONSTRAINT shadow_calls_state_check
        CHECK (state IN ('waiting', 'claimed', 'in_flight', 'closed', 'lost', 'not_sent', 'dropped')),
    CONSTRAINT shadow_calls_verdict_check CHECK (verdict IN ('accepted', 'rejected', 'errored')),
    CONSTRAINT shadow_calls_owner_check CHECK (state NOT IN ('claimed', 'in_flight') OR owner IS NOT NULL),
    CONSTRAINT shadow_calls_closed_check CHECK (state <> 'closed' OR (verdict IS NOT NULL AND finished_at IS NOT NULL)),
    CONSTRAINT shadow_calls_agrees_check CHECK (agrees IS NULL OR verdict = 'accepted'),
    CONSTRAINT shadow_calls_cost_check CHECK (cost_pusd >= 0 AND reported_cost_pusd >= 0)
);
CREATE INDEX shadow_calls_waiting ON weir.shadow_calls (id) WHERE state = 'waiting';
CREATE INDEX shadow_calls_open ON weir.shadow_calls (owner) WHERE state IN ('claimed', 'in_flight');

CREATE VIEW weir.false_acceptance AS
SELECT (t.accepted_at AT TIME ZONE 'UTC')::date AS day,
       t.feature,
       coalesce(t.call_path, '') AS call_path,
       t.class,
       s.accepted_model,
       s.model,
       count(s.agrees) AS compared,
       count(*) FILTER (WHERE NOT s.agrees) AS disagreed,
       round(count(*) FILTER (WHERE NOT s.agrees)::numeric / nullif(count(s.agrees), 0), 4) AS disagreed_share,
       count(*) FILTER (WHERE s.verdict = 'rejected') AS rejected,
       count(*) FILTER (WHERE s.verdict = 'errored' OR s.state = 'lost') AS errored,
       count(*) FILTER (WHERE s.state IN ('dropped', 'not_sent')) AS dropped,
       count(*) FILTER (WHERE s.state IN ('waiting', 'claimed', 'in_flight')) AS waiting,
       coalesce(sum(s.cost_pusd), 0) * 0.000000000001 AS cost_usd,
       coalesce(sum(coalesce(s.cost_pusd, s.bound_pusd)) FILTER (WHERE s.state IN ('closed', 'lost')), 0)
           * 0.000000000001 AS cost_high_usd,
       count(*) FILTER (WHERE s.state IN ('closed', 'lost') AND s.cost_pusd IS NULL) AS unknown_bills
FROM weir.shadow_calls s
JOIN weir.tasks t ON t.id = s.task_id
GROUP BY (t.accepted_at AT TIME ZONE 'UTC')::date, t.feature, coalesce(t.call_path, ''), t.class, s.accepted_model, s.model;
COMMENT ON VIEW weir.false_acceptance IS
    'how often the next model''s valid answer differs from one that was accepted: at most that share was accepted wrongly, if the next model is right';
COMMENT ON COLUMN weir.false_acceptance.cost_usd IS 'of the shadow calls themselves, which no task''s cost has';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.false_acceptance TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.false_acceptance;
DROP TABLE weir.shadow_calls;
