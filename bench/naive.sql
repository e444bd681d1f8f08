-- The tables of the naive pipeline: what one would write first.
CREATE SCHEMA naive;
CREATE TABLE naive.tasks (
    id          uuid        PRIMARY KEY,
    key         text        NOT NULL UNIQUE,
    feature     text        NOT NULL,
    payload     jsonb       NOT NULL,
    state       text        NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE TABLE naive.attempts (
    id            uuid        PRIMARY KEY,
    task_id       uuid        NOT NULL REFERENCES naive.tasks,
    model         text        NOT NULL,
    input_tokens  bigint      NOT NULL,
    output_tokens bigint      NOT NULL,
    cost_pusd     bigint      NOT NULL,
    verdict       text        NOT NULL,
    output        text        NOT NULL,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL
);
CREATE INDEX attempts_task ON naive.attempts (task_id);
