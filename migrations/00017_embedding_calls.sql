-- +goose Up
-- Every call for embeddings: one row for one request, written before it leaves and settled when it is over. It holds no text
-- and no vector. Rows are kept, as attempts are: they are what was paid.

CREATE TABLE weir.embedding_calls (
    id                   uuid        CONSTRAINT embedding_calls_pkey PRIMARY KEY, -- UUIDv7
    sent_at              timestamptz NOT NULL,
    finished_at          timestamptz, -- NULL: under way, or its process died
    embedder             text        NOT NULL,
    provider             text        NOT NULL,
    model                text        NOT NULL,
    model_answered       text,
    feature              text,        -- a label of the caller's
    inputs               integer     NOT NULL,
    estimated_tokens     bigint      NOT NULL, -- by weir's own count, before the call
    estimated_cost_pusd  bigint,      -- of the estimate; NULL: no price
    bound_pusd           bigint,      -- the most that the call can cost; NULL: no price
    tokens               bigint,      -- as the provider metered; NULL: it did not say
    cost_pusd            bigint,      -- NULL: not known
    reported_cost_pusd   bigint,      -- what the provider says that it billed; NULL: it did not say
    price_book           text,
    price_row            text,
    http_status          integer,
    request_id           text,
    fault                text,        -- the failure's class; NULL: none
    message              text,        -- in the provider's words
    CONSTRAINT embedding_calls_inputs_check CHECK (inputs > 0),
    CONSTRAINT embedding_calls_counts_check CHECK (estimated_tokens >= 0 AND tokens >= 0),
    CONSTRAINT embedding_calls_cost_check CHECK (cost_pusd >= 0 AND reported_cost_pusd >= 0),
    CONSTRAINT embedding_calls_end_check CHECK (finished_at IS NOT NULL OR (cost_pusd IS NULL AND fault IS NULL))
);

CREATE VIEW weir.embedding_usage AS
SELECT (c.sent_at AT TIME ZONE 'UTC')::date AS day,
       c.embedder,
       c.provider,
       c.model,
       c.feature,
       count(*) AS calls,
       count(*) FILTER (WHERE c.fault IS NOT NULL) AS failed_calls,
       coalesce(sum(c.inputs) FILTER (WHERE c.finished_at IS NOT NULL AND c.fault IS NULL), 0) AS inputs,
       coalesce(sum(c.tokens), 0) AS tokens,
       coalesce(sum(c.cost_pusd), 0) * 0.000000000001 AS cost_usd,
       coalesce(sum(coalesce(c.cost_pusd, c.estimated_cost_pusd)), 0) * 0.000000000001 AS estimated_usd,
       coalesce(sum(coalesce(c.cost_pusd, c.bound_pusd)), 0) * 0.000000000001 AS cost_high_usd,
       count(*) FILTER (WHERE c.cost_pusd IS NULL AND c.tokens IS NULL) AS unmetered_calls,
       count(*) FILTER (WHERE c.cost_pusd IS NULL AND c.tokens IS NOT NULL) AS unpriced_calls,
       sum(c.reported_cost_pusd) * 0.000000000001 AS reported_usd
FROM weir.embedding_calls c
GROUP BY day, c.embedder, c.provider, c.model, c.feature;
COMMENT ON VIEW weir.embedding_usage IS
    'calls for embeddings, what they embedded and what they cost, by embedder, label and day of sending (UTC)';
COMMENT ON COLUMN weir.embedding_usage.estimated_usd IS
    'cost_usd, and weir''s own estimate for the calls whose bill is not known';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.embedding_usage TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.embedding_usage;
DROP TABLE weir.embedding_calls;
