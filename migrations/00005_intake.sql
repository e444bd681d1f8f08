-- +goose Up
-- What came in over NATS besides tasks: the batches, what was refused, and business outcomes.
CREATE TABLE weir.ingest_batches (
    id           uuid           CONSTRAINT ingest_batches_pkey PRIMARY KEY,
    stream       text           NOT NULL,
    first_seq    bigint         NOT NULL,
    last_seq     bigint         NOT NULL,
    seqs         int8multirange NOT NULL, -- exactly which ones: several ingesters share a stream, and some come again
    messages     integer        NOT NULL,
    tasks        integer        NOT NULL,
    duplicates   integer        NOT NULL,
    dead_letters integer        NOT NULL,
    created_at   timestamptz    NOT NULL
);
CREATE INDEX ingest_batches_seq ON weir.ingest_batches (stream, last_seq);

CREATE TABLE weir.dead_letters (
    id           uuid        CONSTRAINT dead_letters_pkey PRIMARY KEY,
    stream       text        NOT NULL,
    seq          bigint      NOT NULL,
    member       integer     NOT NULL, -- the place in an envelope, 0 for a lone task
    stored_at    timestamptz NOT NULL, -- by the stream; tells a recreated stream's sequence from the old one's
    subject      text        NOT NULL,
    key          text,
    code         text        NOT NULL,
    reason       text        NOT NULL,
    body         bytea       NOT NULL,
    received_at  timestamptz NOT NULL,
    redriven_at  timestamptz,
    CONSTRAINT dead_letters_origin_key UNIQUE (stream, seq, member, stored_at)
);

CREATE TABLE weir.outcomes (
    id          uuid        CONSTRAINT outcomes_pkey PRIMARY KEY,
    tenant      text        NOT NULL,
    feature     text        NOT NULL,
    key         text,
    reported_id uuid,                 -- the task id as reported
    task_id     uuid,                 -- NULL until the task is known
    success     boolean     NOT NULL,
    value_pusd  bigint,
    reason      text,
    at          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    stream_seq  bigint      NOT NULL,
    stored_at   timestamptz NOT NULL,
    CONSTRAINT outcomes_origin_key UNIQUE (stream_seq, stored_at),
    CONSTRAINT outcomes_named_check CHECK (key IS NOT NULL OR reported_id IS NOT NULL)
);
-- the last outcome of a task wins
CREATE INDEX outcomes_task ON weir.outcomes (task_id, at DESC, id DESC) WHERE task_id IS NOT NULL;
-- fresh ones are tried often, old ones seldom
CREATE INDEX outcomes_unjoined ON weir.outcomes (received_at) WHERE task_id IS NULL;

-- +goose Down
DROP TABLE weir.outcomes, weir.dead_letters, weir.ingest_batches;
