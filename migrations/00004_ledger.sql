-- +goose Up
-- The ledger: every accepted task, every attempt, one result a task. Money is bigint pico-USD (10^-12 USD).

-- A plan is the same for most tasks of a feature, so it is stored once under the hash of its content.
CREATE TABLE weir.plans (
    id          uuid        CONSTRAINT plans_pkey PRIMARY KEY,
    class       text        NOT NULL,
    stages      jsonb       NOT NULL, -- ordered: [{"model": ..., "sideways": [...]}]
    excluded    jsonb       NOT NULL, -- [{"model": ..., "reason": ...}], for people
    config_hash text        NOT NULL,
    created_at  timestamptz NOT NULL
);

CREATE TABLE weir.tasks (
    id                 uuid        CONSTRAINT tasks_pkey PRIMARY KEY,
    tenant             text        NOT NULL,
    feature            text        NOT NULL,
    key                text        NOT NULL,
    run                smallint    NOT NULL DEFAULT 1,
    call_path          text,
    batch              text,
    lane               text        NOT NULL,
    priority           smallint    NOT NULL,
    state              text        NOT NULL,
    deadline           timestamptz,
    not_before         timestamptz,
    class              text,
    class_source       text,
    confidence         real,
    plan_id            uuid,
    stage              smallint    NOT NULL DEFAULT 0,
    sideways           smallint    NOT NULL DEFAULT 0, -- 0: the stage's own model, n: its n-th fallback
    model              text,                           -- weir's name of the model to call next, or called last
    bundle_id          uuid,                           -- the fence: set while released, cleared by every exit
    ingest_batch       uuid        NOT NULL,
    calls              integer     NOT NULL DEFAULT 0, -- attempts that have ended, counted or not; waits have no limit
    attempts           smallint    NOT NULL DEFAULT 0, -- those that count against the ceilings
    model_attempts     smallint    NOT NULL DEFAULT 0, -- counted, on the current model
    lost_attempts      smallint    NOT NULL DEFAULT 0,
    unpriced_attempts  smallint    NOT NULL DEFAULT 0,
    cost_pusd          bigint      NOT NULL DEFAULT 0,
    cost_high_pusd     bigint      NOT NULL DEFAULT 0,
    expected_cost_pusd bigint      NOT NULL DEFAULT 0, -- of the next stage; the dispatcher's currency
    max_cost_pusd      bigint,
    prompt_tokens      integer     NOT NULL DEFAULT 0, -- estimate
    max_output_tokens  integer     NOT NULL DEFAULT 0,
    payload_bytes      integer     NOT NULL,
    hint               text,                           -- the validator's complaint, for the next model
    reason             text,                           -- of the last requeue, or of the end
    accepted_at        timestamptz NOT NULL,
    finished_at        timestamptz,
    CONSTRAINT tasks_lane_check CHECK (lane IN ('now', 'batch')),
    CONSTRAINT tasks_class_check CHECK (class IN ('L1', 'L2', 'L3')),
    CONSTRAINT tasks_state_check CHECK (state IN ('queued', 'ready', 'released', 'parked', 'submitted',
        'succeeded', 'failed', 'expired', 'cancelled', 'refused')),
    CONSTRAINT tasks_finished_check CHECK (
        (state IN ('succeeded', 'failed', 'expired', 'cancelled', 'refused')) = (finished_at IS NOT NULL)),
    CONSTRAINT tasks_fence_check CHECK ((state = 'released') = (bundle_id IS NOT NULL))
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_analyze_threshold = 2000
);
-- classify reads its batch; the sweep reads what stayed queued.
CREATE INDEX tasks_queued ON weir.tasks (ingest_batch, id) WHERE state = 'queued';
-- dispatch walks (model, feature) pairs and takes the first rows of each.
CREATE INDEX tasks_ready ON weir.tasks (model, feature, priority, deadline, id) WHERE state = 'ready';
CREATE INDEX tasks_parked ON weir.tasks (not_before) WHERE state = 'parked';
-- a stage job finds its members; dispatch counts what is released of a model.
CREATE INDEX tasks_released ON weir.tasks (bundle_id) INCLUDE (model) WHERE state = 'released';
CREATE INDEX tasks_deadline ON weir.tasks (deadline)
    WHERE deadline IS NOT NULL AND state IN ('queued', 'ready', 'parked');
-- progress, results and selections of a batch label; the id lets results be read page by page.
CREATE INDEX tasks_batch ON weir.tasks (batch, tenant, id) WHERE batch IS NOT NULL;

-- What was ever accepted: the deduplication that JetStream's short window cannot give.
CREATE TABLE weir.task_keys (
    tenant       text     NOT NULL,
    key          text     NOT NULL,
    task_id      uuid     NOT NULL,
    request_hash bytea    NOT NULL,
    run          smallint NOT NULL DEFAULT 1,
    CONSTRAINT task_keys_pkey PRIMARY KEY (tenant, key)
);

-- Texts are bytea, because Postgres never looks into them and text would refuse what a model may write (NUL). They are
-- partitioned by the day in the task's id, so that retention is a DROP TABLE.
CREATE TABLE weir.payloads (
    task_id uuid  NOT NULL,
    body    bytea NOT NULL,
    CONSTRAINT payloads_pkey PRIMARY KEY (task_id)
) PARTITION BY RANGE (task_id);

CREATE TABLE weir.outputs (
    task_id    uuid  NOT NULL,
    attempt_id uuid  NOT NULL,
    output     bytea NOT NULL,
    tool_calls bytea,
    CONSTRAINT outputs_pkey PRIMARY KEY (task_id, attempt_id)
) PARTITION BY RANGE (task_id);

-- One row for each HTTP request that was made or may have been made, written before it leaves. A bundle makes at most
-- one attempt a member, which the primary key enforces.
CREATE TABLE weir.attempts (
    task_id            uuid        NOT NULL,
    bundle_id          uuid        NOT NULL,
    id                 uuid        NOT NULL,
    n                  integer     NOT NULL, -- 1, 2, ... within the task
    owner              uuid        NOT NULL, -- the process that makes the call
    stage              smallint    NOT NULL,
    provider           text        NOT NULL,
    model              text        NOT NULL, -- weir's name
    model_asked        text        NOT NULL, -- the provider's name
    model_answered     text,
    mode               text        NOT NULL,
    state              text        NOT NULL,
    counted            boolean     NOT NULL DEFAULT true,
    late               boolean     NOT NULL DEFAULT false, -- the answer came after the attempt was given up
    verdict            text,
    validator          text,
    reason             text,
    failure            text,
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
    raw_usage          json,
    service_tier       text,
    speed              text,
    geo                text,
    cost_pusd          bigint, -- NULL: unknown, between 0 and bound_pusd
    bound_pusd         bigint, -- NULL: no price was in force
    price_row          text,
    price_book         text,
    config_hash        text        NOT NULL,
    latency_ms         integer,
    request_id         text,
    started_at         timestamptz NOT NULL,
    finished_at        timestamptz,
    CONSTRAINT attempts_pkey PRIMARY KEY (task_id, bundle_id),
    CONSTRAINT attempts_mode_check CHECK (mode IN ('sync', 'flex', 'batch')),
    CONSTRAINT attempts_state_check CHECK (state IN ('in_flight', 'closed', 'lost', 'not_sent')),
    CONSTRAINT attempts_verdict_check CHECK (verdict IN ('accepted', 'rejected', 'errored')),
    CONSTRAINT attempts_closed_check CHECK (state <> 'closed' OR (verdict IS NOT NULL AND finished_at IS NOT NULL)),
    CONSTRAINT attempts_cost_check CHECK (cost_pusd >= 0)
) PARTITION BY RANGE (task_id);
-- the reaper asks for the open attempts of one owner
CREATE INDEX attempts_in_flight ON weir.attempts (owner) WHERE state = 'in_flight';

CREATE TABLE weir.results (
    task_id      uuid        CONSTRAINT results_pkey PRIMARY KEY,
    id           uuid        NOT NULL,
    status       text        NOT NULL,
    reason       text,
    attempt_id   uuid,                 -- the accepted attempt
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    CONSTRAINT results_status_check CHECK (status IN ('succeeded', 'failed', 'expired', 'cancelled', 'refused'))
);
CREATE INDEX results_unpublished ON weir.results (created_at) WHERE published_at IS NULL;

CREATE TABLE weir.bundles (
    id         uuid        CONSTRAINT bundles_pkey PRIMARY KEY,
    feature    text        NOT NULL,
    provider   text        NOT NULL,
    model      text        NOT NULL,
    stage      smallint    NOT NULL,
    lane       text        NOT NULL,
    tasks      integer     NOT NULL,
    owner      uuid,
    created_at timestamptz NOT NULL,
    started_at timestamptz
);

-- What the dispatcher still owes a feature that had to wait for room, in pico-USD of expected cost.
CREATE TABLE weir.dispatch_deficits (
    model        text   NOT NULL,
    feature      text   NOT NULL,
    deficit_pusd bigint NOT NULL,
    CONSTRAINT dispatch_deficits_pkey PRIMARY KEY (model, feature)
);

-- The lease of a process: silent for too long means dead.
CREATE TABLE weir.processes (
    id         uuid        CONSTRAINT processes_pkey PRIMARY KEY,
    host       text        NOT NULL,
    roles      text[]      NOT NULL,
    version    text        NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at    timestamptz NOT NULL
);

-- +goose Down
DROP TABLE weir.processes, weir.dispatch_deficits, weir.bundles, weir.results, weir.attempts, weir.outputs,
    weir.payloads, weir.task_keys, weir.tasks, weir.plans;
